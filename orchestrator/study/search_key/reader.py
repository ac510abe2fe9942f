"""Reads the key `search` of a study file into a ``Search``, or reports all faults at once."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, cast

from orchestrator.errors import Fault, nearest
from orchestrator.study.search_key.search_keys import (
    CONDITION,
    NO_AXES,
    NO_BUDGET,
    AxesKeys,
    ChoiceKeys,
    RangeKeys,
    SearchKeys,
    WholeRangeKeys,
)
from orchestrator.study.search_key.space import (
    Choice,
    Condition,
    Range,
    Search,
    SearchAxis,
    Simplex,
    Value,
)
from orchestrator.study.search_key.tried_points import dead_axes, impossible
from orchestrator.study.yaml_lines import Node

Form = RangeKeys[Any] | ChoiceKeys[Any] | list[Any] | str
"""An axis as it is written in a file: a mapping, a list of values, or the word ``simplex``."""


def read_search(
    keys: SearchKeys[AxesKeys], node: Node, right: Node, settings: Mapping[str, Any]
) -> tuple[Search | None, list[Fault]]:
    """Make the search from the key `search`.

    Args:
        keys: the value of the key, without its faulty values.
        node: the value in the file.
        right: the value in the file, without its faulty values.
        settings: settings of the study's top level and of its baseline.

    Returns:
        The search, None where it has faults; and the faults between its keys.
    """
    nodes = node.mapping["axes"].mapping if "axes" in node.mapping else {}
    faults = list[Fault]()
    axes: dict[str, SearchAxis] = {}
    for key, form in keys.axes.given.items():
        if right.mapping["axes"].mapping[key] != nodes[key]:
            continue  # a part of the axis has a fault
        kind, unfit = _values(key, form, nodes[key])
        faults += unfit
        if not unfit:
            axes[key] = SearchAxis(key=key, kind=kind)
    for key, axis in axes.items():
        if "when" in nodes[key].mapping:
            when, unfit = _condition(axis, nodes, axes)
            axes[key] = replace(axis, when=when)
            faults += unfit
    faults += _between_keys(keys, node, nodes, axes)
    if faults or right != node:
        return None, faults
    search = _search(keys, axes)
    faults = [*_within_space(search, node), *impossible(search, settings, nodes)]
    faults = faults or [*dead_axes(search, settings, nodes)]
    return (None, faults) if faults else (search, [])


def _search(keys: SearchKeys[AxesKeys], axes: Mapping[str, SearchAxis]) -> Search:
    """Make the search from its keys and axes, which have no faults."""
    ((unit, amount),) = keys.budget.given.items()
    return Search(
        axes=tuple(sorted(axes.values(), key=lambda axis: axis.when is not None)),
        unit=cast(Any, unit),
        amount=amount,
        sampler=keys.sampler,
        seed=keys.seed,
        selection=keys.selection,
        inner_folds=keys.inner_folds,
        pruning=keys.pruning,
    )


# --- an axis by itself ------------------------------------------------------------------------


def _values(key: str, form: Form, node: Node) -> tuple[Range | Choice | Simplex, list[Fault]]:
    """The values of an axis, and their faults.

    Args:
        key: the setting.
        form: the axis as it is written; each part is right by itself.
        node: the axis in the file.
    """
    if isinstance(form, str):
        return Simplex(), []
    if isinstance(form, RangeKeys):
        return _range(form), [*_range_faults(key, form, node.mapping)]
    if isinstance(form, ChoiceKeys):
        return _choice(key, form.choices, node.mapping["choices"].sequence)
    return _choice(key, form, node.sequence)


def _choice(key: str, values: list[Any], nodes: list[Node]) -> tuple[Choice, list[Fault]]:
    """The values of an axis that is a list, by their labels; and a fault where one stands twice."""
    labelled: dict[str, Any] = {}
    faults = list[Fault]()
    for node, value in zip(nodes, values, strict=True):
        label = node.label.lower() if isinstance(node.value, bool) else node.label
        if label in labelled or value in labelled.values():
            faults.append(node.fault(f"`search.axes.{key}` must list `{label}` once."))
        labelled[label] = value
    return Choice(values=labelled), faults


def _range(form: RangeKeys[Any]) -> Range:
    """The values of an axis that is a range."""
    if isinstance(form, WholeRangeKeys):
        return Range(low=form.low, high=form.high, whole=True, log=form.log, step=form.step)
    return Range(low=form.low, high=form.high, whole=False, log=form.log)


def _range_faults(key: str, form: RangeKeys[Any], entries: Mapping[str, Node]) -> Iterator[Fault]:
    """Require `low` < `high`, `low` > 0 beside `log`, and a `step` that leads to `high`."""
    where, low, high = f"search.axes.{key}", form.low, form.high
    if not low < high:
        yield entries["high"].fault(
            f"`{where}.high` must be more than `low` ({low:g}), "
            f"but is {entries['high'].shown()} instead."
        )
    if form.log and low <= 0:
        yield entries["low"].fault(
            f"`{where}.low` must be more than 0 where `log` is true, but is "
            f"{entries['low'].shown()} instead: give a small number, or leave `log` out."
        )
    if isinstance(form, WholeRangeKeys) and "step" in entries:
        if form.log:
            yield entries["step"].key_fault(
                f"`{where}.step` has no meaning beside `log: true`: leave it out."
            )
        elif low < high and (high - low) % form.step:
            yield entries["step"].fault(
                f"`{where}.step` must lead from {low} to {high}, "
                f"but is {entries['step'].shown()} instead."
            )


# --- axes beside each other -------------------------------------------------------------------


def _condition(
    axis: SearchAxis, nodes: Mapping[str, Node], axes: Mapping[str, SearchAxis]
) -> tuple[Condition | None, list[Fault]]:
    """Read the condition `when` of an axis.

    Args:
        axis: the axis with the condition.
        nodes: axis -> its value in the file, of all axes.
        axes: axis -> what was read, of the axes without a fault.

    Returns:
        The condition, and its fault; None and no fault where the axis to which it refers has one.
    """
    node = nodes[axis.key].mapping["when"]
    where = f"`search.axes.{axis.key}.when`"
    match = re.fullmatch(CONDITION, str(node.value))
    assert match is not None  # the declaration says so
    key, sign, text = match.groups()
    if key in nodes and key not in axes:
        return None, []
    free = {
        other.key: other
        for other in axes.values()
        if other is not axis
        and not isinstance(other.kind, Simplex)
        and "when" not in nodes[other.key].mapping
    }
    if key not in free:
        hint = f" {nearest(key, free)}" if free else ""
        sentence = f"{where} must name another axis without a condition, but names `{key}` instead."
        return None, [node.fault(sentence + hint)]
    value = _compared(free[key].kind, text, sign)
    if value is None or (sign != "=" and isinstance(value, str)):
        sentence = (
            f"{where} must compare `{key}` with what it may be, but is {node.shown()} instead."
        )
        return None, [node.fault(sentence)]
    return Condition(key=key, sign=cast(Any, sign), value=value), []


def _compared(kind: Range | Choice | Simplex, text: str, sign: str) -> Value | None:
    """The value with which a condition compares, or None where it makes no sense.

    Args:
        kind: the values of the other axis.
        text: what is written behind the sign.
        sign: the sign. ``=`` makes sense for values that can be listed, not for any number.
    """
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


def _between_keys(
    keys: SearchKeys[AxesKeys],
    node: Node,
    nodes: Mapping[str, Node],
    axes: Mapping[str, SearchAxis],
) -> Iterator[Fault]:
    """Require `axes` and `budget`; refuse keys that have no meaning beside each other."""
    for key, lack in (("axes", NO_AXES), ("budget", NO_BUDGET)):
        if key not in node.mapping:
            yield node.key_fault(lack.text)
    if keys.selection == "flat" and "inner_folds" in node.mapping:
        yield node.mapping["inner_folds"].key_fault(
            "`search.inner_folds` must stand beside `selection: nested`: a flat selection "
            "has none. Leave it out."
        )
    for key, axis in axes.items() if keys.sampler == "cmaes" else ():
        conditional = "when" in nodes[key].mapping
        if conditional or isinstance(axis.kind, Choice):
            what = "has a condition" if conditional else "has choices"
            yield nodes[key].key_fault(
                f"`search.axes.{key}` {what}, which `sampler: cmaes` cannot walk: use tpe."
            )


def _within_space(search: Search, node: Node) -> Iterator[Fault]:
    """Require that a budget of configurations is no larger than the space."""
    if search.unit == "trials" and search.amount > search.size:
        given = node.mapping["budget"].mapping["trials"]
        yield given.fault(
            f"`search.budget.trials` must be at most {search.size:g}, the configurations that "
            f"there are, but is {given.shown()} instead."
        )
