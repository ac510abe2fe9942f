"""What a protocol may ask for, beside its folds: how many seeds, and how they are given out."""

from typing import Literal

Replicates = Literal["fixed", "adaptive"]
REPLICATES: tuple[Replicates, ...] = ("fixed", "adaptive")
"""``fixed``: every row has ``seeds`` trainings a fold. ``adaptive``: that many at most."""

FEWEST_SEEDS = 3
"""Below three seeds a spread over seeds is a dash: with two, t is 12.7 deviations wide."""
