"""The importance of each axis of a search, and the scores along it. Pure.

There are two measures, since they answer two questions. *fANOVA* (Hutter, Hoos and Leyton-Brown,
"An Efficient Approach for Assessing Hyperparameter Importance", 2014): which share of the variance
of scores over the whole space does the axis explain by itself? The rest up to 1 is due to
interactions and to noise. *PED-ANOVA* (Watanabe, Bansal and Hutter, "PED-ANOVA: Efficiently
Quantifying Hyperparameter Importance in Arbitrary Subspaces", 2023): how much does the axis decide
whether a configuration is among the best tenth? Neither shows that a difference is more than noise;
that takes an ablation on held-out speakers.
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
"""The fewest scored configurations for an importance: the best tenth of fewer would be one."""
TREES = 32
"""Number of trees of fANOVA. Optuna's default of 64 gives the same shares to within 0.01, and takes
twice the time: 3 s for 200 configurations."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Importance:
    """The importance of one axis of a search, by fANOVA and by PED-ANOVA.

    For an axis with a condition, over the configurations in which the condition holds.
    """

    key: str
    """Name of the setting."""
    fanova: float | None
    """Share of the variance of scores that the axis explains by itself, 0 to 1; None below
    ``FEWEST`` scores, and where all scores are equal."""
    ped_anova: float | None
    """How much the axis decides who is in the best tenth, as a share of all axes: 0 to 1, they sum
    to 1; None likewise."""
    n: int
    """Number of scored configurations that have the axis."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Slice:
    """The scores of configurations along one axis, for a scatter plot."""

    key: str
    """Name of the setting."""
    seen: tuple[tuple[Value | Aggregators, float], ...]
    """For each scored configuration that has the axis, group after group in the order of proposals:
    its value (a number, the label of a choice, or weights of aggregators) and its score, 0 to 1."""


def importances(
    axes: Sequence[SearchAxis], tried: Sequence[Sequence[Evaluated]]
) -> tuple[Importance, ...]:
    """The importance of every axis, in the order of the axes.

    The mean of each held-out group is subtracted from its scores, since some groups are harder.
    Pruned configurations count with their expected score: without them, an axis that makes
    configurations hopeless would seem unimportant.

    Args:
        axes: the axes of the search.
        tried: for each held-out group its configurations; those without a score are left out.

    Raises:
        LackError: Optuna is not installed.
    """
    centred = [one for group in tried for one in _centred(group)]
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


def slices(axes: Sequence[SearchAxis], tried: Sequence[Sequence[Evaluated]]) -> tuple[Slice, ...]:
    """The values and scores of configurations along every axis.

    Args:
        axes: the axes of the search.
        tried: for each held-out group its configurations; those without a score are left out.
    """
    scored = [(one.point, one.score) for group in tried for one in group if one.score is not None]
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
"""A point (parameter -> value) and its score, minus the group's mean where it is centred."""


def _centred(group: Sequence[Evaluated]) -> list[Scored]:
    """(point, score minus the mean of the group); configurations without a score are left out."""
    scored = [(one.point, one.score) for one in group if one.score is not None]
    middle = mean([score for _, score in scored]) if scored else 0.0
    return [(point, score - middle) for point, score in scored]


def _value(axis: SearchAxis, point: Point) -> Value | Aggregators:
    """The value of an axis at a point: a number, a label, or the weights of aggregators."""
    if isinstance(axis.kind, Simplex):
        weights: Aggregators = axis.setting(point)
        return weights
    return point[axis.key]


def _fanova(axes: Sequence[SearchAxis], scored: Sequence[Scored]) -> dict[str, float]:
    """Key of an axis -> share of the variance that it explains by itself, 0 to 1.

    Axes with a condition, which Optuna leaves out, are each evaluated together with the axes that
    have none, on the configurations in which the condition holds.
    """
    from optuna.importance import FanovaImportanceEvaluator, get_param_importances

    always = [axis for axis in axes if axis.when is None]
    shares: dict[str, float] = {}
    for other in (None, *(axis for axis in axes if axis.when is not None)):
        studied = always if other is None else [*always, other]
        having = [one for one in scored if other is None or other.is_active(one[0])]
        if not _is_enough(having):
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
    """Key of an axis -> its share of the importance of all axes, 0 to 1.

    Optuna weighs an axis with a condition by how often the condition holds.
    """
    from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances

    if not _is_enough(scored):
        return {}
    study = _study(axes, scored)
    seen = [axis for axis in axes if any(axis.is_active(point) for point, _ in scored)]
    found = get_param_importances(
        study,
        evaluator=PedAnovaImportanceEvaluator(),
        params=[name for axis in seen for name in _distributions(axis)],
    )
    return {axis.key: float(sum(found[n] for n in _distributions(axis))) for axis in seen}


def _is_enough(scored: Sequence[Scored]) -> bool:
    """Whether there are ``FEWEST`` scores and not all of them are equal."""
    return len(scored) >= FEWEST and len({score for _, score in scored}) > 1


def _study(axes: Sequence[SearchAxis], scored: Sequence[Scored]) -> "Study":
    """An Optuna study in memory with these points and scores, restricted to these axes."""
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
    """Name of each parameter of an axis -> its distribution.

    An axis that is drawn on a logarithmic scale is given as its logarithm: Optuna's fANOVA
    measures volumes on the linear scale, where nine tenths of 0.0001 to 0.01 lie above 0.001.
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
    """Name of each parameter of an axis -> value at a point, on the scale of `_distributions`."""
    kind = axis.kind
    if isinstance(kind, Simplex):
        return {name: point[name] for name in kind.names}
    if isinstance(kind, Choice) or not kind.log:
        return {axis.key: point[axis.key]}
    return {axis.key: min(max(log(float(point[axis.key])), log(kind.low)), log(kind.high))}
