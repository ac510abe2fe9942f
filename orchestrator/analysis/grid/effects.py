"""Main effects of a study whose rows are a grid of axes, and on which axes they depend. Pure.

The *main effect* of a level of an axis is its UA minus that of the axis's first level, where the UA
of a level is the mean over all rows at it: every combination of the other axes has equal weight. It
is taken on the speakers and seeds that all rows of both levels have finished, since with others the
difference would be one of speakers. The main effects of all axes are one family of comparisons
(`family.py`).

A level as it stands for its rows is thereby like a row, and its main effect is judged like a row's
difference from the reference: open while trainings are missing, and where one of these rows has a
training that was given up (`completeness.py`).
"""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from orchestrator.analysis.differences import Difference, Verdict, compare_pairs, verdict_of
from orchestrator.analysis.family import Promise, promise_of
from orchestrator.analysis.grid.axes import GridAxis, Label, axes_of, grid_points, refuse_no_grid
from orchestrator.analysis.grid.interactions import (
    Interaction,
    Level,
    LevelScores,
    level_summary,
    pair_interactions,
)
from orchestrator.analysis.progress.completeness import Completeness, completeness
from orchestrator.analysis.row_scores import BySpeaker, row_uas
from orchestrator.store.records import Outcome
from orchestrator.store.snapshot import Snapshot


@dataclass(frozen=True, kw_only=True, slots=True)
class MainEffect:
    """A level of an axis compared with the axis's first level, the other axes averaged."""

    axis: GridAxis
    """The axis."""
    level: Label
    """The level, not the first one."""
    difference: Difference | None
    """Its UA minus that of the first level, p after Holm over the main effects of all axes; None
    while no speaker is finished in all of these rows."""
    verdict: Verdict
    """Whether it differs: ``yes``, ``cannot tell``, or such as ``open, 7 of 15``, where the
    trainings are those of both levels, or ``no score``; empty while there is nothing to judge."""
    depends_on: tuple[GridAxis, ...] = ()
    """The axes with which it interacts: there a dependence of this level differs from 0."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Effects:
    """The main effect of each axis of a study, and the interaction of each pair of axes."""

    snapshot: Snapshot
    """The study."""
    axes: tuple[GridAxis, ...]
    """The axes of the grid, in the order of the study."""
    levels: Mapping[str, tuple[Level, ...]]
    """Key of an axis -> mean UA at each of its levels, in their order."""
    main: tuple[MainEffect, ...]
    """The main effect of every level but the first of each axis, in the order of the axes."""
    interactions: tuple[Interaction, ...]
    """The interaction of each pair of axes, in the order of the study."""

    @property
    def promise(self) -> Promise | None:
        """What the verdicts of the main effects keep together; None where none is judged."""
        differences = [effect.difference for effect in self.main if effect.difference is not None]
        return promise_of(d.luck for d in differences if d.p is not None)

    @property
    def dependence_promise(self) -> Promise | None:
        """What the verdicts of the dependences keep together; None where none is judged.

        A difference of differences holds the luck of four rows, a difference that of two: so it
        leaves less room for luck, by the root of 2.
        """
        found = [d for one in self.interactions for d in one.dependences]
        judged = [
            one.difference for one in found if one.difference and one.difference.p is not None
        ]
        return promise_of(None if d.luck is None else d.luck / math.sqrt(2) for d in judged)

    def effects_of(self, axis: GridAxis) -> tuple[MainEffect, ...]:
        """The main effects of one axis, in the order of its levels."""
        return tuple(effect for effect in self.main if effect.axis == axis)


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
    state = completeness(snapshot, outcomes, given_up)
    return grid_effects(snapshot, row_uas(snapshot, outcomes), state)


def grid_effects(
    snapshot: Snapshot,
    scores: Mapping[str, BySpeaker],
    state: Completeness,
    identical_seeds: Collection[str] = (),
) -> Effects:
    """Estimate main effects and interactions from the scores of the rows.

    Args:
        snapshot: the study; its rows are a grid.
        scores: row -> test speaker -> seed -> UA, 0 to 1.
        state: which trainings of the study have ended.
        identical_seeds: names of rows in which the seed has no effect. No difference that one of
            them takes part in is tested over seeds.
    """
    axes = axes_of(snapshot)
    grid = LevelScores(scores, grid_points(snapshot, axes), state)
    interactions = pair_interactions(snapshot, axes, grid)
    return Effects(
        snapshot=snapshot,
        axes=axes,
        levels={
            axis.key: tuple(
                level_summary(snapshot, (label,), grid.mean_at({i: label})) for label in axis.levels
            )
            for i, axis in enumerate(axes)
        },
        main=_main_effects(snapshot, axes, grid, interactions, identical_seeds),
        interactions=interactions,
    )


def _main_effects(
    snapshot: Snapshot,
    axes: Sequence[GridAxis],
    grid: LevelScores,
    interactions: Sequence[Interaction],
    identical_seeds: Collection[str],
) -> tuple[MainEffect, ...]:
    """Judge the levels of all axes, the first ones excepted, as one family."""
    asked = [(i, label) for i, axis in enumerate(axes) for label in axis.levels[1:]]
    firsts = [axis.levels[0] for axis in axes]
    rows = {(i, lv): grid.rows_at({i: lv}) + grid.rows_at({i: firsts[i]}) for i, lv in asked}
    standing = {at: grid.unjudged(rows[at]) for at in asked}
    pairs = {(i, lv): (grid.mean_at({i: lv}), grid.mean_at({i: firsts[i]})) for i, lv in asked}
    found = compare_pairs(snapshot, pairs, [at for at in asked if standing[at]])
    effects = []
    for at in asked:
        axis, label = axes[at[0]], at[1]
        difference = found.get(at)
        # Seeds of an adaptive study were added by its rows' differences: no test over seeds holds.
        if difference and (
            snapshot.replicates == "adaptive" or not set(identical_seeds).isdisjoint(rows[at])
        ):
            difference = replace(difference, over_seeds=None)
        effects.append(
            MainEffect(
                axis=axis,
                level=label,
                difference=difference,
                verdict=standing[at] or (verdict_of(difference) if difference else ""),
                depends_on=tuple(
                    other
                    for one in interactions
                    for own, other in ((one.a, one.b), (one.b, one.a))
                    if own == axis and one.differs_at(axis, label)
                ),
            )
        )
    return tuple(effects)
