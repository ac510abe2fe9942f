"""A study as it was measured: its outcomes, folded into rows, and the store that holds the rest.

What every form of a table, every picture and every bundle is made of.
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
    """A study and what its trials gave."""

    ledger: Ledger
    outcomes: Mapping[str, Outcome]
    """Finished trials by id."""
    summary: Summary
    search: SearchResult | None = None
    """What its search found, where its configurations are proposed."""

    @property
    def snapshot(self) -> Snapshot:
        """The study."""
        return self.summary.snapshot

    def details(
        self, names: Collection[str] | None = None, *, histories: bool = True
    ) -> tuple[RowDetails, ...]:
        """The trainings of all rows, or of those named; reads learning curves from the store."""
        return row_details(
            self.ledger, self.snapshot, self.outcomes, names=names, histories=histories
        )


def _sealed(snapshot: Snapshot, sealed: Mapping[str, str]) -> list[str]:
    """A note on rows that also judge what a search chose; nothing where there are none."""
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
    """Read what a study's trials gave.

    Raises:
        DamageError: a record is not what was written.
    """
    sealed = blinding.sealed_trials(ledger)
    ids = [trial.id for trial in snapshot.trials if trial.id not in sealed]
    outcomes = ledger.outcomes.read_all(ids)
    snapshot = replace(snapshot, notes=(*snapshot.notes, *_sealed(snapshot, sealed)))
    summary = summarise(snapshot, outcomes, ledger.outcomes.alarms(ids))
    search = search_result(snapshot, row_uas(snapshot, outcomes)) if snapshot.search else None
    return StudyResults(ledger=ledger, outcomes=outcomes, summary=summary, search=search)
