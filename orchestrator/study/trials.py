"""Study -> variants -> trials, and what a trial's id is made of.

A trial's id is the sha256 of a canonical JSON text over an allow-list of resolved values: what
moves the numbers, and nothing else. Device, workers, paths, hosts and the names of rows,
profiles and readings stay out, so one training serves every study that asks for it.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from fractions import Fraction
from typing import Any

from features.config import FeatureConfig
from features.corpora.corpus import Selection
from features.corpora.folds import Fold
from model.config import WMA_GIN, Aggregators, ModelConfig, TrainConfig
from orchestrator.study.canonical import digest, plain
from orchestrator.study.resolve import resolve
from orchestrator.study.study import Study

SEMANTICS = 1
"""Raised by hand when a change of the code changes results: golden tests fail until it is."""

ADDED: dict[str, dict[str, Any]] = {
    "features": {"tail": "pad"},
    "model": {"attention": True, "bigru": True, "residual": True, "dropout": 0.0},
}
"""Fields younger than SEMANTICS, with the value that stood for what was done before they came.
An identity leaves a field out at that value, so trials that were trained then keep their ids.
Never change a line; a new field of a configuration adds one."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Variant:
    """One row of a table, resolved: every field has its value."""

    name: str
    profile: str
    reading: str
    features: FeatureConfig
    model: ModelConfig
    training: TrainConfig


@dataclass(frozen=True, kw_only=True, slots=True)
class Trial:
    """Variant x fold x seed: one training run, the unit of work.

    ``train``, ``a`` and ``b`` are speakers; ``a`` and ``b`` are the halves of the held-out group.
    """

    corpus: str
    """Digest of the selected speech and labels."""
    classes: tuple[str, ...]
    extractor: str
    features: FeatureConfig
    model: ModelConfig
    training: TrainConfig
    train: tuple[str, ...]
    a: tuple[str, ...]
    b: tuple[str, ...]
    seed: int

    @property
    def identity(self) -> dict[str, Any]:
        """Everything that moves this trial's numbers, as plain JSON values."""
        return {
            "semantics": SEMANTICS,
            "corpus": self.corpus,
            "classes": list(self.classes),
            "extractor": self.extractor,
            "features": _without_added("features", asdict(self.features)),
            "model": _model_values(self.model),
            "training": _without_added("training", asdict(self.training)),
            "fold": {"train": list(self.train), "a": list(self.a), "b": list(self.b)},
            "seed": self.seed,
        }

    @property
    def id(self) -> str:
        """The trial's name in every store: sha256 of its identity, 64 hexadecimal digits."""
        return digest(self.identity)


def trial_of(
    variant: Variant, corpus: str, classes: tuple[str, ...], extractor: str, fold: Fold, seed: int
) -> Trial:
    """One training of a variant.

    Args:
        variant: what is trained.
        corpus: digest of the selected speech and labels.
        classes: its emotions.
        extractor: version of the variant's features.
        fold: who trains and who is held out.
        seed: of the training.
    """
    return Trial(
        corpus=corpus,
        classes=classes,
        extractor=extractor,
        features=variant.features,
        model=variant.model,
        training=variant.training,
        train=fold.train,
        a=fold.a,
        b=fold.b,
        seed=seed,
    )


@dataclass(frozen=True, slots=True)
class PlannedTrial:
    """A trial with the row, the fold and the seed of one study that it is for."""

    row: str
    fold: int
    seed: int
    trial: Trial
    id: str


def variants(study: Study, default_profile: str) -> tuple[Variant, ...]:
    """The study's rows, resolved."""
    found = []
    for row in study.rows:
        resolved = resolve(default_profile, study.settings, row.settings)
        found.append(
            Variant(
                name=row.name,
                profile=resolved.profile,
                reading=resolved.reading,
                features=resolved.features,
                model=resolved.model,
                training=resolved.training,
            )
        )
    return tuple(found)


def expand(
    study: Study,
    rows: tuple[Variant, ...],
    selection: Selection,
    folds: tuple[Fold, ...],
    extractors: Mapping[str, str],
) -> tuple[PlannedTrial, ...]:
    """Every trial of the study: by seed, then fold, then row, so that rows fill side by side."""
    corpus, classes = selection.digest, selection.classes
    placed = []
    for seed in range(study.seeds):
        for fold in folds:
            for row in rows:
                extractor = extractors[row.features.features]
                trial = trial_of(row, corpus, classes, extractor, fold, seed)
                placed.append(PlannedTrial(row.name, fold.index, seed, trial, trial.id))
    return tuple(placed)


def from_identity(identity: Mapping[str, Any]) -> Trial:
    """The trial that has this ``identity``; fields younger than it get their first value."""
    features, training = (
        {**ADDED.get(part, {}), **identity[part]} for part in ("features", "training")
    )
    fold = identity["fold"]
    return Trial(
        corpus=identity["corpus"],
        classes=tuple(identity["classes"]),
        extractor=identity["extractor"],
        features=FeatureConfig(**features),
        model=model_from(identity["model"]),
        training=TrainConfig(**training),
        train=tuple(fold["train"]),
        a=tuple(fold["a"]),
        b=tuple(fold["b"]),
        seed=identity["seed"],
    )


def _model_values(config: ModelConfig) -> Any:
    """A system as plain values; a compared system is its name alone, since its sizes are fixed."""
    if config.model != WMA_GIN:
        return {"model": config.model}
    return _without_added("model", asdict(config))


def model_from(kept: Mapping[str, Any]) -> ModelConfig:
    """The system that an identity's ``model`` names."""
    values = {**ADDED["model"], **kept}
    if values["model"] != WMA_GIN:
        return ModelConfig(model=values["model"])
    weights = {name: Fraction(text) for name, text in values.pop("aggregators").items()}
    values["fa_layers"] = tuple(values["fa_layers"])
    return ModelConfig(**values, aggregators=Aggregators(**weights))


def _without_added(part: str, values: Mapping[str, Any]) -> Any:
    """A configuration as plain values, without the fields of ``ADDED`` at their first value."""
    first = ADDED.get(part, {})
    return plain({k: v for k, v in values.items() if k not in first or v != first[k]})
