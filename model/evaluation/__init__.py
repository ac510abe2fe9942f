"""Scores of a training, and which epoch they are taken at."""
