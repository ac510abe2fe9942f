"""Audio to tensors: corpora, folds, frame descriptors, shards. Knows nothing of networks."""
