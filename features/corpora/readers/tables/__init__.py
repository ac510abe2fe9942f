"""Tables that describe a corpus: their files, columns and cells, and where their paths lead."""
