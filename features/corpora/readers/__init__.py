"""One corpus a file: where its audio lies, who speaks, and which emotion."""
