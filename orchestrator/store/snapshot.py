"""What a run was asked for, resolved: all that a report needs beside the ledger.

Kept in the store when a run starts, so that tables come back from any folder, without the study
file and without the corpus.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, is_dataclass
from functools import cache
from types import UnionType
from typing import Any, get_args, get_origin, get_type_hints

from model.config import WMA_GIN
from orchestrator.study.canonical import plain
from orchestrator.study.search_key.space import Choice, Condition, Range, SearchAxis, Simplex
from orchestrator.study.study import PaperClaim


@dataclass(frozen=True, kw_only=True, slots=True)
class SnapshotRow:
    """One row: its name, its published figures, its reading, its system."""

    name: str
    reading: str
    paper: Mapping[str, float]
    model: str = WMA_GIN
    profile: str = ""
    """Empty in snapshots from before it was kept."""
    blocks: tuple[str, ...] = ()
    """Headings under which the row stands."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """What the row sets, as JSON values; empty in snapshots from before it was kept."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SnapshotFold:
    """One held-out group of speakers, its two halves, and how many speakers train."""

    index: int
    a: tuple[str, ...]
    b: tuple[str, ...]
    train: int


@dataclass(frozen=True, slots=True)
class SnapshotTrial:
    """Where a trial stands in the table."""

    row: str
    fold: int
    seed: int
    id: str


@dataclass(frozen=True, kw_only=True, slots=True)
class SnapshotSpeech:
    """What some of the trials read: it names the selection and the shards that they need."""

    corpus: str
    """Digest of the selected speech and labels."""
    features: str
    node_step: int
    extractor: str


CHOSEN = "chosen by the search"
"""The row of what a search chose."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SnapshotConfiguration:
    """A configuration that a search has proposed."""

    group: int
    """Index of the held-out group for which it was; 0 in a flat search."""
    number: int
    """In the group, from 1, in the order of proposals."""
    point: Mapping[str, str | int | float]
    """What was proposed, parameter by parameter."""
    description: str
    """The same in words: ``lr 0.0012, layers 3``. Its key in the record is ``told``."""
    trials: tuple[str, ...]
    """Ids, by inner fold."""
    state: str
    """``trained``, ``pruned`` after some of its folds, ``failed``, or still ``training``."""
    score: float | None
    """Mean UA over units of its folds, 0 to 1; of a pruned one what it was expected to reach."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SnapshotSearch:
    """A search, as far as it has come."""

    key: str
    """Digest of all that its proposals and scores rest on, but for the budget."""
    selection: str
    """``nested`` or ``flat``."""
    sampler: str
    seed: int
    inner_folds: int
    """0 in a flat search."""
    budget: str
    """In words: ``20 configurations a held-out group``."""
    tried: tuple[SnapshotConfiguration, ...]
    trials: tuple[SnapshotTrial, ...]
    """All of it but what judges the winners once that is open: rows are configurations, folds
    inner folds."""
    winners: tuple[int, ...]
    """Their numbers, by group; empty until the budget is used."""
    closed: bool
    """Whether the winners' test scores are open: they stand in the study's own ``trials``."""
    opened: tuple[int, ...] = ()
    """Configurations a group after which they had been opened before, with other budgets."""
    others: int = 0
    """Other searches whose test scores of the same speakers had been opened before."""
    speakers: str = ""
    """Digest of the speech and of who is held out together; empty of a flat one."""
    at_once: float = 1
    """How many trials shared an hour of its budget, where that is of hours."""
    axes: tuple[SearchAxis, ...] | None = None
    """The settings that it varies; None in snapshots from before they were kept."""

    def blinds(self, trial: SnapshotTrial) -> bool:
        """Whether the test scores of one of its trials are never shown, or not yet."""
        return self.selection == "flat" or (not self.closed and trial.row == CHOSEN)


@dataclass(frozen=True, kw_only=True, slots=True)
class Snapshot:
    """A study as it was asked for."""

    study: str
    question: str
    table: int | None
    figure: int | None
    corpus: str
    profile: str
    """``mixed`` where rows differ in it; the same for ``reading``."""
    reading: str
    classes: tuple[str, ...]
    utterances: int
    rows: tuple[SnapshotRow, ...]
    folds: tuple[SnapshotFold, ...]
    seeds: int
    trials: tuple[SnapshotTrial, ...]
    comparable: bool
    """Whether published figures may be set against these: the paper's corpus and protocol."""
    reference: str | None
    claim: PaperClaim | None
    corpus_part: str = "all"
    """The kind of speech that was chosen: ``improvised``, ``scripted``, ``all``."""
    notes: tuple[str, ...] = ()
    """What every form of the table must say of the speech: files left out, a published split."""
    published: tuple[SnapshotRow, ...] = ()
    """Systems that are not trained here, with what was printed of them."""
    speech: tuple[SnapshotSpeech, ...] = ()
    """What its trials read; empty in snapshots from before it was kept."""
    axes: tuple[str, ...] = ()
    """What the rows are the grid of; empty where they were listed, or in older snapshots."""
    text: str = ""
    """The study file as it was written; empty in snapshots from before it was kept."""
    replicates: str = "fixed"
    """``adaptive``: ``seeds`` is the most of a row, and ``trials`` are all that may be needed."""
    search: SnapshotSearch | None = None
    """Where its configurations are proposed, not listed."""

    @property
    def is_blinded(self) -> bool:
        """Whether it has a search that has not ended: its test scores are not shown yet."""
        return self.search is not None and not self.search.closed

    @property
    def all_trials(self) -> tuple[SnapshotTrial, ...]:
        """The trials of its rows, then those that its search goes by."""
        return self.trials + (self.search.trials if self.search else ())

    def overview_line(self, row: str) -> str:
        """The line of an overview that counts a row's trials; a search has one a held-out group.

        Args:
            row: the row of a trial; of a search `group 2 #7`, whose line is `group 2`.
        """
        return row.rpartition(" #")[0] if self.search and row != CHOSEN else row

    @property
    def overview_lines(self) -> tuple[str, ...]:
        """The lines of an overview: the groups of a search, then the rows."""
        groups = (self.overview_line(trial.row) for trial in self.all_trials)
        return tuple(dict.fromkeys((*groups, *(row.name for row in self.rows))))

    def to_json(self) -> dict[str, Any]:
        """As plain JSON values."""
        record = asdict(self)
        if self.search is not None:
            search = record["search"]
            for configuration in search["tried"]:
                configuration["told"] = configuration.pop("description")
            del search["axes"]
            if self.search.axes is not None:
                search["axes"] = list(map(_axis_to_json, self.search.axes))
        return record

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> "Snapshot":
        """The snapshot of which ``to_json`` gave the record.

        Raises:
            KeyError, TypeError, ValueError, AttributeError: it gave no such record.
        """
        kind: Any = cls
        snapshot: Snapshot = _reader(kind)(record)
        if not {t.fold for t in snapshot.trials} <= {fold.index for fold in snapshot.folds}:
            raise ValueError("a trial is of a fold that is not there")
        return snapshot


@cache
def _reader(kind: Any) -> Callable[[Any], Any]:
    """A function that makes a value of a type from its JSON form.

    Args:
        kind: a dataclass, ``tuple[X, ...]``, ``X | None``, or a type that JSON has itself.
    """
    if kind is SearchAxis:
        return _axis_from_json
    if is_dataclass(kind):
        return _dataclass_reader(kind)
    if get_origin(kind) is UnionType:
        read = _reader(get_args(kind)[0])
        return lambda value: None if value is None else read(value)
    if get_origin(kind) is tuple:
        read_item = _reader(get_args(kind)[0])
        return lambda items: tuple(map(read_item, items))
    return str if kind is str else _as_it_is


def _dataclass_reader(kind: Any) -> Callable[[Mapping[str, Any]], Any]:
    """A function that makes a dataclass from a mapping; what the mapping lacks is the default."""
    readers = {key: _reader(hint) for key, hint in get_type_hints(kind).items()}
    readers = {key: read for key, read in readers.items() if read is not _as_it_is}

    def read_fields(record: Mapping[str, Any]) -> Any:
        values = dict(record)
        if "told" in values:
            values["description"] = values.pop("told")
        for key, read in readers.items():
            if key in values:
                values[key] = read(values[key])
        return kind(**values)

    return read_fields


def _as_it_is(value: Any) -> Any:
    return value


def _axis_to_json(axis: SearchAxis) -> dict[str, Any]:
    """An axis as JSON values; choices as a list, since their order is theirs."""
    kind: dict[str, Any]
    match axis.kind:
        case Choice(values=values):
            kind = {"choices": [[label, plain(value)] for label, value in values.items()]}
        case Simplex(names=names):
            kind = {"simplex": list(names)}
        case Range():
            kind = asdict(axis.kind)
    return {"key": axis.key, "kind": kind, "when": asdict(axis.when) if axis.when else None}


def _axis_from_json(record: Mapping[str, Any]) -> SearchAxis:
    """The axis that ``_axis_to_json`` wrote; the settings of its choices stay JSON values."""
    kind, when = record["kind"], record["when"]
    return SearchAxis(
        key=record["key"],
        kind=Choice(values=dict(kind["choices"]))
        if "choices" in kind
        else (Simplex() if "simplex" in kind else Range(**kind)),
        when=Condition(**when) if when else None,
    )
