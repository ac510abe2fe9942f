"""Corpora: their utterances and labels, and which speakers are held out together."""
