"""The axes of a study whose rows are a grid: every combination of the values of some settings."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

from orchestrator.errors import RequestError
from orchestrator.store.snapshot import Snapshot, SnapshotRow
from orchestrator.study.canonical import canonical

Label = str
"""A level (value) of an axis as text, such as ``3`` or ``on``."""


@dataclass(frozen=True, kw_only=True, slots=True)
class GridAxis:
    """One setting that the grid varies, and its levels (values)."""

    key: str
    """Name of the setting, such as ``layers``."""
    levels: tuple[Label, ...]
    """Its values as text, in the order of the study; the first one is the base of all
    differences."""

    @property
    def name(self) -> str:
        """The key in words, such as ``fa layer``."""
        return self.key.replace("_", " ")


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
    axes = [GridAxis(key=key, levels=tuple(_labels(snapshot.rows, key).values())) for key in keys]
    axes = [axis for axis in axes if len(axis.levels) > 1]
    points = set(grid_points(snapshot, axes).values())
    is_grid = len(points) == prod(len(axis.levels) for axis in axes) == len(snapshot.rows)
    return tuple(axes) if is_grid else ()


def grid_points(snapshot: Snapshot, axes: Sequence[GridAxis]) -> dict[str, tuple[Label, ...]]:
    """Name of a row -> the labels of its levels, one for each axis."""
    labels = [_labels(snapshot.rows, axis.key) for axis in axes]
    return {
        row.name: tuple(
            of[canonical(row.settings[axis.key])] for axis, of in zip(axes, labels, strict=True)
        )
        for row in snapshot.rows
    }


def _common_keys(rows: Sequence[SnapshotRow]) -> list[str]:
    """The settings that the rows have, sorted, where all rows set the same ones; else empty."""
    sets = [row.settings.keys() for row in rows]
    return sorted(sets[0]) if sets and all(keys == sets[0] for keys in sets) else []


def _labels(rows: Sequence[SnapshotRow], key: str) -> dict[str, Label]:
    """The values of a setting as canonical JSON -> their labels, in the order of the rows.

    Two values whose short labels are equal, such as ``[1, 3]`` and ``"1+3"``, have their JSON text.
    """
    values = {canonical(row.settings[key]): row.settings[key] for row in rows}
    labels = {text: level_label(value) for text, value in values.items()}
    taken = Counter(labels.values())
    return {text: label if taken[label] == 1 else text for text, label in labels.items()}


def level_label(value: Any) -> Label:
    """The value of a setting as text: ``on`` or ``off``, a list with ``+``, shares without zeros.

    >>> level_label(True), level_label([1, 3])
    ('on', '1+3')
    >>> level_label({"softmax": "1/2", "sum": "1/2", "mean": "0"})
    'softmax 1/2, sum 1/2'
    """
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, list):
        return "+".join(map(str, value))
    if isinstance(value, Mapping):
        parts = {key: item for key, item in value.items() if str(item) != "0"}
        if len(parts) == 1:
            return str(next(iter(parts)))
        return ", ".join(f"{key} {item}" for key, item in parts.items())
    return str(value)
