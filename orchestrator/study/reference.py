"""The reference of study keys as Markdown, made of the declarations that reading rests on."""

from collections.abc import Iterator, Mapping
from typing import Any

from model.config import Aggregators
from orchestrator.study.keys.mapping import Keys
from orchestrator.study.keys.reading import accepted
from orchestrator.study.keys.settings import SETTINGS, TRAINING, TrainingKeys
from orchestrator.study.keys.study_keys import (
    BaselineKeys,
    ClaimKeys,
    PaperKeys,
    ProtocolKeys,
    PublishedKeys,
    RowKeys,
    StudyKeys,
)
from orchestrator.study.keys.values import WeightKeys
from orchestrator.study.search_key.search_keys import (
    BudgetKeys,
    ChoiceKeys,
    SearchKeys,
    WholeRangeKeys,
)

PARTS: Mapping[str, type[Keys]] = {
    "At the top of the file": StudyKeys,
    "Under `protocol`": ProtocolKeys,
    "Under `training`": TrainingKeys,
    "Under `baseline`": BaselineKeys,
    "Under `aggregators`": WeightKeys,
    "In a row of `rows`": RowKeys,
    "Under `paper` of a row": PaperKeys,
    "In a system of `published`": PublishedKeys,
    "Under `claim`": ClaimKeys,
    "Under `search`": SearchKeys,
    "Under `budget` of a search": BudgetKeys,
    "An axis of a search as a range": WholeRangeKeys,
    "An axis of a search as a list": ChoiceKeys,
}
"""Every mapping of a study file, under the heading that says where it stands."""


def markdown() -> str:
    """Every key of a study file: where it stands, what it takes, its default, what it does.

    Returns:
        A section with a table for each mapping of the file, headings of the third level.
    """
    return "\n".join(line for heading, keys in PARTS.items() for line in _section(heading, keys))


def _section(heading: str, keys: type[Keys]) -> Iterator[str]:
    yield from (f"### {heading}", "", (keys.__doc__ or "").partition("\n")[0], "")
    yield from ("| key | takes | default | what it does |", "| --- | --- | --- | --- |")
    docs = keys.docs()
    for key, field in keys.model_fields.items():
        declared = SETTINGS.get(key) or TRAINING.get(key)
        default = declared.default if key in keys.settings and declared else field.default
        cells = (f"`{key}`", accepted(keys, key), _shown(default), docs[key])
        yield f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"
    yield ""


def _shown(default: Any) -> str:
    """A default as a study file would have it; a dash where there is none, or it depends."""
    match default:
        case bool():
            return f"`{str(default).lower()}`"
        case int() | float() | str() if default != "":
            return f"`{default}`"
        case Aggregators():
            weights = {name: getattr(default, name) for name in ("softmax", "sum", "mean")}
            return _mapping(weights)
        case Mapping() if default:
            return _mapping(default)
    return "–"


def _mapping(values: Mapping[str, Any]) -> str:
    lists = {key: f"[{', '.join(v)}]" if isinstance(v, tuple) else v for key, v in values.items()}
    return f"`{{{', '.join(f'{key}: {value}' for key, value in lists.items())}}}`"
