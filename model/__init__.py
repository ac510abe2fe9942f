"""The shared network WMA-GIN and its training. Knows tensors: no audio, no files, no Ray."""
