"""How the values of a study file are read: each kind with the JSON Schema of what it accepts.

A reader takes the key, its node and the list of faults; it gives the value, or None and a fault.
"""

import re
from collections.abc import Callable
from dataclasses import fields
from fractions import Fraction
from typing import Any

from features.descriptors.catalogue import FEATURE_SETS
from model.config import Aggregators
from orchestrator.errors import Fault, nearest
from orchestrator.study.yaml_lines import Node

Faults = list[Fault]
Read = Callable[[str, Node, Faults], Any]
Kind = tuple[Read, dict[str, Any]]
"""A reader and its schema."""

CONFIG_FILE = r"opensmile:[^\n]{1,500}\.conf"
"""How a study names an openSMILE configuration of its own."""


def choice(*options: str | int) -> Kind:
    """One of a few words or numbers."""
    words = [str(o) for o in options]

    def read(key: str, node: Node, faults: Faults) -> Any:
        if not isinstance(node.value, bool) and node.value in options:
            return node.value
        hint = nearest(str(node.value), words) if isinstance(node.value, str) else ""
        listed = " or ".join(f"`{w}`" for w in words) if len(words) < 4 else "a known word"
        faults.append(
            node.fault(f"`{key}` must be {listed}, but is {node.shown()} instead. {hint}".rstrip())
        )
        return None

    return read, {"enum": list(options)}


def whole(low: int, high: int) -> Kind:
    """A whole number from ``low`` to ``high``."""

    def read(key: str, node: Node, faults: Faults) -> Any:
        value = node.value
        if isinstance(value, int) and not isinstance(value, bool) and low <= value <= high:
            return value
        faults.append(
            node.fault(
                f"`{key}` must be a whole number from {low} to {high}, "
                f"but is {node.shown()} instead."
            )
        )
        return None

    return read, {"type": "integer", "minimum": low, "maximum": high}


def number(low: float, high: float) -> Kind:
    """A number from ``low`` to ``high``."""

    def read(key: str, node: Node, faults: Faults) -> Any:
        value = node.value
        if isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high:
            return float(value)
        faults.append(
            node.fault(
                f"`{key}` must be a number from {low:g} to {high:g}, but is {node.shown()} instead."
            )
        )
        return None

    return read, {"type": "number", "minimum": low, "maximum": high}


def flag() -> Kind:
    """``true`` or ``false`` (also ``on`` and ``off``)."""
    words = {"on": True, "off": False}

    def read(key: str, node: Node, faults: Faults) -> Any:
        if isinstance(node.value, bool):
            return node.value
        if isinstance(node.value, str) and node.value in words:
            return words[node.value]
        faults.append(node.fault(f"`{key}` must be true or false, but is {node.shown()} instead."))
        return None

    return read, {"enum": [True, False, "on", "off"]}


FA_WORDS = ("last", "penultimate", "antepenultimate", "none", "all")


def read_fa_layer(key: str, node: Node, faults: Faults) -> Any:
    """A word, a layer number from 1, or a list of numbers; counted later, by ``fa_layers``."""
    value = node.plain()
    if value in FA_WORDS:
        return value
    numbers = value if isinstance(value, list) else [value]
    if numbers and all(isinstance(n, int) and not isinstance(n, bool) and n > 0 for n in numbers):
        return tuple(sorted(set(numbers)))
    hint = f" {nearest(value, FA_WORDS)}" if isinstance(value, str) else ""
    faults.append(
        node.fault(
            f"`{key}` must be a layer number from 1, a list of them, `last`, `penultimate`, "
            f"`antepenultimate`, `all` or `none`, but is {node.shown()} instead.{hint}"
        )
    )
    return None


def read_graph(key: str, node: Node, faults: Faults) -> Any:
    """``cycle``, ``line`` or ``window:K``."""
    value = node.value
    if isinstance(value, str) and re.fullmatch(r"cycle|line|window:[1-9][0-9]?", value):
        return value
    faults.append(
        node.fault(
            f"`{key}` must be `cycle`, `line` or `window:K` with K from 1 to 99, "
            f"but is {node.shown()} instead."
        )
    )
    return None


def read_features(key: str, node: Node, faults: Faults) -> Any:
    """A feature set by name, or ``opensmile:PATH.conf``."""
    value = node.value
    if isinstance(value, str) and (
        value in FEATURE_SETS or re.fullmatch(CONFIG_FILE, value, re.DOTALL)
    ):
        return value
    listed = ", ".join(f"`{name}`" for name in FEATURE_SETS)
    hint = f" {nearest(value, FEATURE_SETS)}" if isinstance(value, str) else ""
    faults.append(
        node.fault(
            f"`{key}` must be {listed} or `opensmile:PATH.conf`, "
            f"but is {node.shown()} instead.{hint}"
        )
    )
    return None


def read_weights(key: str, node: Node, faults: Faults) -> Any:
    """Aggregator weights: a mapping of fractions or decimals that sum to 1."""
    if not isinstance(node.value, dict):
        faults.append(
            node.fault(
                f"`{key}` must map `softmax`, `sum` and `mean` to weights, "
                f"but is {node.shown()} instead."
            )
        )
        return None
    names = [f.name for f in fields(Aggregators)]
    weights: dict[str, Fraction] = {}
    bad = False
    for name, item in node.mapping.items():
        if name not in names:
            faults.append(
                item.key_fault(f"`{key}.{name}` is not an aggregator. {nearest(name, names)}")
            )
            bad = True
            continue
        weight = as_fraction(item.value)
        if weight is None:
            faults.append(
                item.fault(
                    f"`{key}.{name}` must be a number from 0 to 1 or a fraction "
                    f"such as 1/3, but is {item.shown()} instead."
                )
            )
            bad = True
        else:
            weights[name] = weight
    if bad:
        return None
    total = sum(weights.values(), Fraction(0))
    if total != 1:
        faults.append(
            node.key_fault(
                f"`{key}` must sum to 1, but sums to {total} ({float(total):.4g}) instead."
            )
        )
        return None
    return Aggregators(**{name: weights.get(name, Fraction(0)) for name in names})


def as_fraction(value: Any) -> Fraction | None:
    """A weight as an exact fraction from 0 to 1, or None.

    A decimal within 0.001 of k/n with n <= 12 is that fraction: people write 0.333 for a third.

    >>> as_fraction(0.333), as_fraction("1/4"), as_fraction(1)
    (Fraction(1, 3), Fraction(1, 4), Fraction(1, 1))
    """
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        exact = Fraction(value.replace(" ", "")) if isinstance(value, str) else Fraction(str(value))
    except (ValueError, ZeroDivisionError):
        return None
    near = exact.limit_denominator(12)
    decimal = "/" not in str(value)
    exact = near if decimal and abs(near - exact) <= Fraction(1, 1000) else exact
    return exact if 0 <= exact <= 1 else None


def read_emotions(key: str, node: Node, faults: Faults) -> Any:
    """Class -> corpus labels: ``{happy: [happy, excited], sad: sad}``, or a list of labels."""
    if node.sequence and all(isinstance(n.value, str) for n in node.sequence):
        pairs = {str(n.value): (str(n.value),) for n in node.sequence}
    elif node.mapping:
        pairs = {}
        for name, item in node.mapping.items():
            labels = item.plain() if isinstance(item.value, list) else [item.plain()]
            if not labels or not all(isinstance(label, str) for label in labels):
                faults.append(
                    item.fault(
                        f"`{key}.{name}` must name corpus labels, but is {item.shown()} instead."
                    )
                )
                return None
            pairs[name] = tuple(labels)
    else:
        faults.append(
            node.fault(
                f"`{key}` must map classes to corpus labels or list them, "
                f"but is {node.shown()} instead."
            )
        )
        return None
    used = [label for labels in pairs.values() for label in labels]
    twice = sorted({label for label in used if used.count(label) > 1})
    if twice or len(pairs) < 2:
        faults.append(
            node.fault(
                f"`{key}` gives the label `{twice[0]}` to two classes."
                if twice
                else f"`{key}` must name at least two classes, but names {len(pairs)} instead."
            )
        )
        return None
    return tuple(sorted((name, tuple(sorted(labels))) for name, labels in pairs.items()))


TRAINING: dict[str, Kind] = {
    "lr": number(1e-8, 1.0),
    "weight_decay": number(0.0, 1.0),
    "batch": whole(1, 65536),
    "epochs": whole(1, 100_000),
    "patience": whole(1, 100_000),
}


def read_training(key: str, node: Node, faults: Faults) -> Any:
    """Any of the training settings, as a dict."""
    if not isinstance(node.value, dict):
        faults.append(
            node.fault(
                f"`{key}` must be a mapping of {', '.join(TRAINING)}, "
                f"but is {node.shown()} instead."
            )
        )
        return None
    values = {}
    for name, item in node.mapping.items():
        if name in TRAINING:
            value = TRAINING[name][0](f"{key}.{name}", item, faults)
            if value is not None:
                values[name] = value
        else:
            faults.append(item.key_fault(f"`{key}.{name}` is not a key. {nearest(name, TRAINING)}"))
    return values
