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

from orchestrator.cluster import RayCluster, Task, Tell
from orchestrator.events import Done, Event, Started

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


def nap(task: Task, tell: Tell) -> None:
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


def test_a_trial_costs_little_beside_its_training(tmp_path: Path) -> None:
    one, minute, tiny = Ends(), Ends(), Ends()
    with RayCluster(cpus=2, gpus=0, store=tmp_path) as cluster:
        assert cluster.train(tasks(TRIALS, 1.0), nap, one.hear) == ""
        assert cluster.train(tasks(4, 60.0), nap, minute.hear) == ""
        assert cluster.train(tasks(TINY, 0.0), nap, tiny.hear) == ""
    plain = subprocess.run(
        [sys.executable, "-c", PLAIN_TUNE, str(PLAIN), str(tmp_path / "results")],
        capture_output=True, text=True, check=True,
        env={k: v for k, v in os.environ.items() if not k.startswith(("RAY_", "TUNE_"))},
    )  # fmt: skip
    plain_s = 2 * float(plain.stdout.rpartition("seconds")[2]) / PLAIN - 1.0
    ours_s, tiny_s = one.overhead_s(1.0), tiny.overhead_s(0.0)
    share = (minute.times[-1] - minute.times[1]) / 60.0 - 1
    print(f"""
overhead of a trial on two CPUs, after the first of each worker
  one-second trials ({TRIALS})      {ours_s:6.2f} s
  the same, plain Ray Tune ({PLAIN}) {plain_s:6.2f} s
  one-minute trials (2 after 2) {60 * share:6.2f} s = {100 * share:.1f} %
  {TINY} tiny trials           {tiny_s:6.2f} s each, {tiny.times[-1] - tiny.times[0]:.0f} s in all
driver's memory after 100 and {TINY}: {tiny.memory[99]:.0f} and {tiny.memory[-1]:.0f} MiB""")
    assert len(tiny.times) == TINY
    assert ours_s < 1.5 and share < 0.05
    assert tiny.memory[-1] - tiny.memory[99] < 0.1 * tiny.memory[99]
