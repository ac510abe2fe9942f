"""A study's results: its outcomes, summarised by row, and the store that holds their files.

Every form of a table, every picture and every bundle is made of these.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

from orchestrator.analysis import blinding
from orchestrator.analysis.row_scores import row_uas
from orchestrator.analysis.summary import Summary, summarise
from orchestrator.report.row_details import RowDetails, row_details
from orchestrator.search.result import SearchResult, search_result
from orchestrator.store.ledger import Ledger
from orchestrator.store.records import Outcome
from orchestrator.store.snapshot import Snapshot


@dataclass(frozen=True, kw_only=True, slots=True)
class StudyResults:
    """The results of a study, read from the store."""

    ledger: Ledger
    outcomes: Mapping[str, Outcome]
    """Id -> finished trial."""
    summary: Summary
    search: SearchResult | None = None
    """What its search found; None for a study without a search."""

    @property
    def snapshot(self) -> Snapshot:
        """The study as it was planned: rows, folds, seeds, trials."""
        return self.summary.snapshot

    def details(
        self, names: Collection[str] | None = None, *, histories: bool = True
    ) -> tuple[RowDetails, ...]:
        """The trainings of all rows, or of those named; reads learning curves from the store."""
        return row_details(
            self.ledger, self.snapshot, self.outcomes, names=names, histories=histories
        )


def _sealed(snapshot: Snapshot, sealed: Mapping[str, str]) -> list[str]:
    """A note on trials whose test scores a search has sealed; empty without such trials."""
    searches = [sealed[trial.id] for trial in snapshot.trials if trial.id in sealed]
    if not searches:
        return []
    some = "1 training judges" if len(searches) == 1 else f"{len(searches)} trainings judge"
    names = " and ".join(f"`{name}`" for name in dict.fromkeys(searches))
    return [
        f"Sealed: {some} what the search {names} chose as well: not shown, and told as missing, "
        "until it has ended."
    ]


def measure(ledger: Ledger, snapshot: Snapshot) -> StudyResults:
    """Read and summarise the outcomes of a study, without those that a search has sealed.

    Raises:
        DamageError: a record is not what was written.
    """
    sealed = blinding.blinded_trials(ledger)
    ids = [trial.id for trial in snapshot.trials if trial.id not in sealed]
    outcomes = ledger.outcomes.read_all(ids)
    snapshot = replace(snapshot, notes=(*snapshot.notes, *_sealed(snapshot, sealed)))
    summary = summarise(snapshot, outcomes, ledger.outcomes.alarms(ids))
    search = search_result(snapshot, row_uas(snapshot, outcomes)) if snapshot.search else None
    return StudyResults(ledger=ledger, outcomes=outcomes, summary=summary, search=search)
