"""Asks, submits, records, tells: from a study file to a table."""
