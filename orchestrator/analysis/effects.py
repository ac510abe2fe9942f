"""Main effects and interactions of a study whose rows are a grid of axes. Pure.

The main effect of an axis compares its *levels*. The score of a level is the mean over all rows at
that level, on the speakers and seeds that all of these rows have finished: with other speakers for
each level, the difference would be one of speakers. Intervals rest on the corrected t over held-out
groups (`statistics.py`).

The interaction of two axes A and B is the difference of differences,
(a, b) - (first a, b) - (a, first b) + (first a, first b), for every other level a and b. It is 0
where the effect of A does not depend on B. p is adjusted after Holm over all levels of one pair of
axes. It is given, as every p, only of a table that is whole (`completeness.py`), with no training
given up in any of its rows.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any

from orchestrator.analysis.family import judge_family, speaker_contrast
from orchestrator.analysis.progress.completeness import completeness
from orchestrator.analysis.row_scores import (
    Interval,
    means_over_seeds,
    row_uas,
    score_interval,
)
from orchestrator.analysis.statistics import mean
from orchestrator.errors import RequestError
from orchestrator.store.records import Outcome
from orchestrator.store.snapshot import Snapshot, SnapshotRow

Label = str
"""A level (value) of an axis as text, such as ``3`` or ``yes``."""
ScoreBySpeaker = Mapping[tuple[str, int], float]
"""(test speaker, seed) -> UA, 0 to 1, or a difference of UAs."""


@dataclass(frozen=True, kw_only=True, slots=True)
class GridAxis:
    """One setting that the grid varies, and its levels (values)."""

    key: str
    """Name of the setting, such as ``layers``."""
    levels: tuple[Label, ...]
    """Its values as text, in the order of the study; the first one is the base of all
    differences."""


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
    difference: Interval | None
    """The difference of differences in UA, -2 to 2; None while no speaker is finished in all of
    these rows."""
    p: float | None
    """Two-sided p of the corrected t, after Holm over all levels of the two axes; None below two
    groups, where all groups are equal, and while the grid must not be judged."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Interaction:
    """The interaction of two axes; the rows are averaged over all other axes."""

    a: GridAxis
    """The axis whose effects are compared."""
    b: GridAxis
    """The axis at whose levels they are compared."""
    cells: Mapping[tuple[Label, Label], Level]
    """(level of A, level of B) -> mean UA of the rows at both."""
    effects_of_a: Mapping[tuple[Label, Label], Interval | None]
    """(level of A, level of B) -> UA minus that at the first level of A, at the same level of B;
    None while no speaker is finished in both. Not for the first level of A."""
    dependences: tuple[Dependence, ...]
    """How the effect of A depends on B: one for each pair of a level of A and a level of B, the
    first levels excepted."""

    @property
    def strongest(self) -> Dependence | None:
        """The dependence with the smallest p, of equal ones the largest; None without any."""
        known = [d for d in self.dependences if d.difference is not None]
        return min(
            known,
            key=lambda d: (2.0 if d.p is None else d.p, -abs(_middle(d))),
            default=None,
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Effects:
    """The main effect of each axis of a study, and the interaction of each pair of axes."""

    snapshot: Snapshot
    """The study."""
    axes: tuple[GridAxis, ...]
    """The axes of the grid, in the order of the study."""
    main: Mapping[str, tuple[Level, ...]]
    """Main effects: key of an axis -> mean UA at each of its levels, in their order."""
    interactions: tuple[Interaction, ...]
    """The interaction of each pair of axes, in the order of the study."""
    open: str = ""
    """What stands in place of a verdict, such as ``open, 40 of 75``; empty where every training of
    the grid is finished, so that there are verdicts."""


def refuse_no_grid(snapshot: Snapshot) -> None:
    """Raise an error unless the rows of a study are a grid of settings.

    Raises:
        RequestError: the rows are no grid, or the snapshot is older than the record of settings.
    """
    if not axes_of(snapshot):
        known = any(row.settings for row in snapshot.rows)
        why = (
            f"those of `{snapshot.study}` are no grid: `--picture forest` draws any rows."
            if known
            else f"what those of `{snapshot.study}` set was not kept when it last ran: "
            "name its file."
        )
        raise RequestError(f"`--picture axes` needs rows that are the grid of `axes:`, but {why}")


def axes_of(snapshot: Snapshot) -> tuple[GridAxis, ...]:
    """The axes whose full grid the rows of a study are, each axis with at least two levels.

    Returns:
        Empty where the rows are not exactly one grid, or the snapshot has no settings of its rows.
    """
    common = _common_keys(snapshot.rows)
    keys = [key for key in snapshot.axes if key in common] or common
    found = []
    for key in keys:
        levels = dict.fromkeys(level_label(row.settings[key]) for row in snapshot.rows)
        found.append(GridAxis(key=key, levels=tuple(levels)))
    found = [axis for axis in found if len(axis.levels) > 1]
    size = 1
    for axis in found:
        size *= len(axis.levels)
    points = {_point(row, found) for row in snapshot.rows}
    return tuple(found) if found and len(points) == size == len(snapshot.rows) else ()


def _common_keys(rows: Sequence[SnapshotRow]) -> list[str]:
    """The settings that the rows have, sorted, where all rows set the same ones; else empty."""
    sets = [row.settings.keys() for row in rows]
    return sorted(sets[0]) if sets and all(keys == sets[0] for keys in sets) else []


def level_label(value: Any) -> Label:
    """The value of a setting as text: ``yes`` or ``no``, a list with ``+``, shares without zeros.

    >>> level_label(True), level_label([1, 3])
    ('yes', '1+3')
    >>> level_label({"softmax": "1/2", "sum": "1/2", "mean": "0"})
    'softmax 1/2, sum 1/2'
    """
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return "+".join(map(str, value))
    if isinstance(value, Mapping):
        parts = {key: item for key, item in value.items() if str(item) != "0"}
        if len(parts) == 1:
            return str(next(iter(parts)))
        return ", ".join(f"{key} {item}" for key, item in parts.items())
    return str(value)


def estimate_effects(
    snapshot: Snapshot, outcomes: Mapping[str, Outcome], given_up: Collection[str] = ()
) -> Effects:
    """Estimate main effects and interactions from the outcomes of a study.

    Args:
        snapshot: the study; its rows are a grid.
        outcomes: id -> outcome of finished trials; stale ones and those of other studies are
            ignored.
        given_up: ids of trials that diverged, see ``completeness.given_up_trials``.

    Raises:
        RequestError: the rows are no grid, see `refuse_no_grid`.
    """
    refuse_no_grid(snapshot)
    axes = axes_of(snapshot)
    state = completeness(snapshot, outcomes, given_up)
    standing = "" if not state.open_rows(None) else state.all_rows.text
    scores = {
        name: {(speaker, seed): ua for speaker, seeds in row.items() for seed, ua in seeds.items()}
        for name, row in row_uas(snapshot, outcomes).items()
    }
    points = {row.name: _point(row, axes) for row in snapshot.rows}

    def at(*wanted: tuple[int, Label]) -> ScoreBySpeaker:
        """The mean over all rows at these levels, on the tests that all of them have finished."""
        rows = [
            scores[name]
            for name, point in points.items()
            if all(point[index] == label for index, label in wanted)
        ]
        shared = set.intersection(*(set(row) for row in rows))
        return {test: mean([row[test] for row in rows]) for test in sorted(shared)}

    main = {
        axis.key: tuple(_level(snapshot, (label,), at((i, label))) for label in axis.levels)
        for i, axis in enumerate(axes)
    }
    pairs = []
    for (i, a), (j, b) in combinations(enumerate(axes), 2):
        cells = {(la, lb): at((i, la), (j, lb)) for la in a.levels for lb in b.levels}
        one = _interaction(snapshot, a, b, cells)
        pairs.append(one if not standing else _without_p(one))
    return Effects(
        snapshot=snapshot, axes=axes, main=main, interactions=tuple(pairs), open=standing
    )


def _interaction(
    snapshot: Snapshot,
    a: GridAxis,
    b: GridAxis,
    cells: Mapping[tuple[Label, Label], ScoreBySpeaker],
) -> Interaction:
    """The interaction of axes A and B.

    Args:
        snapshot: the study.
        a: axis A.
        b: axis B.
        cells: (level of A, level of B) -> (test speaker, seed) -> mean UA of the rows there.
    """
    first_b = b.levels[0]
    effects_of_a = {
        (la, lb): _minus(cells[la, lb], cells[a.levels[0], lb])
        for la in a.levels[1:]
        for lb in b.levels
    }
    more = {
        (la, lb): _minus(effects_of_a[la, lb], effects_of_a[la, first_b])
        for la in a.levels[1:]
        for lb in b.levels[1:]
    }
    return Interaction(
        a=a,
        b=b,
        cells={at: _level(snapshot, at, scores) for at, scores in cells.items()},
        effects_of_a={at: one for at, (one, _) in _judged(snapshot, effects_of_a).items()},
        dependences=tuple(
            Dependence(a=la, b=lb, difference=difference, p=p)
            for (la, lb), (difference, p) in _judged(snapshot, more).items()
        ),
    )


def _without_p(one: Interaction) -> Interaction:
    """The interaction with its intervals, but without any p: it must not be judged."""
    return replace(one, dependences=tuple(replace(d, p=None) for d in one.dependences))


def _point(row: SnapshotRow, axes: Sequence[GridAxis]) -> tuple[Label, ...]:
    """The labels of a row's levels, one for each axis."""
    return tuple(level_label(row.settings[axis.key]) for axis in axes)


def _minus(one: ScoreBySpeaker, other: ScoreBySpeaker) -> ScoreBySpeaker:
    """``one`` minus ``other``, for each (speaker, seed) that both have."""
    return {test: one[test] - other[test] for test in one if test in other}


def _level(snapshot: Snapshot, at: tuple[Label, ...], scores: ScoreBySpeaker) -> Level:
    """The mean UA at one level, or at a pair of levels; ``scores`` are the means over its rows."""
    by_speaker = means_over_seeds(_by_seed(scores))
    ua = score_interval(snapshot, by_speaker) if by_speaker else None
    return Level(at=at, ua=ua, speakers=len(by_speaker))


def _judged(
    snapshot: Snapshot, family: Mapping[tuple[Label, Label], ScoreBySpeaker]
) -> dict[tuple[Label, Label], tuple[Interval | None, float | None]]:
    """Judge differences as one family: each mean over speakers with its interval, and its p.

    Args:
        snapshot: the study: its folds.
        family: levels -> (test speaker, seed) -> difference.

    Returns:
        Levels -> the mean with its interval for new speakers, and p after Holm over the family;
        both are None without differences.
    """
    contrasts = {at: speaker_contrast(snapshot, _by_seed(s)) for at, s in family.items()}
    judged = judge_family(contrasts)
    return {
        at: (None, None)
        if contrast is None
        else (
            Interval(mean=contrast.estimate, low=judged[at].low, high=judged[at].high),
            judged[at].p,
        )
        for at, contrast in contrasts.items()
    }


def _by_seed(scores: ScoreBySpeaker) -> dict[str, dict[int, float]]:
    """Test speaker -> seed -> score."""
    found: dict[str, dict[int, float]] = {}
    for (speaker, seed), score in scores.items():
        found.setdefault(speaker, {})[seed] = score
    return found


def _middle(dependence: Dependence) -> float:
    """The estimated difference of differences; 0 where there is none."""
    return 0.0 if dependence.difference is None else dependence.difference.mean
