"""Declares the keys below `search`, with their values and what they are for.

From these declarations come the reader, the JSON Schema and the reference of keys, as from those of
`keys/study_keys.py`. Rules between several keys are checked in `reader.py`.
"""

from collections.abc import Iterable, Mapping
from typing import Annotated, Any, ClassVar, Generic, Literal, TypeVar, cast

from annotated_types import Interval, MinLen
from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    StringConstraints,
    Tag,
    create_model,
)

from orchestrator.study.keys.mapping import Keys, Sentence, Stated, must_be
from orchestrator.study.keys.settings import TRAINING, Setting, with_settings
from orchestrator.study.keys.study_keys import GRID_AXES, StudyKeys
from orchestrator.study.keys.values import Flag
from orchestrator.study.search_key.space import Sampler, SelectionMode

SEARCH_AXES: Mapping[str, Setting] = {**GRID_AXES, **TRAINING}
"""Key -> setting, of every setting that a search may vary; those of `training` have no prefix."""

CONDITION = r"^\s*([a-z_]+)\s*(=|>=|<=)\s*(\S+)\s*$"
"""Pattern of the condition `when`, such as `layers >= 3`: another axis, a sign, a value."""

NO_BUDGET = Sentence(
    "`search.budget` must be one of `trials: N` (configurations), `hours: N` and `gpu_hours: N`.",
    at_key=True,
)
NO_AXES = Sentence("`search.axes` must map at least one setting to its values.", at_key=True)

Hours = Annotated[float, Interval(ge=0.01, le=1e6)]


def _some(axes: Keys) -> Keys:
    """Refuse a mapping without any axis."""
    if not axes.given:
        raise ValueError
    return axes


def _one(budget: Keys) -> Keys:
    """Refuse a budget that has not exactly one key."""
    if len(budget.given) != 1:
        raise ValueError
    return budget


class BudgetKeys(Keys):
    """How much a search may train; exactly one of these keys."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1, "maxProperties": 1})

    trials: Annotated[Annotated[int, Interval(ge=1, le=10_000)] | None, Stated] = None
    """Configurations for each held-out group; for all of them where selection is flat."""
    hours: Annotated[Hours | None, Stated] = None
    """Hours of wall time for all trainings of the search, that is the sum of their lengths divided
    by how many train at once."""
    gpu_hours: Annotated[Hours | None, Stated] = None
    """Hours of GPUs for all trainings of the search: two GPUs use two in an hour."""


class AxisKeys(Keys):
    """An axis of a search that is written as a mapping."""

    when: Annotated[
        Annotated[str, StringConstraints(pattern=CONDITION)] | None,
        Stated,
        must_be("`KEY = VALUE`, `KEY >= NUMBER` or `KEY <= NUMBER`"),
    ] = None
    """The axis is varied only where another axis has such a value: `layers >= 3`."""


V = TypeVar("V")


def _several(values: Any) -> Any:
    """Refuse what is no list of at least two values."""
    if isinstance(values, list) and len(values) > 1:
        return values
    raise ValueError


Several = Annotated[
    list[V],
    BeforeValidator(_several),
    MinLen(2),
    Sentence("`{name}` must list at least two values."),
]
"""A list of at least two values."""


class ChoiceKeys(AxisKeys, Generic[V]):
    """An axis with a list of values."""

    choices: Several[V]
    """The values that the setting may have, at least two."""


class RangeKeys(AxisKeys, Generic[V]):
    """An axis with a range of numbers."""

    lacks = "`{name}` must have `low` and `high`."
    elsewhere: ClassVar = {"step": "has no meaning of a fraction: leave it out."}

    low: V
    """The smallest value."""
    high: V
    """The largest value."""
    log: Flag = False
    """Whether the logarithm is sampled evenly and not the number, as suits `lr`."""


class WholeRangeKeys(RangeKeys[V], Generic[V]):
    """An axis with a range of whole numbers."""

    step: Annotated[int, Interval(ge=1, le=4096)] = 1
    """The difference from one value to the next."""


def _form(value: Any) -> str | None:
    """The tag of the form in which an axis is written: ``values``, ``choices``, ``range``.

    Any other value gives its text (``simplex`` is a form, too); None for a mapping of no form.
    """
    if isinstance(value, list) and value:
        return "values"
    if not isinstance(value, dict):
        return str(value)
    if "choices" in value:
        return "choices"
    return "range" if {"low", "high"} & set(value) else None


def _axis(key: str, setting: Setting) -> Any:
    """The type of an axis, for pydantic: one of the forms that suit the setting.

    They are a list of values, a mapping with `choices`, a range for numbers, and ``simplex`` for
    the aggregators' weights.
    """
    values: Any = Several[setting.kind]  # type: ignore[name-defined]
    chosen: Any = ChoiceKeys[setting.kind]  # type: ignore[name-defined]
    union = Annotated[values, Tag("values")] | Annotated[chosen, Tag("choices")]
    words = "a list of values or `{choices: [...], when: ...}`"
    if setting.number:
        base: Any = WholeRangeKeys if setting.number is int else RangeKeys
        union |= Annotated[base[setting.kind], Tag("range")]
        words = f"`{{low: ..., high: ...}}`, {words}"
    if key == "aggregators":
        union |= Annotated[Literal["simplex"], Tag("simplex")]
        words = f"`simplex`, {words}"
    return Annotated[union, Discriminator(_form), must_be(words)]


class AxesKeys(Keys):
    """The settings that are varied: each with a range or a list of values."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1})

    noun = "an axis"
    suggested = SEARCH_AXES.keys()
    elsewhere: ClassVar = {
        "training": f"is not an axis. Name {', '.join(f'`{key}`' for key in TRAINING)} without it."
    }


A = TypeVar("A", bound=AxesKeys)


class SearchKeys(Keys, Generic[A]):
    """A space of settings, and how the best configuration in it is searched for."""

    model_config = ConfigDict(json_schema_extra={"required": ["axes", "budget"]})

    no_mapping = (
        "`search` must map `axes` and a `budget`, and what else is wanted, but is {value} instead."
    )

    axes: Annotated[A, AfterValidator(_some), NO_AXES] = cast(A, AxesKeys())
    """The settings that are varied: each with a range or a list of values."""
    budget: Annotated[BudgetKeys, AfterValidator(_one), NO_BUDGET] = BudgetKeys()
    """How much the search may train: configurations, hours or GPU hours."""
    sampler: Sampler = "tpe"
    """Optuna's sampler, which proposes configurations."""
    seed: Annotated[int, Interval(ge=0, le=2**31 - 1)] = 0
    """Seed of the sampler: another one proposes other configurations."""
    selection: SelectionMode = "nested"
    """`nested`: each fold's configuration is chosen on its training speakers alone. `flat`: one for
    all folds is chosen by dev scores, by which epochs are chosen, too."""
    inner_folds: Annotated[int, Interval(ge=2, le=20)] = 3
    """Into how many groups the training speakers of a fold are divided; each is held out once."""
    pruning: Flag = True
    """Whether a configuration is trained on no further folds once it is likely not the best."""


def keys_with_search(names: Iterable[str]) -> type[StudyKeys]:
    """The declaration of a study file that has a search, of the named settings.

    Types of other axes, which take time to make, are not made.
    """
    varied = {key: SEARCH_AXES[key] for key in names if key in SEARCH_AXES}
    axes = with_settings(varied, _axis)(AxesKeys)
    search: Any = SearchKeys
    return create_model(
        "StudyKeys", __base__=StudyKeys, __doc__=StudyKeys.__doc__, search=(search[axes], None)
    )
