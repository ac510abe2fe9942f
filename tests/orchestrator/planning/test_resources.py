"""Where a trial fits, by numbers; a real cluster that lacks something is in tests/faults."""

import json
from pathlib import Path

import pytest

from orchestrator.planning.cost.resources import (
    MIB,
    Resources,
    autoscaler_nodes,
    capacity,
    describe_lack,
)

TRIAL = Resources(cpus=1, memory=768 * MIB)
SMALL = Resources(cpus=2, memory=512 * MIB, name="small")
LARGE = Resources(cpus=4, memory=8192 * MIB, gpus=2, name="large")


@pytest.mark.parametrize(
    ("share", "count"), [(0, 4), (0.25, 4), (0.4, 4), (0.75, 2), (1, 2), (2, 1), (3, 0)]
)
def test_a_share_of_a_gpu_is_of_one_gpu(share: float, count: int) -> None:
    assert capacity(LARGE, Resources(cpus=1, memory=768 * MIB, gpus=share)) == count


def test_two_nodes_with_half_of_what_it_takes_are_no_place() -> None:
    assert describe_lack([SMALL, SMALL], TRIAL) == (
        "A trial takes 1 CPU, 768 MiB of memory of one node, but none has that: `small` comes "
        "closest and lacks 256 MiB of memory (it has 512 MiB of memory): free memory, or a larger "
        "node."
    )
    assert describe_lack([SMALL, LARGE], TRIAL) == ""
    assert "the cluster has none" in describe_lack([], TRIAL)


def test_the_smallest_lack_is_told() -> None:
    bare = Resources(cpus=0, memory=768 * MIB, name="bare")
    trial = Resources(cpus=1, memory=768 * MIB, gpus=3)
    told = describe_lack([SMALL, bare, LARGE], trial)
    assert "`large` comes closest and lacks 1 GPU (it has 2 GPU): a smaller" in told
    assert "`bare` comes closest and lacks 1 CPU (it has 0 CPU)" in describe_lack([bare], TRIAL)


def test_the_launcher_says_which_nodes_may_come(tmp_path: Path) -> None:
    bootstrap = tmp_path / "ray_bootstrap_config.yaml"
    assert autoscaler_nodes(bootstrap) == ()
    types = {
        "head": {"resources": {"CPU": 4, "GPU": 1}, "max_workers": 0},
        "worker": {"resources": {"CPU": 8, "GPU": 1}, "max_workers": 3},
        "open": {"resources": {}},
    }
    bootstrap.write_text(json.dumps({"max_workers": 4, "available_node_types": types}))
    worker, open_ = autoscaler_nodes(bootstrap)
    assert (worker.name, worker.cpus, worker.gpus) == ("worker", 8, 1)
    assert describe_lack([open_], TRIAL) == ""
    assert "lacks 1 GPU" in describe_lack([worker, open_], Resources(cpus=1, memory=MIB, gpus=2))
    bootstrap.write_text("{")
    assert autoscaler_nodes(bootstrap) == ()
