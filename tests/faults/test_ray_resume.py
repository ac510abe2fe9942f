"""How long until a killed run trains its first new epoch, beside a start of its libraries."""

import os
import subprocess
import sys
import time

import pytest

from tests.faults.ray_rounds import RayRounds

# A ratio of times: it belongs to `make bench`, since a busy machine misses it.
pytestmark = [pytest.mark.ray, pytest.mark.bench, pytest.mark.usefixtures("quiet_home")]

LIBRARIES = "import torch, torch._dynamo, torch_geometric"
"""What any training imports: torch's optimiser asks for `torch._dynamo` at its first step."""
RAY = """\
import ray
ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
@ray.remote
def one():
    return 1
ray.get(one.remote())
"""


def bare_start(program: str) -> float:
    """Seconds that a program takes, in a process of its own."""
    began = time.monotonic()
    environment = {**os.environ, "RAY_USAGE_STATS_ENABLED": "0"}
    subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, env=environment
    )
    return time.monotonic() - began


def resumed_after(rounds: RayRounds) -> float:
    """Kill everything once two epochs are kept; seconds from the command to a new epoch."""
    first = rounds.start()
    first.until_event("checkpointed", 2)
    first.kill_everything()
    again = rounds.start()
    again.until_event("epoch")
    took = next(line["t"] for line in again.lines() if line["event"] == "epoch") - again.began
    assert again.ended().code == 0
    rounds.judged()
    return took / 1e9


def test_inline_a_killed_run_trains_again_in_twice_a_bare_start(tiny_ray: RayRounds) -> None:
    tiny_ray.options = ("--inline",)
    bare, took = bare_start(LIBRARIES), resumed_after(tiny_ray)
    print(f"\ninline: {took:.1f} s to the first new epoch; its libraries alone: {bare:.1f} s")
    assert took < 2 * bare


def test_under_ray_a_killed_run_trains_again_in_twice_a_bare_start(tiny_ray: RayRounds) -> None:
    bare, took = bare_start(RAY), resumed_after(tiny_ray)
    print(f"\nRay: {took:.1f} s to the first new epoch; a bare Ray start: {bare:.1f} s")
    assert took < 2 * bare
