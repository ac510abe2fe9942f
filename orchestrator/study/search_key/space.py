"""A search as a value: its axes, the conditions between them, and the settings at a point.

A **point** maps parameters to plain values, as a sampler proposes them and a store keeps them:
``{"lr": 0.0012, "layers": 3, "fa_layer": "last"}``.
"""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from fractions import Fraction
from itertools import product
from math import prod, sqrt
from typing import Any, Literal

from model.config import Aggregators, TrainConfig
from orchestrator.study.canonical import plain

Value = str | int | float
Point = Mapping[str, Value]
"""Parameter -> value, such as ``{"lr": 0.0012, "layers": 3}``; inactive axes are missing."""
Sampler = Literal["tpe", "gp", "cmaes", "random"]
"""Optuna's samplers: tree-structured Parzen estimator, Gaussian process, CMA-ES, random."""
BudgetUnit = Literal["trials", "hours", "gpu_hours"]
"""The unit of a budget; ``trials`` counts configurations."""
SelectionMode = Literal["nested", "flat"]
"""``nested``: a configuration for each held-out group is chosen on inner folds of the speakers that
train for it. ``flat``: one for all is chosen by dev scores, by which epochs are chosen, too."""
TRAINING = tuple(f.name for f in fields(TrainConfig) if f.name != "class_weights")
"""Settings that stand under `training` in a study; as axes of a search they have no prefix."""
DIGITS = 3
"""Significant digits to which a proposed number that is not whole is rounded: no study can tell
more of them apart, and names stay short."""
MOST_COUNTED = 100_000
"""The most combinations of axes with dependent ones that are listed to count configurations."""
PARTS = 12
"""Weights on the simplex are twelfths: the largest denominator as which a study's decimals are
read."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Range:
    """The values of an axis as a range of numbers, both ends included."""

    low: float
    """The smallest number."""
    high: float
    """The largest number."""
    whole: bool
    """Whether only whole numbers count, ``step`` apart."""
    log: bool = False
    """Whether the logarithm is sampled evenly, and not the number."""
    step: int = 1
    """The difference from one whole number to the next; without meaning for others."""

    @property
    def size(self) -> float:
        """How many values the range has; infinite where they are not whole numbers."""
        return len(self.values) if self.whole else math.inf

    @property
    def values(self) -> range:
        """The values of a range of whole numbers, ascending."""
        return range(int(self.low), int(self.high) + 1, self.step)

    def nearest(self, value: float) -> Value:
        """The value of the range for a number that a sampler drew: rounded, and within the ends."""
        if self.whole:
            return round(value)
        return min(max(float(f"{value:.{DIGITS}g}"), self.low), self.high)


@dataclass(frozen=True, kw_only=True, slots=True)
class Choice:
    """The values of an axis as a list; a point holds the label of one, as text."""

    values: Mapping[str, Any]
    """Label, such as ``last`` or ``1+3`` -> value of the setting."""

    @property
    def size(self) -> float:
        """How many values there are."""
        return len(self.values)


@dataclass(frozen=True, slots=True)
class Simplex:
    """The values of an axis as all aggregator weights that sum to 1, in twelfths.

    A sampler draws two numbers from 0 to 1, from which uniformly spread weights follow.
    """

    names = ("aggregators.1", "aggregators.2")
    """Names of the two numbers in a point."""
    size = (PARTS + 1) * (PARTS + 2) / 2
    """How many different weights there are."""

    def weights(self, first: float, second: float) -> Aggregators:
        """The weights, in twelfths, that follow from two numbers from 0 to 1.

        >>> Simplex().weights(1.0, 0.5)
        Aggregators(softmax=Fraction(0, 1), sum=Fraction(1, 2), mean=Fraction(1, 2))
        """
        rest = sqrt(first)  # of a triangle's area, not of its side: corners are not crowded
        exact = [PARTS * share for share in (1 - rest, rest * (1 - second), rest * second)]
        parts = [int(share) for share in exact]
        lack = sorted(range(3), key=lambda i: (parts[i] - exact[i], i))
        for index in lack[: PARTS - sum(parts)]:
            parts[index] += 1
        names = [f.name for f in fields(Aggregators)]
        weights = (Fraction(part, PARTS) for part in parts)
        return Aggregators(**dict(zip(names, weights, strict=True)))


@dataclass(frozen=True, kw_only=True, slots=True)
class Condition:
    """A condition such as `layers >= 3`: an axis is varied only where another axis meets it."""

    key: str
    """Key of the other axis, such as ``layers``."""
    sign: Literal["=", ">=", "<="]
    """How the value of the other axis is compared with ``value``."""
    value: Value
    """A value that the other axis may have, such as 3."""

    def holds(self, point: Point) -> bool:
        """Whether a point, which must have the other axis, meets the condition."""
        found = point[self.key]
        if isinstance(self.value, str):
            return found == self.value
        number = float(found)  # of several choices a point keeps the label
        if self.sign == "=":
            return number == self.value
        return number >= self.value if self.sign == ">=" else number <= self.value

    def __str__(self) -> str:
        return f"{self.key} {self.sign} {self.value}"


@dataclass(frozen=True, kw_only=True, slots=True)
class SearchAxis:
    """A setting that a search varies, with its values."""

    key: str
    """Key of the setting, such as ``lr``."""
    kind: Range | Choice | Simplex
    """The values that the setting may have: a range, a list, or all aggregator weights."""
    when: Condition | None = None
    """Where it is varied; None for everywhere."""

    def is_active(self, point: Point) -> bool:
        """Whether the axis is varied at a point, in which the axes before it must stand."""
        return self.when is None or self.when.holds(point)

    def setting(self, point: Point) -> Any:
        """The value of the setting at a point at which the axis is active."""
        if isinstance(self.kind, Simplex):
            first, second = (float(point[name]) for name in self.kind.names)
            return self.kind.weights(first, second)
        value = point[self.key]
        return self.kind.values[str(value)] if isinstance(self.kind, Choice) else value


@dataclass(frozen=True, kw_only=True, slots=True)
class Search:
    """The key `search` of a study: a space, a budget, how it is sampled, how the best is chosen."""

    axes: tuple[SearchAxis, ...]
    """The axes; those with a condition stand after the others."""
    unit: BudgetUnit
    """The unit of ``amount``: ``trials`` (configurations), ``hours`` or ``gpu_hours``."""
    amount: float
    """The budget: configurations for each held-out group, or hours of all trainings together."""
    sampler: Sampler = "tpe"
    """Which of Optuna's samplers proposes configurations."""
    seed: int = 0
    """Seed of the sampler."""
    selection: SelectionMode = "nested"
    """On which speakers the best configuration is chosen."""
    inner_folds: int = 3
    """How many inner folds a held-out group has, in a nested search."""
    pruning: bool = True
    """Whether a configuration is trained on no further folds once it is likely not the best (see
    `search/pruning.py`)."""

    @property
    def size(self) -> float:
        """How many configurations the space has; infinite where a number is not whole.

        Also infinite where axes to which conditions refer have over ``MOST_COUNTED`` combinations.
        """
        deciding_keys = {axis.when.key for axis in self.axes if axis.when is not None}
        deciding = [axis for axis in self.axes if axis.key in deciding_keys]
        free = [
            axis.kind.size
            for axis in self.axes
            if axis.when is None and axis.key not in deciding_keys
        ]
        if prod(axis.kind.size for axis in deciding) > MOST_COUNTED:
            return math.inf
        values = [[*a.kind.values] for a in deciding if not isinstance(a.kind, Simplex)]
        total = 0.0
        for chosen in product(*values):
            point = {axis.key: value for axis, value in zip(deciding, chosen, strict=True)}
            active = (a.kind.size for a in self.axes if a.when is not None and a.when.holds(point))
            total += prod(active)
        return prod(free) * total

    @property
    def budget(self) -> str:
        """The budget in words: ``20 configurations a held-out group``, ``2 hours``."""
        if self.unit == "trials":
            some = f"{self.amount:g} configuration{'s' if self.amount != 1 else ''}"
            return some if self.selection == "flat" else f"{some} a held-out group"
        hours = "hour" if self.amount == 1 else "hours"
        return f"{self.amount:g} {'GPU ' if self.unit == 'gpu_hours' else ''}{hours}"

    def settings(self, point: Point) -> dict[str, Any]:
        """Key -> value of the settings at a point, as `set` of a row would have them.

        Inactive axes are missing: there the baseline holds.
        """
        found: dict[str, Any] = {}
        for axis in self.axes:
            if not axis.is_active(point):
                continue
            if axis.key in TRAINING:
                found.setdefault("training", {})[axis.key] = axis.setting(point)
            else:
                found[axis.key] = axis.setting(point)
        return found

    def describe(self, point: Point) -> str:
        """A point in words: ``lr 0.0012, layers 3, fa layer last``."""
        return ", ".join(
            f"{axis.key.replace('_', ' ')} {_shown(axis, point)}"
            for axis in self.axes
            if axis.is_active(point)
        )


def _shown(axis: SearchAxis, point: Point) -> str:
    """The value of an axis at a point in words; weights as ``softmax 1/2 sum 1/2``."""
    value = axis.setting(point)
    if isinstance(value, Aggregators):
        weights = ((f.name, getattr(value, f.name)) for f in fields(value))
        return " ".join(f"{name} {weight}" for name, weight in weights if weight)
    if isinstance(axis.kind, Choice):
        return str(point[axis.key])
    return f"{value:g}" if isinstance(value, float) else str(value)


def axis_to_json(axis: SearchAxis) -> dict[str, Any]:
    """An axis of a search as JSON values; choices as a list of pairs, which keeps their order."""
    kind: dict[str, Any]
    match axis.kind:
        case Choice(values=values):
            kind = {"choices": [[label, plain(value)] for label, value in values.items()]}
        case Simplex(names=names):
            kind = {"simplex": list(names)}
        case Range():
            kind = asdict(axis.kind)
    return {"key": axis.key, "kind": kind, "when": asdict(axis.when) if axis.when else None}


def axis_from_json(record: Mapping[str, Any]) -> SearchAxis:
    """The axis from a record of ``axis_to_json``; the settings of its choices stay JSON values."""
    kind, when = record["kind"], record["when"]
    return SearchAxis(
        key=record["key"],
        kind=Choice(values=dict(kind["choices"]))
        if "choices" in kind
        else (Simplex() if "simplex" in kind else Range(**kind)),
        when=Condition(**when) if when else None,
    )
