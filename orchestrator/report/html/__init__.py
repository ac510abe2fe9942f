"""The HTML page: a table, and what stands behind each of its rows, in one file."""
