"""A configuration is pruned for being worse on the same speakers, and for nothing else."""

import random

import pytest

from orchestrator.analysis.statistics import chance_to_lead, mean
from orchestrator.search.pruning import expected_score, should_prune

BEST = [[0.70, 0.62, 0.66], [0.64, 0.60, 0.69], [0.71, 0.58]]
LOST = (0.11, 0.08, 0.14, 0.10, 0.12, 0.09, 0.13, 0.10)
"""What a clearly worse configuration loses on each speaker."""


def shifted(scores: list[list[float]], by: float) -> list[list[float]]:
    """Speaker after speaker so much of ``LOST`` from the scores."""
    lost = iter(LOST)
    return [[score - by * next(lost) for score in fold] for fold in scores]


def test_what_is_clearly_worse_is_pruned_after_the_first_fold() -> None:
    worse = shifted(BEST, 1)
    assert should_prune(worse[:1], BEST) and should_prune(worse[:2], BEST)


def test_what_is_as_good_or_better_is_never_pruned() -> None:
    for stage in (1, 2):
        assert not should_prune(BEST[:stage], BEST)
        assert not should_prune(shifted(BEST, -1)[:stage], BEST)


def test_a_hard_fold_prunes_nobody() -> None:
    """All of its speakers score twenty points less, of every configuration."""
    hard = [[score - 0.2 for score in BEST[0]], *BEST[1:]]
    same = [[0.69, 0.63, 0.65]]
    assert should_prune(same, BEST) == should_prune([[s - 0.2 for s in same[0]]], hard) is False
    worse = shifted(BEST, 1)[:1]
    assert should_prune([[s - 0.2 for s in worse[0]]], hard) == should_prune(worse, BEST) is True


def test_what_is_complete_is_not_pruned_and_one_speaker_says_nothing() -> None:
    assert not should_prune(shifted(BEST, 1), BEST)
    assert not should_prune([[0.1]], [[0.9], [0.9]])
    assert not should_prune([[0.1, 0.1]], [[0.9, 0.9], [0.9]])  # no spread: nothing to judge by


def test_more_speakers_of_one_training_are_not_more_trainings() -> None:
    """A hundred speakers lose three points, give or take four; the other two folds may differ."""
    draw = random.Random(0)
    behind = [draw.gauss(-0.03, 0.04) for _ in range(100)]
    alone = chance_to_lead([behind], [100, 100])
    spread = chance_to_lead([behind[n : n + 1] for n in range(100)], [1] * 200)
    assert alone is not None and spread is not None
    assert spread < 1e-6 < 0.05 < alone


@pytest.mark.parametrize(
    ("candidate", "incumbent"),
    [
        ([[0.5, 0.5]], [[0.5], [0.5]]),
        ([[0.5], [0.5]], [[0.5]]),
    ],
)
def test_other_speakers_are_no_comparison(
    candidate: list[list[float]], incumbent: list[list[float]]
) -> None:
    with pytest.raises(ValueError, match="same folds and speakers"):
        should_prune(candidate, incumbent)


def test_the_chance_is_how_often_it_happens() -> None:
    """Where speakers differ from each other as much as trainings do, which is what is assumed."""
    draw = random.Random(1)
    told, happened = [], []
    for _ in range(4000):
        true = draw.gauss(0, 0.1)
        folds = [
            [luck + draw.gauss(true, 1) for _ in range(n)]
            for n in (3, 3, 2)
            for luck in [draw.gauss(0, 1)]
        ]
        chance = chance_to_lead(folds[:2], [2])
        assert chance is not None
        told.append(chance)
        happened.append(sum(map(sum, folds)) > 0)
    low = [h for t, h in zip(told, happened, strict=True) if t < 0.15]
    high = [h for t, h in zip(told, happened, strict=True) if t > 0.85]
    assert len(low) > 300 and len(high) > 300
    assert mean(low) < 0.15 and mean(high) > 0.85


def test_what_a_pruned_one_would_have_scored_is_told_by_the_same_speakers() -> None:
    """Its own mean would be wrong by what its folds are harder than the others."""
    best = [[0.40, 0.42, 0.44], [0.64, 0.60, 0.69], [0.71, 0.58]]
    worse = [[score - 0.05 for score in fold] for fold in best]
    whole = mean([score for fold in worse for score in fold])
    assert mean(worse[0]) < whole - 0.1
    for stage in (1, 2, 3):
        assert expected_score(worse[:stage], best) == pytest.approx(whole)
