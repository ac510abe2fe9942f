"""Parts that systems share: graph layers, recurrent input, attention, losses, masks."""
