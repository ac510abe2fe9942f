"""One file a corpus: what lies where, who speaks, which emotion."""
