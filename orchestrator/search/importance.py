"""Which axes mattered in a search, and what was seen along each. Pure: the same points, the same.

Two measures, since they answer two questions. *fANOVA* (Hutter, Hoos and Leyton-Brown 2014): which
share of the variance of scores in the whole space an axis explains by itself; what is lacking to 1
is due to axes together, and to noise. *PED-ANOVA* (Watanabe, Bansal and Hutter 2023): how much an
axis decides whether a configuration is among the best tenth. Neither says that a difference is
more than noise: rows on held-out speakers do.
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from math import log
from typing import TYPE_CHECKING

from model.config import Aggregators
from orchestrator.analysis.statistics import mean
from orchestrator.search.proposals import Evaluated, quiet
from orchestrator.study.search_key.space import Choice, Point, SearchAxis, Simplex, Value

if TYPE_CHECKING:
    from optuna import Study
    from optuna.distributions import BaseDistribution

FEWEST = 20
"""Scored configurations below which no importance is told: a tenth of fewer is one."""
TREES = 32
"""As many as Optuna's 64 tell, to a hundredth, in half the time: 1.5 s for 200 configurations."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Importance:
    """What one axis is to the scores; an axis with a condition, where it is there."""

    key: str
    fanova: float | None
    """Share of the variance, 0 to 1; None below ``FEWEST`` or where nothing varies."""
    ped_anova: float | None
    """Share of what all axes decide, 0 to 1, so that these sum to 1; None likewise."""
    n: int
    """Configurations that have the axis, and a score."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Slice:
    """What was seen along one axis: a pair a configuration that has it, in proposed order."""

    key: str
    seen: tuple[tuple[Value | Aggregators, float], ...]
    """A number, the label of a choice, or weights; and the score."""


def importances(
    axes: Sequence[SearchAxis], told: Sequence[Sequence[Evaluated]]
) -> tuple[Importance, ...]:
    """How much every axis mattered, in the order of the axes.

    Held-out groups are harder or easier, so of each score its group's mean is taken. Pruned
    configurations count with what they were expected to score: without them the axes that make a
    configuration hopeless would seem not to matter.

    Args:
        axes: the settings that the search varied.
        told: the configurations of each held-out group.

    Raises:
        LackError: Optuna is not installed.
    """
    centred = [one for group in told for one in _centred(group)]
    with quiet(), warnings.catch_warnings():
        # Of conditions that hold for one configuration only; `n` says so.
        warnings.simplefilter("ignore", UserWarning)
        explained, decided = _fanova(axes, centred), _ped_anova(axes, centred)
        return tuple(
            Importance(
                key=axis.key,
                fanova=explained.get(axis.key),
                ped_anova=decided.get(axis.key),
                n=sum(axis.is_active(point) for point, _ in centred),
            )
            for axis in axes
        )


def slices(axes: Sequence[SearchAxis], told: Sequence[Sequence[Evaluated]]) -> tuple[Slice, ...]:
    """Values and scores along every axis, of the groups one after the other."""
    scored = [(one.point, one.score) for group in told for one in group if one.score is not None]
    return tuple(
        Slice(
            key=axis.key,
            seen=tuple(
                (_value(axis, point), score) for point, score in scored if axis.is_active(point)
            ),
        )
        for axis in axes
    )


Scored = tuple[Point, float]


def _centred(group: Sequence[Evaluated]) -> list[Scored]:
    """Points with what their score is above the group's mean; those without score left out."""
    scored = [(one.point, one.score) for one in group if one.score is not None]
    middle = mean([score for _, score in scored]) if scored else 0.0
    return [(point, score - middle) for point, score in scored]


def _value(axis: SearchAxis, point: Point) -> Value | Aggregators:
    if isinstance(axis.kind, Simplex):
        weights: Aggregators = axis.setting(point)
        return weights
    return point[axis.key]


def _fanova(axes: Sequence[SearchAxis], scored: Sequence[Scored]) -> dict[str, float]:
    """Of the axes that are always there; of each other one among the configurations that have it.

    Optuna's own leaves axes with a condition out.
    """
    from optuna.importance import FanovaImportanceEvaluator, get_param_importances

    always = [axis for axis in axes if axis.when is None]
    shares: dict[str, float] = {}
    for other in (None, *(axis for axis in axes if axis.when is not None)):
        studied = always if other is None else [*always, other]
        having = [one for one in scored if other is None or other.is_active(one[0])]
        if not _bears(having):
            continue
        found = get_param_importances(
            _study(studied, having),
            evaluator=FanovaImportanceEvaluator(n_trees=TREES, seed=0),
            params=[name for axis in studied for name in _distributions(axis)],
            normalize=False,
        )
        for axis in studied if other is None else [other]:
            shares[axis.key] = float(sum(found[name] for name in _distributions(axis)))
    return shares


def _ped_anova(axes: Sequence[SearchAxis], scored: Sequence[Scored]) -> dict[str, float]:
    """Of all axes at once; Optuna weighs one with a condition by how often it is there."""
    from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances

    if not _bears(scored):
        return {}
    study = _study(axes, scored)
    seen = [axis for axis in axes if any(axis.is_active(point) for point, _ in scored)]
    found = get_param_importances(
        study,
        evaluator=PedAnovaImportanceEvaluator(),
        params=[name for axis in seen for name in _distributions(axis)],
    )
    return {axis.key: float(sum(found[n] for n in _distributions(axis))) for axis in seen}


def _bears(scored: Sequence[Scored]) -> bool:
    return len(scored) >= FEWEST and len({score for _, score in scored}) > 1


def _study(axes: Sequence[SearchAxis], scored: Sequence[Scored]) -> "Study":
    """A study of these axes alone, all of its trials complete."""
    import optuna

    study = optuna.create_study(direction="maximize")
    kinds = {axis.key: _distributions(axis) for axis in axes}
    for point, score in scored:
        there = [axis for axis in axes if axis.is_active(point)]
        study.add_trial(
            optuna.create_trial(
                params={name: v for axis in there for name, v in _params(axis, point).items()},
                distributions={n: kind for axis in there for n, kind in kinds[axis.key].items()},
                value=score,
            )
        )
    return study


def _distributions(axis: SearchAxis) -> "dict[str, BaseDistribution]":
    """The axis as Optuna's parameters.

    Of what is drawn by its logarithm the logarithm: Optuna's fANOVA takes volumes on the plain
    scale, where nine tenths of 0.0001 to 0.01 lie above 0.001.
    """
    from optuna.distributions import (
        CategoricalDistribution,
        FloatDistribution,
        IntDistribution,
    )

    kind = axis.kind
    if isinstance(kind, Simplex):
        return {name: FloatDistribution(0.0, 1.0) for name in kind.names}
    if isinstance(kind, Choice):
        return {axis.key: CategoricalDistribution(tuple(kind.values))}
    if kind.log:
        return {axis.key: FloatDistribution(log(kind.low), log(kind.high))}
    if kind.whole:
        return {axis.key: IntDistribution(int(kind.low), int(kind.high), step=kind.step)}
    return {axis.key: FloatDistribution(kind.low, kind.high)}


def _params(axis: SearchAxis, point: Point) -> dict[str, Value]:
    kind = axis.kind
    if isinstance(kind, Simplex):
        return {name: point[name] for name in kind.names}
    if isinstance(kind, Choice) or not kind.log:
        return {axis.key: point[axis.key]}
    return {axis.key: min(max(log(float(point[axis.key])), log(kind.low)), log(kind.high))}
