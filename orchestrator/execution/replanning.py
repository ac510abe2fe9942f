"""Plans a study anew while its run lasts; other runs and `gc` may change the store meanwhile."""

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
    """Makes the plans of one run: a first one and, in a search, one before each generation.

    Args:
        study: the study.
        ledger: the store.
        on_event: is called with a ``Note`` for each sentence that a person must know of a plan.
        allow_config: whether a configuration file of openSMILE that the study names
            (`features: opensmile:PATH.conf`) may run here.
    """

    def __init__(self, study: Study, ledger: Ledger, on_event: OnEvent, allow_config: bool) -> None:
        self._study, self._ledger, self._on_event = study, ledger, on_event
        self._allow_config = allow_config
        self._memory = SearchMemory()

    def first(self) -> Plan:
        """The plan with which a run begins; reports its warnings, and writes its snapshot.

        Raises:
            AblateError, FeatureError: the study cannot be planned, or a record is damaged.
        """
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
        """The next plan of a search, from the outcomes that are in the store by now.

        Args:
            trials_at_once: how many trials train at the same time and so share an hour of the
                search's budget.
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
        """Write the study's snapshot, which keeps `gc` from removing the plan's trials.

        Where `gc` has removed some meanwhile, make a new plan. Where the search has ended, also
        write the record that its test scores are shown from now on.

        Returns:
            The plan, or the new one.
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
        """Wait while `gc` removes files from the store: it may not know this study's snapshot yet.

        Returns:
            Whether there was a `gc` to wait for.
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
