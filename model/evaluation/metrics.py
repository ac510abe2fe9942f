"""WA and UA from counts: the two scores of the paper's tables. Light: the standard library alone.

A *confusion* is a square of counts: rows are true classes, columns are predicted ones.
Beware of the literature: some papers use the two names the other way round.
"""

import math
from collections.abc import Iterable, Sequence

Confusion = Sequence[Sequence[int]]
"""Number of utterances or segments by true class (rows) and predicted class (columns), (C, C)."""


def confusion(truth: Iterable[int], prediction: Iterable[int], classes: int) -> list[list[int]]:
    """Count how often each true class was given each predicted class.

    Args:
        truth: true classes, 0 to ``classes - 1``.
        prediction: predicted classes, as many as true ones and in the same order.
        classes: number of classes.

    Returns:
        ``classes`` rows (true) of ``classes`` counts (predicted).

    Raises:
        ValueError: the two differ in length, or a class is out of range.

    Example:
        >>> confusion([0, 0, 1], [0, 1, 1], classes=2)
        [[1, 1], [0, 1]]
    """
    counts = [[0] * classes for _ in range(classes)]
    for true, predicted in zip(truth, prediction, strict=True):
        if not (0 <= true < classes and 0 <= predicted < classes):
            raise ValueError(
                f"A class must be between 0 and {classes - 1}, "
                f"but is {true} (true) and {predicted} (predicted) instead."
            )
        counts[true][predicted] += 1
    return counts


def wa(confusion: Confusion) -> float:
    """Weighted accuracy: the share of correct decisions.

    .. math:: WA = sum_c n_cc / sum_cd n_cd

    Source: Zhong et al., Interspeech 2020, whose scoring the paper's laboratory shares.

    Args:
        confusion: rows of true, columns of predicted classes.

    Returns:
        A fraction from 0 to 1; NaN if the confusion counts nothing.

    Example:
        >>> wa([[3, 1], [0, 4]])
        0.875
    """
    total = sum(map(sum, confusion))
    return _hits(confusion) / total if total else math.nan


def ua(confusion: Confusion) -> float:
    """Unweighted accuracy: the mean recall of the classes that are present.

    .. math:: UA = 1/|P| sum_{c in P} n_cc / sum_d n_cd,  P = {c : sum_d n_cd > 0}

    Source: as `wa`. A class without a true example has no recall: it is left out (see `absent`).
    It is computed in whole numbers and rounded once, so that equal recalls give equal floats.

    Args:
        confusion: rows of true, columns of predicted classes.

    Returns:
        A fraction from 0 to 1; NaN if the confusion counts nothing.

    Example:
        >>> ua([[1, 3], [0, 4]])
        0.625
        >>> ua([[1, 3, 0], [0, 4, 0], [0, 0, 0]])
        0.625
    """
    present = [(row[true], sum(row)) for true, row in enumerate(confusion) if sum(row)]
    common = math.lcm(*(spoken for _, spoken in present))
    merit = sum(hits * (common // spoken) for hits, spoken in present)
    return merit / (common * len(present)) if present else math.nan


def absent(confusion: Confusion) -> list[int]:
    """List the classes without a true example, which UA therefore leaves out.

    Args:
        confusion: rows of true, columns of predicted classes.

    Returns:
        Their class indices, ascending.

    Example:
        >>> absent([[1, 0, 0], [0, 0, 0], [1, 0, 1]])
        [1]
    """
    return [true for true, row in enumerate(confusion) if not sum(row)]


def _hits(confusion: Confusion) -> int:
    """Count the correct predictions: the sum of the diagonal."""
    return sum(row[true] for true, row in enumerate(confusion))
