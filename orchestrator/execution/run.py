"""``ablate run``: plan a study, make its features, train the trials that have no outcome yet.

To start, resume, extend and retry a study is one thing, since the ledger (the store's records) says
which trials are done; `scheduler.py` retries, `replanning.py` plans. A study of fixed trials is
planned once; a search is planned after every generation, until its budget is used
(`run_search.py`).
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from orchestrator.execution.cluster.protocol import Cluster, OnEvent, Task
from orchestrator.execution.events import Note, Planned, Progress
from orchestrator.execution.prepare import compare, prepare
from orchestrator.execution.replanning import Planner
from orchestrator.execution.run_search import BlindedEvents, run_search
from orchestrator.execution.scheduler import Scheduler
from orchestrator.planning.cost.budget import BudgetSelection
from orchestrator.planning.plan import Plan
from orchestrator.planning.stages import Stage, training_stages
from orchestrator.store.ledger import Ledger
from orchestrator.study.study import Study

Choose = Callable[[Plan], BudgetSelection]
"""Divides the trials that a plan would train into those for this run and those left out."""


def everything(plan: Plan) -> BudgetSelection:
    """Select all trials that are to be trained: no budget."""
    return BudgetSelection(taken=plan.to_train, left_out=())


@dataclass(frozen=True, kw_only=True, slots=True)
class RunResult:
    """How a run ended."""

    trained: int
    """How many trials this run trained to the end."""
    failed: tuple[str, ...]
    """Ids of the trials that failed in this run and have no outcome."""
    differs: tuple[str, ...]
    """Alarms: a path for each second outcome, with other numbers, of a trial of the study, also
    from earlier runs."""


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
    """Train the trials of a study that have no outcome in the store.

    Args:
        study: the study.
        ledger: the store.
        cluster: where to train; entered only when there is something to train.
        on_event: is called with every event, in this process.
        threads: how many threads extract features in this process.
        allow_config: whether a configuration file of openSMILE that the study names
            (`features: opensmile:PATH.conf`) may run here.
        choose: selects the trials for this run; a ``Note`` says which are left out.

    Raises:
        AblateError, FeatureError: before anything trains. Failures of trials are not raised.
    """
    compare(study, ledger, on_event)
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
    on_event(_planned(plan, first, (), cluster.lanes))
    scheduler.train(first.to_train)
    for stage in later:  # each decided from what the stages before it gave
        on_event(Note(stage.sentence, loud=True))
        on_event(_planned(plan, stage, scheduler.done, cluster.lanes))
        scheduler.train(stage.to_train)


def _planned(plan: Plan, stage: Stage, done: Iterable[str], lanes: int) -> Planned:
    """The event that lists the trials of a stage and of the stages before it.

    Args:
        plan: the plan of the study.
        stage: the stage that is trained next.
        done: ids of trials that this run has finished.
        lanes: how many trials train at the same time; 0 where unknown.
    """
    ids = {item.id for item in plan.trials} - stage.later
    trials = tuple(trial for trial in plan.snapshot.all_trials if trial.id in ids)
    finished = frozenset((*plan.done, *done)) & ids
    return Planned(trials, finished, lanes, plan.snapshot.study)


def _alarms(plan: Plan, ledger: Ledger) -> tuple[str, ...]:
    """Paths of second outcomes, with other numbers, of the plan's trials."""
    return tuple(ledger.outcomes.alarms(item.id for item in plan.trials))
