"""The snapshot of a study: the study with everything resolved, as it is kept in the store.

A run writes it into the store when it starts, so that a report needs neither the study file nor
the corpus, and works from any folder.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import cache
from typing import TYPE_CHECKING, Any, Literal, get_args

from model.config import WMA_GIN
from orchestrator.study.canonical import json_reader
from orchestrator.study.protocol import ScoreRule, fold_name, slot_json
from orchestrator.study.search_key.space import SearchAxis, axis_from_json, axis_to_json
from orchestrator.study.study import PaperClaim

if TYPE_CHECKING:
    from orchestrator.study.trials import PlannedTrial


@dataclass(frozen=True, kw_only=True, slots=True)
class SnapshotRow:
    """One row of a study's table with its main settings, or one published system."""

    name: str
    """Name of the row, as the study file gives it."""
    reading: str
    """Reading (named choice where the paper leaves something open); empty for a published
    system."""
    paper: Mapping[str, float]
    """Published figures: ``wa`` and ``ua`` in percent, ``params`` as a count; any may be absent."""
    model: str = WMA_GIN
    """The system that the row trains, such as ``wma-gin``; empty for a published system."""
    profile: str = ""
    """Profile (`paper` or `quick`: how long to train); empty in snapshots from before it was
    kept."""
    blocks: tuple[str, ...] = ()
    """Headings under which the row stands in the table; a row may stand under several."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """The settings that the study file gives for this row alone, as JSON values; empty in snapshots
    from before they were kept."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SnapshotFold:
    """One fold: the speakers of its held-out group, in two halves."""

    index: int
    """Number of the fold in its deal, from 0."""
    a: tuple[str, ...]
    """Names of the speakers in half A. The epoch that scores one half is chosen on the other."""
    b: tuple[str, ...]
    """Names of the speakers in half B."""
    train: int
    """Number of training speakers."""
    deal: int | None = None
    """Number of the deal, from 0; None where the speakers are dealt once."""

    @property
    def key(self) -> tuple[int, int]:
        """(number of the deal, of the fold in it), from 0: it is this fold's alone."""
        return self.deal or 0, self.index

    @property
    def name(self) -> str:
        """Such as ``fold 2 of deal 3``."""
        return fold_name(self.index, self.deal)


@dataclass(frozen=True, slots=True)
class SnapshotTrial:
    """A trial's id and its slot in the study: row, deal, fold, seed."""

    row: str
    """Name of the row; for a trial of a search its group and configuration, such as
    ``group 2 #7``."""
    fold: int
    """Index of the fold in its deal, from 0; for a trial of a search that of the inner fold."""
    seed: int
    """The seed, from 0."""
    id: str
    """The trial's id, 64 hex digits."""
    deal: int | None = None
    """Index of the deal, from 0; None where the speakers are dealt once."""

    @property
    def fold_key(self) -> tuple[int, int]:
        """The ``key`` of its fold: (index of the deal, of the fold in it)."""
        return self.deal or 0, self.fold

    @property
    def fold_name(self) -> str:
        """Such as ``fold 2``, or ``fold 2 of deal 3``."""
        return fold_name(self.fold, self.deal)

    @property
    def slot(self) -> dict[str, str | int]:
        """Row, deal (where there are several), fold and seed, as JSON values."""
        return slot_json(self.row, self.deal, self.fold, self.seed)

    @classmethod
    def of(cls, planned: "PlannedTrial") -> "SnapshotTrial":
        """A planned trial as a snapshot keeps it: without its configurations and speakers."""
        return cls(planned.row, planned.fold, planned.seed, planned.id, planned.deal)


@dataclass(frozen=True, kw_only=True, slots=True)
class SnapshotSpeech:
    """A combination of speech and features that trials read; `ablate gc` keeps its files."""

    corpus: str
    """Digest of the selected utterances and labels; it names the file of the selection."""
    features: str
    """Name of the descriptor set, such as ``lld78``, as it stands in trial ids."""
    node_step: Literal[10, 50]
    """Milliseconds from one node of a graph to the next."""
    extractor: str
    """Versions of the packages that compute the descriptors, and a digest of how they are used."""


CHOSEN = "chosen by the search"
"""Name of the one row of a search: the trials that test its winners."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SnapshotConfiguration:
    """A configuration (set of values) that a search has proposed, and its state."""

    group: int
    """Index of the held-out group for which it was proposed, from 0; 0 in a flat search."""
    number: int
    """Its position among the proposals for the group, from 1."""
    point: Mapping[str, str | int | float]
    """Name of a parameter -> proposed value."""
    description: str
    """The point as text, such as ``lr 0.0012, layers 3``. Its key in the record is ``told``."""
    trials: tuple[str, ...]
    """Ids of the trials that score it: one for each inner fold in order."""
    state: str
    """``trained``, ``pruned`` (stopped after some of its folds), ``failed``, or still
    ``training``."""
    score: float | None
    """Mean UA over its folds, 0 to 1; if pruned, the UA that it was expected to reach; None while
    it trains or where it failed."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SnapshotSearch:
    """A search in a snapshot: its settings, its configurations and their scores so far."""

    key: str
    """Digest of all that proposals and scores depend on (space, sampler, seed, speech), without the
    budget."""
    selection: str
    """``nested`` (each held-out group gets a search on its training speakers) or ``flat`` (one
    search on the scores of all speakers, without a test)."""
    sampler: str
    """Name of the method that proposes configurations, such as ``tpe``."""
    seed: int
    """Seed of the sampler."""
    inner_folds: int
    """Number of inner folds that score a configuration; 0 in a flat search."""
    budget: str
    """The budget as text, such as ``20 configurations a held-out group``."""
    tried: tuple[SnapshotConfiguration, ...]
    """All proposed configurations."""
    trials: tuple[SnapshotTrial, ...]
    """The trials that score configurations; until the search is closed, also those that test the
    winners."""
    winners: tuple[int, ...]
    """For each held-out group in order, the number of its best configuration; empty until the
    budget is used."""
    closed: bool
    """Whether the search has ended: the trials that test the winners then stand in the study's own
    ``trials``, and their scores are shown."""
    opened: tuple[int, ...] = ()
    """At which numbers of configurations a group this search's test scores were shown before, under
    other budgets."""
    others: int = 0
    """How many other searches on the same test speakers had opened (shown) their test scores
    before."""
    speakers: str = ""
    """Digest of the corpus and of the speakers in each held-out group; empty in a flat search,
    which tests nobody."""
    at_once: float = 1
    """How many trials train at once; they share each hour of a budget of hours."""
    axes: tuple[SearchAxis, ...] | None = None
    """The axes of the search's space: each setting with its range or choices; None in snapshots
    from before they were kept."""

    def blinds(self, trial: SnapshotTrial) -> bool:
        """Whether the test scores of one of the search's trials must not be shown now.

        Those of a flat search never are; those of the winners are shown once the search is closed.
        """
        return self.selection == "flat" or (not self.closed and trial.row == CHOSEN)


@dataclass(frozen=True, kw_only=True, slots=True)
class Snapshot:
    """A study with everything resolved, as a run was asked for it."""

    study: str
    """Name of the study."""
    question: str
    """The question that the study asks, as a sentence from its file."""
    table: int | None
    """Number of the paper's table that it reproduces; None where it reproduces none."""
    figure: int | None
    """Number of the paper's figure that it reproduces; None where it reproduces none."""
    corpus: str
    """Name of the corpus, such as ``iemocap``."""
    profile: str
    """Profile (`paper` or `quick`: how long to train); ``mixed`` where rows differ in it."""
    reading: str
    """Reading (named choice where the paper leaves something open); ``mixed`` where rows differ in
    it."""
    classes: tuple[str, ...]
    """Names of the classes, in the order of the rows and columns of every confusion matrix."""
    utterances: int
    """Number of utterances of the selection."""
    rows: tuple[SnapshotRow, ...]
    """The rows of its table; a nested search has the one row ``CHOSEN``, a flat search none."""
    folds: tuple[SnapshotFold, ...]
    """The folds of the protocol, deal by deal: held-out groups and their halves."""
    seeds: int
    """Number of seeds of each row and fold; in an adaptive study the cap (the most)."""
    trials: tuple[SnapshotTrial, ...]
    """All trials of the rows; in an adaptive study all up to the cap."""
    comparable: bool
    """Whether published figures may stand beside these: corpus and protocol are the paper's."""
    reference: str | None
    """Name of the row with which all others are compared; None where rows are not compared."""
    claim: PaperClaim | None
    """The claim of the paper about the rows; None where the study has none."""
    corpus_part: str = "all"
    """Which kind of recordings is used: ``improvised``, ``scripted`` or ``all``."""
    notes: tuple[str, ...] = ()
    """Sentences that stand under every table, such as files that were left out."""
    published: tuple[SnapshotRow, ...] = ()
    """Systems that are not trained here, with their published figures."""
    speech: tuple[SnapshotSpeech, ...] = ()
    """The combinations of speech and features that its trials read; empty in snapshots from before
    they were kept."""
    axes: tuple[str, ...] = ()
    """Names of the settings whose grid gives the rows; empty where rows are listed, and in older
    snapshots."""
    text: str = ""
    """The study file as it was written; empty in snapshots from before it was kept."""
    replicates: str = "fixed"
    """``fixed``: all rows have ``seeds`` seeds; ``adaptive``: rows get more seeds until their
    comparison is settled."""
    search: SnapshotSearch | None = None
    """The search that proposes configurations; None where the study lists its rows."""
    judged_before: tuple[int, ...] = ()
    """With how many seeds (times deals) it had verdicts before it was asked for with more."""
    score: ScoreRule = "chosen"
    """By which network each training is scored; tables, verdicts and the search rest on it.
    Snapshots from before it was kept were of ``chosen``."""
    exploratory: bool = False
    """Whether ``score`` is another one than the study's own, see `showing`; never in a record."""

    copies_checked: bool = False
    """Whether copies were looked for in the corpus; False in snapshots from before they were."""

    @property
    def deals(self) -> int:
        """How often the speakers are dealt into held-out groups."""
        return 1 + max((fold.deal or 0 for fold in self.folds), default=0)

    @property
    def folds_a_deal(self) -> int:
        """Number of folds of one deal."""
        return len(self.folds) // self.deals

    @property
    def tests_of_a_speaker(self) -> int:
        """How often each row tests each speaker: with every seed of every deal."""
        return self.deals * self.seeds

    def training(self, trial: SnapshotTrial) -> int:
        """Number of a trial among those of its row that test a speaker: the seeds, deal by deal."""
        return (trial.deal or 0) * self.seeds + trial.seed

    @property
    def is_blinded(self) -> bool:
        """Whether it has a search that has not ended, so that its test scores are not shown yet."""
        return self.search is not None and not self.search.closed

    @property
    def is_published_split(self) -> bool:
        """Whether it trains on the corpus's own split (``folds: published``): its only fold.

        Half A is then the dev side, half B the test side. Folds that are dealt are two or more.
        """
        return len(self.folds) == 1

    @property
    def test_speakers(self) -> tuple[str, ...]:
        """The speakers on whose scores the tables rest, each once, in the order of the folds.

        All held-out speakers; of a published split those of the test side.
        """
        held_out = (
            fold.b if self.is_published_split else (*fold.a, *fold.b) for fold in self.folds
        )
        return tuple(dict.fromkeys(name for names in held_out for name in names))

    @property
    def dev_speakers(self) -> frozenset[str]:
        """The dev side of a published split, whose scores are no result; else nobody."""
        return frozenset(self.folds[0].a if self.is_published_split else ())

    @property
    def all_trials(self) -> tuple[SnapshotTrial, ...]:
        """The trials of its rows, then those that score the configurations of its search."""
        return self.trials + (self.search.trials if self.search else ())

    def overview_line(self, row: str) -> str:
        """Name of the line that counts a trial in an overview (`ablate status`).

        Args:
            row: the row of a trial.

        Returns:
            The row itself; for a trial of a search its held-out group, so `group 2 #7` gives
            `group 2`.
        """
        return row.rpartition(" #")[0] if self.search and row != CHOSEN else row

    @property
    def overview_lines(self) -> tuple[str, ...]:
        """Names of the lines of an overview, each once: the groups of a search, then the rows."""
        groups = (self.overview_line(trial.row) for trial in self.all_trials)
        return tuple(dict.fromkeys((*groups, *(row.name for row in self.rows))))

    def showing(self, score: ScoreRule) -> "Snapshot":
        """The study by another score than its own, to look at: nothing is judged by it."""
        if score == self.score:
            return self
        note = (
            f"Exploratory: the study's own score is `{self.score}`, so nothing is judged by "
            f"`{score}`: no verdict, and no p."
        )
        return replace(self, score=score, exploratory=True, notes=(note, *self.notes))

    def to_json(self) -> dict[str, Any]:
        """The record of the snapshot in the store, as JSON values."""
        bare = self.search and replace(self.search, tried=(), axes=None)
        record = asdict(replace(self, search=bare))
        del record["exploratory"]
        if self.search is None:
            return record
        search = record["search"]
        search["tried"] = tuple(map(_configuration_to_json, self.search.tried))
        del search["axes"]
        if self.search.axes is not None:
            search["axes"] = list(map(axis_to_json, self.search.axes))
        return record

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> "Snapshot":
        """The snapshot from a record that ``to_json`` gave, in this version or an earlier one.

        Raises:
            KeyError, TypeError, ValueError, AttributeError: the record has another form.
        """
        snapshot: Snapshot = _reader()(record)
        if not {t.fold_key for t in snapshot.trials} <= {fold.key for fold in snapshot.folds}:
            raise ValueError("a trial is of a fold that is not there")
        if snapshot.score not in get_args(ScoreRule):
            raise ValueError("its score is none that this version knows")
        return snapshot


@cache
def _reader() -> Callable[[Any], Any]:
    """The function that makes a snapshot from its record."""
    special = {SearchAxis: axis_from_json, SnapshotConfiguration: _configuration_from_json}
    return json_reader(Snapshot, special)


def _configuration_to_json(configuration: SnapshotConfiguration) -> dict[str, Any]:
    """A configuration as JSON values; its description has the key ``told``."""
    record = asdict(configuration)
    record["told"] = record.pop("description")
    return record


def _configuration_from_json(record: Mapping[str, Any]) -> SnapshotConfiguration:
    """The configuration from a record of ``_configuration_to_json``."""
    values = dict(record)
    return SnapshotConfiguration(
        description=values.pop("told"),
        point=dict(values.pop("point")),
        trials=tuple(values.pop("trials")),
        **values,
    )
