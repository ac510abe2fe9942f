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


def _points(axes: tuple[SearchAxis, ...], of: Mapping[str, list[Point]]) -> Iterator[Point]:
    """Yield every combination of values, without the axes whose condition does not hold.

    Args:
        axes: the axes; those with a condition stand last.
        of: axis -> some values.
    """
    for parts in itertools.product(*(of[axis.key] for axis in axes)):
        yield _active(axes, parts)


def _active(axes: tuple[SearchAxis, ...], parts: tuple[Point, ...]) -> Point:
    """Join a value of each axis to a point, without the axes whose condition does not hold."""
    point: dict[str, Value] = {}
    for axis, part in zip(axes, parts, strict=True):
        if axis.is_active(point):
            point |= part
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
    of = {axis.key: _several(axis) for axis in search.axes}
    needed = {axis.when.key for axis in search.axes if axis.when} | set(TOGETHER)
    for key in of:
        if key not in needed:
            of[key] = of[key][:1]
    for point in itertools.islice(_points(search.axes, of), MOST_TOGETHER):
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
    of = {axis.key: _several(axis) for axis in search.axes}
    draw = random.Random(0)
    alive = set[str]()
    for _ in range(DRAWS):
        parts = {axis.key: draw.choice(of[axis.key]) for axis in search.axes}
        for axis in search.axes:
            if axis.key in alive:
                continue
            ends = [{**parts, axis.key: value} for value in of[axis.key]]
            points = [_active(search.axes, tuple(end[a.key] for a in search.axes)) for end in ends]
            made = [
                (found.features, found.model, found.training)
                for found in (resolve("quick", settings, search.settings(p)) for p in points)
            ]
            if any(one != made[0] for one in made[1:]):
                alive.add(axis.key)
        if len(alive) == len(of):
            return
    for key in nodes:
        if key not in alive:
            yield nodes[key].key_fault(
                f"`search.axes.{key}` changes nothing: no configuration of this "
                "search reads it. Leave it out."
            )
