"""An adaptive study by its outcomes: what its seeds have settled, and which it asks for next.

The rule stands in `sequential.py`. Here are its differences, one a seed over all held-out speakers,
and what follows from it for a study's trials. All is decided from the records alone: to kill a run,
to share it, or to train a seed too many changes nothing.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from model.evaluation.metrics import ua
from orchestrator.analysis.differences import differences_by_seed
from orchestrator.analysis.sequential import InterimResult, decide, interim_seeds
from orchestrator.store.ledger import Ledger
from orchestrator.store.records import Outcome, is_stale
from orchestrator.store.snapshot import Snapshot


@dataclass(frozen=True, kw_only=True, slots=True)
class AdaptiveProgress:
    """Where the comparisons of an adaptive study stand."""

    snapshot: Snapshot
    """The study with every trial up to the cap."""
    comparisons: Mapping[str, InterimResult]
    """Row, other than the reference -> how far its comparison is."""

    @property
    def interims(self) -> tuple[int, ...]:
        """The seeds at each look so far."""
        made = max(standing.interims for standing in self.comparisons.values())
        return interim_seeds(self.snapshot.seeds)[:made]

    @property
    def open(self) -> tuple[str, ...]:
        """Rows that may get more seeds."""
        return tuple(
            name for name, standing in self.comparisons.items() if not standing.stop_reason
        )

    def wanted(self, row: str) -> int:
        """Seeds of a row that are asked for now; the reference has those of any row."""
        own = self.comparisons.get(row)
        return own.seeds_wanted if own else max(s.seeds_wanted for s in self.comparisons.values())

    def most(self, row: str) -> int:
        """Seeds of a row that may yet be asked for."""
        open = row in self.open or (row == self.snapshot.reference and self.open)
        return self.snapshot.seeds if open else self.wanted(row)

    def now(self) -> Snapshot:
        """The study with the trials that are asked for now."""
        return _first(self.snapshot, self.wanted)

    def at_most(self) -> Snapshot:
        """The study with the trials that may yet be asked for."""
        return _first(self.snapshot, self.most)


def adaptive_progress(
    snapshot: Snapshot, outcomes: Mapping[str, Outcome]
) -> AdaptiveProgress | None:
    """Follow an adaptive study's outcomes; None for a study with as many seeds in every row.

    Args:
        snapshot: the study with every trial up to the cap.
        outcomes: finished trials by id; stale ones and those of other studies are ignored.
    """
    if snapshot.replicates != "adaptive" or snapshot.reference is None:
        return None
    scores: dict[str, dict[str, dict[int, float]]] = {row.name: {} for row in snapshot.rows}
    for trial in snapshot.trials:
        outcome = outcomes.get(trial.id)
        if outcome is None or is_stale(outcome):
            continue
        for s in outcome.scores:
            if (s.choice, s.unit) == ("chosen", "utterance"):
                scores[trial.row].setdefault(s.speaker, {})[trial.seed] = ua(s.confusion)
    reference = scores.pop(snapshot.reference)
    differences = {
        name: differences_by_seed(snapshot, row, reference) for name, row in scores.items()
    }
    return AdaptiveProgress(snapshot=snapshot, comparisons=decide(differences, snapshot.seeds))


def with_wanted_trials(snapshot: Snapshot, ledger: Ledger) -> Snapshot:
    """A study with the trials that it asks for now: all, unless it is adaptive.

    Raises:
        DamageError: a record of an adaptive study is not what was written.
    """
    if snapshot.replicates != "adaptive":
        return snapshot  # without a look at its records
    found = adaptive_progress(
        snapshot, ledger.outcomes.read_all(trial.id for trial in snapshot.trials)
    )
    return snapshot if found is None else found.now()


def _first(snapshot: Snapshot, seeds: Callable[[str], int]) -> Snapshot:
    most = {row.name: seeds(row.name) for row in snapshot.rows}
    return replace(snapshot, trials=tuple(t for t in snapshot.trials if t.seed < most[t.row]))
