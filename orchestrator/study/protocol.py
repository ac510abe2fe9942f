"""Seeds of a protocol: how many there are, and how rows get them."""

from typing import Literal

Replicates = Literal["fixed", "adaptive"]
"""``fixed``: every row has ``seeds`` trainings a fold. ``adaptive``: that many at most."""

FEWEST_SEEDS = 3
"""Below three seeds a spread over seeds is a dash: with two, t is 12.7 deviations wide."""
