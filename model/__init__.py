"""Networks and their training. Knows tensors: no audio, no files, no Ray."""
