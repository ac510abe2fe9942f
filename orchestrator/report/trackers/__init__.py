"""Finished trials written for experiment trackers, one tracker a file."""
