"""Shards to tensors: the segments of a fold, scaled and ready to train on."""
