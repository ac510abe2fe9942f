"""Scores of a training, and the rule that chooses the epoch they are taken at."""
