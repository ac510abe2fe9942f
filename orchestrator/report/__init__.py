"""Telling: tables, figures, pages, bundles and trackers, made from what the store holds."""
