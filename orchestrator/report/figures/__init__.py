"""Pictures of an utterance and of a study, one picture a file."""
