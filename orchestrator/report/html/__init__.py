"""A page that holds everything: tables, and what stands behind each row."""
