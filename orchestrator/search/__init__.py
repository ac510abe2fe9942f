"""The only door to Optuna: what it proposes to us, and what we write for its dashboard."""
