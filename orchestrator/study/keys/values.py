"""Values of a study file that are no plain number, word or switch: what is accepted, and as what.

Each is a type for pydantic with the JSON Schema of what a file may have there and the sentence that
a wrong value gets.
"""

from collections.abc import Mapping
from fractions import Fraction
from typing import Annotated, Any, Literal

from annotated_types import Interval
from pydantic import (
    AfterValidator,
    BeforeValidator,
    PlainValidator,
    StringConstraints,
    WithJsonSchema,
)

from features.corpora.catalogue import NAME
from features.descriptors.catalogue import FEATURE_SETS
from model.config import Aggregators
from orchestrator.errors import nearest
from orchestrator.study.keys.mapping import Keys, Sentence, must_be, refusal

NameText = Annotated[str, StringConstraints(pattern=f"^{NAME}$")]
"""A name that is safe as a file's name."""


def _switch(value: Any) -> Any:
    return {"on": True, "off": False}.get(value, value) if isinstance(value, str) else value


Flag = Annotated[
    bool,
    BeforeValidator(_switch),
    WithJsonSchema({"enum": [True, False, "on", "off"]}),
    must_be("true or false"),
]
"""``true`` or ``false``, also ``on`` and ``off``."""

Edges = Annotated[
    str,
    StringConstraints(pattern="^(cycle|line|window:[1-9][0-9]?)$"),
    must_be("`cycle`, `line` or `window:K` with K from 1 to 99"),
]

_CONFIG_FILE = r"opensmile:[^\n]{1,500}\.conf"

Descriptors = Annotated[
    str,
    StringConstraints(pattern=f"^({'|'.join(FEATURE_SETS)}|{_CONFIG_FILE})$"),
    WithJsonSchema({"anyOf": [{"enum": list(FEATURE_SETS)},
                              {"type": "string", "pattern": f"^{_CONFIG_FILE}$"}]}),
    must_be(f"{', '.join(f'`{name}`' for name in FEATURE_SETS)} or `opensmile:PATH.conf`",
            FEATURE_SETS),
]  # fmt: skip
"""A set of frame descriptors by name, or an openSMILE configuration of one's own."""

FA_WORDS = ("last", "penultimate", "antepenultimate", "none", "all")


def _fa_layer(value: Any) -> str | tuple[int, ...]:
    if value in FA_WORDS:
        return str(value)
    numbers = value if isinstance(value, list) else [value]
    if not numbers or not all(type(n) is int and n > 0 for n in numbers):
        raise ValueError
    return tuple(sorted(set(numbers)))


FaLayer = Annotated[
    str | tuple[int, ...],
    PlainValidator(_fa_layer),
    WithJsonSchema({"anyOf": [
        {"enum": list(FA_WORDS)},
        {"type": "integer", "minimum": 1},
        {"type": "array", "items": {"type": "integer", "minimum": 1}, "minItems": 1},
    ]}),
    must_be("a layer number from 1, a list of them, `last`, `penultimate`, `antepenultimate`, "
            "`all` or `none`", FA_WORDS),
]  # fmt: skip
"""Which layers are fully adjacent: a word, or numbers in ascending order.

`resolve.fa_layers` counts the words back from the number of layers.
"""


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


def _weight(value: Any) -> Fraction:
    found = as_fraction(value)
    if found is None:
        raise ValueError
    return found


Weight = Annotated[
    Fraction,
    PlainValidator(_weight),
    WithJsonSchema(
        {"anyOf": [{"type": "number"}, {"type": "string", "pattern": r"^\d+(\s*/\s*\d+)?$"}]}
    ),
    must_be("a number from 0 to 1 or a fraction such as 1/3"),
]


class WeightKeys(Keys):
    """Weights of the aggregators; one that is left out is 0."""

    no_mapping = "`{name}` must map `softmax`, `sum` and `mean` to weights, but is {value} instead."

    softmax: Weight = Fraction(0)
    """Weight of softmax; all three sum to 1."""
    sum: Weight = Fraction(0)
    """Weight of sum; all three sum to 1."""
    mean: Weight = Fraction(0)
    """Weight of mean; all three sum to 1."""

    @classmethod
    def unknown(cls, key: str) -> str:
        """No aggregator has that name."""
        return f"is not an aggregator. {nearest(key, cls.model_fields)}"


def _aggregators(keys: WeightKeys) -> Aggregators:
    total = keys.softmax + keys.sum + keys.mean
    if total != 1:
        raise refusal(
            f"`{{name}}` must sum to 1, but sums to {total} ({float(total):.4g}) instead.",
            at_key=True,
        )
    return Aggregators(softmax=keys.softmax, sum=keys.sum, mean=keys.mean)


Weights = Annotated[WeightKeys, AfterValidator(_aggregators)]
"""Aggregator weights: fractions or decimals that sum to 1; read as `model.config.Aggregators`."""


def _labels(value: Any) -> tuple[str, ...]:
    labels = value if isinstance(value, list) else [value]
    if not labels or not all(isinstance(label, str) for label in labels):
        raise ValueError
    return tuple(sorted(labels))


Labels = Annotated[
    tuple[str, ...],
    PlainValidator(_labels),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}),
    Sentence("`{name}` must name corpus labels, but is {value} instead."),
]


def _by_class(value: Any) -> Any:
    if isinstance(value, list) and all(isinstance(label, str) for label in value):
        value = {label: label for label in value}
    if not value:
        raise ValueError
    return value


def _classes(classes: Mapping[str, tuple[str, ...]]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    used = [label for labels in classes.values() for label in labels]
    twice = sorted({label for label in used if used.count(label) > 1})
    if twice:
        raise refusal(f"`{{name}}` gives the label `{twice[0]}` to two classes.")
    if len(classes) < 2:
        raise refusal(
            f"`{{name}}` must name at least two classes, but names {len(classes)} instead."
        )
    return tuple(sorted(classes.items()))


Emotions = Annotated[
    dict[str, Labels],
    BeforeValidator(_by_class),
    AfterValidator(_classes),
    WithJsonSchema({"anyOf": [
        {"type": "object", "minProperties": 2, "additionalProperties": {
            "anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}},
        {"type": "array", "items": {"type": "string"}, "minItems": 2},
    ]}),
    Sentence("`{name}` must map classes to corpus labels or list them, but is {value} instead."),
]  # fmt: skip
"""Class -> corpus labels, ``{happy: [happy, excited], sad: sad}``, or a list of labels.

Read as pairs of a class and its labels, both in alphabetical order.
"""


def _folds(value: Any) -> int | str:
    if value == "published" or (type(value) is int and 2 <= value <= 100):
        return value  # type: ignore[no-any-return]
    if isinstance(value, int):
        raise refusal("`{name}` must be a whole number from 2 to 100, but is {value} instead.")
    raise ValueError


Folds = Annotated[
    int | Literal["published"],
    PlainValidator(_folds),
    WithJsonSchema(
        {"anyOf": [{"type": "integer", "minimum": 2, "maximum": 100}, {"const": "published"}]}
    ),
    must_be("a whole number from 2 to 100 or `published`"),
]


def _row_name(value: Any) -> str:
    text = "" if isinstance(value, bool | list | dict) else str(value or "")
    if not 0 < len(text) <= 60:
        raise ValueError
    return text


RowName = Annotated[
    str,
    PlainValidator(_row_name),
    WithJsonSchema({"type": ["string", "integer"], "maxLength": 60}),
    Sentence("A row must have a `name` of 1 to 60 letters."),
]

SomeRow = Annotated[
    str,
    PlainValidator(str),
    WithJsonSchema({"type": ["string", "integer"]}),
    must_be("the name of a row"),
]
"""What should be the name of a row: which rows there are is known later."""


def _listed(value: Any) -> Any:
    return value if isinstance(value, list) and value else [value]


SomeRows = Annotated[
    list[SomeRow],
    BeforeValidator(_listed),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}),
    must_be("the name of a row, a list of them or `rest`"),
]
"""One such name or several; or ``rest``."""

_HEADING = {"type": "string", "minLength": 1, "maxLength": 60}

Heading = Annotated[
    str,
    StringConstraints(min_length=1, max_length=60),
    must_be("a heading of 1 to 60 letters or a list of them"),
]

Headings = Annotated[
    list[Heading],
    BeforeValidator(_listed),
    WithJsonSchema({"anyOf": [_HEADING, {"type": "array", "items": _HEADING, "minItems": 1}]}),
]
"""One heading of a table's block, or several."""

Percent = Annotated[
    float,
    Interval(ge=0, le=100),
    Sentence("`{name}` must be a percentage, but is {value} instead."),
]
Parameters = Annotated[int, Interval(ge=1, le=10**12)]
TableNumber = Annotated[int, Interval(ge=1, le=99)]
