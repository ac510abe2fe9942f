"""The objective of a search: the scores of its trials, each read from the store once.

**Nested**: the UA of each held-out speaker of an inner fold, by the study's score. These speakers
took no part in the training or in the choice of their network, and none of them belongs to the
outer group that tests the winner. **Flat**: the dev UA of each half, at the epoch that this half
itself chose; the test scores of the trial are not read. Of a published split it is that of the dev
side alone, since the other half is the test side.
"""

from collections import Counter
from collections.abc import Iterable

from model.evaluation.metrics import ua
from orchestrator.analysis.row_scores import held_out_scores
from orchestrator.errors import DamageError, first_line
from orchestrator.store.attempts import read_history
from orchestrator.store.ledger import Ledger
from orchestrator.store.paths import FAILURE, HISTORY, OUTCOME
from orchestrator.store.records import Cause, Outcome
from orchestrator.study.protocol import ScoreRule
from orchestrator.study.search_key.space import SelectionMode
from orchestrator.study.trials import from_identity

TRIES: dict[Cause, int] = {"diverged": 1, "code": 2}
"""Cause of a failure -> after how many failures with this cause a configuration counts as failed.
Other causes lie in a machine or a file and say nothing about the configuration: the search waits
for such trials."""


class ObjectiveScores:
    """The scores by which a search ranks configurations, trial by trial.

    An outcome never changes, so each is read only once.

    Args:
        ledger: the store.
        selection: whether the search is nested or flat, which decides what is scored.
        score: the score of the study.
        published_split: whether the study's one fold is the corpus's own split.
    """

    def __init__(
        self,
        ledger: Ledger,
        selection: SelectionMode,
        score: ScoreRule,
        *,
        published_split: bool = False,
    ) -> None:
        self._ledger, self._selection, self._score = ledger, selection, score
        self._published_split = published_split
        self._units: dict[str, tuple[float, ...]] = {}
        self._seconds: dict[str, float] = {}
        self._causes: dict[str, str] = {}
        """Trial -> why it cannot be trained, in the words of its last attempt."""

    def read_new(self, ids: Iterable[str]) -> None:
        """Read the records of those trials that have ended since the last call.

        Args:
            ids: the trials to look for; those that were read before are skipped.

        Raises:
            DamageError: a record is not what was written.
        """
        names = self._ledger.files_of([id for id in ids if id not in self._units])
        done = [id for id, found in names.items() if OUTCOME in found]
        for id, outcome in self._ledger.outcomes.read_all(done).items():
            self._units[id] = self._read(outcome)
            self._seconds[id] = outcome.seconds
        for id in names.keys() - self._units.keys():
            if any(map(FAILURE.fullmatch, names[id])):
                self._read_failures(id)

    def units(self, id: str) -> tuple[float, ...] | None:
        """The UAs of a finished trial, 0 to 1; None where it has not finished or was not read.

        In a nested search one for each held-out speaker, sorted by name; in a flat search two, one
        for each half (A, B) of the held-out group, of a published split one, for its dev side.
        """
        return self._units.get(id)

    def is_failed(self, id: str) -> bool:
        """Whether the trial failed so often that its configuration has failed, see ``TRIES``."""
        return id not in self._units and id in self._causes

    def seconds(self, ids: Iterable[str]) -> float:
        """The total training time of those trials that have finished, in seconds."""
        return sum(self._seconds.get(id, 0.0) for id in ids)

    def common_cause(self, ids: Iterable[str]) -> str:
        """The most frequent reason why trials cannot be trained: cause and message; else empty."""
        causes = Counter(self._causes[id] for id in ids if self.is_failed(id))
        return causes.most_common(1)[0][0] if causes else ""

    def _read_failures(self, id: str) -> None:
        """Keep the reason why a trial cannot be trained, if the cause lies in its configuration."""
        last = [
            self._ledger.attempts.read_failure(path)
            for path in self._ledger.attempts.failure_files(id)
        ]
        cause = last[-1].cause
        alike = [failure for failure in last if failure.cause == cause]
        if len(alike) >= TRIES.get(cause, len(alike) + 1):
            self._causes[id] = f"{cause}: {first_line(last[-1].sentence)}"

    def _read(self, outcome: Outcome) -> tuple[float, ...]:
        """The UAs of a finished trial, see `units`."""
        if self._selection == "flat":
            dev_uas = _dev_uas(self._ledger, outcome)
            return dev_uas[:1] if self._published_split else dev_uas
        return tuple(score for _, score in held_out_uas(outcome, self._score))


def held_out_uas(outcome: Outcome, score: ScoreRule) -> list[tuple[str, float]]:
    """(held-out speaker, UA 0 to 1) of a finished trial, sorted: the scores of the tables."""
    return sorted((one.speaker, ua(one.confusion)) for one in held_out_scores(outcome, score))


def _dev_uas(ledger: Ledger, outcome: Outcome) -> tuple[float, float]:
    """(UA of half A at the epoch that A chose, UA of B at the epoch that B chose), each 0 to 1.

    Raises:
        DamageError: the trial's history is not what was written.
    """
    fold = from_identity(outcome.identity)
    chosen = {s.speaker: s.epoch for s in outcome.scores if s.choice == "chosen"}
    try:
        by_number = {
            e["number"]: e for e in read_history(ledger.attempts.read_file(outcome, HISTORY))
        }
        on_a = by_number[next(chosen[s] for s in fold.b if s in chosen)]["a"]["ua"]
        on_b = by_number[next(chosen[s] for s in fold.a if s in chosen)]["b"]["ua"]
    except (KeyError, TypeError, StopIteration):
        raise DamageError(
            f"The history of trial `{outcome.id[:12]}` is not one that this program writes: "
            f"move `{ledger.paths.trial_folder(outcome.id)}` away and run again."
        ) from None
    return float(on_a), float(on_b)
