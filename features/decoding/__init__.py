"""Audio files from bytes to samples: what containers promise, which codecs have no decoder."""
