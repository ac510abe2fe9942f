"""Declares every setting that a study can vary: where its key stands, its values, its default.

Most settings are fields of a configuration (`features/config.py`, `model/config.py`), and such a
field declares the setting. Those that are no field, or are written in another way, stand here.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from operator import attrgetter
from typing import Annotated, Any, Literal, TypeVar, get_args, get_type_hints

from pydantic import AfterValidator, Field, create_model

from features.config import DEFAULT_EMOTIONS, FeatureConfig
from model.config import ModelConfig, TrainConfig
from model.systems.catalogue import SYSTEMS
from orchestrator.study.keys.mapping import Keys, attribute_docs
from orchestrator.study.keys.values import Descriptors, Edges, Emotions, FaLayer, Flag, Weights
from orchestrator.study.protocol import ScoreRule

Home = Literal["study", "baseline"]
"""Where the key of a setting stands: at the top of the study file, or under `baseline`."""
K = TypeVar("K", bound=Keys)

_EXTRA_PARTS = ("layer_norm", "deep_heads", "attention_output")
READINGS: dict[str, dict[str, Any]] = {
    "as-written": {"node_step": 10, **dict.fromkeys(_EXTRA_PARTS, False)},
    "as-likely-run": {"node_step": 50, **dict.fromkeys(_EXTRA_PARTS, False)},
    "size-matched": {"node_step": 10, **dict.fromkeys(_EXTRA_PARTS, True)},
}
"""Name of a reading (a choice where the paper leaves something open) -> the settings that it
chooses. See docs/systems.md."""

PROFILES: dict[str, dict[str, Any]] = {
    "paper": {"training": {"lr": 1e-4, "batch": 128, "epochs": 200, "patience": 20}},
    "quick": {"training": {"lr": 1e-3, "batch": 16, "epochs": 15, "patience": 15}},
}
"""Name of a profile (how much training a trial gets) -> its settings. Those of ``quick`` are
the best row of ``studies/quick_profile.yaml``, on synthesised speech (docs/systems.md)."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting: where its key stands, its values, its default, what it is for."""

    home: Home
    """Where the key stands in a study file. In `set` of a row all settings stand together."""
    kind: Any
    """The type of its values, for pydantic, such as ``Annotated[int, Interval(ge=1, le=8)]``."""
    default: Any
    """The default; None where it follows from other keys, as ``doc`` says."""
    doc: str
    """What the setting is for: one paragraph for the reference of keys and for editors."""
    in_rows: bool = True
    """Whether a row may set it. Not such as `emotions`: all rows must score the same speech."""

    @property
    def number(self) -> type | None:
        """``int`` or ``float`` where the values are numbers, so that a search may give a range."""
        base = get_args(self.kind)[0]
        return base if base in (int, float) else None


def _fields(home: Home, config: type, **kinds: Any) -> dict[str, Setting]:
    """A setting for each field of a configuration.

    Args:
        home: where the keys stand.
        config: the dataclass with the fields.
        kinds: field -> a type in place of the one that the field has.

    Returns:
        Field -> setting.
    """
    hints, docs = get_type_hints(config, include_extras=True), attribute_docs(config)
    return {
        field.name: Setting(
            home=home,
            kind=kinds.get(field.name, Flag if hints[field.name] is bool else hints[field.name]),
            default=field.default,
            doc=docs.get(field.name, ""),
        )
        for field in fields(config)
    }


_TRAINING = _fields("study", TrainConfig)
CLASS_WEIGHTS = _TRAINING.pop("class_weights")
TRAINING: Mapping[str, Setting] = _TRAINING
"""Key below `training` -> setting. In a search these keys stand among the axes without prefix."""


def with_settings(
    settings: Mapping[str, Setting],
    kind: Callable[[str, Setting], Any] = lambda key, setting: setting.kind,
) -> Callable[[type[K]], type[K]]:
    """Make a class decorator that adds settings to the keys of a mapping; each may be left out.

    Args:
        settings: key -> setting.
        kind: makes the type of a key's value from the key and the setting.
    """

    def extended(base: type[K]) -> type[K]:
        """A subclass of ``base`` that has the settings as keys, too."""
        keys: dict[str, Any] = {
            key: (kind(key, setting), Field(None, description=setting.doc))
            for key, setting in settings.items()
        }
        return create_model(
            base.__name__, __base__=base, __module__=base.__module__, __doc__=base.__doc__, **keys
        )

    return extended


@with_settings(TRAINING)
class TrainingKeys(Keys):
    """How a trial is trained; the defaults are those of the profile `paper`."""

    no_mapping = f"`{{name}}` must be a mapping of {', '.join(TRAINING)}, but is {{value}} instead."


_BASELINE = _fields(
    "baseline", ModelConfig, model=Literal[tuple(SYSTEMS)], aggregators=Weights, graph=Edges
)
del _BASELINE["fa_layers"]

SETTINGS: Mapping[str, Setting] = {
    "profile": Setting(
        "study",
        Literal[tuple(PROFILES)],
        None,
        "How much training. Without it `paper` on the paper's own corpus, `quick` on any other.",
    ),
    "reading": Setting(
        "study",
        Literal[tuple(READINGS)],
        "as-written",
        "Named choice of settings where the paper leaves a thing open.",
    ),
    **_fields("study", FeatureConfig, features=Descriptors),
    "emotions": Setting(
        "study",
        Emotions,
        DEFAULT_EMOTIONS,
        "Classes, each with the corpus labels that it gathers.",
        in_rows=False,
    ),
    "corpus_part": Setting(
        "study",
        Literal["all", "improvised", "scripted"],
        "all",
        "Which kind of speech, of a corpus that has both (iemocap).",
        in_rows=False,
    ),
    "score": Setting(
        "study",
        ScoreRule,
        None,
        "Which network of a training is scored: the mean of its weights over the second half of "
        "the epochs, the epoch that the other half of the held-out group chose, or the last one. "
        "Without it `chosen`, the paper's rule, with profile `paper`, else `averaged`.",
        in_rows=False,
    ),
    "class_weights": CLASS_WEIGHTS,
    "training": Setting(
        "study",
        Annotated[TrainingKeys, AfterValidator(attrgetter("given"))],
        None,
        "How a trial is trained; what is left out is the profile's.",
    ),
    **_BASELINE,
    "fa_layer": Setting(
        "baseline",
        FaLayer,
        "antepenultimate",
        "Fully adjacent layers: a word, numbers from 1, `all` or `none` (paper: 2 of 4).",
    ),
}
