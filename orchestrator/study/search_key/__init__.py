"""The key `search` of a study file: a space of configurations and how it is searched."""
