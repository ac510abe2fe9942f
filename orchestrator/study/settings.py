"""Every setting a study can vary: its values, its default, where it acts.

One table, ``SETTINGS``, is read three ways: it parses study files, it prints the JSON Schema,
and ``resolve`` turns layers of settings (defaults, profile, reading, study, row) into the
configuration objects of the two rooms.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal

from features.config import DEFAULT_EMOTIONS, FeatureConfig
from features.descriptors.catalogue import FEATURE_SETS, FUNCTIONALS
from model.config import WMA_GIN, Aggregators, ModelConfig, TrainConfig
from model.systems.catalogue import SYSTEMS
from orchestrator.study.value_readers import (
    CONFIG_FILE,
    FA_WORDS,
    TRAINING,
    Read,
    choice,
    flag,
    number,
    read_emotions,
    read_fa_layer,
    read_features,
    read_graph,
    read_training,
    read_weights,
    whole,
)

Home = Literal["study", "baseline"]


@dataclass(frozen=True, slots=True)
class Setting:
    """One key: how its value is read, and the JSON Schema of what is accepted."""

    home: Home
    """Where the key stands in a study file; ``set`` of a row takes either."""
    doc: str
    read: Read
    schema: Mapping[str, Any]
    in_rows: bool = True
    """Whether a row may set it; not where the rows would no longer score the same speech."""


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

TRAINING_DOCS = {
    "lr": "Adam's learning rate",
    "weight_decay": "Adam's weight decay",
    "batch": "segments in a batch",
    "epochs": "the most epochs that a training has",
    "patience": "epochs without a better dev score until it stops",
}

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
            "properties": {
                name: {**schema, "description": TRAINING_DOCS[name]}
                for name, (_, schema) in TRAINING.items()
            },
        },
    ),
    "model": Setting("baseline", "the system", *choice(*SYSTEMS)),
    "layers": Setting("baseline", "WMA-GIN layers", *whole(1, 8)),
    "hidden": Setting("baseline", "width of a layer", *whole(1, 4096)),
    "aggregators": Setting(
        "baseline",
        "aggregator weights, summing to 1",
        read_weights,
        {
            "type": "object",
            "additionalProperties": False,
            "properties": {
                f.name: {**_fraction, "description": f"weight of {f.name}; all sum to 1"}
                for f in fields(Aggregators)
            },
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
    "attention": Setting("baseline", "multi-phase attention", *flag()),
    "bigru": Setting("baseline", "Bi-GRU before the layers", *flag()),
    "residual": Setting("baseline", "layers after the first add their input", *flag()),
    "dropout": Setting("baseline", "share of a layer's output set to 0", *number(0, 0.9)),
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


class ImpossibleError(ValueError):
    """Settings that are each right but impossible together; ``key`` is where to say so."""

    def __init__(self, key: str, sentence: str) -> None:
        self.key = key
        super().__init__(sentence)


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
        ImpossibleError: when a key has no meaning beside the others; the sentence says which.
    """
    profile = study.get("profile", default_profile)
    reading = study.get("reading", "as-written")
    named = [PROFILES[row["profile"]]] if "profile" in row else []
    named += [READINGS[row["reading"]]] if "reading" in row else []
    merged = merge(PROFILES[profile], READINGS[reading], study, *named, row)
    return Resolved(
        profile=merged.get("profile", profile),
        reading=merged.get("reading", reading),
        features=_features(merged),
        model=_model(merged, row),
        training=_training(merged),
    )


# Where a setting acts nowhere it is its default: two rows that differ in it are the same.


def _features(merged: Mapping[str, Any]) -> FeatureConfig:
    """The descriptors, and what they are made into; functionals are one row, never stepped or cut.

    Raises:
        ImpossibleError: when the system does not read such descriptors.
    """
    system = merged.get("model", WMA_GIN)
    values = {f.name: merged[f.name] for f in fields(FeatureConfig) if f.name in merged}
    config = FeatureConfig(**values)
    functionals = config.features in FUNCTIONALS
    if functionals and SYSTEMS[system].network:
        raise ImpossibleError(
            "features",
            f"`features` must give frames for `model: {system}`, but is `{config.features}` "
            "instead, one row an utterance: `model: svm` reads it.",
        )
    if not functionals and not SYSTEMS[system].network:
        raise ImpossibleError(
            "features",
            f"`features` must be functionals for `model: {system}`, but is `{config.features}` "
            f"instead: set `features: {FUNCTIONALS[0]}`.",
        )
    if functionals:
        return FeatureConfig(features=config.features, scaling=config.scaling)
    return config


def _model(merged: Mapping[str, Any], row: Mapping[str, Any]) -> ModelConfig:
    """The system. WMA-GIN's keys act in WMA-GIN alone: the sizes of the compared systems are fixed.

    Raises:
        ImpossibleError: a row sets such a key for a compared system, or an FA layer is not there.
    """
    system = merged.get("model", WMA_GIN)
    if system != WMA_GIN:
        own = {key for key, setting in SETTINGS.items() if setting.home == "baseline"} - {"model"}
        for key in row:
            if key in own:
                raise ImpossibleError(
                    key,
                    f"`{key}` must stand beside `model: {WMA_GIN}`, but stands beside "
                    f"`model: {system}` instead, whose sizes are fixed: leave it out.",
                )
        return ModelConfig(model=system)
    layers = merged.get("layers", ModelConfig().layers)
    model = {f.name: merged[f.name] for f in fields(ModelConfig) if f.name in merged}
    model["fa_layers"] = fa = fa_layers(merged.get("fa_layer", "antepenultimate"), layers)
    if not fa:
        model.pop("fa_self", None)
    if len(fa) == layers:
        model.pop("graph", None)
    if layers == 1:
        model.pop("residual", None)
    if not model.get("attention", True):
        model.pop("attention_output", None)
    return ModelConfig(**model)


def _training(merged: Mapping[str, Any]) -> TrainConfig:
    """How it is trained; a system that is no network has no Adam, no batches and no epochs."""
    training = {**merged["training"]} if SYSTEMS[merged.get("model", WMA_GIN)].network else {}
    if "class_weights" in merged:
        training["class_weights"] = merged["class_weights"]
    return TrainConfig(**training)


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
        raise ImpossibleError(
            "fa_layer", f"`fa_layer` must be one of the {layers} layers, but is `{shown}` instead."
        )
    return wanted
