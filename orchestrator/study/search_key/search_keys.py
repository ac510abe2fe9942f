"""The keys below ``search``: each declared once, with what it is for.

From these declarations come the reader, the JSON Schema and the reference of keys, as from those of
`keys/study_keys.py`. What keys demand of each other is checked in `reader.py`.
"""

from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal

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

from orchestrator.errors import nearest
from orchestrator.study.keys.mapping import Keys, Sentence, Stated, must_be, refusal
from orchestrator.study.keys.settings import TRAINING, Setting
from orchestrator.study.keys.study_keys import AXES as SETTINGS_OF_ROWS
from orchestrator.study.keys.values import Flag
from orchestrator.study.search_key.space import Sampler, SelectionMode

AXES: Mapping[str, Setting] = {**SETTINGS_OF_ROWS, **TRAINING}
"""Every setting that a search may vary; those of ``training`` have no prefix."""


CONDITION = r"^\s*([a-z_]+)\s*(=|>=|<=)\s*(\S+)\s*$"
"""How ``when`` names another axis, compares it, and says with what."""

NO_BUDGET = Sentence(
    "`search.budget` must be one of `trials: N` (configurations), `hours: N` and `gpu_hours: N`.",
    at_key=True,
)
NO_AXES = Sentence("`search.axes` must map at least one setting to its values.", at_key=True)

Hours = Annotated[float, Interval(ge=0.01, le=1e6)]


def _some(axes: Keys) -> Keys:
    if not axes.given:
        raise refusal(NO_AXES.text, at_key=True)
    return axes


def _one(budget: Keys) -> Keys:
    if len(budget.given) != 1:
        raise refusal(NO_BUDGET.text, at_key=True)
    return budget


class BudgetKeys(Keys):
    """How much is tried: one of these."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1, "maxProperties": 1})

    trials: Annotated[Annotated[int, Interval(ge=1, le=10_000)] | None, Stated] = None
    """Configurations for each held-out group; for all of them where selection is flat."""
    hours: Annotated[Hours | None, Stated] = None
    """Hours of training, of all trials of the search together."""
    gpu_hours: Annotated[Hours | None, Stated] = None
    """The same, of trials that trained on a GPU."""


class AxisKeys(Keys):
    """An axis of a search as a mapping."""

    when: Annotated[
        Annotated[str, StringConstraints(pattern=CONDITION)] | None,
        Stated,
        must_be("`KEY = VALUE`, `KEY >= NUMBER` or `KEY <= NUMBER`"),
    ] = None
    """Only where another axis is so, such as `layers >= 3`."""


class ChoiceKeys(AxisKeys):
    """Values one by one."""

    choices: list[Any]
    """Its values."""


class RangeKeys(AxisKeys):
    """Numbers from one to another."""

    low: Any
    """The smallest value."""
    high: Any
    """The largest value."""
    log: Flag = False
    """Drawn by its logarithm."""

    @classmethod
    def lacks(cls, key: str) -> str:
        """Both ends are needed."""
        return "`{name}` must have `low` and `high`."

    @classmethod
    def unknown(cls, key: str) -> str:
        """A step is one of whole numbers."""
        if key == "step":
            return "has no meaning of a fraction: leave it out."
        return super().unknown(key)


class WholeRangeKeys(RangeKeys):
    """Whole numbers from one to another."""

    step: Annotated[int, Interval(ge=1, le=4096)] = 1
    """From one value to the next."""


def _form(value: Any) -> str | None:
    """Which of its forms an axis has."""
    if isinstance(value, dict):
        return (
            "choices" if "choices" in value else "range" if {"low", "high"} & set(value) else None
        )
    return "values" if isinstance(value, list) and value else str(value)


def _several(values: Any) -> Any:
    if isinstance(values, list) and len(values) > 1:
        return values
    raise ValueError


def _axis(key: str, setting: Setting) -> Any:
    """The type of an axis: values, a range where they are numbers, for weights the simplex."""
    few = Sentence(f"`search.axes.{key}` must list at least two values.")
    kind: Any = list[setting.kind]  # type: ignore[name-defined]
    values: Any = Annotated[kind, BeforeValidator(_several), MinLen(2), few]
    chosen: Any = create_model("ChoiceKeys", __base__=ChoiceKeys, choices=(values, ...))
    union = Annotated[values, Tag("values")] | Annotated[chosen, Tag("choices")]
    words = "a list of values or `{choices: [...], when: ...}`"
    if setting.number:
        base = WholeRangeKeys if setting.number == "integer" else RangeKeys
        ends: Any = dict.fromkeys(("low", "high"), (setting.kind, ...))
        union |= Annotated[create_model("RangeKeys", __base__=base, **ends), Tag("range")]
        words = f"`{{low: ..., high: ...}}`, {words}"
    if key == "aggregators":
        union |= Annotated[Literal["simplex"], Tag("simplex")]
        words = f"`simplex`, {words}"
    wrong = Sentence(f"`search.axes.{key}` must be {words}, but is {{value}} instead.")
    return Annotated[union, Discriminator(_form), wrong]


class AxesKeys(Keys):
    """What is varied: ranges, lists of values, conditions."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1})

    @classmethod
    def unknown(cls, key: str) -> str:
        """What may be an axis."""
        hint = nearest(key, AXES)
        if key == "training":
            hint = f"Name {', '.join(f'`{key}`' for key in TRAINING)} without it."
        return f"is not an axis. {hint}"


class SearchKeys(Keys):
    """A space of settings, and how its best configuration is looked for."""

    model_config = ConfigDict(json_schema_extra={"required": ["axes", "budget"]})

    no_mapping = (
        "`search` must map `axes` and a `budget`, and what else is wanted, but is {value} instead."
    )

    axes: Annotated[AxesKeys, AfterValidator(_some), NO_AXES] = AxesKeys()
    """What is varied: ranges, lists of values, conditions."""
    budget: Annotated[BudgetKeys, AfterValidator(_one), NO_BUDGET] = BudgetKeys()
    """How much is tried: one of configurations, hours, GPU-hours."""
    sampler: Sampler = "tpe"
    """How configurations are proposed."""
    seed: Annotated[int, Interval(ge=0, le=2**31 - 1)] = 0
    """Another seed proposes other configurations."""
    selection: SelectionMode = "nested"
    """nested: chosen by speakers who score nothing; flat: on the dev speakers."""
    inner_folds: Annotated[int, Interval(ge=2, le=20)] = 3
    """Into how many groups the training speakers of a fold are dealt."""
    pruning: Flag = True
    """Whether a configuration that falls behind the best is spared its other folds."""


def search_keys(names: Iterable[str]) -> type[SearchKeys]:
    """The keys of a search that varies these settings: no type is made for the other axes."""
    axes: Any = {key: (_axis(key, AXES[key]), None) for key in names if key in AXES}
    varied = create_model("AxesKeys", __base__=AxesKeys, **axes)
    varied.settings = {key: AXES[key] for key in axes}
    kind: Any = Annotated[varied, AfterValidator(_some), NO_AXES]
    return create_model("SearchKeys", __base__=SearchKeys, axes=(kind, AxesKeys()))
