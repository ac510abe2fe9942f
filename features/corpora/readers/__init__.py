"""One corpus a file, each saying where its audio lies, who speaks and with which emotion."""
