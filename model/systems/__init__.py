"""One system a file, WMA-GIN and those that it is compared with, and the list of them."""
