"""Which failed attempts are retried, how often, and after which wait.

| cause | retried in the same run |
|---|---|
| infrastructure: a worker died; disk, memory, network | after a wait, up to ``ATTEMPTS`` attempts |
| lack of memory, where trials can be given more memory | at once, not counted |
| code: it raised an exception | at once, unless the same error came twice in a row |
| data: a damaged or missing shard | no: the same bytes fail the same way |
| diverged: the loss is not a number | no: the same numbers fail the same way |

The next ``ablate run`` retries each once more: a disk may have been emptied, or a line corrected.
"""

import time
from collections import Counter

from orchestrator.errors import AblateError
from orchestrator.execution.events import Retry
from orchestrator.store.ledger import Ledger
from orchestrator.store.records import Cause

ATTEMPTS = 3
"""How often one run starts a trial that leaves no record."""
WAITS_S = (1.0, 10.0)
"""Seconds to wait before the second and the third attempt, where the cause may pass."""
FINAL = ("data", "diverged")
"""Causes that the same run does not retry."""


class Retries:
    """Counts the attempts of one run that left no record, trial by trial."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._failed_attempts: Counter[str] = Counter()
        self._due: dict[str, float] = {}
        """Trial -> when it may start, by the monotonic clock."""

    def after(self, id: str, cause: Cause, sentence: str) -> Retry | None:
        """Count a failed attempt.

        Returns:
            The retry that follows; None where the failure is final in this run.
        """
        self._failed_attempts[id] += 1
        count = self._failed_attempts[id]
        if cause in FINAL or count >= ATTEMPTS:
            return None
        if cause == "code" and self._raised_twice(id):
            return None
        wait_s = WAITS_S[count - 1] if cause == "infrastructure" else 0.0
        self._due[id] = time.monotonic() + wait_s
        return Retry(id, cause, sentence, count + 1, ATTEMPTS, wait_s)

    def uncounted(self, id: str, cause: Cause, sentence: str) -> Retry:
        """A retry at once that does not count as an attempt: its cause has been removed."""
        return Retry(id, cause, sentence, self._failed_attempts[id] + 1, ATTEMPTS, 0.0)

    def failed_attempts(self, id: str) -> int:
        """How many attempts at the trial have failed."""
        return self._failed_attempts[id]

    def may_start(self, id: str) -> bool:
        """Whether the trial's wait, if there is one, is over."""
        return self._due.get(id, 0.0) <= time.monotonic()

    def verdict(self, id: str, cause: Cause, sentence: str) -> str:
        """The sentence of a final failure, with the number of attempts."""
        count = self._failed_attempts[id]
        if cause == "code" and self._raised_twice(id):
            return f"{sentence} (the same error twice)"
        return f"{sentence} ({count} attempts)" if count > 1 else sentence

    def _raised_twice(self, id: str) -> bool:
        """Whether the last two failure records, of this run or an earlier one, are alike."""
        try:
            last = [
                self._ledger.attempts.read_failure(path)
                for path in self._ledger.attempts.failure_files(id)[-2:]
            ]
        except (AblateError, TypeError):
            return False  # a damaged record proves nothing
        return len(last) == 2 and last[0].sentence == last[1].sentence
