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
"""The most attempts that one run makes at a trial."""
WAITS_S = (1.0, 10.0)
"""Seconds to wait before the second and before the third attempt, after an `infrastructure`
failure."""
FINAL = ("data", "diverged")
"""Causes after which a run makes no further attempt."""


class Retries:
    """Counts the failed attempts of one run by trial, and decides whether another one follows.

    Args:
        ledger: the store, where failure records are read.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._failed_attempts: Counter[str] = Counter()
        self._due: dict[str, float] = {}
        """Trial id -> when the next attempt may start, in seconds of ``time.monotonic()``."""

    def after(self, id: str, cause: Cause, sentence: str) -> Retry | None:
        """Count a failed attempt, and decide whether this run makes another.

        Args:
            id: the trial's id.
            cause: the kind of failure.
            sentence: what went wrong.

        Returns:
            The event of the next attempt, with its wait; None where no attempt follows.
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
        """The event of a retry without a wait that does not count as an attempt.

        For a trial that ran out of memory and has been given more.
        """
        return Retry(id, cause, sentence, self._failed_attempts[id] + 1, ATTEMPTS, 0.0)

    def failed_attempts(self, id: str) -> int:
        """How many counted attempts at the trial have failed in this run."""
        return self._failed_attempts[id]

    def may_start(self, id: str) -> bool:
        """Whether the wait before the trial's next attempt is over, or there is none."""
        return self._due.get(id, 0.0) <= time.monotonic()

    def verdict(self, id: str, cause: Cause, sentence: str) -> str:
        """The sentence of a trial's last failure, with the number of attempts where over 1."""
        count = self._failed_attempts[id]
        if cause == "code" and self._raised_twice(id):
            return f"{sentence} (the same error twice)"
        return f"{sentence} ({count} attempts)" if count > 1 else sentence

    def _raised_twice(self, id: str) -> bool:
        """Whether the last two failure records of the trial, of any run, have the same sentence."""
        try:
            last = [
                self._ledger.attempts.read_failure(path)
                for path in self._ledger.attempts.failure_files(id)[-2:]
            ]
        except (AblateError, TypeError):
            return False  # a damaged record proves nothing
        return len(last) == 2 and last[0].sentence == last[1].sentence
