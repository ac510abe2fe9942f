"""Which configurations a search trains next, and what it found."""
