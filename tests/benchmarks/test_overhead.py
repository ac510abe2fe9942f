"""What Ray and we add to a trial, beside plain Ray Tune with its defaults.

Trials sleep, so that other programs on the machine count little. Two CPUs.
"""

import os
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from orchestrator.execution.cluster.protocol import OnEvent, Task
from orchestrator.execution.cluster.ray_cluster import RayCluster
from orchestrator.execution.events import Done, Event, Started

pytestmark = [pytest.mark.bench, pytest.mark.ray, pytest.mark.usefixtures("quiet_home")]

TRIALS, PLAIN, TINY = 40, 10, 1000
PLAIN_TUNE = """\
import sys, time
import ray
from ray import tune

def one(config):
    time.sleep(1)
    tune.report({"value": 1})

ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
began = time.monotonic()
results = tune.Tuner(
    one, tune_config=tune.TuneConfig(num_samples=int(sys.argv[1])),
    run_config=tune.RunConfig(storage_path=sys.argv[2]),
).fit()
assert len(results) == int(sys.argv[1]) and not results.errors
print("seconds", time.monotonic() - began)
"""


def nap(task: Task, tell: OnEvent) -> None:
    """A trial that takes as long as it is told."""
    tell(Started(task.id))
    time.sleep(task.identity["seconds"])
    tell(Done(task.id, task.identity["seconds"]))


def tasks(count: int, seconds: float) -> list[Task]:
    return [Task(id=f"t{n}", identity={"seconds": seconds}, store="") for n in range(count)]


class Ends:
    """When trials ended, and the driver's memory then in MiB."""

    def __init__(self) -> None:
        self.times: list[float] = []
        self.memory: list[float] = []
        self._driver = psutil.Process()

    def hear(self, event: Event) -> None:
        if isinstance(event, Done):
            self.times.append(time.monotonic())
            self.memory.append(self._driver.memory_info().rss / 1024**2)

    def overhead_s(self, seconds: float) -> float:
        """Of a trial after the first of each of two workers: what its CPU did besides."""
        spent = self.times[-1] - self.times[1]
        return 2 * spent / (len(self.times) - 2) - seconds


def plain_overhead_s(results: Path) -> float:
    """The same of plain Ray Tune, in a process and a Ray of its own; its start is not counted."""
    done = subprocess.run(
        [sys.executable, "-c", PLAIN_TUNE, str(PLAIN), str(results)],
        capture_output=True,
        text=True,
        check=True,
        env={k: v for k, v in os.environ.items() if not k.startswith(("RAY_", "TUNE_"))},
    )
    return 2 * float(done.stdout.rpartition("seconds")[2]) / PLAIN - 1.0


def test_a_trial_costs_little_beside_its_training(tmp_path: Path) -> None:
    one, minute, tiny = Ends(), Ends(), Ends()
    plain_s = plain_overhead_s(tmp_path / "results")
    print("\noverhead of a trial on two CPUs, after the first of each worker")
    print(f"  plain Ray Tune, one-second trials ({PLAIN}): {plain_s:.2f} s", flush=True)
    with RayCluster(cpus=2, gpus=0, store=tmp_path) as cluster:
        assert cluster.train(tasks(TRIALS, 1.0), nap, one.hear) == ""
        print(f"  one-second trials ({TRIALS}): {one.overhead_s(1.0):.2f} s", flush=True)
        assert cluster.train(tasks(4, 60.0), nap, minute.hear) == ""
        share = minute.overhead_s(60.0) / 60.0
        print(f"  one-minute trials (2 after 2): {100 * share:.1f} %", flush=True)
        assert cluster.train(tasks(TINY, 0.0), nap, tiny.hear) == ""
    spent, (early, late) = tiny.overhead_s(0.0), (tiny.memory[99], tiny.memory[-1])
    print(f"  tiny trials ({TINY}): {spent:.2f} s")
    print(f"driver's memory after 100 and {TINY} of them: {early:.0f} and {late:.0f} MiB")
    assert len(tiny.times) == TINY
    assert one.overhead_s(1.0) < 1.5 and share < 0.05
    assert late - early < 0.1 * early
