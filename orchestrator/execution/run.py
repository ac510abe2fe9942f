"""``ablate run``: plan, prepare, train what the ledger lacks, report.

Run, resume, extend and retry are one thing, since the ledger says what is done (`scheduler.py`
retries, `replanning.py` plans). A study of fixed trials is planned once; a search is planned after
every generation, until its budget is used (`run_search.py`).
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from orchestrator.execution.cluster.protocol import Cluster, OnEvent, Task
from orchestrator.execution.events import Note, Planned, Progress
from orchestrator.execution.prepare import prepare
from orchestrator.execution.replanning import Planner
from orchestrator.execution.run_search import BlindedEvents, run_search
from orchestrator.execution.scheduler import Scheduler
from orchestrator.planning.cost.budget import BudgetSelection
from orchestrator.planning.plan import Plan
from orchestrator.planning.stages import Stage, training_stages
from orchestrator.store.ledger import Ledger
from orchestrator.study.study import Study

Choose = Callable[[Plan], BudgetSelection]
"""Picks which of the trials that a plan would train are trained now."""


def everything(plan: Plan) -> BudgetSelection:
    """All that the ledger lacks."""
    return BudgetSelection(taken=plan.to_train, left_out=())


@dataclass(frozen=True, kw_only=True, slots=True)
class RunResult:
    """How a run ended."""

    trained: int
    """How many trials this run trained."""
    failed: tuple[str, ...]
    """Ids of the trials that failed and are still lacking."""
    differs: tuple[str, ...]
    """Records of trials that were finished twice with different numbers."""


def run(
    study: Study,
    ledger: Ledger,
    cluster: Cluster,
    on_event: OnEvent,
    *,
    threads: int = 1,
    allow_config: bool = False,
    choose: Choose = everything,
) -> RunResult:
    """Train what the ledger lacks of a study.

    Args:
        study: the study.
        ledger: the store.
        cluster: where to train; entered only when there is something to train.
        on_event: is called with every event, in this process.
        threads: threads for feature extraction.
        allow_config: whether `features: opensmile:PATH.conf` may run here.
        choose: the part to train now; a note says what is left out.

    Raises:
        AblateError, FeatureError: before anything trains. Failures of trials are not raised.
    """
    planner = Planner(study, ledger, on_event, allow_config)
    plan = planner.first()
    chosen = choose(plan)
    stages = training_stages(plan, ledger, chosen)
    first = next(stages)
    if first.sentence:
        on_event(Note(first.sentence, loud=True))
    if not first.to_train:
        on_event(_planned(plan, first, (), 0))
        return RunResult(trained=0, failed=(), differs=_alarms(plan, ledger))
    prepare(plan, chosen.taken, ledger, on_event, threads)
    on_event(Progress("starting workers", 0, 0))
    with cluster:
        if cluster.note:
            on_event(Note(cluster.note, loud=True))
        blinded = BlindedEvents(on_event)
        scheduler = Scheduler(ledger, cluster, train_one, blinded)
        if study.search is not None:
            plan = run_search(study.search, planner, scheduler, ledger, cluster, blinded, threads)
        else:
            _train_stages(plan, first, stages, scheduler, cluster, on_event)
    lacking = {item.id for item in plan.to_train}  # a search goes on without what cannot be trained
    failed = tuple(id for id in scheduler.failed if id in lacking)
    return RunResult(trained=scheduler.trained, failed=failed, differs=_alarms(plan, ledger))


def train_one(task: Task, on_event: OnEvent) -> None:
    """Train a task in this process; torch is imported here, not in the process that only plans."""
    from orchestrator.execution.worker.worker import work

    work(task, on_event)


def _train_stages(
    plan: Plan,
    first: Stage,
    later: Iterator[Stage],
    scheduler: Scheduler,
    cluster: Cluster,
    on_event: OnEvent,
) -> None:
    """Train a study at once or, where seeds are adaptive, one stage after another."""
    on_event(_planned(plan, first, (), cluster.slots))
    scheduler.train(first.to_train)
    for stage in later:  # each decided from what the stages before it gave
        on_event(Note(stage.sentence, loud=True))
        on_event(_planned(plan, stage, scheduler.done, cluster.slots))
        scheduler.train(stage.to_train)


def _planned(plan: Plan, stage: Stage, done: Iterable[str], slots: int) -> Planned:
    """The event that lists what is trained now, and what of it is done."""
    ids = {item.id for item in plan.trials} - stage.later
    trials = tuple(trial for trial in plan.snapshot.all_trials if trial.id in ids)
    finished = frozenset((*plan.done, *done)) & ids
    return Planned(trials, finished, slots, plan.snapshot.study)


def _alarms(plan: Plan, ledger: Ledger) -> tuple[str, ...]:
    return tuple(ledger.outcomes.alarms(item.id for item in plan.trials))
