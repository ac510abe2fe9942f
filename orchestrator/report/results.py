"""The results of a study, as every table, picture and bundle takes them.

They hold the outcomes (records of finished trials), their summary by row, and the store, where the
learning curves and predictions lie.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

from orchestrator.analysis import blinding
from orchestrator.analysis.progress.adaptive import with_wanted_trials
from orchestrator.analysis.progress.completeness import given_up_trials
from orchestrator.analysis.row_scores import row_uas
from orchestrator.analysis.summary import Summary, summarise
from orchestrator.planning.copies import with_corpus_notes
from orchestrator.report.row_details import RowDetails, row_details
from orchestrator.search.result import SearchResult, search_result
from orchestrator.store.ledger import Ledger
from orchestrator.store.records import Outcome
from orchestrator.store.snapshot import Snapshot
from orchestrator.study.protocol import ScoreRule


@dataclass(frozen=True, kw_only=True, slots=True)
class StudyResults:
    """The results of a study, read from the store."""

    ledger: Ledger
    """The store."""
    outcomes: Mapping[str, Outcome]
    """Trial id -> the record of the finished trial."""
    summary: Summary
    """Means, intervals and differences of every row."""
    search: SearchResult | None = None
    """The configurations that the study's search tried and chose; None without a search."""
    given_up: frozenset[str] = frozenset()
    """Ids of the trials that diverged, so that their rows cannot be judged."""

    @property
    def snapshot(self) -> Snapshot:
        """The study with everything resolved: its rows, folds, seeds and trials."""
        return self.summary.snapshot

    def details(
        self, names: Collection[str] | None = None, *, histories: bool = True
    ) -> tuple[RowDetails, ...]:
        """The trainings of every row, in the order of the study.

        Args:
            names: the rows that are wanted; None for all.
            histories: whether to read the learning curves, one file of the store for each trial.
        """
        return row_details(
            self.ledger,
            self.snapshot,
            self.outcomes,
            given_up=self.given_up,
            names=names,
            histories=histories,
        )


def _blinded_note(snapshot: Snapshot, blinded: Mapping[str, str]) -> list[str]:
    """A note that the test scores of some trials are not shown, since a search chooses by them.

    Args:
        snapshot: the study.
        blinded: trial id -> the name of the search that hides its test scores until it has ended.

    Returns:
        A list of one sentence; empty where no trial of the study is blinded.
    """
    searches = [blinded[trial.id] for trial in snapshot.trials if trial.id in blinded]
    if not searches:
        return []
    some = "1 training judges" if len(searches) == 1 else f"{len(searches)} trainings judge"
    names = " and ".join(f"`{name}`" for name in dict.fromkeys(searches))
    return [
        f"Sealed: {some} what the search {names} chose as well: not shown, and told as missing, "
        "until it has ended."
    ]


def measure(ledger: Ledger, snapshot: Snapshot, score: ScoreRule | None = None) -> StudyResults:
    """Read the outcomes of a study from the store and summarise them by row.

    Trials whose test scores a search hides until it has ended (blinded) are left out, as if they
    were missing; a note in the snapshot says how many.

    Args:
        ledger: the store.
        snapshot: the study.
        score: another score to look at, by which nothing is judged; None for the study's own.

    Raises:
        DamageError: a record of the store does not match its checksum.
    """
    if score is not None and score != snapshot.score:
        # The study's own score says which seeds an adaptive one has, and what is settled.
        wanted = with_wanted_trials(snapshot, ledger)
        snapshot = replace(wanted.showing(score), replicates="fixed")
    blinded = blinding.blinded_trials(ledger)
    ids = [trial.id for trial in snapshot.trials if trial.id not in blinded]
    outcomes = ledger.outcomes.read_all(ids)
    snapshot = with_corpus_notes(snapshot, ledger)
    snapshot = replace(snapshot, notes=(*snapshot.notes, *_blinded_note(snapshot, blinded)))
    given_up = given_up_trials(ledger, ids)
    summary = summarise(snapshot, outcomes, ledger.outcomes.alarms(ids), given_up)
    search = search_result(snapshot, row_uas(snapshot, outcomes)) if snapshot.search else None
    return StudyResults(
        ledger=ledger, outcomes=outcomes, summary=summary, search=search, given_up=given_up
    )
