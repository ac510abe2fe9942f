"""Declares every key of a study file that is no setting, with its values and what it is for.

From these declarations come the reader, the JSON Schema (`schema.py`) and the reference of keys
(`reference.py`). Rules between several keys are checked in `reader.py`. The keys below `search` are
declared in `search_key/search_keys.py`.
"""

from typing import Annotated, Any, Literal

from annotated_types import Interval, MinLen
from pydantic import ConfigDict, Field, WithJsonSchema

from orchestrator.study.keys.mapping import Keys, Sentence, Stated, must_be
from orchestrator.study.keys.settings import SETTINGS, Home, Setting, with_settings
from orchestrator.study.keys.values import (
    Folds,
    Headings,
    NameText,
    Parameters,
    Percent,
    RowName,
    SomeRow,
    SomeRows,
    TableNumber,
)
from orchestrator.study.protocol import FEWEST_SEEDS, Replicates

IN_ROWS = {key: setting for key, setting in SETTINGS.items() if setting.in_rows}
"""Settings that a row may set."""
GRID_AXES = {key: setting for key, setting in IN_ROWS.items() if key != "training"}
"""Settings of which `axes` may list values."""


def _home(home: Home) -> dict[str, Setting]:
    """The settings whose keys stand at the top of the file, or those under `baseline`."""
    return {key: setting for key, setting in SETTINGS.items() if setting.home == home}


def _listed(key: str, setting: Setting) -> Any:
    """The type of an axis: a list of at least one value of a setting."""
    wrong = Sentence("`axes.{name}` must list its values, but is {value} instead.")
    return Annotated[list[setting.kind], MinLen(1), wrong]  # type: ignore[name-defined]


class StudyPart(Keys):
    """Base class of mappings under which people write settings that belong under `baseline`."""

    elsewhere = dict.fromkeys(_home("baseline"), "is not a key. It belongs under `baseline`.")


class ProtocolKeys(StudyPart):
    """Which speakers are held out, and how often each training is repeated."""

    folds: Folds = 5
    """How many groups of speakers are held out, one after the other; `published`: as the corpus's
    authors divide it."""
    seeds: Annotated[int, Interval(ge=1, le=1000)] = 1
    """How many trainings each fold and row has, each from other random numbers."""
    deals: Annotated[int, Interval(ge=1, le=100)] = 1
    """How often the speakers are dealt into held-out groups, no group twice; each deal trains every
    fold, row and seed."""
    replicates: Replicates = "fixed"
    """`fixed`: every row has `seeds` trainings in each fold. `adaptive`: a row gets further seeds
    while its comparison with the reference is open, `seeds` at most."""


@with_settings(_home("baseline"))
class BaselineKeys(Keys):
    """The settings that all rows share; a row changes some with `set`."""

    elsewhere = dict.fromkeys(SETTINGS, "is not a key. It belongs at the top level.")


@with_settings(IN_ROWS)
class SetKeys(Keys):
    """Settings in which a row differs from the baseline."""

    no_mapping = "`{name}` must be a mapping of settings, but is {value} instead."
    suggested = SETTINGS.keys()
    elsewhere = dict.fromkeys(
        ("corpus", "protocol", *SETTINGS),
        "cannot differ between rows: they must score the same speech. "
        "Give it to a study of its own.",
    ) | {
        "score": "cannot differ between rows: a table has one. Give it to a study of its own.",
    }


@with_settings(GRID_AXES, _listed)
class GridKeys(Keys):
    """Values of settings; every combination of them is a row."""

    noun = "an axis"


class PaperKeys(Keys):
    """What the paper prints for a row; each key may be missing."""

    no_mapping = (
        "`{name}` must map `wa` and `ua` to percent and `params` to a count, "
        "but is {value} instead."
    )

    wa: Annotated[Percent | None, Stated] = None
    """Weighted accuracy in percent, as published."""
    ua: Annotated[Percent | None, Stated] = None
    """Unweighted accuracy in percent, as published."""
    params: Annotated[Parameters | None, Stated] = None
    """How many parameters the system has, as published."""


class RowKeys(StudyPart):
    """A row of the table: one variant that is trained."""

    no_mapping = "A row must be a mapping, but is {value}."
    lacks = "A row must have a `name` of 1 to 60 letters."

    name: RowName
    """What the row is called in the table."""
    set: SetKeys = SetKeys()
    """Settings in which this row differs from the baseline."""
    paper: PaperKeys = PaperKeys()
    """What the paper prints for the row; each key may be missing."""
    block: Headings = Field(default_factory=list)
    """The heading, or headings, under which the row stands."""


class PublishedKeys(Keys):
    """A system that is printed as published, and not trained."""

    no_mapping = "A published system must have a `name` and a `paper`, but is {value} instead."
    lacks = no_mapping
    elsewhere = dict.fromkeys(
        RowKeys.model_fields,
        "is not a key: what is published is not trained here. Make it one of `rows`.",
    )

    name: RowName
    """What the system is called in the table."""
    paper: PaperKeys
    """What was published of it; each key may be missing."""


class ClaimKeys(StudyPart):
    """What the paper claims; tested only on iemocap with the paper's protocol and profile."""

    lacks = "`claim` must say `better` and `than`; `{key}` is missing."
    lack_at_key = True

    better: Annotated[SomeRow, WithJsonSchema({"type": "string"})]
    """The row that the paper calls better."""
    than: SomeRows
    """The rows that it is better than; `rest` for all others."""
    on: Annotated[Literal["wa", "ua"], must_be("`ua` or `wa`")] = "ua"
    """The score that is meant: UA (unweighted accuracy) or WA (weighted accuracy)."""


def _has(key: str, value: dict[str, Any]) -> dict[str, Any]:
    """JSON Schema of a mapping that has a key, with a value of the given schema."""
    return {"required": [key], "properties": {key: value}}


_ADAPTIVE = {
    "if": _has("protocol", _has("replicates", {"const": "adaptive"})),
    "then": {
        "allOf": [
            {"required": ["reference"], "not": {"required": ["search"]}},
            {"properties": {"rows": {"minItems": 2}}},
            _has("protocol", _has("seeds", {"minimum": FEWEST_SEEDS})),
        ]
    },
}
"""JSON Schema of what `replicates: adaptive` needs: a `reference`, two rows, and a cap of seeds."""
_DEALS = {
    "if": _has("protocol", _has("deals", {"minimum": 2})),
    "then": {
        "not": {
            "anyOf": [
                {"required": ["search"]},
                _has("protocol", _has("folds", {"const": "published"})),
                _has("protocol", _has("replicates", {"const": "adaptive"})),
            ]
        }
    },
}
"""JSON Schema of what cannot stand beside several deals."""
_AVERAGED = {
    "if": _has("score", {"const": "averaged"}),
    "then": {
        "properties": {
            "training": {
                "not": {"required": ["patience"]},
                "properties": {"epochs": {"minimum": 2}},
            }
        }
    },
}
"""JSON Schema of what cannot stand beside `score: averaged`: a patience, and a single epoch."""
_TOGETHER: dict[str, Any] = {
    "required": ["study"],
    "allOf": [
        {"oneOf": [{"required": [key]} for key in ("rows", "axes", "search")]},
        {"not": {"required": ["table", "figure"]}},
        _ADAPTIVE,
        _DEALS,
        _AVERAGED,
    ],
}
"""Rules between several keys in the JSON Schema of a study, as far as it can say them."""


@with_settings(_home("study"))
class StudyKeys(StudyPart):
    """A study file: rows to compare, and the protocol under which they are compared."""

    model_config = ConfigDict(json_schema_extra=_TOGETHER)

    study: Annotated[NameText, must_be("a name of small letters, digits, `_` and `-`")] = ""
    """Name of the study, by which report, status and watch find it."""
    question: Annotated[str, Sentence("`question` must be a sentence.")] = ""
    """What is asked; the title of its table."""
    table: Annotated[TableNumber | None, Stated] = None
    """Which table of the paper it fills; studies of one table are printed together."""
    figure: Annotated[TableNumber | None, Stated] = None
    """Which figure of the paper it fills, instead of a table."""
    corpus: Annotated[
        NameText,
        must_be(
            "`auto`, a known corpus or a table's own name of small letters, digits, `_` and `-`"
        ),
    ] = "auto"
    """A registered corpus, `demo`, or `auto`: iemocap where it is registered, else demo."""
    protocol: ProtocolKeys = ProtocolKeys()
    """Which speakers are held out, and how often each training is repeated."""
    baseline: BaselineKeys = BaselineKeys()
    """The settings that all rows share; a row changes some with `set`."""
    rows: Annotated[list[RowKeys], MinLen(1), must_be("a list")] = Field(default_factory=list)
    """The variants: one row of the table each."""
    published: Annotated[list[PublishedKeys], MinLen(1), must_be("a list")] = Field(
        default_factory=list
    )
    """Systems that are printed above the rows as published, and not trained."""
    axes: GridKeys = GridKeys()
    """Instead of rows: values of settings, and every combination of them is a row. Each value is
    compared with the first of its axis, the mean over the others."""
    search: Annotated[Any, must_be("a mapping")] = None
    """Instead of rows: a space of settings, in which the best configuration is searched for."""
    reference: Annotated[SomeRow | None, Stated] = None
    """The row that the others are compared with. Without it, where the study lists `rows` or has a
    single axis: the row that sets nothing, else the first one."""
    claim: Annotated[ClaimKeys | None, Stated] = None
    """What the paper claims; tested only on iemocap with the paper's protocol and profile."""
