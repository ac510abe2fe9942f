"""Plan, prepare, train, ask the ledger, tell. ``ablate run`` is this function.

Run, resume, extend and retry are one thing: train what the ledger lacks (`scheduler.py`). A
search lacks more whenever it has all that it lacked, until its budget is used: it is planned again
and again.
"""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from features.config import FeatureConfig
from features.corpora import catalogue
from orchestrator.errors import LackError, RequestError
from orchestrator.execution.cluster.protocol import Cluster, Map, OnEvent, Task
from orchestrator.execution.events import Epoch, Event, Note, Planned, Progress
from orchestrator.execution.scheduler import POLL_S, Loop
from orchestrator.planning import stages
from orchestrator.planning.cost.budget import BudgetSelection
from orchestrator.planning.plan import Plan, plan_study
from orchestrator.search.configurations import SearchMemory
from orchestrator.search.state import SearchState
from orchestrator.store import shard_cache
from orchestrator.store.leases import LeaseObserver
from orchestrator.store.ledger import Ledger
from orchestrator.store.paths import OUTCOME
from orchestrator.store.records import Opening
from orchestrator.store.snapshot import SnapshotTrial
from orchestrator.study.search_key.space import Search
from orchestrator.study.study import Study
from orchestrator.study.trials import PlannedTrial

Choose = Callable[[Plan], BudgetSelection]
"""Which of the trials that a plan would train are trained now."""


def everything(plan: Plan) -> BudgetSelection:
    """All that the ledger lacks."""
    return BudgetSelection(taken=plan.to_train, left_out=())


@dataclass(frozen=True, kw_only=True, slots=True)
class RunResult:
    """How a run ended."""

    trained: int
    failed: tuple[str, ...]
    differs: tuple[str, ...]


def run(
    study: Study,
    ledger: Ledger,
    cluster: Cluster,
    tell: OnEvent,
    *,
    threads: int = 1,
    allow_config: bool = False,
    choose: Choose = everything,
) -> RunResult:
    """Train what the ledger lacks of a study.

    Args:
        study: what is asked.
        ledger: the store.
        cluster: where to train; entered only when there is something to train.
        tell: hears every event, in this process.
        threads: threads for feature extraction.
        allow_config: whether `features: opensmile:PATH.conf` may run here.
        choose: the part to train now; what is left out is said.

    Raises:
        AblateError, FeatureError: before anything trains. Failures of trials are not raised.
    """
    plans = _Plans(study, ledger, tell, allow_config)
    plan = plans.first()
    chosen = choose(plan)
    parts = stages.parts(plan, ledger, chosen)
    part = next(parts)
    if sentence := part.describe():
        tell(Note(sentence, loud=True))
    if not part.taken:
        tell(_planned(plan, part, (), 0))
        return RunResult(trained=0, failed=(), differs=_alarms(plan, ledger))
    prepare(plan, chosen.taken, ledger, tell, threads)
    tell(Progress("starting workers", 0, 0))
    with cluster:
        if cluster.note:
            tell(Note(cluster.note, loud=True))
        sealed = _Sealed(tell)
        loop = Loop(ledger, cluster, train_one, sealed.hear)
        if study.search is not None:
            plan = _search(study.search, plans, loop, ledger, cluster, sealed, threads)
        else:
            tell(_planned(plan, part, (), cluster.slots))
            loop.train([_task(item, ledger, cluster.device) for item in part.taken])
            for part in parts:  # a look of an adaptive study, decided by those before it
                tell(Note(part.describe(), loud=True))
                tell(_planned(plan, part, loop.done, cluster.slots))
                loop.train([_task(item, ledger, cluster.device) for item in part.taken])
    lacking = {item.id for item in plan.to_train}  # a search goes on without what cannot be trained
    failed = tuple(id for id in loop.failed if id in lacking)
    return RunResult(trained=loop.trained, failed=failed, differs=_alarms(plan, ledger))


class _Sealed:
    """Tells all that it hears but how well trainings do that judge what a search chose."""

    def __init__(self, tell: OnEvent) -> None:
        self._tell = tell
        self.ids = set[str]()

    def hear(self, event: Event) -> None:
        """Tell an event."""
        if isinstance(event, Epoch) and event.id in self.ids:
            event = replace(event, dev_ua=None)
        self._tell(event)


class _Plans:
    """A study's plans against a store in which others work as well."""

    def __init__(self, study: Study, ledger: Ledger, tell: OnEvent, allow_config: bool) -> None:
        self._study, self._ledger, self._tell = study, ledger, tell
        self._allow_config = allow_config
        self._memory = SearchMemory()

    def first(self) -> Plan:
        """The plan with which a run begins, and what must be said of it."""
        plan = self._made()
        for sentence in plan.notices:
            self._tell(Note(sentence, loud=True))
        self._ledger.outcomes.read_all(
            plan.done
        )  # a damaged record is reported before a night is spent
        plan = self._counted_on(plan)
        if again := {*plan.failed} & {item.id for item in plan.to_train}:
            self._tell(Note(f"Tried again, since they failed before: {len(again)} trials."))
        return plan

    def next(self, trials_at_once: float) -> Plan:
        """The plan of a search, now that so much is done."""
        return self._counted_on(self._made(trials_at_once), trials_at_once)

    def _made(self, trials_at_once: float | None = None) -> Plan:
        return plan_study(
            self._study,
            self._ledger,
            allow_config=self._allow_config,
            memory=self._memory,
            trials_at_once=trials_at_once,
        )

    def _counted_on(self, plan: Plan, trials_at_once: float | None = None) -> Plan:
        """The plan, once `gc` knows that it counts on what it found done."""
        ledger, snapshot, search = self._ledger, plan.snapshot.search, self._study.search
        if snapshot is not None and snapshot.closed and search is not None:
            tried = max(one.number for one in snapshot.tried)
            opening = Opening(
                key=snapshot.key,
                speakers=snapshot.speakers,
                unit=search.unit,
                amount=search.amount,
                configurations=tried,
            )
            ledger.studies.write_opening(opening)
        ledger.studies.write_snapshot(self._study.name, plan.snapshot.to_json())
        waited, kept = _waited_for_gc(ledger, self._tell), ledger.files_of(plan.done)
        if waited or any(OUTCOME not in names for names in kept.values()):
            return self._made(trials_at_once)
        return plan


def _search(
    search: Search,
    plans: _Plans,
    loop: Loop,
    ledger: Ledger,
    cluster: Cluster,
    sealed: "_Sealed",
    threads: int,
) -> Plan:
    """Train generation after generation, then what judges the winners.

    Returns:
        The last plan: of a closed search, or with trials that failed for no fault of their own.

    Raises:
        RequestError: no configuration of a held-out group could be trained.
    """
    prepared, tell = set[FeatureConfig](), sealed.hear
    while True:
        plan = plans.next(_sharing(search, cluster))
        lacking, state = plan.to_train, plan.search
        if {item.id for item in lacking} & {*loop.failed}:
            if state is not None and state.hopeless:
                raise RequestError(f"The search stops: {state.hopeless}")
            return plan
        if not lacking or state is None:
            done = frozenset(plan.done)
            tell(Planned(plan.snapshot.every_trial, done, cluster.slots, plan.study.name))
            return plan
        tell(Note(_next(state, search, {item.id for item in lacking})))
        if fresh := tuple(p for p in lacking if p.trial.features not in prepared):
            prepare(plan, fresh, ledger, tell, threads)
            prepared |= {p.trial.features for p in fresh}
        sealed.ids |= {item.id for item in state.final}
        here = tuple(SnapshotTrial(p.row, p.fold, p.seed, p.id) for p in lacking)
        tell(Planned(here, frozenset(), cluster.slots, plan.study.name))
        loop.train([_task(item, ledger, cluster.device) for item in lacking])


def _sharing(search: Search, cluster: Cluster) -> float:
    """How many trials share an hour of a search's budget.

    Raises:
        LackError: it is of GPU hours, and trials train on CPUs.
    """
    if search.unit != "gpu_hours":
        return cluster.slots
    if cluster.device == "cpu":
        raise LackError(
            "`search.budget` is in `gpu_hours`, and trials train on CPUs here: give `hours`, of "
            "wall time, or `trials`."
        )
    usage = cluster.usage()
    return cluster.slots / max(1.0, usage.there.gpus if usage else 1.0)


def _next(state: SearchState, search: Search, lacking: set[str]) -> str:
    """What a search trains now."""
    many = "1 training" if len(lacking) == 1 else f"{len(lacking)} trainings"
    if state.winners:
        judge = "judges" if len(lacking) == 1 else "judge"
        return f"Search: its budget ({search.budget}) is used; {many} {judge} what it chose."
    due = [(one.number, p.fold) for one in state.tried for p in one.trials if p.id in lacking]
    numbers, folds = {number for number, _ in due}, {fold for _, fold in due}
    ends = f"s {min(numbers)} to {max(numbers)}" if len(numbers) > 1 else f" {min(numbers)}"
    fold = "inner fold" if search.selection == "nested" else "fold"
    where = f"{fold} {min(folds) + 1}, " if search.pruning and len(folds) == 1 else ""
    return f"Search: configuration{ends} (budget: {search.budget}); {where}{many}."


def _planned(plan: Plan, part: BudgetSelection, done: Iterable[str], slots: int) -> Planned:
    """What is trained now, and what of it is done."""
    there = {item.id for item in plan.trials} - {item.id for item in part.left_out}
    placed = tuple(trial for trial in plan.snapshot.every_trial if trial.id in there)
    finished = frozenset((*plan.done, *done)) & there
    return Planned(placed, finished, slots, plan.snapshot.study)


def _waited_for_gc(ledger: Ledger, tell: OnEvent) -> bool:
    """Wait while `gc` removes: it may not know yet that this study counts on what it found done."""
    watch, waited = LeaseObserver(), False
    while not watch.is_stale(ledger.paths.gc_lease):
        if not waited:
            tell(Note("Waiting: `ablate gc` removes what no study needs from this store."))
        waited = True
        time.sleep(POLL_S)
    return waited


def prepare(
    plan: Plan,
    to_train: tuple[PlannedTrial, ...],
    ledger: Ledger,
    tell: OnEvent,
    threads: int,
    elsewhere: Map | None = None,
) -> None:
    """Make the audio and the features that these trials need, and no others.

    `elsewhere` maps the extraction to other machines, in place of threads here.
    """
    from features.shards import shards

    corpus = plan.selection.corpus
    if corpus.name in ledger.corpora():
        ledger.write_corpus(corpus.name, corpus.to_json())  # times and sizes as seen now
    catalogue.prepare(
        corpus, lambda done, total: tell(Progress("synthesising speech", done, total))
    )
    for config in dict.fromkeys(item.trial.features for item in to_train):
        version = plan.features[config.features].version()
        keys = shards.keys(plan.selection, config, version).values()
        shard_cache.fetch(ledger, keys)
        if shards.missing(ledger.paths.local_shards, plan.selection, config, version):
            shards.build(
                ledger.paths.local_shards,
                plan.selection,
                config,
                lambda done, total: tell(Progress("extracting features", done, total)),
                threads,
                features=plan.features[config.features],
                parallel_map=elsewhere,
            )
        shard_cache.publish(ledger, keys)
    record = {
        "corpus": corpus.to_json(),
        "emotions": {k: list(v) for k, v in plan.emotions.items()},
    }
    ledger.write_selection(plan.selection.digest, record)


def train_one(task: Task, tell: OnEvent) -> None:
    """The worker, imported where it works: torch stays out of the process that only asks."""
    from orchestrator.execution.worker.worker import work

    work(task, tell)


def _task(item: PlannedTrial, ledger: Ledger, device: str) -> Task:
    return Task(id=item.id, identity=item.trial.identity, store=str(ledger.root), device=device)


def _alarms(plan: Plan, ledger: Ledger) -> tuple[str, ...]:
    return tuple(ledger.outcomes.alarms(item.id for item in plan.trials))
