"""Shards to tensors: segments of a fold, scaled, ready to train on."""
