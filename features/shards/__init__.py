"""Descriptors on disk: one Arrow file a speaker, proven by its digest."""
