"""Interactions of the axes of a grid: whether what one does depends on the other. Pure.

The interaction of two axes A and B is the difference of differences,
(a, b) - (first a, b) - (a, first b) + (first a, first b), for every other level a and b, where the
rows are averaged over all further axes. It is 0 where the effect of A does not depend on B. The
interactions of all pairs of axes are one family of comparisons (`family.py`), beside that of the
main effects.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from orchestrator.analysis.differences import (
    NO_SCORE,
    Difference,
    Verdict,
    compare_pairs,
    verdict_of,
)
from orchestrator.analysis.grid.axes import GridAxis, Label
from orchestrator.analysis.progress.completeness import Completeness
from orchestrator.analysis.row_scores import BySpeaker, Interval, means_over_seeds, score_interval
from orchestrator.analysis.statistics import mean
from orchestrator.store.snapshot import Snapshot


class LevelScores:
    """The scores of the rows of a grid, averaged over those at some levels.

    Args:
        scores: row -> test speaker -> seed -> UA, 0 to 1.
        points: row -> the labels of its levels, one for each axis.
        state: which trainings of the study have ended.
    """

    def __init__(
        self,
        scores: Mapping[str, BySpeaker],
        points: Mapping[str, tuple[Label, ...]],
        state: Completeness,
    ) -> None:
        self._scores = scores
        self._points = points
        self._state = state
        self._means: dict[frozenset[tuple[int, Label]], BySpeaker] = {}

    def unjudged(self, rows: Sequence[str]) -> Verdict:
        """What stands in place of the verdict on a comparison in which some rows take part.

        Returns:
            Such as ``open, 7 of 15``, or ``no score``, where a row has none since one of its
            trainings does not have the study's score; empty where it may be judged.
        """
        has_scores = all(self._scores[name] or not self._state.rows[name].finished for name in rows)
        return self._state.open_together(rows) or ("" if has_scores else NO_SCORE)

    def rows_at(self, levels: Mapping[int, Label]) -> list[str]:
        """The names of all rows at some levels: index of an axis -> the label of its level."""
        return [
            name
            for name, point in self._points.items()
            if all(point[index] == label for index, label in levels.items())
        ]

    def mean_at(self, levels: Mapping[int, Label]) -> BySpeaker:
        """The mean over all rows at some levels, as scores of one row.

        It has the speakers and seeds that all of these rows have finished, and each row has the
        same weight.
        """
        key = frozenset(levels.items())
        if key not in self._means:
            self._means[key] = _mean_row([self._scores[name] for name in self.rows_at(levels)])
        return self._means[key]


def _mean_row(rows: Sequence[BySpeaker]) -> BySpeaker:
    """The mean of some rows on the speakers and seeds that all of them have; at least one row."""
    first, *others = rows
    found: dict[str, dict[int, float]] = {}
    for speaker in first:
        if all(speaker in row for row in others):
            seeds = [s for s in first[speaker] if all(s in row[speaker] for row in others)]
            if seeds:
                found[speaker] = {s: mean([row[speaker][s] for row in rows]) for s in seeds}
    return found


@dataclass(frozen=True, kw_only=True, slots=True)
class Level:
    """The mean UA of all rows at one level of an axis, or at a pair of levels of two axes."""

    at: tuple[Label, ...]
    """The label of the level, or the two labels of the pair."""
    ua: Interval | None
    """Mean UA over test speakers, 0 to 1; None while no speaker is finished in all of these
    rows."""
    speakers: int
    """Number of test speakers that are finished in all of these rows."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Dependence:
    """How much the effect of a level of A changes from the first to another level of B."""

    a: Label
    """The level of A; its effect is the difference from the first level of A."""
    b: Label
    """The level of B, compared with the first level of B."""
    difference: Difference | None
    """The difference of differences in UA, -2 to 2, p after Holm over all interactions of the
    grid; None while no speaker is finished in all of these rows."""
    verdict: Verdict
    """Whether it differs from 0: ``yes``, ``cannot tell``, or such as ``open, 7 of 15``, where the
    trainings are those of all rows at these four levels; empty while there is nothing to judge."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Interaction:
    """The interaction of two axes; the rows are averaged over all other axes."""

    a: GridAxis
    """The axis whose effects are compared."""
    b: GridAxis
    """The axis at whose levels they are compared."""
    cells: Mapping[tuple[Label, Label], Level]
    """(level of A, level of B) -> mean UA of the rows at both."""
    effects_of_a: Mapping[tuple[Label, Label], Difference | None]
    """(level of A, level of B) -> UA minus that at the first level of A, at the same level of B;
    None while no speaker is finished in both. Not for the first level of A, and without p."""
    dependences: tuple[Dependence, ...]
    """How the effect of A depends on B: one for each pair of a level of A and a level of B, the
    first levels excepted."""

    @property
    def strongest(self) -> Dependence | None:
        """The dependence with the smallest p, of equal ones the largest; None without any."""
        known = [(d.difference, d) for d in self.dependences if d.difference is not None]
        least = min(
            known,
            key=lambda pair: (2.0 if pair[0].p is None else pair[0].p, -abs(pair[0].ua)),
            default=None,
        )
        return least and least[1]

    def differs_at(self, axis: GridAxis, label: Label) -> bool:
        """Whether a dependence of a level of one of the two axes differs from 0."""
        return any(
            d.verdict == "yes" and label == (d.a if axis == self.a else d.b)
            for d in self.dependences
        )


def level_summary(snapshot: Snapshot, at: tuple[Label, ...], scores: BySpeaker) -> Level:
    """The mean UA at one level, or at a pair of levels; ``scores`` are the means over its rows."""
    by_speaker = means_over_seeds(scores)
    ua = score_interval(snapshot, by_speaker) if by_speaker else None
    return Level(at=at, ua=ua, speakers=len(by_speaker))


def pair_interactions(
    snapshot: Snapshot, axes: Sequence[GridAxis], grid: LevelScores
) -> tuple[Interaction, ...]:
    """Estimate the interaction of each pair of axes, and judge all dependences as one family."""
    pairs = list(combinations(enumerate(axes), 2))
    asked = [
        (i, la, j, lb) for (i, a), (j, b) in pairs for la in a.levels[1:] for lb in b.levels[1:]
    ]
    firsts = [axis.levels[0] for axis in axes]

    def rows_beside(at: tuple[int, Label, int, Label]) -> list[str]:
        """The rows at the levels of a dependence, and at the first levels of its two axes."""
        i, la, j, lb = at
        corners = ((a, b) for a in (la, firsts[i]) for b in (lb, firsts[j]))
        return [name for a, b in corners for name in grid.rows_at({i: a, j: b})]

    def effect(i: int, la: Label, j: int, lb: Label) -> BySpeaker:
        """The effect of level ``la`` of one axis at level ``lb`` of another."""
        return _minus(grid.mean_at({i: la, j: lb}), grid.mean_at({i: firsts[i], j: lb}))

    standing = {at: grid.unjudged(rows_beside(at)) for at in asked}
    differences = compare_pairs(
        snapshot,
        {
            (i, la, j, lb): (effect(i, la, j, lb), effect(i, la, j, firsts[j]))
            for i, la, j, lb in asked
        },
        [at for at in asked if standing[at]],
    )
    return tuple(
        Interaction(
            a=a,
            b=b,
            cells={
                (la, lb): level_summary(snapshot, (la, lb), grid.mean_at({i: la, j: lb}))
                for la in a.levels
                for lb in b.levels
            },
            effects_of_a=_effects_at_levels(snapshot, (i, a), (j, b), grid),
            dependences=tuple(
                Dependence(
                    a=la,
                    b=lb,
                    difference=(difference := differences.get(at)),
                    verdict=standing[at] or (verdict_of(difference) if difference else ""),
                )
                for la in a.levels[1:]
                for lb in b.levels[1:]
                for at in [(i, la, j, lb)]
            ),
        )
        for (i, a), (j, b) in pairs
    )


def _effects_at_levels(
    snapshot: Snapshot, first: tuple[int, GridAxis], second: tuple[int, GridAxis], grid: LevelScores
) -> dict[tuple[Label, Label], Difference | None]:
    """The effect of each level of one axis at each level of another, with intervals and no p."""
    (i, a), (j, b) = first, second
    pairs = {
        (la, lb): (grid.mean_at({i: la, j: lb}), grid.mean_at({i: a.levels[0], j: lb}))
        for la in a.levels[1:]
        for lb in b.levels
    }
    found = compare_pairs(snapshot, pairs, pairs)
    return {at: found.get(at) for at in pairs}


def _minus(one: BySpeaker, other: BySpeaker) -> BySpeaker:
    """``one`` minus ``other``, for each speaker and seed that both have."""
    found: dict[str, dict[int, float]] = {}
    for speaker in one.keys() & other.keys():
        seeds = one[speaker].keys() & other[speaker].keys()
        if seeds:
            found[speaker] = {s: one[speaker][s] - other[speaker][s] for s in sorted(seeds)}
    return found
