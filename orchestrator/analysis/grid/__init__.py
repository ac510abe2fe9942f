"""What each axis of a grid of settings does, and whether that depends on another axis."""
