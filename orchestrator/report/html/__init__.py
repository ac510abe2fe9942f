"""The HTML page: tables and the details of every row in one file, laid out by templates."""
