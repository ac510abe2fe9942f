"""A study to take away: what its tables say, what they are made of, and a script that asks."""
