"""A study as it was measured: its outcomes, folded into rows, and the store that holds the rest.

What every form of a table, every picture and every bundle is made of.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from orchestrator.behind import RowBehind, rows_behind
from orchestrator.ledger import Ledger
from orchestrator.records import Outcome
from orchestrator.search.finding import Finding, find
from orchestrator.snapshot import Asked
from orchestrator.summary import Summary, summarise, uas


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


def measure(ledger: Ledger, asked: Asked) -> Measured:
    """Read what a study's trials gave.

    Raises:
        DamageError: a record is not what was written.
    """
    ids = [trial.id for trial in asked.trials]
    outcomes = ledger.outcomes(ids)
    summary = summarise(asked, outcomes, ledger.alarms(ids))
    search = find(asked, uas(asked, outcomes)) if asked.search else None
    return Measured(ledger=ledger, outcomes=outcomes, summary=summary, search=search)
