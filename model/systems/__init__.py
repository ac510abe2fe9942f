"""The systems that can be trained, one file each: WMA-GIN and what it is compared with."""
