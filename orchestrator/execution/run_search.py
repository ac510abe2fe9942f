"""Runs a search: trains one generation after another, then tests its winners.

A generation is the configurations that are proposed at once; a winner is the best configuration of
a held-out group.
"""

from dataclasses import replace

from features.config import FeatureConfig
from orchestrator.errors import LackError, RequestError
from orchestrator.execution.cluster.protocol import Cluster, OnEvent
from orchestrator.execution.events import Epoch, Event, Note, Planned
from orchestrator.execution.prepare import prepare
from orchestrator.execution.replanning import Planner
from orchestrator.execution.scheduler import Scheduler
from orchestrator.planning.plan import Plan
from orchestrator.search.state import SearchState
from orchestrator.store.ledger import Ledger
from orchestrator.store.snapshot import SnapshotTrial
from orchestrator.study.search_key.space import Search


class BlindedEvents:
    """A listener that passes events on, with the UA removed from some trials' ``Epoch`` events.

    These trials test the winners of a search. Their epochs are scored on halves A and B of the
    held-out group, which are test speech as well: nobody may see scores on them before the search
    has ended.

    Args:
        on_event: is called with every event.
    """

    def __init__(self, on_event: OnEvent) -> None:
        self._on_event = on_event
        self.ids = set[str]()
        """Ids of the trials whose UA is removed; the caller adds to them."""

    def __call__(self, event: Event) -> None:
        """Pass an event on; where it is an epoch of a trial in ``ids``, with `dev_ua` None."""
        if isinstance(event, Epoch) and event.id in self.ids:
            event = replace(event, dev_ua=None)
        self._on_event(event)


def run_search(
    search: Search,
    planner: Planner,
    scheduler: Scheduler,
    ledger: Ledger,
    cluster: Cluster,
    on_event: BlindedEvents,
    threads: int,
) -> Plan:
    """Train generation after generation until the budget is used, then test the winners.

    Args:
        search: the search of the study.
        planner: proposes the next generation, from the outcomes in the store.
        scheduler: trains a generation.
        ledger: the store.
        cluster: the machines, which must be held.
        on_event: is called with every event.
        threads: how many threads extract features in this process.

    Returns:
        The last plan: nothing is left to train, or some of its trials failed in this run.

    Raises:
        RequestError: no configuration of a held-out group could be trained.
        LackError: the budget is in GPU hours, and trials train on CPUs.
    """
    prepared = set[FeatureConfig]()
    while True:
        plan = planner.next(_trials_sharing_an_hour(search, cluster))
        lacking, state = plan.to_train, plan.search
        if {item.id for item in lacking} & {*scheduler.failed}:
            if state is not None and state.hopeless:
                raise RequestError(f"The search stops: {state.hopeless}")
            return plan
        if not lacking or state is None:
            done = frozenset(plan.done)
            on_event(Planned(plan.snapshot.all_trials, done, cluster.lanes, plan.study.name))
            return plan
        on_event(Note(_progress(state, search, {item.id for item in lacking})))
        if fresh := tuple(p for p in lacking if p.trial.features not in prepared):
            prepare(plan, fresh, ledger, on_event, threads)
            prepared |= {p.trial.features for p in fresh}
        on_event.ids |= {item.id for item in state.final}
        generation = tuple(map(SnapshotTrial.of, lacking))
        on_event(Planned(generation, frozenset(), cluster.lanes, plan.study.name))
        scheduler.train(lacking)


def _trials_sharing_an_hour(search: Search, cluster: Cluster) -> float:
    """How many trials train at the same time, for each unit of the search's budget.

    With a budget in hours of wall time: on all machines. In GPU hours: on one GPU.

    Raises:
        LackError: the budget is in GPU hours, and trials train on CPUs.
    """
    if search.unit != "gpu_hours":
        return cluster.lanes
    if cluster.device == "cpu":
        raise LackError(
            "`search.budget` is in `gpu_hours`, and trials train on CPUs here: give `hours`, of "
            "wall time, or `trials`."
        )
    usage = cluster.usage()
    return cluster.lanes / max(1.0, usage.there.gpus if usage else 1.0)


def _progress(state: SearchState, search: Search, lacking: set[str]) -> str:
    """A sentence on what the search trains next.

    Args:
        state: the search so far.
        search: its budget and selection.
        lacking: ids of the trials that are trained next.
    """
    count = "1 training" if len(lacking) == 1 else f"{len(lacking)} trainings"
    if state.winners:
        judge = "judges" if len(lacking) == 1 else "judge"
        return f"Search: its budget ({search.budget}) is used; {count} {judge} what it chose."
    due = [
        (configuration.number, trial.fold)
        for configuration in state.tried
        for trial in configuration.trials
        if trial.id in lacking
    ]
    numbers, folds = {number for number, _ in due}, {fold for _, fold in due}
    ends = f"s {min(numbers)} to {max(numbers)}" if len(numbers) > 1 else f" {min(numbers)}"
    fold = "inner fold" if search.selection == "nested" else "fold"
    where = f"{fold} {min(folds) + 1}, " if search.pruning and len(folds) == 1 else ""
    return f"Search: configuration{ends} (budget: {search.budget}); {where}{count}."
