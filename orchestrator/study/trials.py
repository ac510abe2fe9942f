"""Expands a study into variants and trials, and defines what a trial's id is made of.

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
from orchestrator.study.protocol import fold_name
from orchestrator.study.resolve import Variant, resolve
from orchestrator.study.study import Study

SEMANTICS = 2
"""Version of the code's results, part of every trial's id. Whoever changes the code so that results
change adds 1; golden tests fail until then.

1. The first.
2. A direction is frozen when its own patience is over; random draws differ from fold to fold."""

OWN_SEMANTICS: Mapping[str, int] = {"svm": 3}
"""System -> the version of its results, where they changed and those of other systems did not. The
next version of all is above these.

3. Of the SVM: a machine whose C inner folds of the training speakers chose is scored, too."""

ADDED: dict[str, dict[str, Any]] = {
    "features": {"tail": "pad"},
    "model": {"attention": True, "bigru": True, "residual": True, "dropout": 0.0},
}
"""Part of an identity -> field that came later than the first trials -> the value that stands for
how trials were trained before. A field with this value is left out of an identity, so that older
trials keep their ids. Never change a line; a new field of a configuration adds one."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Trial:
    """One training to be done: a variant, a fold, a seed, and the speech that it reads."""

    corpus: str
    """Digest of the selected speech and labels."""
    classes: tuple[str, ...]
    """Names of the classes, such as ``angry``."""
    extractor: str
    """Version of the program that computes the descriptors, as ``FeatureSet.version`` gives it."""
    features: FeatureConfig
    """Descriptors, and how graphs are made from them."""
    model: ModelConfig
    """The system (WMA-GIN, another network or the SVM) and its sizes."""
    training: TrainConfig
    """Learning rate, batch, epochs, ..."""
    train: tuple[str, ...]
    """Speakers on whom the trial trains."""
    a: tuple[str, ...]
    """Speakers of half A of the held-out group."""
    b: tuple[str, ...]
    """Speakers of half B of the held-out group."""
    seed: int
    """Number of the training among those of its variant and fold, from 0."""

    @property
    def random_seed(self) -> int:
        """The number from which the training's random draws derive: weights, order, dropout.

        It is a digest of ``seed`` and of the held-out speakers as a set. So rows share their draws
        on the same fold and seed, and swapping the halves changes none; but each fold has draws of
        its own. With one seed for all folds, they would share the luck of one initialisation, which
        the spread over folds cannot show.
        """
        held_out = sorted({*self.a, *self.b})
        return int(digest({"seed": self.seed, "held_out": held_out})[:16], 16)

    @property
    def identity(self) -> dict[str, Any]:
        """Everything on which this trial's results depend, as plain JSON values."""
        return {
            "semantics": OWN_SEMANTICS.get(self.model.model, SEMANTICS),
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
        """The trial's id: sha256 of its identity, 64 hexadecimal digits, equal in every store."""
        return digest(self.identity)


def trial_of(
    variant: Variant, corpus: str, classes: tuple[str, ...], extractor: str, fold: Fold, seed: int
) -> Trial:
    """Make the trial of a variant in one fold, with one seed.

    Args:
        variant: the variant.
        corpus: digest of the selected speech and labels.
        classes: names of the classes.
        extractor: version of the program that computes the variant's descriptors.
        fold: training speakers, and the halves of the held-out group.
        seed: number of the training among those of its variant and fold, from 0.
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
    """A trial with its slot in one study: row, deal, fold, seed."""

    row: str
    """Name of the row; of a search's trial, of its configuration."""
    fold: int
    """Index of the fold in its deal, from 0; of a search's trial, of the inner fold."""
    seed: int
    """Number of the seed, from 0."""
    trial: Trial
    """The training itself: configurations, speakers, seed."""
    id: str
    """The trial's id, 64 hexadecimal digits."""
    deal: int | None = None
    """Index of the deal, from 0; None where the speakers are dealt once."""

    @property
    def fold_name(self) -> str:
        """Such as ``fold 2``, or ``fold 2 of deal 3``."""
        return fold_name(self.fold, self.deal)


def variants(study: Study, default_profile: str) -> tuple[Variant, ...]:
    """The variants of a study's rows, in the table's order.

    Args:
        study: the study.
        default_profile: the profile of rows that name none; it follows from the corpus.
    """
    return tuple(resolve(default_profile, study.settings, row.settings) for row in study.rows)


def expand(
    study: Study,
    variants: tuple[Variant, ...],
    selection: Selection,
    folds: tuple[Fold, ...],
    extractors: Mapping[str, str],
) -> tuple[PlannedTrial, ...]:
    """Every trial of a study, by seed, then deal, then fold, then row: rows fill side by side.

    Args:
        study: the study.
        variants: those of its rows, in the same order.
        selection: the speech and labels.
        folds: the folds of the protocol, deal by deal.
        extractors: name of a descriptor set -> version of the program that computes it.
    """
    corpus, classes = selection.digest, selection.classes
    placed = []
    for seed in range(study.seeds):
        for fold in folds:
            for row, variant in zip(study.rows, variants, strict=True):
                extractor = extractors[variant.features.features]
                trial = trial_of(variant, corpus, classes, extractor, fold, seed)
                placed.append(PlannedTrial(row.name, fold.index, seed, trial, trial.id, fold.deal))
    return tuple(placed)


def is_current(identity: Mapping[str, Any]) -> bool:
    """Whether a trial of this identity has results of this version of the code."""
    system = identity.get("model", {}).get("model", WMA_GIN)
    return bool(identity.get("semantics") == OWN_SEMANTICS.get(system, SEMANTICS))


def from_identity(identity: Mapping[str, Any]) -> Trial:
    """The trial with a given ``identity``; fields that it lacks get the value in ``ADDED``."""
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
    """A system's configuration as plain values; of a compared system (all but WMA-GIN) the name."""
    if config.model != WMA_GIN:
        return {"model": config.model}
    return _without_added("model", asdict(config))


def model_from(kept: Mapping[str, Any]) -> ModelConfig:
    """The system's configuration from the entry ``model`` of a trial's identity."""
    values = {**ADDED["model"], **kept}
    if values["model"] != WMA_GIN:
        return ModelConfig(model=values["model"])
    weights = {name: Fraction(text) for name, text in values.pop("aggregators").items()}
    values["fa_layers"] = tuple(values["fa_layers"])
    return ModelConfig(**values, aggregators=Aggregators(**weights))


def _without_added(part: str, values: Mapping[str, Any]) -> Any:
    """A configuration as plain values, without fields that have the value in ``ADDED``.

    Args:
        part: ``features``, ``model`` or ``training``.
        values: field -> value.
    """
    first = ADDED.get(part, {})
    return plain({k: v for k, v in values.items() if k not in first or v != first[k]})
