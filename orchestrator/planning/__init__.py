"""What a study still has to train, and what that costs: done, failed, stale, to do."""
