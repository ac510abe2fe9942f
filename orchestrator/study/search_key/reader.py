"""The key ``search`` of a study file -> Search, and every fault of it at once.

Two faults need no training to be seen, and are told here: a configuration that cannot be built,
and an axis that no configuration reads.
"""

import itertools
import random
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, cast

from orchestrator.errors import nearest
from orchestrator.study.search_key.space import (
    SAMPLERS,
    TRAINING,
    UNITS,
    BudgetUnit,
    Choice,
    Condition,
    Point,
    Range,
    Search,
    SearchAxis,
    Simplex,
    Value,
)
from orchestrator.study.settings import SETTINGS, ImpossibleError, resolve
from orchestrator.study.value_readers import TRAINING as TRAINING_KINDS
from orchestrator.study.value_readers import Faults, Kind, choice, flag, number, whole
from orchestrator.study.yaml_lines import Node

KEYS = ("axes", "budget", "sampler", "seed", "selection", "inner_folds", "pruning")
SELECTIONS = ("nested", "flat")
MAX_TRIALS = 10_000
MAX_HOURS = 1e6
INNER_FOLDS = (2, 20)
AXES = tuple(key for key, s in SETTINGS.items() if s.in_rows and key != "training") + TRAINING
"""Every setting that a search may vary."""
TOGETHER = ("profile", "reading", "features", "model", "layers", "fa_layer")
"""Settings that can be impossible together: all of their combinations are tried."""
MOST_TOGETHER = 20_000
DRAWS = 60
"""Points at which an axis is tried before it is called dead."""


def kind_of(key: str) -> Kind:
    """How a value of a setting is read, and its schema."""
    if key in TRAINING_KINDS:
        return TRAINING_KINDS[key]
    return SETTINGS[key].read, dict(SETTINGS[key].schema)


def number_kind(key: str) -> str | None:
    """``integer`` or ``number`` where a setting may have a range, else None."""
    found = kind_of(key)[1].get("type")
    return found if found in ("integer", "number") else None


def read_search(node: Node, settings: Mapping[str, Any], faults: Faults) -> Search | None:
    """Read the key.

    Args:
        node: its value.
        settings: what the study and its baseline set.
        faults: takes what is wrong.

    Returns:
        The search, or None where anything of it is wrong.
    """
    before = len(faults)
    if not isinstance(node.value, dict):
        faults.append(
            node.fault(
                "`search` must map `axes` and a `budget`, and what else is wanted, "
                f"but is {node.shown()} instead."
            )
        )
        return None
    reader = _Reader(node.mapping, faults)
    reader.known(node.mapping, KEYS, "search")
    axes = reader.axes(node)
    unit, amount = reader.budget(node)
    sampler = reader.value("sampler", choice(*SAMPLERS), "tpe")
    seed = reader.value("seed", whole(0, 2**31 - 1), 0)
    selection = reader.value("selection", choice(*SELECTIONS), "nested")
    inner = reader.value("inner_folds", whole(*INNER_FOLDS), 3)
    # A flat selection may prune as well: its folds, the outer ones, have a fixed order too.
    pruning = reader.value("pruning", flag(), True)
    if selection == "flat" and "inner_folds" in node.mapping:
        faults.append(
            node.mapping["inner_folds"].key_fault(
                "`search.inner_folds` must stand beside `selection: nested`: a flat selection "
                "has none. Leave it out."
            )
        )
    if sampler == "cmaes":
        reader.refuse_cmaes(axes)
    if len(faults) > before:
        return None
    search = Search(
        axes=tuple(sorted((axis.axis for axis in axes), key=lambda axis: axis.when is not None)),
        unit=unit,
        amount=amount,
        sampler=sampler,
        seed=seed,
        selection=selection,
        inner_folds=inner,
        pruning=pruning,
    )
    if search.unit == "trials" and search.amount > search.size:
        given = node.mapping["budget"].mapping["trials"]
        faults.append(
            given.fault(
                f"`search.budget.trials` must be at most {search.size:g}, the configurations that "
                f"there are, but is {given.shown()} instead."
            )
        )
    _refuse_impossible(search, settings, axes, faults)
    if len(faults) == before:
        _refuse_dead(search, settings, axes, faults)
    return search if len(faults) == before else None


@dataclass(frozen=True, slots=True)
class _Placed:
    """An axis and where it stands."""

    axis: SearchAxis
    node: Node


class _Reader:
    def __init__(self, mapping: Mapping[str, Node], faults: Faults) -> None:
        self._mapping, self._faults = mapping, faults

    def known(self, mapping: Mapping[str, Node], known: tuple[str, ...], where: str) -> None:
        for key, node in mapping.items():
            if key not in known:
                self._faults.append(
                    node.key_fault(f"`{where}.{key}` is not a key. {nearest(key, known)}")
                )

    def value(self, key: str, kind: Kind, default: Any) -> Any:
        node = self._mapping.get(key)
        found = None if node is None else kind[0](f"search.{key}", node, self._faults)
        return default if found is None else found

    def budget(self, search: Node) -> tuple[BudgetUnit, float]:
        node = self._mapping.get("budget")
        given = [key for key in node.mapping if key in UNITS] if node is not None else []
        if node is not None and node.mapping:
            self.known(node.mapping, UNITS, "search.budget")
        if node is None or len(given) != 1:
            place = search.key_fault if node is None else node.key_fault
            self._faults.append(
                place(
                    "`search.budget` must be one of `trials: N` (configurations), `hours: N` and "
                    "`gpu_hours: N`."
                )
            )
            return "trials", 1
        unit = given[0]
        kind = whole(1, MAX_TRIALS) if unit == "trials" else number(0.01, MAX_HOURS)
        amount = kind[0](f"search.budget.{unit}", node.mapping[unit], self._faults)
        return unit, amount or 1

    def axes(self, search: Node) -> list[_Placed]:
        node = self._mapping.get("axes")
        if node is None or not node.mapping:
            place = search.key_fault if node is None else node.key_fault
            self._faults.append(place("`search.axes` must map at least one setting to its values."))
            return []
        found = []
        for key, item in node.mapping.items():
            if key not in AXES:
                hint = nearest(key, AXES)
                if key == "training":
                    hint = f"Name {', '.join(f'`{k}`' for k in TRAINING)} without it."
                self._faults.append(item.key_fault(f"`search.axes.{key}` is not an axis. {hint}"))
            elif (kind := self._kind(key, item)) is not None:
                found.append(_Placed(SearchAxis(key=key, kind=kind), item))
        broken = set(node.mapping) - {placed.axis.key for placed in found}
        return [self._conditional(placed, found, broken) for placed in found]

    def _kind(self, key: str, node: Node) -> Range | Choice | Simplex | None:
        where = f"search.axes.{key}"
        if key == "aggregators" and node.value == "simplex":
            return Simplex()
        if node.sequence:
            return self._choice(key, node)
        entries = node.mapping
        if "choices" in entries:
            self.known(entries, ("choices", "when"), where)
            return self._choice(key, entries["choices"])
        if entries and ({"low", "high"} & set(entries)) and number_kind(key):
            self.known(entries, ("low", "high", "log", "step", "when"), where)
            return self._range(key, node)
        forms = "a list of values or `{choices: [...], when: ...}`"
        if number_kind(key):
            forms = "`{low: ..., high: ...}`, " + forms
        if key == "aggregators":
            forms = "`simplex`, " + forms
        self._faults.append(
            node.fault(f"`{where}` must be {forms}, but is {node.shown()} instead.")
        )
        return None

    def _choice(self, key: str, node: Node) -> Choice | None:
        where, read = f"search.axes.{key}", kind_of(key)[0]
        if len(node.sequence) < 2:
            self._faults.append(node.fault(f"`{where}` must list at least two values."))
            return None
        values: dict[str, Any] = {}
        for item in node.sequence:
            before = len(self._faults)
            value = read(where, item, self._faults)
            label = _label(item.plain())
            if len(self._faults) == before and (label in values or value in values.values()):
                self._faults.append(item.fault(f"`{where}` must list `{label}` once."))
            values[label] = value
        return Choice(values=values)

    def _range(self, key: str, node: Node) -> Range | None:
        where, entries, before = f"search.axes.{key}", node.mapping, len(self._faults)
        missing = [end for end in ("low", "high") if end not in entries]
        if missing:
            self._faults.append(node.fault(f"`{where}` must have `low` and `high`."))
            return None
        read = kind_of(key)[0]
        low, high = (read(f"{where}.{end}", entries[end], self._faults) for end in ("low", "high"))
        log = self._entry(where, entries, "log", flag(), default=False)
        step = self._entry(where, entries, "step", whole(1, 4096), default=1)
        if low is None or high is None:
            return None
        if not low < high:
            self._faults.append(
                entries["high"].fault(
                    f"`{where}.high` must be more than `low` ({low:g}), "
                    f"but is {entries['high'].shown()} instead."
                )
            )
        if log and low <= 0:
            self._faults.append(
                entries["low"].fault(
                    f"`{where}.low` must be more than 0 where `log` is true, but is "
                    f"{entries['low'].shown()} instead: give a small number, or leave `log` out."
                )
            )
        whole_numbers = number_kind(key) == "integer"
        if "step" in entries and (log or not whole_numbers):
            why = "beside `log: true`" if whole_numbers else "of a fraction"
            self._faults.append(
                entries["step"].key_fault(f"`{where}.step` has no meaning {why}: leave it out.")
            )
        elif whole_numbers and low < high and (high - low) % step:
            self._faults.append(
                entries["step"].fault(
                    f"`{where}.step` must lead from {low} to {high}, "
                    f"but is {entries['step'].shown()} instead."
                )
            )
        if len(self._faults) > before:
            return None
        return Range(low=low, high=high, whole=whole_numbers, log=log, step=step)

    def _entry(
        self, where: str, entries: Mapping[str, Node], key: str, kind: Kind, default: Any
    ) -> Any:
        node = entries.get(key)
        found = None if node is None else kind[0](f"{where}.{key}", node, self._faults)
        return default if found is None else found

    def _conditional(self, placed: _Placed, all_axes: list[_Placed], broken: set[str]) -> _Placed:
        node = placed.node.mapping.get("when")
        if node is None:
            return placed
        where = f"search.axes.{placed.axis.key}.when"
        match = re.fullmatch(r"\s*([a-z_]+)\s*(=|>=|<=)\s*(\S+)\s*", str(node.value))
        if match is None:
            self._faults.append(
                node.fault(
                    f"`{where}` must be `KEY = VALUE`, `KEY >= NUMBER` or `KEY <= NUMBER`, "
                    f"but is {node.shown()} instead."
                )
            )
            return placed
        key, sign, text = match.groups()
        if key in broken:
            return placed  # its own fault is told
        others = {
            p.axis.key: p
            for p in all_axes
            if p is not placed and not isinstance(p.axis.kind, Simplex)
        }
        other = others.get(key)
        if other is None or "when" in other.node.mapping:
            names = [k for k, p in others.items() if "when" not in p.node.mapping]
            self._faults.append(
                node.fault(
                    f"`{where}` must name another axis without a condition, but names `{key}` "
                    f"instead. {nearest(key, names) if names else ''}".rstrip()
                )
            )
            return placed
        value = _value(other.axis.kind, text, sign)
        if value is None or (sign != "=" and isinstance(value, str)):
            self._faults.append(
                node.fault(
                    f"`{where}` must compare `{key}` with what it may be, "
                    f"but is {node.shown()} instead."
                )
            )
            return placed
        condition = Condition(key=key, sign=cast(Any, sign), value=value)
        return _Placed(replace(placed.axis, when=condition), placed.node)

    def refuse_cmaes(self, axes: list[_Placed]) -> None:
        for placed in axes:
            axis = placed.axis
            if isinstance(axis.kind, Choice) or axis.when is not None:
                what = "has a condition" if axis.when is not None else "has choices"
                self._faults.append(
                    placed.node.key_fault(
                        f"`search.axes.{axis.key}` {what}, which `sampler: cmaes` cannot walk: "
                        "use tpe."
                    )
                )


def _label(value: Any) -> str:
    """How a point names one of several values."""
    if isinstance(value, dict):
        return " ".join(f"{name} {weight}" for name, weight in value.items())
    if isinstance(value, list):
        return "+".join(map(str, value))
    return str(value).lower() if isinstance(value, bool) else str(value)


def _value(kind: Range | Choice | Simplex, text: str, sign: str) -> Value | None:
    """What a condition compares with, if the other axis may be that: no fraction ever is."""
    if isinstance(kind, Choice):
        numbers = all(re.fullmatch(r"[0-9.]+", label) for label in kind.values)
        if numbers and re.fullmatch(r"[0-9.]+", text):
            return float(text) if "." in text else int(text)
        return text if text in kind.values else None
    try:
        value = float(text)
    except ValueError:
        return None
    if isinstance(kind, Simplex) or not kind.low <= value <= kind.high:
        return None
    if sign == "=" and value not in (kind.values if kind.whole else ()):
        return None
    return int(value) if kind.whole and value.is_integer() else value


# --- what can be seen before anything trains --------------------------------------------------


def _several(axis: SearchAxis) -> list[Point]:
    """Some values of an axis: every choice, every short range's number, both ends of a long one."""
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
    """Every combination of some values, inactive axes left out."""
    for parts in itertools.product(*(of[axis.key] for axis in axes)):
        yield _active(axes, parts)


def _active(axes: tuple[SearchAxis, ...], parts: tuple[Point, ...]) -> Point:
    point: dict[str, Value] = {}
    for axis, part in zip(axes, parts, strict=True):
        if axis.is_active(point):
            point |= part
    return point


def _refuse_impossible(
    search: Search, settings: Mapping[str, Any], axes: list[_Placed], faults: Faults
) -> None:
    """Tell the first configuration that cannot be built, at the axis that makes it so."""
    of = {axis.key: _several(axis) for axis in search.axes}
    needed = {axis.when.key for axis in search.axes if axis.when} | set(TOGETHER)
    for key in of:
        if key not in needed:
            of[key] = of[key][:1]
    nodes = {placed.axis.key: placed.node for placed in axes}
    for point in itertools.islice(_points(search.axes, of), MOST_TOGETHER):
        try:
            resolve("quick", settings, search.settings(point))
        except ImpossibleError as error:
            near = [error.key, *TOGETHER]
            node = next((nodes[key] for key in near if key in nodes), axes[0].node)
            shown = ", ".join(f"{key} {point[key]}" for key in point if key in needed)
            remedy = f"({shown}) Let `when` leave that out, or change" if shown else "Change"
            faults.append(
                node.key_fault(
                    f"{error} {remedy} `baseline`, which holds where an axis is left out."
                )
            )
            return


def _refuse_dead(
    search: Search, settings: Mapping[str, Any], axes: list[_Placed], faults: Faults
) -> None:
    """Tell the axes of which two values are the same variant wherever they were tried."""
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
    for placed in axes:
        if placed.axis.key not in alive:
            faults.append(
                placed.node.key_fault(
                    f"`search.axes.{placed.axis.key}` changes nothing: no configuration of this "
                    "search reads it. Leave it out."
                )
            )
