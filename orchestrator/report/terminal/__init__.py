"""What commands print in a terminal, one view a file."""
