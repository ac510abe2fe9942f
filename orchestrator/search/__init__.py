"""Which configurations a search proposes next, and what it found."""
