"""Pictures: of one utterance, and of what a study measured. One file a thought."""
