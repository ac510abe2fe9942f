"""What is tried again after an attempt that left no record, how often, and after which wait.

| cause | tried again in the same run |
|---|---|
| infrastructure: a worker died; disk, memory, network | after a wait, up to ``ATTEMPTS`` attempts |
| lack of memory, where trials can be given more room | at once, not counted |
| code: it raised | at once; the same error twice running is final |
| data: a damaged or missing shard | no: the same bytes give the same end |
| diverged: the loss is no number | no: the same numbers give the same end |

The next ``ablate run`` tries each once more: then a disk may be empty, or a line mended.
"""

import time
from collections import Counter

from orchestrator.errors import AblateError
from orchestrator.execution.events import Retry
from orchestrator.store.ledger import Ledger
from orchestrator.store.records import Cause

ATTEMPTS = 3
"""How often one run starts a trial that ends without a record."""
WAITS_S = (1.0, 10.0)
"""Before the second and the third attempt, where a fault of the machines may pass."""
FINAL = ("data", "diverged")
"""Causes that the same run does not try again."""


class Retries:
    """Counts the ends without a record of one run."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._ends: Counter[str] = Counter()
        self._due: dict[str, float] = {}

    def again(self, id: str, cause: Cause, sentence: str) -> Retry | None:
        """Count an end; None when it was the trial's last in this run."""
        self._ends[id] += 1
        count = self._ends[id]
        if cause in FINAL or count >= ATTEMPTS:
            return None
        if cause == "code" and self._raised_twice(id):
            return None
        wait_s = WAITS_S[count - 1] if cause == "infrastructure" else 0.0
        self._due[id] = time.monotonic() + wait_s
        return Retry(id, cause, sentence, count + 1, ATTEMPTS, wait_s)

    def freely(self, id: str, cause: Cause, sentence: str) -> Retry:
        """Tried again at once and not counted: what was wrong is mended."""
        return Retry(id, cause, sentence, self._ends[id] + 1, ATTEMPTS, 0.0)

    def ends(self, id: str) -> int:
        """How often the trial has ended without a record."""
        return self._ends[id]

    def may_start(self, id: str) -> bool:
        """Whether the trial's wait, if there is one, is over."""
        return self._due.get(id, 0.0) <= time.monotonic()

    def verdict(self, id: str, cause: Cause, sentence: str) -> str:
        """The sentence of a last end, with what had been tried."""
        count = self._ends[id]
        if cause == "code" and self._raised_twice(id):
            return f"{sentence} (the same error twice)"
        return f"{sentence} ({count} attempts)" if count > 1 else sentence

    def _raised_twice(self, id: str) -> bool:
        """Whether the last two failures on record say the same, this run's or an earlier one's."""
        try:
            last = [
                self._ledger.attempts.read_failure(path)
                for path in self._ledger.attempts.failure_files(id)[-2:]
            ]
        except (AblateError, TypeError):
            return False  # damaged: no word to go by
        return len(last) == 2 and last[0].sentence == last[1].sentence
