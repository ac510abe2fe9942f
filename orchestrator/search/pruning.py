"""Pruning: which configurations of a search are not worth their other inner folds. Pure.

The configurations of a generation train the inner folds together, in a fixed order. After each fold
a configuration is compared with the *incumbent*: the best one of earlier generations of the same
held-out group that was trained on all folds. The comparison is paired by fold and speaker, so a
hard fold prunes nobody, and the result does not depend on which trial finished first.

Optuna's ``WilcoxonPruner`` pairs too, but takes all speakers for independent and asks whether a
configuration is worse. Speakers that are held out together are scored by one training and share
its random error: with 24 speakers in each of three folds, Wilcoxon at 0.1 pruned after one fold 34
of 100 configurations that would have been the best. With three speakers in each fold it cannot
prune before the second fold (p >= 1/8), so that it saves a third at most.
"""

from collections.abc import Sequence

from orchestrator.analysis.statistics import chance_to_lead, mean

# Both values were chosen by simulation (`tests/benchmarks/drawn_search.py`, on other draws than the
# benchmark's): 40 configurations, eight speakers, three inner folds. With a probability of 0.1,
# 0.15, 0.2 searches trained 64, 60, 57 % of the folds, and 93, 89, 85 of 100 kept the configuration
# that all folds would have chosen. With the true variances two or three more would be kept; a
# probability that falls with what is left to save keeps fewer. One in six is the most careful value
# that trains less than 60 %. In folds of two speakers, 79 of 100 kept it where the first two were
# enough to judge by, 90 where three or more were.
CHANCE = 1 / 6
"""A configuration is pruned when the probability that it ends above the incumbent is below this."""
FEWEST = 3
"""The fewest speakers, summed over the folds so far, from which a configuration may be pruned."""

ByFold = Sequence[Sequence[float]]
"""Scores of a configuration: for each fold the UA, 0 to 1, of each held-out speaker in fixed
order."""


def should_prune(candidate: ByFold, incumbent: ByFold) -> bool:
    """Whether a configuration should not be trained on its other folds.

    Args:
        candidate: the scores of the configuration on the first folds.
        incumbent: the scores of the best configuration of earlier generations, on all folds of
            the same group.

    Raises:
        ValueError: the two are not of the same folds and speakers.

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
    """Estimate the mean UA of a pruned configuration on all folds, 0 to 1.

    The mean of its own folds would not do, since these may be the hard ones.

    Args:
        candidate: the scores of the configuration on the folds that it trained.
        incumbent: the scores of the incumbent, by which it was pruned, on all folds.

    Returns:
        The incumbent's mean over all speakers, plus the mean difference on the speakers that both
        have.

    Example:
        >>> round(expected_score([[0.5, 0.4]], [[0.6, 0.6], [0.8, 0.8]]), 3)
        0.55
    """
    differences = [d for fold in _differences(candidate, incumbent) for d in fold]
    return mean([score for fold in incumbent for score in fold]) + mean(differences)


def _differences(candidate: ByFold, incumbent: ByFold) -> list[list[float]]:
    """Candidate minus incumbent: for each fold that both have, one difference a speaker.

    Raises:
        ValueError: the two are not of the same folds and speakers.
    """
    pairs = zip(candidate, incumbent, strict=False)
    if len(candidate) > len(incumbent) or any(len(ours) != len(best) for ours, best in pairs):
        raise ValueError("two configurations are compared on the same folds and speakers only")
    return [
        [score - its for score, its in zip(ours, best, strict=True)]
        for ours, best in zip(candidate, incumbent, strict=False)
    ]
