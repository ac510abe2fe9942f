"""What a search goes by: scores of its trials, each read from the store once.

**Nested**: an inner fold's held-out speakers, each scored at the epoch that the other half chose.
They are strangers to the training and to the epoch; the outer group, on which the search is
judged, is nowhere among them. **Flat**: dev alone, the UA of each half at the epoch that it chose
itself; the test scores of such a trial are not looked at.
"""

from collections import Counter
from collections.abc import Iterable

from model.evaluation.metrics import ua
from orchestrator.errors import DamageError, first_line
from orchestrator.store.attempts import read_history
from orchestrator.store.ledger import Ledger
from orchestrator.store.paths import FAILURE, OUTCOME
from orchestrator.store.records import Cause, Outcome
from orchestrator.study.search_key.space import SelectionMode
from orchestrator.study.trials import from_identity

TRIES: dict[Cause, int] = {"diverged": 1, "code": 2}
"""After so many failures of a cause that lies in the configuration it has no score. What a machine
or a file did says nothing of a configuration: a search waits until such a trial is trained."""


class ObjectiveScores:
    """Trials of a search -> UA of their units, in an order that never changes.

    A record is written once, so each is read once, however often it is asked for.
    """

    def __init__(self, ledger: Ledger, selection: SelectionMode) -> None:
        self._ledger, self._selection = ledger, selection
        self._units: dict[str, tuple[float, ...]] = {}
        self._seconds: dict[str, float] = {}
        self._causes: dict[str, str] = {}
        """Of trials that cannot be trained: why, as their last attempt said."""

    def read_new(self, ids: Iterable[str]) -> None:
        """Read the records of those trials that have ended since the last call.

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
                self._hear(id)

    def units(self, id: str) -> tuple[float, ...] | None:
        """UA of each unit of a finished trial, 0 to 1; None where it has not finished."""
        return self._units.get(id)

    def is_failed(self, id: str) -> bool:
        """Whether its configuration cannot be trained."""
        return id not in self._units and id in self._causes

    def seconds(self, ids: Iterable[str]) -> float:
        """What finished trials took, one after another."""
        return sum(self._seconds.get(id, 0.0) for id in ids)

    def common_cause(self, ids: Iterable[str]) -> str:
        """What failed trials said most often."""
        said = Counter(self._causes[id] for id in ids if self.is_failed(id))
        return said.most_common(1)[0][0] if said else ""

    def _hear(self, id: str) -> None:
        """Why a trial failed, if that is its configuration's doing."""
        last = [
            self._ledger.attempts.read_failure(path)
            for path in self._ledger.attempts.failure_files(id)
        ]
        cause = last[-1].cause
        alike = [failure for failure in last if failure.cause == cause]
        if len(alike) >= TRIES.get(cause, len(alike) + 1):
            self._causes[id] = f"{cause}: {first_line(last[-1].sentence)}"

    def _read(self, outcome: Outcome) -> tuple[float, ...]:
        if self._selection == "flat":
            return _dev(self._ledger, outcome)
        return tuple(score for _, score in held_out_uas(outcome))


def held_out_uas(outcome: Outcome) -> list[tuple[str, float]]:
    """(Held-out speaker, UA) of a trial, by name: utterances, at the epoch the other half chose."""
    return sorted(
        (s.speaker, ua(s.confusion))
        for s in outcome.scores
        if (s.choice, s.unit) == ("chosen", "utterance")
    )


def _dev(ledger: Ledger, outcome: Outcome) -> tuple[float, float]:
    """UA of half A at the epoch that A chose, and of half B likewise."""
    fold = from_identity(outcome.identity)
    chosen = {s.speaker: s.epoch for s in outcome.scores if s.choice == "chosen"}
    try:
        by_number = {
            e["number"]: e for e in read_history(ledger.attempts.read_file(outcome, "history.json"))
        }
        on_a = by_number[next(chosen[s] for s in fold.b if s in chosen)]["a"]["ua"]
        on_b = by_number[next(chosen[s] for s in fold.a if s in chosen)]["b"]["ua"]
    except (KeyError, TypeError, StopIteration):
        raise DamageError(
            f"The history of trial `{outcome.id[:12]}` is not one that this program writes: "
            f"move `{ledger.paths.trial_folder(outcome.id)}` away and run again."
        ) from None
    return float(on_a), float(on_b)
