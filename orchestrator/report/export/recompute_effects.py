"""Computes the main effects of a grid from its predictions, and on which axes they depend.

The rows of a grid are every combination of the values of some settings, its *axes*. The *main
effect* of a value is its UA minus that of the axis's first value, where the UA of a value is the
mean over all rows that have it. A *dependence* is a difference of differences: how much more a
value of one axis does at a value of another than at that one's first value. `recompute_rows.py` has
the numbers of rows; the docstring of `recompute.py` explains the files and the other words. Nothing
of the program that made the tables is used.

Names: `at` is the index of an axis and of one of its values, or of two axes and a value of each.
"""

import json
from collections.abc import Iterator, Mapping
from itertools import combinations
from typing import Any

import pandas as pd
from recompute_rows import Bundle, family_of, interval_of, new_seeds_of
from recompute_statistics import verdict_of

Levels = Mapping[int, int]
"""Index of an axis -> index of one of its values, which some rows have."""


class Grid:
    """The axes of a study, and the mean scores of the rows at some of their values.

    `axes` has the settings with at least two values; it is empty if the study is no grid of two
    axes or more. `sizes` has the numbers of their values.
    """

    def __init__(self, bundle: Bundle) -> None:
        self.bundle = bundle
        settings = {row["name"]: row["settings"] for row in bundle.asked["rows"]}
        self.axes: list[str] = []
        self.sizes: list[int] = []
        self._points: dict[str, list[int]] = {name: [] for name in bundle.names}
        for key in bundle.asked["axes"]:
            texts = {name: json.dumps(own[key], sort_keys=True) for name, own in settings.items()}
            order = list(dict.fromkeys(texts.values()))
            if len(order) > 1:
                self.axes.append(key)
                self.sizes.append(len(order))
                for name, text in texts.items():
                    self._points[name].append(order.index(text))
        if len(self.axes) < 2:
            self.axes, self.sizes = [], []

    def rows(self, levels: Levels) -> list[str]:
        """The names of all rows that have these values."""
        return [
            name
            for name, point in self._points.items()
            if all(point[axis] == value for axis, value in levels.items())
        ]

    def unjudged(self, rows: list[str]) -> str:
        """What stands in place of the verdict on these rows together; empty if it has one."""
        has_scores = not any(map(self.bundle.unscored, rows))
        return self.bundle.open_together(rows) or ("" if has_scores else "no score")

    def mean(self, levels: Levels) -> Any:
        """The mean UA of these rows by fold, speaker and seed, where all have one; else None."""
        each = [self.bundle.uas(name) for name in self.rows(levels)]
        if any(one is None for one in each):
            return None
        both = pd.concat(each, axis=1, join="inner").mean(axis=1)
        return both if len(both) else None

    def score(self, levels: Levels) -> dict[str, Any]:
        """The mean UA of these rows over speakers, with its interval."""
        found = self.mean(levels)
        speakers = None if found is None else self.bundle.averaged(found)
        score: dict[str, Any] = interval_of(speakers, self.bundle)
        return score

    def effect(self, axis: int, value: int, levels: Levels) -> Any:
        """UA of a value minus that of its axis's first, at values of other axes (``levels``)."""
        return minus(self.mean({**levels, axis: value}), self.mean({**levels, axis: 0}))


def minus(one: Any, other: Any) -> Any:
    """One series minus another, where both have a value; None without any."""
    if one is None or other is None:
        return None
    both = (one - other).dropna()
    return both if len(both) else None


def dependences_of(grid: Grid) -> list[dict[str, Any]]:
    """The difference and the verdict of every dependence, in the order of `table.json`."""
    asked = [
        (i, a, j, b)
        for i, j in combinations(range(len(grid.axes)), 2)
        for a in range(1, grid.sizes[i])
        for b in range(1, grid.sizes[j])
    ]
    pairs, standing = {}, {}
    for i, a, j, b in asked:
        pairs[i, a, j, b] = minus(grid.effect(i, a, {j: b}), grid.effect(i, a, {j: 0}))
        rows = [name for x in (a, 0) for y in (b, 0) for name in grid.rows({i: x, j: y})]
        standing[i, a, j, b] = grid.unjudged(rows)
    judged = family_of(grid.bundle, pairs, [at for at in asked if standing[at]])
    return [
        {
            "at": at,
            "difference": judged[at],
            "verdict": standing[at] or verdict_of(judged[at]),
        }
        for at in asked
    ]


def main_effects_of(grid: Grid, dependences: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """All numbers of every main effect, by their keys in `table.json` and in its order."""
    asked = [(i, value) for i, size in enumerate(grid.sizes) for value in range(1, size)]
    rows = {(i, value): grid.rows({i: value}) + grid.rows({i: 0}) for i, value in asked}
    standing = {at: grid.unjudged(rows[at]) for at in asked}
    pairs = {(i, value): grid.effect(i, value, {}) for i, value in asked}
    judged = family_of(grid.bundle, pairs, [at for at in asked if standing[at]])
    found = []
    for i, value in asked:
        at = i, value
        both = None if grid.bundle.asked["replicates"] == "adaptive" else pairs[at]
        seeds = new_seeds_of(grid.bundle, both, rows[at])
        seeds["p"] = None if standing[at] else seeds["p"]
        found.append(
            {
                "at": at,
                "axis": grid.axes[i],
                "ua": grid.score({i: value}),
                "ua_against": grid.score({i: 0}),
                "difference": judged[at],
                "verdict": standing[at] or verdict_of(judged[at]),
                "depends_on": list(dict.fromkeys(_depends_on(grid, at, dependences))),
                "new_seeds": seeds,
            }
        )
    return found


def _depends_on(
    grid: Grid, at: tuple[int, int], dependences: list[dict[str, Any]]
) -> Iterator[str]:
    """The axes with which a value of an axis interacts: a dependence of it differs from 0."""
    for one in dependences:
        i, a, j, b = one["at"]
        if one["verdict"] == "yes" and at in ((i, a), (j, b)):
            yield grid.axes[j] if at == (i, a) else grid.axes[i]
