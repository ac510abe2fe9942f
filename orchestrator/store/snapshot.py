"""The snapshot of a study: its resolved form, all that a report needs beside the outcomes.

A run writes it into the store when it starts, so that a report needs neither the study file nor
the corpus, and works from any folder.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, is_dataclass
from functools import cache
from types import UnionType
from typing import Any, Literal, get_args, get_origin, get_type_hints

from model.config import WMA_GIN
from orchestrator.study.canonical import plain
from orchestrator.study.search_key.space import Choice, Condition, Range, SearchAxis, Simplex
from orchestrator.study.study import PaperClaim


@dataclass(frozen=True, kw_only=True, slots=True)
class SnapshotRow:
    """One row of a study's table, with what it resolves to."""

    name: str
    reading: str
    """Which reading of the paper's text it trains; empty of a published system."""
    paper: Mapping[str, float]
    """Published figures: ``wa`` and ``ua`` in percent, ``params``; any may be absent."""
    model: str = WMA_GIN
    """The system; empty of a published one."""
    profile: str = ""
    """Empty in snapshots from before it was kept."""
    blocks: tuple[str, ...] = ()
    """Headings of the table under which the row stands."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """The settings of this row alone, as JSON; empty in snapshots from before they were kept."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SnapshotFold:
    """One fold: a held-out group of speakers."""

    index: int
    """From 0."""
    a: tuple[str, ...]
    """First half of the held-out group. The epoch that scores one half is chosen on the other."""
    b: tuple[str, ...]
    """Second half."""
    train: int
    """How many speakers train."""


@dataclass(frozen=True, slots=True)
class SnapshotTrial:
    """A trial, by its place in the table."""

    row: str
    """Name of the row; of a search's trial its configuration: ``group 2 #7``."""
    fold: int
    """Index of the fold; of a search's trial, of the inner fold."""
    seed: int
    id: str
    """The trial's id, 64 hex digits."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SnapshotSpeech:
    """The speech and features that some of the trials read: they name selection and shards."""

    corpus: str
    """Digest of the selected speech and labels."""
    features: str
    """Name of the frame descriptors, as it stands in trial ids."""
    node_step: Literal[10, 50]
    """Milliseconds from one node of a graph to the next."""
    extractor: str
    """Version of the program that computes the descriptors."""


CHOSEN = "chosen by the search"
"""Name of the row with the winners of a search."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SnapshotConfiguration:
    """A configuration that a search has proposed."""

    group: int
    """Index of the held-out group for which it was proposed; 0 in a flat search."""
    number: int
    """Its place among the proposals of the group, from 1."""
    point: Mapping[str, str | int | float]
    """Parameter -> proposed value."""
    description: str
    """The point in words: ``lr 0.0012, layers 3``. Its key in the record is ``told``."""
    trials: tuple[str, ...]
    """Ids of its trials, by inner fold."""
    state: str
    """``trained``, ``pruned`` after some of its folds, ``failed``, or still ``training``."""
    score: float | None
    """Mean UA over its folds, 0 to 1; of a pruned one the UA that it was expected to reach; None
    while it trains or where it failed."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SnapshotSearch:
    """A search, as far as its trials are finished."""

    key: str
    """Digest of all that its proposals and scores depend on, except the budget."""
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
    """The trials that score configurations; until the search is closed, also those that test the
    winners."""
    winners: tuple[int, ...]
    """The number of each group's winner, by group; empty until the budget is used."""
    closed: bool
    """Whether the search has ended: the trials that test the winners stand in the study's own
    ``trials``, and their scores are shown."""
    opened: tuple[int, ...] = ()
    """Numbers of configurations a group after which test scores were shown before this budget."""
    others: int = 0
    """How many other searches had shown test scores of the same speakers before."""
    speakers: str = ""
    """Digest of the speech and of which speakers are held out together; empty in a flat search."""
    at_once: float = 1
    """How many trials train at once; they share each hour of a budget of hours."""
    axes: tuple[SearchAxis, ...] | None = None
    """The settings that it varies; None in snapshots from before they were kept."""

    def blinds(self, trial: SnapshotTrial) -> bool:
        """Whether the test scores of one of its trials are not shown: not yet, or never."""
        return self.selection == "flat" or (not self.closed and trial.row == CHOSEN)


@dataclass(frozen=True, kw_only=True, slots=True)
class Snapshot:
    """A study in its resolved form."""

    study: str
    """Its name."""
    question: str
    table: int | None
    """Number of the paper's table that it reproduces."""
    figure: int | None
    """Number of the paper's figure that it reproduces."""
    corpus: str
    profile: str
    """Training profile; ``mixed`` where rows differ in it."""
    reading: str
    """Reading of the paper's text; ``mixed`` where rows differ in it."""
    classes: tuple[str, ...]
    """Emotions, in the order of every confusion matrix."""
    utterances: int
    """How many utterances were selected."""
    rows: tuple[SnapshotRow, ...]
    folds: tuple[SnapshotFold, ...]
    seeds: int
    """Seeds a row; of an adaptive study the most."""
    trials: tuple[SnapshotTrial, ...]
    """The trials of its rows; of an adaptive study all that a row may need."""
    comparable: bool
    """Whether published figures may stand beside these: corpus and protocol are the paper's."""
    reference: str | None
    """The row with which all others are compared."""
    claim: PaperClaim | None
    corpus_part: str = "all"
    """The kind of speech that was chosen: ``improvised``, ``scripted``, ``all``."""
    notes: tuple[str, ...] = ()
    """Notes on the speech that stand under every table: files left out, a published split."""
    published: tuple[SnapshotRow, ...] = ()
    """Systems that are not trained here, with their published figures."""
    speech: tuple[SnapshotSpeech, ...] = ()
    """The speech that its trials read; empty in snapshots from before it was kept."""
    axes: tuple[str, ...] = ()
    """Settings whose grid gives the rows; empty of listed rows and in older snapshots."""
    text: str = ""
    """The study file as it was written; empty in snapshots from before it was kept."""
    replicates: str = "fixed"
    """``fixed``, or ``adaptive``: rows get more seeds until a comparison is decided."""
    search: SnapshotSearch | None = None
    """The search that proposes its configurations; None where the study lists its rows."""

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
