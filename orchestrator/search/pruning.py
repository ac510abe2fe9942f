"""Which configurations are not worth their other inner folds. Pure.

A generation goes through the inner folds together, in fixed order, and is judged between two of
them: each of its configurations against the best complete one of *earlier generations* of the same
held-out group, on the very same folds and speakers. So a hard fold prunes nobody, and nothing
depends on who finished first.

Optuna's ``WilcoxonPruner`` pairs too, but takes every unit for independent, and asks whether a
configuration is worse. Speakers who are held out together are scored by one training and share its
luck: on folds of 24 speakers, at one of three, Wilcoxon at 0.1 pruned 34 of 100 that would have
been the best; on folds of three it can say nothing before the second fold (p >= 1/8), so that it
saves a third at most.
"""

from collections.abc import Sequence

from orchestrator.analysis.statistics import chance_to_lead, mean

# Both by simulation (`tests/benchmarks/drawn_search.py`, on other draws than the benchmark's): 40
# configurations, eight speakers, three inner folds. With a chance of 0.1, 0.15, 0.2, 64, 60, 57 %
# of the folds were trained, and what all of the folds would have chosen was kept in
# 93, 89, 85 of 100 searches. Knowing the true variances would keep two or three more; a chance that
# falls with what is left to save keeps fewer. One in six is the most careful that trains less than
# 60 %. In folds of two speakers, judging by the first two kept 79 of 100, by three or more 90.
CHANCE = 1 / 6
"""One whose chance to end above the incumbent is less is pruned."""
FEWEST = 3
"""Speakers, of all folds so far, below which nobody is pruned."""

ByFold = Sequence[Sequence[float]]
"""Scores: one sequence an inner fold, in it one value a held-out speaker; in fixed order."""


def should_prune(candidate: ByFold, incumbent: ByFold) -> bool:
    """Whether the other folds of a configuration are better spent on another one.

    Args:
        candidate: its scores on the first folds.
        incumbent: the scores of the best complete configuration of earlier generations, on all
            folds of the same group.

    Raises:
        ValueError: they are not of the same speakers.

    Example:
        >>> best = [[0.70, 0.62, 0.66], [0.64, 0.60, 0.69], [0.71, 0.58]]
        >>> should_prune([[0.50, 0.45, 0.48]], best), should_prune([[0.71, 0.60, 0.66]], best)
        (True, False)
    """
    differences = _differences(candidate, incumbent)
    if sum(map(len, differences)) < FEWEST or len(candidate) == len(incumbent):
        return False
    chance = chance_to_lead(differences, [len(fold) for fold in incumbent[len(candidate) :]])
    return chance is not None and chance < CHANCE


def expected_score(candidate: ByFold, incumbent: ByFold) -> float:
    """What a pruned configuration would have scored on all folds, as far as it can be told.

    Its own mean would not do: its folds may be the hard ones.

    Returns:
        The incumbent's mean over all units, and the mean difference on those that both have.

    Example:
        >>> round(expected_score([[0.5, 0.4]], [[0.6, 0.6], [0.8, 0.8]]), 3)
        0.55
    """
    differences = [d for fold in _differences(candidate, incumbent) for d in fold]
    return mean([score for fold in incumbent for score in fold]) + mean(differences)


def _differences(candidate: ByFold, incumbent: ByFold) -> list[list[float]]:
    pairs = zip(candidate, incumbent, strict=False)
    if len(candidate) > len(incumbent) or any(len(ours) != len(best) for ours, best in pairs):
        raise ValueError("two configurations are compared on the same folds and speakers only")
    return [
        [score - its for score, its in zip(ours, best, strict=True)]
        for ours, best in zip(candidate, incumbent, strict=False)
    ]
