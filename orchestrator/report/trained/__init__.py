"""A trained row asked again: its networks' parts, their predictions, a card to take away."""
