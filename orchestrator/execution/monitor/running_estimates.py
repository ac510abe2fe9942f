"""The estimates of a study's rows while it trains: those of `analysis`, from the records so far."""

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from orchestrator.analysis.row_scores import RowEstimate, estimate_row
from orchestrator.store.records import Outcome
from orchestrator.store.snapshot import Snapshot

PAUSE = 20.0
"""A row is estimated anew after this many times as long as its last estimate took."""


class RunningEstimates:
    """Collects outcomes, and estimates rows from them.

    Args:
        snapshot: the study.
        blinded: trials whose scores nobody may see yet.
        clock: seconds that only grow.
    """

    def __init__(
        self, snapshot: Snapshot, blinded: Mapping[str, str], clock: Callable[[], float]
    ) -> None:
        self._snapshot, self._blinded, self._clock = snapshot, blinded, clock
        self._outcomes: dict[str, Outcome] = {}
        self._estimates: dict[str, tuple[RowEstimate, float, float]] = {}
        """Row -> its estimate, when it was made, how many seconds that took."""

    def add(self, outcome: Outcome) -> None:
        """Take a finished trial in, unless it is blinded.

        Only what an estimate needs is kept: a study may have ten thousand trials.
        """
        if outcome.id in self._blinded:
            return
        scores = tuple(s for s in outcome.scores if (s.choice, s.unit) == ("chosen", "utterance"))
        named = {key: outcome.identity[key] for key in ("semantics",) if key in outcome.identity}
        self._outcomes[outcome.id] = replace(
            outcome, scores=scores, identity=named, digests={}, files={}, libraries={}
        )

    def of_row(self, row: str, ids: Iterable[str]) -> RowEstimate:
        """What the report would print of a row now.

        With thousands of trials an estimate takes longer than the next trial to end: then the last
        one is returned until ``PAUSE`` is over.

        Args:
            row: the row's name.
            ids: its trials.
        """
        n = sum(id in self._outcomes for id in ids)
        if last := self._estimates.get(row):
            estimate, made, took = last
            if estimate.n == n or self._clock() - made < PAUSE * took:
                return estimate
        began = time.perf_counter()
        estimate = estimate_row(self._snapshot, row, self._outcomes)
        self._estimates[row] = estimate, self._clock(), time.perf_counter() - began
        return estimate
