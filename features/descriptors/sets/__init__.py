"""One set of descriptors a file."""
