"""What a search may vary: axes, conditions between them, and what a point of the space sets.

A **point** maps parameters to plain values, as a sampler proposes them and a store keeps them:
``{"lr": 0.0012, "layers": 3, "fa_layer": "last"}``.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from fractions import Fraction
from itertools import product
from math import prod, sqrt
from typing import Any, Literal

from model.config import Aggregators, TrainConfig

Value = str | int | float
Point = Mapping[str, Value]
Sampler = Literal["tpe", "gp", "cmaes", "random"]
BudgetUnit = Literal["trials", "hours", "gpu_hours"]
SelectionMode = Literal["nested", "flat"]
TRAINING = tuple(f.name for f in fields(TrainConfig) if f.name != "class_weights")
"""Axes that stand under ``training`` in a study; in a search they have no prefix."""
DIGITS = 3
"""Significant digits of a proposed fraction: no study tells more apart, and names stay short."""
MOST_COUNTED = 100_000
"""Values that are gone through to count configurations."""
PARTS = 12
"""Weights on the simplex are twelfths, the finest that a study's decimals are read as."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Range:
    """Numbers from ``low`` to ``high``, both included; whole numbers in steps."""

    low: float
    high: float
    whole: bool
    log: bool = False
    step: int = 1

    @property
    def size(self) -> float:
        """Number of values; infinite for fractions."""
        return len(self.values) if self.whole else math.inf

    @property
    def values(self) -> range:
        """All values of a range of whole numbers."""
        return range(int(self.low), int(self.high) + 1, self.step)

    def nearest(self, value: float) -> Value:
        """The value of the range that is nearest to a number that a sampler drew."""
        if self.whole:
            return round(value)
        return min(max(float(f"{value:.{DIGITS}g}"), self.low), self.high)


@dataclass(frozen=True, kw_only=True, slots=True)
class Choice:
    """One of several values; a point keeps its label, as text."""

    values: Mapping[str, Any]
    """Label -> the setting's value."""

    @property
    def size(self) -> float:
        """Number of values."""
        return len(self.values)


@dataclass(frozen=True, slots=True)
class Simplex:
    """Aggregator weights that sum to 1, drawn uniformly by two numbers from 0 to 1."""

    names = ("aggregators.1", "aggregators.2")
    size = (PARTS + 1) * (PARTS + 2) / 2
    """Number of different weights."""

    def weights(self, first: float, second: float) -> Aggregators:
        """The weights of two numbers from 0 to 1, in twelfths.

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
    """``layers >= 3``: an axis is varied only where another one has such a value."""

    key: str
    sign: Literal["=", ">=", "<="]
    value: Value

    def holds(self, point: Point) -> bool:
        """Whether the other axis has such a value at a point."""
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
    """A setting that a search varies."""

    key: str
    kind: Range | Choice | Simplex
    when: Condition | None = None

    def is_active(self, point: Point) -> bool:
        """Whether the axis is varied at a point that has the axes before it."""
        return self.when is None or self.when.holds(point)

    def setting(self, point: Point) -> Any:
        """The value of the setting at a point where the axis is active."""
        if isinstance(self.kind, Simplex):
            first, second = (float(point[name]) for name in self.kind.names)
            return self.kind.weights(first, second)
        value = point[self.key]
        return self.kind.values[str(value)] if isinstance(self.kind, Choice) else value


@dataclass(frozen=True, kw_only=True, slots=True)
class Search:
    """A study's key `search`: a space, how it is sampled, and how its best is selected."""

    axes: tuple[SearchAxis, ...]
    """Axes with a condition stand after the others."""
    unit: BudgetUnit
    amount: float
    """The budget: configurations a held-out group, or hours of training in all."""
    sampler: Sampler = "tpe"
    seed: int = 0
    selection: SelectionMode = "nested"
    inner_folds: int = 3
    pruning: bool = True
    """Whether a configuration that falls behind is spared its other folds (``search.pruning``)."""

    @property
    def size(self) -> float:
        """How many configurations there are; infinite where a fraction is varied.

        Taken as infinite as well where conditions hang on more than ``MOST_COUNTED`` values.
        """
        told = {axis.when.key for axis in self.axes if axis.when is not None}
        deciding = [axis for axis in self.axes if axis.key in told]
        free = [a.kind.size for a in self.axes if a.when is None and a.key not in told]
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
        """In words: ``20 configurations a held-out group``, ``2 hours``."""
        if self.unit == "trials":
            some = f"{self.amount:g} configuration{'s' if self.amount != 1 else ''}"
            return some if self.selection == "flat" else f"{some} a held-out group"
        hours = "hour" if self.amount == 1 else "hours"
        return f"{self.amount:g} {'GPU ' if self.unit == 'gpu_hours' else ''}{hours}"

    def settings(self, point: Point) -> dict[str, Any]:
        """What a row would `set` to be this configuration; inactive axes are the baseline's."""
        found: dict[str, Any] = {}
        for axis in self.axes:
            if not axis.is_active(point):
                continue
            if axis.key in TRAINING:
                found.setdefault("training", {})[axis.key] = axis.setting(point)
            else:
                found[axis.key] = axis.setting(point)
        return found

    def told(self, point: Point) -> str:
        """A configuration in words: ``lr 0.0012, layers 3, fa layer last``."""
        return ", ".join(
            f"{axis.key.replace('_', ' ')} {_shown(axis, point)}"
            for axis in self.axes
            if axis.is_active(point)
        )


def _shown(axis: SearchAxis, point: Point) -> str:
    value = axis.setting(point)
    if isinstance(value, Aggregators):
        weights = ((f.name, getattr(value, f.name)) for f in fields(value))
        return " ".join(f"{name} {weight}" for name, weight in weights if weight)
    if isinstance(axis.kind, Choice):
        return str(point[axis.key])
    return f"{value:g}" if isinstance(value, float) else str(value)
