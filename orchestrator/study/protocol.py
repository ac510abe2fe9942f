"""How the rows of a study get their seeds, and how few are too few for a spread."""

from typing import Literal

Replicates = Literal["fixed", "adaptive"]
"""``fixed``: every row has ``seeds`` trainings in each fold. ``adaptive``: a row gets further seeds
while its comparison with the reference is open, ``seeds`` at most."""

FEWEST_SEEDS = 3
"""The fewest seeds of which a spread over seeds is printed; below, there is a dash. (With two seeds
Student's t of a 95 % interval is 12.7.)"""
