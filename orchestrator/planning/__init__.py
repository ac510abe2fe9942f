"""Which trials of a study are done, which ones a run would train, and what that costs."""
