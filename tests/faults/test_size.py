"""A study of ten thousand trials of which one is missing."""

import shutil
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import pytest

from orchestrator.execution.cluster.inline import InlineCluster
from orchestrator.execution.cluster.protocol import OnEvent, Task, Work
from orchestrator.execution.events import Done, Planned
from orchestrator.execution.run import run
from orchestrator.planning.plan import plan_study
from orchestrator.store.ledger import Ledger
from orchestrator.store.records import Outcome
from orchestrator.study.canonical import canonical, digest
from orchestrator.study.reader import read_study
from tests.faults.matrix import Matrix
from tests.tiny_study import Tiny

ROWS = "".join(
    f"  - {{name: H {h}, set: {{hidden: {h}, fa_layer: none}}}}\n" for h in (16, 32, 64, 128, 256)
)


class Counting(InlineCluster):
    """Finishes every task in no time, and counts them."""

    def __init__(self) -> None:
        super().__init__()
        self.started: list[str] = []

    def train(self, tasks: Sequence[Task], work: Work, tell: OnEvent) -> str:
        for task in tasks:
            self.started.append(task.id)
            tell(Done(task.id, 1.0))
        return ""


@pytest.mark.faults
def test_of_ten_thousand_trials_one_is_started(
    tiny: Tiny, ready: Path, tmp_path: Path, matrix: Matrix
) -> None:
    store = tmp_path / "store"
    shutil.copytree(ready, store)
    head = tiny.study.read_text().partition("rows:")[0].replace("seeds: 1", "seeds: 1000")
    path = tmp_path / "large.yaml"
    path.write_text(f"{head}rows:\n{ROWS}")
    study, ledger = read_study(path), Ledger.open(str(store))
    placed = plan_study(study, ledger).trials
    assert len({item.id for item in placed}) == 10_000
    for item in placed[1:]:
        outcome = Outcome(
            id=item.id,
            identity=item.trial.identity,
            attempt="attempt-0",
            epochs=1,
            scores=(),
            digests={},
            files={},
            environment={},
        )
        body = asdict(outcome)
        folder = ledger.paths.trial_folder(item.id)
        folder.mkdir(parents=True)
        (folder / "outcome.json").write_text(canonical({"outcome": body, "sha256": digest(body)}))
    cluster = Counting()
    began, planned = time.process_time(), 0.0

    def hear(event: object) -> None:
        nonlocal planned
        if isinstance(event, Planned):
            planned = time.process_time() - began

    run(study, ledger, cluster, hear)
    assert cluster.started == [placed[0].id]
    assert 0 < planned < 15
    matrix.tell(
        "35 9,999 of 10,000 done, one is started",
        struck=1,
        said=f"{planned:.1f} s of processor time to plan and to prove all records",
    )
