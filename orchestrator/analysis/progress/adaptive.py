"""Adaptive studies: which rows need more seeds, by the outcomes in the store.

An adaptive study (``replicates: adaptive``) trains three seeds of every row, then more seeds of
those rows whose difference from the reference is still open. `sequential.py` has the rule; this
module gives it one difference for each seed, and selects the trials that follow. It reads records
alone, so interrupted runs, shared runs and superfluous seeds change nothing.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace

from orchestrator.analysis.differences import differences_by_seed
from orchestrator.analysis.progress.completeness import given_up_trials
from orchestrator.analysis.row_scores import row_uas
from orchestrator.analysis.sequential import InterimResult, decide, interim_seeds
from orchestrator.store.ledger import Ledger
from orchestrator.store.records import Outcome
from orchestrator.store.snapshot import Snapshot


@dataclass(frozen=True, kw_only=True, slots=True)
class AdaptiveProgress:
    """Which rows of an adaptive study still need seeds, by the interim analyses made so far."""

    snapshot: Snapshot
    """The study with the trials of all seeds up to the cap (the most seeds of a row)."""
    comparisons: Mapping[str, InterimResult]
    """Name of a row -> its last interim analysis (test before all seeds are trained); the reference
    has none."""

    @property
    def seeds_analysed(self) -> tuple[int, ...]:
        """The number of seeds at each interim analysis made so far, such as ``(3, 4, 6)``."""
        made = max(result.interims for result in self.comparisons.values())
        return interim_seeds(self.snapshot.seeds)[:made]

    @property
    def open_rows(self) -> tuple[str, ...]:
        """Names of the rows whose comparison is not settled, so that they may get more seeds."""
        return tuple(name for name, result in self.comparisons.items() if not result.stop_reason)

    def seeds_now(self, row: str) -> int:
        """How many seeds of a row must be trained for the next interim analysis.

        For a settled row it is the number of its last one; the reference needs as many as any row.
        """
        own = self.comparisons.get(row)
        if own is not None:
            return own.seeds_wanted
        return max(result.seeds_wanted for result in self.comparisons.values())

    def seeds_at_most(self, row: str) -> int:
        """The most seeds that a row may need until all comparisons are settled."""
        is_reference = row == self.snapshot.reference
        is_open = row in self.open_rows or (is_reference and self.open_rows)
        return self.snapshot.seeds if is_open else self.seeds_now(row)

    def needed_now(self) -> Snapshot:
        """The study with only those trials that are needed for the next interim analysis."""
        return _with_seeds(self.snapshot, self.seeds_now)

    def needed_at_most(self) -> Snapshot:
        """The study with all trials that may be needed until every comparison is settled."""
        return _with_seeds(self.snapshot, self.seeds_at_most)


def adaptive_progress(
    snapshot: Snapshot, outcomes: Mapping[str, Outcome], given_up: Collection[str] = ()
) -> AdaptiveProgress | None:
    """Make the interim analyses of an adaptive study from its outcomes.

    Args:
        snapshot: the study with the trials of all seeds up to the cap.
        outcomes: id -> outcome; stale ones and those of other studies are ignored.
        given_up: ids of trials that diverged: no row waits for them.

    Returns:
        None for a study that is not adaptive, whose rows all have the same number of seeds.
    """
    if snapshot.replicates != "adaptive" or snapshot.reference is None:
        return None
    scores = row_uas(snapshot, outcomes)
    reference = scores.pop(snapshot.reference)
    differences = {
        name: differences_by_seed(snapshot, row, reference) for name, row in scores.items()
    }
    diverged = _first_diverged(snapshot, {id for id in given_up if id not in outcomes})
    return AdaptiveProgress(
        snapshot=snapshot, comparisons=decide(differences, snapshot.seeds, diverged)
    )


def with_wanted_trials(snapshot: Snapshot, ledger: Ledger) -> Snapshot:
    """The study with only those trials that are needed now; unchanged unless it is adaptive.

    Raises:
        DamageError: a record of an adaptive study is not what was written.
    """
    if snapshot.replicates != "adaptive":
        return snapshot  # no record is read
    ids = [trial.id for trial in snapshot.trials]
    outcomes = ledger.outcomes.read_all(ids)
    found = adaptive_progress(snapshot, outcomes, given_up_trials(ledger, ids))
    return snapshot if found is None else found.needed_now()


def _first_diverged(snapshot: Snapshot, given_up: Collection[str]) -> dict[str, int]:
    """Row -> the first seed at which a training of it or of the reference is given up."""
    first: dict[str, int] = {}
    for trial in snapshot.trials:
        if trial.id in given_up:
            of_all = trial.row == snapshot.reference
            for name in [row.name for row in snapshot.rows] if of_all else [trial.row]:
                first[name] = min(first.get(name, trial.seed), trial.seed)
    return first


def _with_seeds(snapshot: Snapshot, seeds: Callable[[str], int]) -> Snapshot:
    """The study with only the first seeds of each row, as many as ``seeds`` gives for its name."""
    most = {row.name: seeds(row.name) for row in snapshot.rows}
    return replace(snapshot, trials=tuple(t for t in snapshot.trials if t.seed < most[t.row]))
