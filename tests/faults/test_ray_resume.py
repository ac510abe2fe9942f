"""How long it takes until a killed run trains its first new epoch; measured, with bounds."""

import os
import subprocess
import sys
import time

import pytest

from tests.faults.ray_rounds import RayRounds

pytestmark = [pytest.mark.ray, pytest.mark.faults, pytest.mark.usefixtures("quiet_home")]

BARE = """\
import ray
ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
@ray.remote
def one():
    return 1
ray.get(one.remote())
"""


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


def test_inline_a_killed_run_trains_again_within_six_seconds(tiny_ray: RayRounds) -> None:
    tiny_ray.options = ("--inline",)
    took = resumed_after(tiny_ray)
    print(f"\ninline: {took:.1f} s from the command to the first new epoch")
    assert took < 6


def test_under_ray_a_killed_run_trains_again_in_twice_a_bare_start(tiny_ray: RayRounds) -> None:
    began = time.monotonic()
    subprocess.run(
        [sys.executable, "-c", BARE],
        check=True,
        capture_output=True,
        env={**os.environ, "RAY_USAGE_STATS_ENABLED": "0"},
    )
    bare = time.monotonic() - began
    took = resumed_after(tiny_ray)
    print(f"\nRay: {took:.1f} s to the first new epoch; a bare Ray start: {bare:.1f} s")
    assert took < 2 * bare
