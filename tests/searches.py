"""A small search and its drawn trainings: what the tests of searches share.

The same loop, plans, ledger and reports as in earnest, with outcomes that follow from a trial's id
and a known objective.
"""

import math
import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from typer.testing import CliRunner

from orchestrator.cli.app import app
from orchestrator.execution import run as run_module
from orchestrator.execution.cluster.inline import InlineCluster
from orchestrator.execution.cluster.protocol import OnEvent, Task, Work
from orchestrator.execution.events import Done, Failed, Started
from orchestrator.execution.run import RunResult, run
from orchestrator.store.ledger import Ledger
from orchestrator.store.records import Failure
from orchestrator.store.snapshot import Snapshot, SnapshotFold, SnapshotSearch
from orchestrator.study.reader import parse_study
from orchestrator.study.study import Study
from tests import stores

TEXT = """
study: tiny_search
question: Which learning rate, and how many layers?
corpus: demo
protocol: {folds: 2, seeds: 2}
training: {epochs: 2}
baseline: {hidden: 16, fa_layer: 2}
search:
  axes:
    lr: {low: 1e-4, high: 1e-2, log: true}
    layers: [2, 3]
  budget: {trials: 12}
  inner_folds: 2
  pruning: false
"""
TRAINED = run_module.train_one
"""The worker, in place of which most trainings here are drawn."""
TRAININGS = 2 * 12 * 2 + 2 * 2
"""Groups x configurations x inner folds, and what is judged: groups x seeds."""


def study(text: str = TEXT, **changes: str) -> Study:
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new)
    return parse_study(text, "tiny.yaml")


def few(configurations: int, text: str = TEXT) -> Study:
    assert "{trials: 12}" in text
    return parse_study(text.replace("{trials: 12}", f"{{trials: {configurations}}}"), "tiny.yaml")


def pruned(text: str = TEXT) -> Study:
    text = text.replace("folds: 2, seeds: 2", "folds: 3, seeds: 1").replace("pruning: false", "")
    return parse_study(text.replace("inner_folds: 2", "inner_folds: 3"), "tiny.yaml")


FLAT = (
    TEXT.replace("inner_folds: 2", "selection: flat")
    .replace("tiny_search", "flat_search")
    .replace("training:", "score: chosen\ntraining:")
)


def asked_name(text: str) -> str:
    return parse_study(text, "tiny.yaml").name


def skill(identity: Any) -> float:
    """Best at a learning rate of 2e-3 and with three layers."""
    rate = math.log10(identity["training"]["lr"] / 2e-3)
    return 2.5 - 1.5 * abs(rate) - 0.5 * (identity["model"]["layers"] == 2)


def drawn(task: Task, tell: OnEvent) -> None:
    tell(Started(task.id))
    ledger, fold = Ledger.open_unchecked(task.store), task.identity["fold"]
    held = SnapshotFold(index=0, a=tuple(fold["a"]), b=tuple(fold["b"]), train=len(fold["train"]))
    stores.train(ledger, task.identity, held, skill(task.identity))
    tell(Done(task.id, 1.0))


def failing(cause: Any, sentence: str, which: Callable[[Any], bool]) -> Work:
    """Some trainings fail, as a worker says it; all others are drawn."""

    def work(task: Task, tell: OnEvent) -> None:
        if not which(task.identity):
            drawn(task, tell)
            return
        tell(Started(task.id))
        ledger = Ledger.open_unchecked(task.store)
        failure = Failure(
            id=task.id,
            cause=cause,
            sentence=sentence,
            traceback="",
            epoch=1,
            attempt="attempt-x",
            host="here",
            identity=task.identity,
        )
        tell(Failed(task.id, cause, sentence, str(ledger.attempts.write_failure(failure))))

    return work


class Shuffled(InlineCluster):
    """Trials end in any order; the machine may go away after some of them."""

    def __init__(self, seed: int, most: int = 10**6) -> None:
        super().__init__()
        self._random, self._left = random.Random(seed), most
        self.lanes = 1 + seed % 7

    def train(self, tasks: Sequence[Task], work: Work, tell: OnEvent) -> str:
        shuffled = list(tasks)
        self._random.shuffle(shuffled)
        for task in shuffled:
            if self._left == 0:
                raise KeyboardInterrupt
            self._left -= 1
            work(task, tell)
        return ""


def go(snapshot: Study, store: Path, cluster: InlineCluster | None = None) -> RunResult:
    return run(snapshot, Ledger.open(str(store)), cluster or InlineCluster(), lambda event: None)


def kept(store: Path, name: str = "tiny_search") -> tuple[Snapshot, SnapshotSearch]:
    snapshot = Ledger.open_readonly(str(store)).studies.snapshots(name)[0]
    assert snapshot.search is not None
    return snapshot, snapshot.search


def cli(*arguments: Any) -> Any:
    return CliRunner().invoke(app, list(map(str, arguments)))
