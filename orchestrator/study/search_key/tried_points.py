"""Finds faults of a search's space before anything trains, by resolving some of its points.

A configuration that cannot be built, and an axis that changes no configuration, are faults of the
study file.
"""

import itertools
import random
from collections.abc import Iterator, Mapping
from typing import Any

from orchestrator.errors import Fault
from orchestrator.study.resolve import ImpossibleError, resolve
from orchestrator.study.search_key.space import Choice, Point, Search, SearchAxis, Simplex, Value
from orchestrator.study.yaml_lines import Node

TOGETHER = ("profile", "reading", "features", "model", "layers", "fa_layer")
"""Settings that can be impossible together: their combinations are tried."""
MOST_TOGETHER = 20_000
"""The most combinations that are tried."""
DRAWS = 60
"""The number of random points at which all axes are tried, before one is reported as dead."""


def _several(axis: SearchAxis) -> list[Point]:
    """Some values of an axis, each as a point that has this axis alone.

    All choices; all whole numbers of a range up to 16 steps long; both ends of another range; the
    corners of the simplex.
    """
    kind = axis.kind
    if isinstance(kind, Simplex):
        corners = ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0))
        return [dict(zip(kind.names, corner, strict=True)) for corner in corners]
    if isinstance(kind, Choice):
        return [{axis.key: label} for label in kind.values]
    if kind.whole and (kind.high - kind.low) / kind.step <= 16:
        numbers = range(int(kind.low), int(kind.high) + 1, kind.step)
        return [{axis.key: number} for number in numbers]
    return [{axis.key: kind.nearest(end)} for end in (kind.low, kind.high)]


def _active(search: Search, values: Mapping[str, Point]) -> Point:
    """Join a value of each axis to a point, without the axes whose condition does not hold."""
    point: dict[str, Value] = {}
    for axis in search.axes:
        if axis.is_active(point):
            point |= values[axis.key]
    return point


def impossible(
    search: Search, settings: Mapping[str, Any], nodes: Mapping[str, Node]
) -> Iterator[Fault]:
    """A fault for the first configuration that cannot be built, at an axis that is to blame.

    Args:
        search: the space.
        settings: settings of the study's top level and of its baseline.
        nodes: axis -> its value in the file.
    """
    needed = {axis.when.key for axis in search.axes if axis.when} | set(TOGETHER)
    tried = [_several(axis) if axis.key in needed else _several(axis)[:1] for axis in search.axes]
    for values in itertools.islice(itertools.product(*tried), MOST_TOGETHER):
        of = {axis.key: value for axis, value in zip(search.axes, values, strict=True)}
        point = _active(search, of)
        try:
            resolve("quick", settings, search.settings(point))
        except ImpossibleError as error:
            near = [error.key, *TOGETHER, *nodes]
            node = next(nodes[key] for key in near if key in nodes)
            shown = ", ".join(f"{key} {point[key]}" for key in point if key in needed)
            remedy = f"({shown}) Let `when` leave that out, or change" if shown else "Change"
            yield node.key_fault(
                f"{error} {remedy} `baseline`, which holds where an axis is left out."
            )
            return


def dead_axes(
    search: Search, settings: Mapping[str, Any], nodes: Mapping[str, Node]
) -> Iterator[Fault]:
    """A fault for each axis whose values gave the same variant at all points that were tried.

    Args:
        search: the space.
        settings: settings of the study's top level and of its baseline.
        nodes: axis -> its value in the file.
    """
    tried = {axis.key: _several(axis) for axis in search.axes}
    dead = set(tried)
    settings = {
        **settings,
        "score": "chosen",
    }  # of averaged weights see `score_faults.py`
    draw = random.Random(0)
    for _ in range(DRAWS):
        drawn = {key: draw.choice(values) for key, values in tried.items()}
        for key in [*dead]:
            points = [_active(search, {**drawn, key: value}) for value in tried[key]]
            found = [resolve("quick", settings, search.settings(point)) for point in points]
            if len({(one.features, one.model, one.training) for one in found}) > 1:
                dead.remove(key)
        if not dead:
            return
    for key in nodes:
        if key in dead:
            yield nodes[key].key_fault(
                f"`search.axes.{key}` changes nothing: no configuration of this "
                "search reads it. Leave it out."
            )
