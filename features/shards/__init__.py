"""Descriptors on disk: one Arrow file a speaker, checked by its digest."""
