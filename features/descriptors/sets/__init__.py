"""One descriptor set a file."""
