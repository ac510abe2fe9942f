"""Every setting a study can vary: its values, its default, where it acts.

One table, ``SETTINGS``, is read three ways: it parses study files, it prints the JSON Schema,
and ``resolve`` turns layers of settings (defaults, profile, reading, study, row) into the
configuration objects of the two rooms.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from fractions import Fraction
from typing import Any, Literal

from features.config import DEFAULT_EMOTIONS, FEATURE_SETS, FeatureConfig
from model.config import Aggregators, ModelConfig, TrainConfig
from orchestrator.errors import Fault, nearest
from orchestrator.yaml_lines import Node

Faults = list[Fault]
CONFIG_FILE = r"opensmile:[^\n]{1,500}\.conf"
"""How a study names an openSMILE configuration of its own."""
Home = Literal["study", "baseline"]


@dataclass(frozen=True, slots=True)
class Setting:
    """One key: how its value is read, and the JSON Schema of what is accepted."""

    home: Home
    """Where the key stands in a study file; ``set`` of a row takes either."""
    doc: str
    read: Callable[[str, Node, Faults], Any]
    schema: Mapping[str, Any]
    in_rows: bool = True
    """Whether a row may set it; not where the rows would no longer score the same speech."""


# --- kinds of values -----------------------------------------------------------------------


def choice(*options: str | int) -> tuple[Callable[[str, Node, Faults], Any], dict[str, Any]]:
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


def whole(low: int, high: int) -> tuple[Callable[[str, Node, Faults], Any], dict[str, Any]]:
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


def number(low: float, high: float) -> tuple[Callable[[str, Node, Faults], Any], dict[str, Any]]:
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


def flag() -> tuple[Callable[[str, Node, Faults], Any], dict[str, Any]]:
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


TRAINING: dict[str, tuple[Callable[[str, Node, Faults], Any], dict[str, Any]]] = {
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


# --- the table -----------------------------------------------------------------------------

READINGS: dict[str, dict[str, Any]] = {
    "as-written": {
        "node_step": 10,
        "layer_norm": False,
        "deep_heads": False,
        "attention_output": False,
    },
    "as-likely-run": {
        "node_step": 50,
        "layer_norm": False,
        "deep_heads": False,
        "attention_output": False,
    },
    "size-matched": {
        "node_step": 10,
        "layer_norm": True,
        "deep_heads": True,
        "attention_output": True,
    },
}
"""Named choices where the paper leaves a thing open (README, "What the paper leaves open")."""

PROFILES: dict[str, dict[str, Any]] = {
    "paper": {"training": {"lr": 1e-4, "batch": 128, "epochs": 200, "patience": 20}},
    "quick": {"training": {"lr": 2e-3, "batch": 32, "epochs": 15, "patience": 15}},
}
"""How much training. ``quick`` was chosen on dev UA alone (README, "Profiles")."""

_fraction = {"anyOf": [{"type": "number"}, {"type": "string", "pattern": r"^\d+(\s*/\s*\d+)?$"}]}
_labels = {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}

SETTINGS: dict[str, Setting] = {
    "profile": Setting("study", "how much training", *choice(*PROFILES)),
    "reading": Setting("study", "the named reading of the paper", *choice(*READINGS)),
    "features": Setting(
        "study",
        "frame descriptors",
        read_features,
        {
            "anyOf": [
                {"enum": list(FEATURE_SETS)},
                {"type": "string", "pattern": f"^{CONFIG_FILE}$"},
            ]
        },
    ),
    "emotions": Setting(
        "study",
        "class -> corpus labels",
        read_emotions,
        {
            "anyOf": [
                {"type": "object", "additionalProperties": _labels, "minProperties": 2},
                {"type": "array", "items": {"type": "string"}, "minItems": 2},
            ]
        },
        in_rows=False,
    ),
    "corpus_part": Setting(
        "study",
        "which kind of speech (iemocap)",
        *choice("all", "improvised", "scripted"),
        in_rows=False,
    ),
    "node_step": Setting("study", "milliseconds from node to node", *choice(10, 50)),
    "segment_nodes": Setting("study", "most nodes in a graph", *whole(8, 1000)),
    "tail": Setting(
        "study", "what becomes of a last, short segment", *choice("pad", "drop", "overlap")
    ),
    "padding": Setting("study", "is padding seen as nodes", *choice("masked", "nodes")),
    "scaling": Setting("study", "where the z-score comes from", *choice("train", "speaker")),
    "class_weights": Setting("study", "weights in the loss", *choice("off", "inverse")),
    "training": Setting(
        "study",
        "how a trial is trained",
        read_training,
        {
            "type": "object",
            "additionalProperties": False,
            "properties": {name: schema for name, (_, schema) in TRAINING.items()},
        },
    ),
    "model": Setting("baseline", "the system", *choice("wma-gin")),
    "layers": Setting("baseline", "WMA-GIN layers", *whole(1, 8)),
    "hidden": Setting("baseline", "width of a layer", *whole(1, 4096)),
    "aggregators": Setting(
        "baseline",
        "aggregator weights, summing to 1",
        read_weights,
        {
            "type": "object",
            "additionalProperties": False,
            "properties": {f.name: _fraction for f in fields(Aggregators)},
        },
    ),
    "fa_layer": Setting(
        "baseline",
        "fully adjacent layer",
        read_fa_layer,
        {
            "anyOf": [
                {"enum": list(FA_WORDS)},
                {"type": "integer", "minimum": 1},
                {"type": "array", "items": {"type": "integer", "minimum": 1}, "minItems": 1},
            ]
        },
    ),
    "fa_self": Setting("baseline", "a node is its own neighbour there", *flag()),
    "graph": Setting(
        "baseline",
        "edges between nodes",
        read_graph,
        {"type": "string", "pattern": "^(cycle|line|window:[1-9][0-9]?)$"},
    ),
    "pooling": Setting("baseline", "nodes before each head", *choice("mean", "sum")),
    "stage_loss": Setting("baseline", "multi-stage loss", *flag()),
    "layer_norm": Setting("baseline", "R*: LayerNorm in each layer", *flag()),
    "deep_heads": Setting("baseline", "R*: two-layer heads", *flag()),
    "attention_output": Setting("baseline", "R*: output map of the attention", *flag()),
}


# --- from layers of settings to configurations ----------------------------------------------


@dataclass(frozen=True, kw_only=True, slots=True)
class Resolved:
    """What a variant is, with every default written out."""

    profile: str
    reading: str
    features: FeatureConfig
    model: ModelConfig
    training: TrainConfig


def merge(*layers: Mapping[str, Any]) -> dict[str, Any]:
    """Later layers win; ``training`` merges key by key."""
    merged: dict[str, Any] = {"training": {}}
    for layer in layers:
        training = {**merged["training"], **layer.get("training", {})}
        merged = {**merged, **layer, "training": training}
    return merged


def resolve(default_profile: str, study: Mapping[str, Any], row: Mapping[str, Any]) -> Resolved:
    """Layers, each over the one before: profile, reading, study, then the row's own three.

    Args:
        default_profile: the profile of a study that names none; it follows from the corpus.
        study: settings of the study's top level and of its baseline.
        row: settings of one row.

    Returns:
        The configurations, free of defaults.

    Raises:
        ValueError: when an FA layer lies beyond the last layer; the sentence says which.
    """
    profile = study.get("profile", default_profile)
    reading = study.get("reading", "as-written")
    named = [PROFILES[row["profile"]]] if "profile" in row else []
    named += [READINGS[row["reading"]]] if "reading" in row else []
    merged = merge(PROFILES[profile], READINGS[reading], study, *named, row)
    layers = merged.get("layers", ModelConfig().layers)
    model = {f.name: merged[f.name] for f in fields(ModelConfig) if f.name in merged}
    model["fa_layers"] = fa = fa_layers(merged.get("fa_layer", "antepenultimate"), layers)
    # Where a setting acts nowhere it is its default: two rows that differ in it are the same.
    if not fa:
        model.pop("fa_self", None)
    if len(fa) == layers:
        model.pop("graph", None)
    features = {f.name: merged[f.name] for f in fields(FeatureConfig) if f.name in merged}
    training = {**merged["training"]}
    if "class_weights" in merged:
        training["class_weights"] = merged["class_weights"]
    return Resolved(
        profile=merged.get("profile", profile),
        reading=merged.get("reading", reading),
        features=FeatureConfig(**features),
        model=ModelConfig(**model),
        training=TrainConfig(**training),
    )


def emotions(study: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """Class -> corpus labels: the study's own map, or the four classes of the paper."""
    return dict(study.get("emotions", DEFAULT_EMOTIONS))


def fa_layers(value: str | tuple[int, ...], layers: int) -> tuple[int, ...]:
    """Resolve a word or numbers to 1-based layers.

    >>> fa_layers("antepenultimate", 4), fa_layers("none", 4), fa_layers((3, 1), 4)
    ((2,), (), (1, 3))
    """
    back = {"last": 0, "penultimate": 1, "antepenultimate": 2}
    if value == "none":
        return ()
    if value == "all":
        return tuple(range(1, layers + 1))
    wanted = (layers - back[value],) if isinstance(value, str) else tuple(sorted(set(value)))
    beyond = [n for n in wanted if not 1 <= n <= layers]
    if beyond:
        shown = value if isinstance(value, str) else ", ".join(map(str, value))
        raise ValueError(
            f"`fa_layer` must be one of the {layers} layers, but is `{shown}` instead."
        )
    return wanted
