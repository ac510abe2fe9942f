"""Declares the values of a study file that are more than a plain number or word.

Each is a type for pydantic, from which the JSON Schema of what a file may have there follows, with
the sentence of the error for a wrong value.
"""

from collections.abc import Mapping
from fractions import Fraction
from typing import Annotated, Any, Literal, get_args

from annotated_types import Ge, Interval, MaxLen, MinLen
from pydantic import AfterValidator, BeforeValidator, PlainValidator, StringConstraints

from features.corpora.catalogue import NAME
from features.descriptors.catalogue import FEATURE_SETS
from model.config import Aggregators
from orchestrator.study.keys.mapping import Keys, Sentence, must_be, refusal

NameText = Annotated[str, StringConstraints(pattern=f"^{NAME}$")]
"""A name that is safe as a file name: 1 to 64 small letters, digits, `_` and `-`."""


def _switch(value: Any) -> Any:
    """True for ``on``, False for ``off``; any other value as it is."""
    return {"on": True, "off": False}.get(value, value) if isinstance(value, str) else value


Flag = Annotated[
    bool,
    BeforeValidator(_switch, json_schema_input_type=Literal[True, False, "on", "off"]),
    must_be("true or false"),
]
"""``true`` or ``false``, also ``on`` and ``off``."""

Edges = Annotated[
    str,
    StringConstraints(pattern="^(cycle|line|window:[1-9][0-9]?)$"),
    must_be("`cycle`, `line` or `window:K` with K from 1 to 99"),
]
"""Which nodes of a graph are joined, as text: ``cycle``, ``line``, or ``window:5`` (each node with
those up to 5 steps before and after it)."""

Descriptors: Any = Annotated[
    Literal[FEATURE_SETS]
    | Annotated[str, StringConstraints(pattern=r"^opensmile:[^\n]{1,500}\.conf$")],
    must_be(
        f"{', '.join(f'`{name}`' for name in FEATURE_SETS)} or `opensmile:PATH.conf`", FEATURE_SETS
    ),
]
"""The name of a descriptor set, or ``opensmile:PATH.conf``, an openSMILE configuration."""

FaWord = Literal["last", "penultimate", "antepenultimate", "none", "all"]
"""A word that stands for the numbers of fully adjacent layers; `resolve.fa_layers` says which."""
LayerNumber = Annotated[int, Ge(1)]
"""The number of a layer, from 1."""


def _ascending(value: str | int | list[int]) -> str | tuple[int, ...]:
    """A word as it is; layer numbers each once and ascending."""
    if isinstance(value, str):
        return value
    return tuple(sorted({value} if isinstance(value, int) else set(value)))


FaLayer = Annotated[
    FaWord | LayerNumber | Annotated[list[LayerNumber], MinLen(1)],
    AfterValidator(_ascending),
    must_be(
        "a layer number from 1, a list of them, `last`, `penultimate`, `antepenultimate`, `all` "
        "or `none`",
        get_args(FaWord),
    ),
]
"""Which layers are fully adjacent: a ``FaWord``, or numbers from 1 in ascending order."""


def as_fraction(value: Any) -> Fraction | None:
    """A weight as an exact fraction from 0 to 1; None where the value is no such weight.

    A decimal within 0.001 of k/n with n <= 12 is read as k/n: people write 0.333 for a third.

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


_WrittenWeight = float | Annotated[str, StringConstraints(pattern=r"^\d+(\s*/\s*\d+)?$")]

Weight = Annotated[
    Fraction,
    BeforeValidator(as_fraction, json_schema_input_type=_WrittenWeight),
    must_be("a number from 0 to 1 or a fraction such as 1/3"),
]
"""The weight of an aggregator, from 0 to 1; read as an exact fraction."""


class WeightKeys(Keys):
    """Weights of the aggregators; one that is left out is 0."""

    no_mapping = "`{name}` must map `softmax`, `sum` and `mean` to weights, but is {value} instead."
    noun = "an aggregator"

    softmax: Weight = Fraction(0)
    """Weight of softmax; all three sum to 1."""
    sum: Weight = Fraction(0)
    """Weight of sum; all three sum to 1."""
    mean: Weight = Fraction(0)
    """Weight of mean; all three sum to 1."""


def _aggregators(keys: WeightKeys) -> Aggregators:
    """The weights as `model.config.Aggregators`; refused where they do not sum to 1."""
    total = keys.softmax + keys.sum + keys.mean
    if total != 1:
        raise refusal(
            f"`{{name}}` must sum to 1, but sums to {total} ({float(total):.4g}) instead.",
            at_key=True,
        )
    return Aggregators(softmax=keys.softmax, sum=keys.sum, mean=keys.mean)


Weights = Annotated[WeightKeys, AfterValidator(_aggregators)]
"""Aggregator weights: fractions or decimals that sum to 1; read as `model.config.Aggregators`."""


def _alphabetical(value: str | list[str]) -> tuple[str, ...]:
    """One label or a list of labels, in alphabetical order.

    Raises:
        ValueError: the list is empty.
    """
    if not isinstance(value, str) and not value:
        raise ValueError
    return tuple(sorted([value] if isinstance(value, str) else value))


Labels = Annotated[
    str | list[str],
    AfterValidator(_alphabetical),
    Sentence("`{name}` must name corpus labels, but is {value} instead."),
]
"""The corpus labels that a class joins: one or a list; read in alphabetical order."""


def _by_class(value: Any) -> Any:
    """A list of labels as a mapping in which each label is a class by itself.

    Raises:
        ValueError: the value is empty.
    """
    if isinstance(value, list) and all(isinstance(label, str) for label in value):
        value = {label: label for label in value}
    if not value:
        raise ValueError
    return value


def _classes(classes: Mapping[str, tuple[str, ...]]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Pairs of a class and its labels, in alphabetical order.

    Refused are fewer than two classes, and a label in two of them.
    """
    used = [label for labels in classes.values() for label in labels]
    twice = sorted({label for label in used if used.count(label) > 1})
    if twice:
        raise refusal(f"`{{name}}` gives the label `{twice[0]}` to two classes.")
    if len(classes) < 2:
        raise refusal(
            f"`{{name}}` must name at least two classes, but names {len(classes)} instead."
        )
    return tuple(sorted(classes.items()))


_WrittenClasses = Annotated[dict[str, Labels], MinLen(2)] | Annotated[list[str], MinLen(2)]

Emotions = Annotated[
    dict[str, Labels],
    BeforeValidator(_by_class, json_schema_input_type=_WrittenClasses),
    AfterValidator(_classes),
    Sentence("`{name}` must map classes to corpus labels or list them, but is {value} instead."),
]
"""Class -> corpus labels, ``{happy: [happy, excited], sad: sad}``, or a list of labels.

Read as pairs of a class and its labels, both in alphabetical order.
"""


def _no_other_number(value: Any) -> Any:
    """Refuse a number outside 2 to 100 by a sentence that does not name `published`, too."""
    if isinstance(value, int) and (isinstance(value, bool) or not 2 <= value <= 100):
        raise refusal("`{name}` must be a whole number from 2 to 100, but is {value} instead.")
    return value


Folds = Annotated[
    Annotated[int, Interval(ge=2, le=100)] | Literal["published"],
    BeforeValidator(_no_other_number),
    must_be("a whole number from 2 to 100 or `published`"),
]
"""How many groups of speakers are held out, 2 to 100; or ``published``."""


def _text(value: Any) -> str:
    """The text of a row's name; a number is taken as text, and what is neither has none."""
    return "" if isinstance(value, bool | list | dict) else str(value or "")


RowName = Annotated[
    str,
    StringConstraints(min_length=1, max_length=60),
    BeforeValidator(_text, json_schema_input_type=Annotated[str, MaxLen(60)] | int),
    Sentence("A row must have a `name` of 1 to 60 letters."),
]
"""The name of a row: 1 to 60 characters."""

SomeRow = Annotated[
    str, PlainValidator(str, json_schema_input_type=str | int), must_be("the name of a row")
]
"""The name of a row, as another key gives it; whether there is such a row is checked later."""


def _listed(value: Any) -> Any:
    """A list as it is; any other value as a list of one."""
    return value if isinstance(value, list) and value else [value]


SomeRows = Annotated[
    list[SomeRow],
    BeforeValidator(_listed, json_schema_input_type=str | list[str]),
    must_be("the name of a row, a list of them or `rest`"),
]
"""The name of a row or a list of names, or ``rest`` for all other rows; read as a list."""

Heading = Annotated[
    str,
    StringConstraints(min_length=1, max_length=60),
    must_be("a heading of 1 to 60 letters or a list of them"),
]
"""The heading of a table's block, 1 to 60 characters."""

Headings = Annotated[
    list[Heading],
    BeforeValidator(_listed, json_schema_input_type=Heading | Annotated[list[Heading], MinLen(1)]),
]
"""One heading of a table's block, or a list of them; read as a list."""

Percent = Annotated[
    float,
    Interval(ge=0, le=100),
    Sentence("`{name}` must be a percentage, but is {value} instead."),
]
"""A score in percent, 0 to 100."""
Parameters = Annotated[int, Interval(ge=1, le=10**12)]
"""A number of parameters of a network."""
TableNumber = Annotated[int, Interval(ge=1, le=99)]
"""The number of a table or figure of the paper."""
