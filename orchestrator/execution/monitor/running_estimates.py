"""Estimates the mean accuracies of a study's rows while it trains, from the outcomes so far."""

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from orchestrator.analysis.row_scores import RowEstimate, estimate_row, headline_scores
from orchestrator.store.records import Outcome
from orchestrator.store.snapshot import Snapshot

PAUSE = 20.0
"""The least time between two estimates of a row, as a multiple of how long the last one took."""


class RunningEstimates:
    """Collects the outcomes of a study, and estimates the mean WA and UA of its rows.

    Args:
        snapshot: the resolved study, as a run wrote it to the store.
        blinded: has the ids of trials whose scores nobody may see yet; they are left out.
        clock: gives the time in seconds and never goes back.
    """

    def __init__(
        self, snapshot: Snapshot, blinded: Mapping[str, str], clock: Callable[[], float]
    ) -> None:
        self._snapshot, self._blinded, self._clock = snapshot, blinded, clock
        self._outcomes: dict[str, Outcome] = {}
        self._estimates: dict[str, tuple[RowEstimate, float, float]] = {}
        """Row -> its estimate, when it was made (by the clock), how many seconds that took."""

    def add(self, outcome: Outcome) -> None:
        """Add the outcome of a finished trial, unless it is blinded.

        Only the part that an estimate needs is kept in memory: a study may have 10,000 trials.
        """
        if outcome.id in self._blinded:
            return
        scores = tuple(headline_scores(self._snapshot, outcome))
        named = {
            key: outcome.identity[key] for key in ("semantics", "model") if key in outcome.identity
        }
        self._outcomes[outcome.id] = replace(
            outcome, scores=scores, identity=named, digests={}, files={}, libraries={}
        )

    def of_row(self, row: str, ids: Iterable[str]) -> RowEstimate:
        """The row's mean WA and UA as the report would print them.

        With thousands of trials one estimate may take longer than it takes the next trial to end.
        Therefore the last estimate is returned until ``PAUSE`` times its length has passed.

        Args:
            row: the row's name.
            ids: the ids of its trials.
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
