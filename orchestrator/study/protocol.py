"""How the rows of a study get their seeds and their scores, and how few seeds show no spread."""

from typing import Literal

ScoreRule = Literal["averaged", "chosen", "last"]
"""By which network a study scores each training: the mean of the weights after each epoch of the
second half (``averaged``), the epoch that the other half of the held-out group chose (``chosen``),
or the last epoch (``last``)."""

Replicates = Literal["fixed", "adaptive"]
"""``fixed``: every row has ``seeds`` trainings in each fold. ``adaptive``: a row gets further seeds
while its comparison with the reference is open, ``seeds`` at most."""

FEWEST_SEEDS = 3
"""The fewest seeds of which a spread over seeds is printed; below, there is a dash. (With two seeds
Student's t of a 95 % interval is 12.7.)"""

FEWEST_TEST_SPEAKERS = 5
"""The fewest test speakers of a published split of which a row gets a verdict (and the fewest seeds
are ``FEWEST_SEEDS``)."""
