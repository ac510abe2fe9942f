"""A study's plans while it runs, against a store in which other processes work as well."""

import time

from orchestrator.execution.cluster.protocol import OnEvent
from orchestrator.execution.events import Note
from orchestrator.execution.scheduler import POLL_S
from orchestrator.planning.plan import Plan, plan_study
from orchestrator.search.configurations import SearchMemory
from orchestrator.store.leases import LeaseObserver
from orchestrator.store.ledger import Ledger
from orchestrator.store.paths import OUTCOME
from orchestrator.store.records import Opening
from orchestrator.study.study import Study


class Planner:
    """Plans one study, as often as its run asks.

    Args:
        study: the study.
        ledger: the store.
        on_event: is called with what a person must know of a plan.
        allow_config: whether `features: opensmile:PATH.conf` may run here.
    """

    def __init__(self, study: Study, ledger: Ledger, on_event: OnEvent, allow_config: bool) -> None:
        self._study, self._ledger, self._on_event = study, ledger, on_event
        self._allow_config = allow_config
        self._memory = SearchMemory()

    def first(self) -> Plan:
        """The plan with which a run begins; its warnings are reported."""
        plan = self._make()
        for sentence in plan.notices:
            self._on_event(Note(sentence, loud=True))
        self._ledger.outcomes.read_all(
            plan.done
        )  # a damaged record is reported before a night is spent
        plan = self._keep_from_gc(plan)
        if retried := {*plan.failed} & {item.id for item in plan.to_train}:
            self._on_event(Note(f"Tried again, since they failed before: {len(retried)} trials."))
        return plan

    def next(self, trials_at_once: float) -> Plan:
        """The next plan of a search, by what is done by now.

        Args:
            trials_at_once: how many trials share an hour of the search's budget.
        """
        return self._keep_from_gc(self._make(trials_at_once), trials_at_once)

    def _make(self, trials_at_once: float | None = None) -> Plan:
        return plan_study(
            self._study,
            self._ledger,
            allow_config=self._allow_config,
            memory=self._memory,
            trials_at_once=trials_at_once,
        )

    def _keep_from_gc(self, plan: Plan, trials_at_once: float | None = None) -> Plan:
        """Write down what the plan counts on, so that `gc` leaves it; plan anew if `gc` was faster.

        The snapshot names every trial of the study. When test scores of a search are opened, that
        is written down as well.
        """
        ledger, snapshot, search = self._ledger, plan.snapshot.search, self._study.search
        if snapshot is not None and snapshot.closed and search is not None:
            opening = Opening(
                key=snapshot.key,
                speakers=snapshot.speakers,
                unit=search.unit,
                amount=search.amount,
                configurations=max(configuration.number for configuration in snapshot.tried),
            )
            ledger.studies.write_opening(opening)
        ledger.studies.write_snapshot(self._study.name, plan.snapshot.to_json())
        waited, files = self._wait_for_gc(), ledger.files_of(plan.done)
        if waited or any(OUTCOME not in names for names in files.values()):
            return self._make(trials_at_once)
        return plan

    def _wait_for_gc(self) -> bool:
        """Wait while `gc` removes files: it may not have read this study's snapshot.

        Returns:
            Whether there was anything to wait for.
        """
        observer, waited = LeaseObserver(), False
        while not observer.is_stale(self._ledger.paths.gc_lease):
            if not waited:
                self._on_event(
                    Note("Waiting: `ablate gc` removes what no study needs from this store.")
                )
            waited = True
            time.sleep(POLL_S)
        return waited
