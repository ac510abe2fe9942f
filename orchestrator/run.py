"""The loop: plan, prepare, schedule, ask the ledger, tell. ``ablate run`` is this function.

Run, resume, extend and retry are one thing: train what the ledger lacks. What ends without a
record is tried again for as long as its cause may pass (`retries.py`), last and alone where its
worker died; a trial that another run holds is waited for. A search lacks more whenever it has all
that it lacked, until its budget is used: it is planned again and again.
"""

import socket
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from features import catalogue
from features.config import FeatureConfig
from orchestrator import looks, mirror, retries
from orchestrator.budget import Part
from orchestrator.claims import Watch
from orchestrator.cluster import LOW_MEMORY, Cluster, Map, Task
from orchestrator.errors import LackError, RequestError
from orchestrator.events import (
    Again,
    Differs,
    Done,
    Elsewhere,
    Event,
    Failed,
    Note,
    Planned,
    Progress,
    Waiting,
)
from orchestrator.ledger import OUTCOME, Failure, Ledger, new_attempt
from orchestrator.plan import Plan, make
from orchestrator.retries import ATTEMPTS, Retries
from orchestrator.search.course import Course
from orchestrator.search.growth import Memory
from orchestrator.snapshot import AskedTrial
from orchestrator.space import Search
from orchestrator.study import Study
from orchestrator.trials import Placed

POLL_S = 1.0
"""How often trials of another run are looked at."""

Tell = Callable[[Event], None]
Choose = Callable[[Plan], Part]
"""Which of the trials that a plan would train are trained now."""


def everything(plan: Plan) -> Part:
    """All that the ledger lacks."""
    return Part(taken=plan.to_train, left=())


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
    tell: Tell,
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
    parts = looks.parts(plan, ledger, chosen)
    part = next(parts)
    if sentence := part.told():
        tell(Note(sentence, loud=True))
    if not part.taken:
        tell(_planned(plan, part, (), 0))
        return RunResult(trained=0, failed=(), differs=_alarms(plan, ledger))
    prepare(plan, chosen.taken, ledger, tell, threads)
    tell(Progress("starting workers", 0, 0))
    with cluster:
        if cluster.note:
            tell(Note(cluster.note, loud=True))
        loop = _Loop(ledger, cluster, tell)
        if study.search is not None:
            plan = _search(study.search, plans, loop, ledger, cluster, tell, threads)
        else:
            tell(_planned(plan, part, (), cluster.slots))
            loop.train([_task(item, ledger, cluster.device) for item in part.taken])
            for part in parts:  # a look of an adaptive study, decided by those before it
                tell(Note(part.told(), loud=True))
                tell(_planned(plan, part, loop.done, cluster.slots))
                loop.train([_task(item, ledger, cluster.device) for item in part.taken])
    lacking = {item.id for item in plan.to_train}  # a search goes on without what cannot be trained
    failed = tuple(id for id in loop.failed if id in lacking)
    return RunResult(trained=loop.trained, failed=failed, differs=_alarms(plan, ledger))


class _Plans:
    """A study's plans against a store in which others work as well."""

    def __init__(self, study: Study, ledger: Ledger, tell: Tell, allow_config: bool) -> None:
        self._study, self._ledger, self._tell = study, ledger, tell
        self._allow_config = allow_config
        self._memory = Memory()

    def first(self) -> Plan:
        """The plan with which a run begins, and what must be said of it."""
        plan = self._made(1)
        for sentence in plan.loud:
            self._tell(Note(sentence, loud=True))
        self._ledger.outcomes(plan.done)  # a damaged record is reported before a night is spent
        plan = self._counted_on(plan, 1)
        if again := {*plan.failed} & {item.id for item in plan.to_train}:
            self._tell(Note(f"Tried again, since they failed before: {len(again)} trials."))
        return plan

    def next(self, at_once: float) -> Plan:
        """The plan of a search, now that so much is done."""
        return self._counted_on(self._made(at_once), at_once)

    def _made(self, at_once: float) -> Plan:
        return make(
            self._study,
            self._ledger,
            allow_config=self._allow_config,
            memory=self._memory,
            at_once=at_once,
        )

    def _counted_on(self, plan: Plan, at_once: float) -> Plan:
        """The plan, once `gc` knows that it counts on what it found done."""
        ledger, asked, search = self._ledger, plan.asked.search, self._study.search
        if asked is not None and asked.closed and search is not None:
            tried = max(one.number for one in asked.tried)
            ledger.write_opening(asked.key, search.unit, search.amount, tried)
        ledger.write_snapshot(self._study.name, plan.asked.to_json())
        waited, kept = _waited_for_gc(ledger, self._tell), ledger.files_of(plan.done)
        if waited or any(OUTCOME not in names for names in kept.values()):
            return self._made(at_once)
        return plan


def _search(
    search: Search,
    plans: _Plans,
    loop: "_Loop",
    ledger: Ledger,
    cluster: Cluster,
    tell: Tell,
    threads: int,
) -> Plan:
    """Train generation after generation, then what judges the winners.

    Returns:
        The last plan: of a closed search, or with trials that failed for no fault of their own.

    Raises:
        RequestError: no configuration of a held-out group could be trained.
    """
    prepared = set[FeatureConfig]()
    while True:
        plan = plans.next(_sharing(search, cluster))
        lacking, course = plan.to_train, plan.course
        if {item.id for item in lacking} & {*loop.failed}:
            if course is not None and course.hopeless:
                raise RequestError(f"The search stops: {course.hopeless}")
            return plan
        if not lacking or course is None:
            done = frozenset(plan.done)
            tell(Planned(plan.asked.every_trial, done, cluster.slots, plan.study.name))
            return plan
        tell(Note(_next(course, search, {item.id for item in lacking})))
        if fresh := tuple(p for p in lacking if p.trial.features not in prepared):
            prepare(plan, fresh, ledger, tell, threads)
            prepared |= {p.trial.features for p in fresh}
        here = tuple(AskedTrial(p.row, p.fold, p.seed, p.id) for p in lacking)
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


def _next(course: Course, search: Search, lacking: set[str]) -> str:
    """What a search trains now."""
    many = "1 training" if len(lacking) == 1 else f"{len(lacking)} trainings"
    if course.winners:
        judge = "judges" if len(lacking) == 1 else "judge"
        return f"Search: its budget ({search.budget}) is used; {many} {judge} what it chose."
    numbers = {one.number for one in course.tried if any(p.id in lacking for p in one.placed)}
    ends = f"s {min(numbers)} to {max(numbers)}" if len(numbers) > 1 else f" {min(numbers)}"
    return f"Search: configuration{ends} (budget: {search.budget}); {many}."


def _planned(plan: Plan, part: Part, done: Iterable[str], slots: int) -> Planned:
    """What is trained now, and what of it is done."""
    there = {item.id for item in plan.placed} - {item.id for item in part.left}
    placed = tuple(trial for trial in plan.asked.every_trial if trial.id in there)
    finished = frozenset((*plan.done, *done)) & there
    return Planned(placed, finished, slots, plan.asked.study)


def _waited_for_gc(ledger: Ledger, tell: Tell) -> bool:
    """Wait while `gc` removes: it may not know yet that this study counts on what it found done."""
    watch, waited = Watch(), False
    while not watch.is_stale(ledger.sweep_file):
        if not waited:
            tell(Note("Waiting: `ablate gc` removes what no study needs from this store."))
        waited = True
        time.sleep(POLL_S)
    return waited


def prepare(
    plan: Plan,
    to_train: tuple[Placed, ...],
    ledger: Ledger,
    tell: Tell,
    threads: int,
    elsewhere: Map | None = None,
) -> None:
    """Make the audio and the features that these trials need, and no others.

    `elsewhere` maps the extraction to other machines, in place of threads here.
    """
    from features import shards

    corpus = plan.selection.corpus
    if corpus.name in ledger.corpora():
        ledger.write_corpus(corpus.name, corpus.to_json())  # times and sizes as seen now
    catalogue.prepare(
        corpus, lambda done, total: tell(Progress("synthesising speech", done, total))
    )
    for config in dict.fromkeys(item.trial.features for item in to_train):
        version = plan.features[config.features].version()
        keys = shards.keys(plan.selection, config, version).values()
        mirror.fetch(ledger, keys)
        if shards.missing(ledger.shards, plan.selection, config, version):
            shards.build(
                ledger.shards,
                plan.selection,
                config,
                lambda done, total: tell(Progress("extracting features", done, total)),
                threads,
                features=plan.features[config.features],
                elsewhere=elsewhere,
            )
        mirror.publish(ledger, keys)
    record = {
        "corpus": corpus.to_json(),
        "emotions": {k: list(v) for k, v in plan.emotions.items()},
    }
    ledger.write_selection(plan.selection.digest, record)


def train_one(task: Task, tell: Tell) -> None:
    """The worker, imported where it works: torch stays out of the process that only asks."""
    from orchestrator.worker import work

    work(task, tell)


def _task(item: Placed, ledger: Ledger, device: str) -> Task:
    return Task(id=item.id, identity=item.trial.identity, store=str(ledger.root), device=device)


def _alarms(plan: Plan, ledger: Ledger) -> tuple[str, ...]:
    return tuple(ledger.alarms(item.id for item in plan.placed))


class _Loop:
    """Rounds of scheduling until every task is done or has used its attempts."""

    def __init__(self, ledger: Ledger, cluster: Cluster, tell: Tell) -> None:
        self._ledger, self._cluster, self._tell = ledger, cluster, tell
        self._last: dict[str, Event] = {}
        self._retries = Retries(ledger)
        self._watch = Watch()
        self._idle_rounds = 0
        self._given_room = False
        self.trained = 0
        self.failed: list[str] = []

    @property
    def done(self) -> tuple[str, ...]:
        """Trials that were heard to have a record."""
        return tuple(id for id, event in self._last.items() if isinstance(event, Done))

    def train(self, tasks: list[Task]) -> None:
        """Until nothing is left. Fresh tasks first; those whose worker died last, each alone."""
        fresh, alone, elsewhere = tasks, list[Task](), list[Task]()
        while fresh or alone or elsewhere:
            batch = self._ready(fresh) or self._ready(alone)[:1]
            if batch:
                fresh, alone = _without(fresh, batch), _without(alone, batch)
                early = self._round(batch)
                again, died, others = self._sort(batch, early)
                fresh += again
                alone += died
                elsewhere += others
            else:
                time.sleep(POLL_S)
            free, elsewhere = self._look_elsewhere(elsewhere)
            fresh += free

    def _ready(self, tasks: list[Task]) -> list[Task]:
        return [task for task in tasks if self._retries.may_start(task.id)]

    def _round(self, batch: list[Task]) -> str:
        for task in batch:
            self._last.pop(task.id, None)
        self._given_room = False
        return self._cluster.train(batch, train_one, self._hear)

    def _sort(self, batch: list[Task], early: str) -> tuple[list[Task], list[Task], list[Task]]:
        """After a round: tasks to train again together, alone, and those that others hold.

        When the scheduler itself ended early (``early`` says why), it took every trial in flight
        with it: the innocent among them go on together, and alone only after a second time.
        """
        again, alone, elsewhere = list[Task](), list[Task](), list[Task]()
        self._check_started(batch, early)
        roomier = early == LOW_MEMORY and self._give_room()
        for task in batch:
            event = self._last.get(task.id)
            if isinstance(event, Done | Failed | Differs):
                continue
            if isinstance(event, Elsewhere):
                elsewhere.append(task)
            elif isinstance(event, Again):  # it said why
                (again if self._retries.ends(task.id) <= 1 else alone).append(task)
            elif self._ledger.is_done(task.id):  # died between the record and its word
                self._hear(Done(task.id, 0.0))
            elif event is None or roomier:
                again.append(task)  # before its turn, or killed for memory that it has more of now
            elif self._may_try_again(task):
                together = early and len(batch) > 1 and self._retries.ends(task.id) == 1
                (again if together else alone).append(task)
        if early and (again or alone):
            count = len(again) + len(alone)
            self._tell(Note(f"Interrupted: {count} trials are trained again ({early})."))
        return again, alone, elsewhere

    def _check_started(self, batch: list[Task], early: str) -> None:
        """Rounds in which no worker so much as began: memory may come back, a package will not."""
        if any(task.id in self._last for task in batch):
            self._idle_rounds = 0
            return
        self._idle_rounds += 1
        why = early or "they die at once"
        if self._idle_rounds == ATTEMPTS:
            raise LackError(
                f"No worker could start: {why}. `--inline` trains without Ray and shows why."
            )
        wait_s = retries.WAITS_S[self._idle_rounds - 1]
        self._tell(Note(f"No worker could start ({why}): tried again in {wait_s:.0f} s."))
        time.sleep(wait_s)

    def _give_room(self) -> bool:
        """Whether trials have more memory from the next round on; one step a round."""
        if not self._given_room and (sentence := self._cluster.spread()):
            self._given_room = True
            self._tell(Note(sentence, loud=True))
        return self._given_room

    def _may_try_again(self, task: Task) -> bool:
        """After a death without a word; at the last, keep it as a failure."""
        sentence = "Its worker died."
        if again := self._retries.again(task.id, "infrastructure", sentence):
            self._hear(again)
            return True
        failure = Failure(
            id=task.id,
            cause="infrastructure",
            sentence=sentence,
            traceback="",
            epoch=0,
            attempt=new_attempt(),
            host=socket.gethostname(),
            identity=task.identity,
        )
        record = str(self._ledger.fail(failure))
        self._finally(Failed(task.id, "infrastructure", sentence, record))
        return False

    def _finally(self, failed: Failed) -> None:
        """A failure that this run leaves at that."""
        verdict = self._retries.verdict(failed.id, failed.cause, failed.sentence)
        self.failed.append(failed.id)
        self._last[failed.id] = failed
        self._tell(replace(failed, sentence=verdict))

    def _look_elsewhere(self, held: list[Task]) -> tuple[list[Task], list[Task]]:
        """Of the tasks that another run holds: those free again, and those still held."""
        free, still = [], []
        for task in held:
            if self._ledger.is_done(task.id):
                self._hear(Done(task.id, 0.0))
            elif self._watch.is_stale(self._ledger.claim_file(task.id)):
                free.append(task)
            else:
                still.append(task)
        return free, still

    def _hear(self, event: Event) -> None:
        """Remember the last word of each trial, and hand it on."""
        if isinstance(event, Failed):
            if event.memory and self._give_room():
                again: Again | None = self._retries.freely(event.id, event.cause, event.sentence)
            else:
                again = self._retries.again(event.id, event.cause, event.sentence)
            if again is None:
                self._finally(event)
                return
            event = again
        if not isinstance(event, Note | Progress | Planned | Waiting):
            self._last[event.id] = event
        if isinstance(event, Done):
            self.trained += event.seconds > 0
        self._tell(event)


def _without(tasks: list[Task], gone: list[Task]) -> list[Task]:
    ids = {task.id for task in gone}
    return [task for task in tasks if task.id not in ids]
