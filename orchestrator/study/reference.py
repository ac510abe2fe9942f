"""Writes the reference of all keys of a study file (a part of docs/study_file.md) as Markdown.

It is made from the declarations by which study files are read.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from model.config import Aggregators
from orchestrator.study.keys.mapping import Keys, attribute_docs
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
"""Heading of a section -> the declared keys of one mapping of a study file."""


def markdown() -> str:
    """The reference of all keys of a study file.

    Returns:
        Markdown: for each mapping of the file a heading of the third level and a table of its keys
        (what they take, default, what they do).
    """
    return "\n".join(line for heading, keys in PARTS.items() for line in _section(heading, keys))


def _section(heading: str, keys: type[Keys]) -> Iterator[str]:
    """The lines of the section of one mapping."""
    yield from (f"### {heading}", "", (keys.__doc__ or "").partition("\n")[0], "")
    yield from ("| key | takes | default | what it does |", "| --- | --- | --- | --- |")
    docs = attribute_docs(keys)
    for key, field in keys.model_fields.items():
        setting = SETTINGS.get(key) or TRAINING.get(key)
        default = setting.default if setting else field.default
        doc = field.description or docs[key]
        cells = (f"`{key}`", accepted(keys, key), _shown(default), doc)
        yield f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"
    yield ""


def _shown(default: Any) -> str:
    """A default as it would stand in a study file; a dash where there is none, or it depends."""
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
    """A mapping as one line of YAML, such as `{sad: [sad]}`, in backquotes."""
    lists = {key: f"[{', '.join(v)}]" if isinstance(v, tuple) else v for key, v in values.items()}
    return f"`{{{', '.join(f'{key}: {value}' for key, value in lists.items())}}}`"
