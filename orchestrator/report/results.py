"""A study as it was measured: its outcomes, folded into rows, and the store that holds the rest.

What every form of a table, every picture and every bundle is made of.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

from orchestrator.analysis import blinding
from orchestrator.analysis.summary import Summary, summarise, uas
from orchestrator.report.row_details import RowBehind, rows_behind
from orchestrator.search.result import Finding, find
from orchestrator.store.ledger import Ledger
from orchestrator.store.records import Outcome
from orchestrator.store.snapshot import Asked


@dataclass(frozen=True, kw_only=True, slots=True)
class Measured:
    """A study and what its trials gave."""

    ledger: Ledger
    outcomes: Mapping[str, Outcome]
    """Finished trials by id."""
    summary: Summary
    search: Finding | None = None
    """What its search found, where its configurations are proposed."""

    @property
    def asked(self) -> Asked:
        """The study."""
        return self.summary.asked

    def behind(
        self, names: Collection[str] | None = None, *, histories: bool = True
    ) -> tuple[RowBehind, ...]:
        """What stands behind its rows, or some of them; learning curves are read now."""
        return rows_behind(self.ledger, self.asked, self.outcomes, names=names, histories=histories)


def _sealed(asked: Asked, sealed: Mapping[str, str]) -> list[str]:
    """A note on rows that also judge what a search chose; nothing where there are none."""
    searches = [sealed[trial.id] for trial in asked.trials if trial.id in sealed]
    if not searches:
        return []
    some = "1 training judges" if len(searches) == 1 else f"{len(searches)} trainings judge"
    names = " and ".join(f"`{name}`" for name in dict.fromkeys(searches))
    return [
        f"Sealed: {some} what the search {names} chose as well: not shown, and told as missing, "
        "until it has ended."
    ]


def measure(ledger: Ledger, asked: Asked) -> Measured:
    """Read what a study's trials gave.

    Raises:
        DamageError: a record is not what was written.
    """
    sealed = blinding.judging(ledger)
    ids = [trial.id for trial in asked.trials if trial.id not in sealed]
    outcomes = ledger.outcomes(ids)
    asked = replace(asked, notes=(*asked.notes, *_sealed(asked, sealed)))
    summary = summarise(asked, outcomes, ledger.alarms(ids))
    search = find(asked, uas(asked, outcomes)) if asked.search else None
    return Measured(ledger=ledger, outcomes=outcomes, summary=summary, search=search)
