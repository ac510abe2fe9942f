"""What becomes of a trained row: its networks described, used for predictions, and exported."""
