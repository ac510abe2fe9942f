"""Layers of settings (profile, reading, study, row) -> the configurations of one variant."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from features.config import DEFAULT_EMOTIONS, FeatureConfig
from features.descriptors.catalogue import FUNCTIONALS
from model.config import WMA_GIN, ModelConfig, TrainConfig
from model.systems.catalogue import SYSTEMS
from orchestrator.study.keys.settings import PROFILES, READINGS, SETTINGS
from orchestrator.study.protocol import ScoreRule, score_rule


@dataclass(frozen=True, kw_only=True, slots=True)
class Variant:
    """The configurations of one row of a table: every setting has a value."""

    profile: str
    """Name of the profile (how much training): ``paper`` or ``quick``."""
    reading: str
    """Name of the reading (a choice where the paper leaves something open): ``as-written``, ..."""
    features: FeatureConfig
    """Descriptors, and how graphs are made from them."""
    model: ModelConfig
    """The system (WMA-GIN, another network or the SVM) and its sizes."""
    training: TrainConfig
    """Learning rate, batch, epochs, ..."""


class ImpossibleError(ValueError):
    """Settings are impossible together, though each is right by itself.

    Args:
        key: the setting at which to report it.
        sentence: what is wrong, with the remedy.
    """

    def __init__(self, key: str, sentence: str) -> None:
        self.key = key
        super().__init__(sentence)


def merge(*layers: Mapping[str, Any]) -> dict[str, Any]:
    """Join mappings of settings; a later one overrides an earlier one, in `training` key by key."""
    merged: dict[str, Any] = {"training": {}}
    for layer in layers:
        training = {**merged["training"], **layer.get("training", {})}
        merged = {**merged, **layer, "training": training}
    return merged


def resolve(default_profile: str, study: Mapping[str, Any], row: Mapping[str, Any]) -> Variant:
    """Merge the settings that hold for one row, and make its configurations.

    Each of these overrides those before it: the study's profile (how much training), its reading
    (named choice where the paper is open), its own settings; then the profile and the reading that
    the row names, if any, and the row's settings.

    Args:
        default_profile: the profile of a study that names none; it follows from the corpus.
        study: settings of the study's top level and of its baseline.
        row: settings of one row.

    Returns:
        The variant, with a value for every setting. A setting that has no effect beside the
        others has its default, so that equal variants are equal.

    Raises:
        ImpossibleError: a setting cannot stand beside the others.
    """
    profile = study.get("profile", default_profile)
    reading = study.get("reading", "as-written")
    named = [PROFILES[row["profile"]]] if "profile" in row else []
    named += [READINGS[row["reading"]]] if "reading" in row else []
    merged = merge(PROFILES[profile], READINGS[reading], study, *named, row)
    return Variant(
        profile=merged.get("profile", profile),
        reading=merged.get("reading", reading),
        features=_features(merged),
        model=_model(merged, row),
        training=_training(merged, score_rule(default_profile, study)),
    )


# Where a setting acts nowhere it is its default: two rows that differ in it are the same.


def _features(merged: Mapping[str, Any]) -> FeatureConfig:
    """The descriptors, and how graphs are made from them.

    Functionals are one row an utterance: settings of nodes and segments have no effect on them.

    Raises:
        ImpossibleError: the system does not read such descriptors.
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
    """The system and its sizes; those of compared systems (all but WMA-GIN) are fixed.

    Args:
        merged: the settings of the study and the row.
        row: the row's own settings.

    Raises:
        ImpossibleError: the row sets a size of a compared system, or a fully adjacent layer above
            the number of layers.
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


def _training(merged: Mapping[str, Any], score: ScoreRule) -> TrainConfig:
    """How the row is trained; for a system that is no network (the SVM), class weights alone.

    Averaged weights are those of all epochs, so that beside them patience never acts.
    """
    training = {**merged["training"]} if SYSTEMS[merged.get("model", WMA_GIN)].network else {}
    if training and score == "averaged":
        training["patience"] = training["epochs"]
    if "class_weights" in merged:
        training["class_weights"] = merged["class_weights"]
    return TrainConfig(**training)


def emotions(study: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """Class -> the corpus labels that it joins: as the study says, or the paper's four classes."""
    return dict(study.get("emotions", DEFAULT_EMOTIONS))


def fa_layers(value: str | tuple[int, ...], layers: int) -> tuple[int, ...]:
    """The numbers, counted from 1 and ascending, of the fully adjacent layers.

    Args:
        value: layer numbers, or ``last``, ``penultimate``, ``antepenultimate``, ``all``, ``none``.
        layers: how many layers the network has.

    Raises:
        ImpossibleError: a layer is not there.

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
