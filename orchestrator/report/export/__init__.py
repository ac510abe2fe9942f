"""A study to take away: tables, predictions, and a script that computes every number again."""
