"""Frame descriptors: one file a set."""
