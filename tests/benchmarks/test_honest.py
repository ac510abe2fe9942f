"""What choosing costs in honesty, where no configuration is better than another.

Every configuration is worth the same; what differs is luck, drawn with the deviations of
``null_tables``: of a configuration with a speaker, with a held-out pair, with a seed. The product's
own course of a search chooses, flat and nested; what its choice then seems to be worth on the
speakers that judge it is compared with the truth, which is 0.
"""

import random
from collections.abc import Iterable, Sequence
from dataclasses import replace
from statistics import mean, stdev
from typing import Any, cast

import pytest

from features.corpora.folds import Fold
from orchestrator.search.generations import replay
from orchestrator.search.objective import ObjectiveScores
from orchestrator.search.state import Group
from orchestrator.study.search_key.space import Point, Range, Search, SearchAxis
from orchestrator.study.trials import PlannedTrial
from tests.benchmarks.null_tables import PAIR, SEED, SPEAKER

SPEAKERS = [f"speaker-{n}" for n in range(10)]
SEARCH = Search(
    axes=(SearchAxis(key="lr", kind=Range(low=1e-4, high=1e-1, whole=False, log=True)),),
    unit="trials",
    amount=0,
    sampler="random",
    pruning=False,
)
TESTS = 2.0
"""By so many points dev and test scores of one training differ: they are of different epochs."""


def luck(*of: object) -> float:
    """A standard normal number that is always the same for the same."""
    return random.Random(repr(of)).gauss(0, 1)


class Drawn:
    """Scores of trials that nobody trains; a trial's id says what it is."""

    def __init__(self, draw: int) -> None:
        self._draw = draw

    def read_new(self, ids: Iterable[str]) -> None:
        """Everything is known."""

    def is_failed(self, id: str) -> bool:
        return False

    def units(self, id: str) -> tuple[float, ...]:
        """UA of the speakers whom the trial holds out, as the search sees them."""
        point, speakers = id.split("|")
        return tuple(self.score(point, speakers, speaker, "dev") for speaker in speakers.split())

    def score(self, point: str, training: str, speaker: str, role: str) -> float:
        """A configuration on a speaker, in points, by a training of its own."""
        draw = self._draw
        shared = SPEAKER * luck(draw, point, speaker) + PAIR * luck(draw, point, training)
        own = SEED * luck(draw, point, training, "seed")
        return 100 * (shared + own) + TESTS * luck(draw, point, training, speaker, role)


def folds(speakers: Sequence[str], count: int) -> tuple[Fold, ...]:
    groups = [speakers[n::count] for n in range(count)]
    return tuple(
        Fold(
            index=index,
            train=tuple(sorted(set(speakers) - set(group))),
            a=tuple(group[::2]),
            b=tuple(group[1::2]),
        )
        for index, group in enumerate(groups)
    )


def build(row: str, point: Point, folds: Sequence[Fold], seeds: int) -> tuple[PlannedTrial, ...]:
    key = repr(sorted(point.items()))
    return tuple(
        PlannedTrial(row, f.index, 0, cast(Any, None), f"{key}|{' '.join((*f.a, *f.b))}")
        for f in folds
    )


def seeming_worth(selection: str, configurations: int, draw: int) -> float:
    """What the chosen configurations score on the speakers that judge them, in points."""
    outer = folds(SPEAKERS, 5)
    nested = selection == "nested"
    groups = (
        [
            Group(index=f.index, name=f"group {f.index}", folds=folds(f.train, 3), outer=f)
            for f in outer
        ]
        if nested
        else [Group(index=0, name="all folds", folds=outer, outer=None)]
    )
    drawn = Drawn(draw)
    search = replace(SEARCH, amount=configurations, seed=draw, selection=cast(Any, selection))
    course = replay(search, groups, build, cast(ObjectiveScores, drawn), {}, 1, 1)
    tests = []
    for winner in course.winners:
        point = repr(sorted(winner.point.items()))
        for fold in outer if winner.group.outer is None else [winner.group.outer]:
            held = (*fold.a, *fold.b)
            tests += [drawn.score(point, " ".join(held), speaker, "test") for speaker in held]
    assert len(tests) == len(SPEAKERS)
    return mean(tests)


@pytest.mark.bench
def test_a_flat_choice_flatters_itself_and_a_nested_one_does_not() -> None:
    print(
        f"\nluck, in points: speaker {100 * SPEAKER:g}, pair {100 * PAIR:g}, seed {100 * SEED:g}, "
        f"dev against test {TESTS:g}; truth 0"
    )
    for configurations, draws in ((10, 200), (50, 100), (200, 40)):
        flat, nested = (
            [seeming_worth(selection, configurations, draw) for draw in range(draws)]
            for selection in ("flat", "nested")
        )
        error = stdev(nested) / draws**0.5
        print(
            f"  {configurations:3d} configurations, {draws} searches: flat {mean(flat):+.2f}, "
            f"nested {mean(nested):+.2f} points (standard error {error:.2f})"
        )
        assert abs(mean(nested)) < 3 * error
        assert mean(flat) > 1


def test_of_equal_configurations_a_flat_choice_seems_better_than_it_is() -> None:
    draws = 30
    flat, nested = (
        [seeming_worth(selection, 20, draw) for draw in range(draws)]
        for selection in ("flat", "nested")
    )
    assert mean(flat) > 1 and abs(mean(nested)) < 4 * stdev(nested) / draws**0.5
