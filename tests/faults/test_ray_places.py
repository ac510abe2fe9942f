"""Where trials are placed on a real cluster of two nodes, and what is said when they are not."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from orchestrator.errors import LackError
from orchestrator.execution.cluster.ray_cluster import RayCluster
from tests.faults.ray_rounds import RayRounds, flat, two_nodes

pytestmark = [pytest.mark.ray, pytest.mark.usefixtures("quiet_home")]


def on(rounds: RayRounds, address: str, *more: str) -> RayRounds:
    rounds.options = ("--address", address, "--gpus", "0", *more)
    return rounds


def test_a_share_that_no_node_has_is_refused_before_anything_trains(tmp_path: Path) -> None:
    cluster = RayCluster(cpus=1, gpus=1, gpus_per_trial=2, store=tmp_path)
    with pytest.raises(LackError, match=r"lacks 1 GPU \(it has 1 GPU\): a smaller"), cluster:
        pass
    assert not cluster._scratch.exists()


@pytest.mark.faults
def test_memory_that_only_two_nodes_together_have_is_refused(
    tiny_ray: RayRounds,
) -> None:
    with two_nodes(tiny_ray.log, "--memory", "512") as cluster:
        round = on(tiny_ray, cluster.address).start(**cluster.environment)
        ended = round.ended()
    assert ended.code == 3, ended
    assert "lacks 256 MiB of memory (it has 512 MiB of memory)" in flat(ended.said)
    assert not [line for line in round.lines() if line["event"] == "claimed"]


@pytest.mark.faults
def test_a_wait_for_others_is_shown_and_ends(tiny_ray: RayRounds, tmp_path: Path) -> None:
    program = (
        "import ray, sys, time\n"
        "ray.init(address=sys.argv[1], log_to_driver=False)\n"
        "@ray.remote(num_cpus=1)\n"
        "def hold():\n"
        "    time.sleep(3600)\n"
        "held = [hold.remote() for _ in range(2)]\n"
        "while ray.available_resources().get('CPU', 0): time.sleep(0.2)\n"
        "print('held', flush=True)\n"
        "sys.stdin.read()\n"
    )
    with two_nodes(tiny_ray.log) as cluster:
        with subprocess.Popen(
            [sys.executable, "-c", program, cluster.address],
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, **cluster.environment},
        ) as other:
            assert other.stdout is not None and "held" in other.stdout.readline()
            round = on(tiny_ray, cluster.address).start(**cluster.environment)
            sentence = "Others use this cluster: waiting for a node with 1 CPU, 768 MiB of memory"
            round.until(lambda: round.says(sentence))
            assert not [line for line in round.lines() if line["event"] == "claimed"]
            other.kill()
        ended = round.ended()
    assert ended.code == 0, ended
    assert flat(ended.said).count(sentence) == 1


@pytest.mark.faults
def test_a_cluster_that_may_grow_is_waited_for(tiny_ray: RayRounds, quiet_home: Path) -> None:
    """No node has a CPU; the launcher's file says that one may come; then one comes."""
    with two_nodes(tiny_ray.log, "--cpus", "0") as cluster:
        on(tiny_ray, cluster.address)
        refused = tiny_ray.start(**cluster.environment).ended()
        assert refused.code == 3 and "lacks 1 CPU (it has 0 CPU)" in flat(refused.said), refused
        (quiet_home / "ray_bootstrap_config.yaml").write_text(
            '{"max_workers": 1, "available_node_types": {"worker": {"resources": {"CPU": 1}}}}'
        )
        round = tiny_ray.start(**cluster.environment)
        round.until(lambda: round.says("No node takes a trial yet: waiting for the cluster"))
        with cluster.third(tiny_ray.log):
            ended = round.ended()
    assert ended.code == 0, ended
    tiny_ray.judged()


in_a_namespace = pytest.mark.skipif(
    sys.platform != "linux" or os.geteuid() != 0, reason="a mount namespace takes Linux and root"
)


def without(store: Path) -> tuple[str, ...]:
    """What runs a command where an empty folder lies over the store."""
    hide = f'mount -t tmpfs none {store} && exec "$@"'
    return "unshare", "-m", "sh", "-c", hide, "sh"


@pytest.mark.faults
@in_a_namespace
def test_a_node_that_does_not_see_the_store_is_found_before_anything_trains(
    tiny_ray: RayRounds,
) -> None:
    with two_nodes(tiny_ray.log) as cluster:
        on(tiny_ray, cluster.address)
        with cluster.third(tiny_ray.log, *without(tiny_ray.store)):
            time.sleep(15)
            round = tiny_ray.start(**cluster.environment)
            ended = round.ended()
            assert ended.code == 3, ended
            assert f"does not see the store `{tiny_ray.store}`:" in flat(ended.said)
            assert not [line for line in round.lines() if line["event"] == "claimed"]
            assert not list(tiny_ray.store.glob(".nonce*"))
        time.sleep(15)  # the cluster takes some seconds to see that a node is gone
        again = tiny_ray.start(**cluster.environment).ended()
    assert again.code == 0, again
    tiny_ray.judged()


@pytest.mark.faults
@in_a_namespace
def test_a_node_that_joins_later_without_the_store_ends_the_run_before_it_trains(
    tiny_ray: RayRounds, quiet_home: Path
) -> None:
    """What it trained would lie on its own disk; the run looked at the other two alone."""
    (quiet_home / "ray_bootstrap_config.yaml").write_text(
        '{"max_workers": 1, "available_node_types": {"worker": {"resources": {"CPU": 1}}}}'
    )
    with two_nodes(tiny_ray.log, "--cpus", "0") as cluster:
        round = on(tiny_ray, cluster.address).start(**cluster.environment)
        round.until(lambda: round.says("No node takes a trial yet: waiting for the cluster"))
        with cluster.third(tiny_ray.log, *without(tiny_ray.store)):
            ended = round.ended()
        assert ended.code == 3, ended
        assert f"does not see the store `{tiny_ray.store}`:" in flat(ended.said)
        assert not [line for line in round.lines() if line["event"] == "claimed"]
        assert not list(tiny_ray.store.glob(".nonce*"))
        again = tiny_ray.start(**cluster.environment)
        with cluster.third(tiny_ray.log):
            ended = again.ended()
    assert ended.code == 0, ended
    tiny_ray.judged()
