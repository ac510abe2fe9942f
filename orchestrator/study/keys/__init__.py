"""The keys of a study file, each declared once: its values, its default and what it is for."""
