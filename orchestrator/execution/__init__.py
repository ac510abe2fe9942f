"""Trains what a plan lacks: trials to machines, and back as outcomes in the store."""
