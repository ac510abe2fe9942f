"""What systems share: their base classes, layers, losses and the masks of padded nodes."""
