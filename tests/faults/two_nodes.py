"""A program: two Ray nodes on this machine, until it is killed. One CPU each, if not said else.

`two_nodes.py [--memory MIB] [--gpus N] [--cpus N]` prints the address and the ids of three
processes: the GCS, the head's raylet, the other node's raylet.
"""

import argparse
import sys
from typing import Any

from ray.cluster_utils import Cluster

MIB = 1024**2


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--memory", type=int, default=2048)
    options.add_argument("--gpus", type=int, default=0)
    options.add_argument("--cpus", type=int, default=1)
    snapshot = options.parse_args()
    common: dict[str, Any] = {
        "num_cpus": snapshot.cpus,
        "num_gpus": snapshot.gpus,
        "memory": snapshot.memory * MIB,
        "object_store_memory": 100 * MIB,
        "include_dashboard": False,
    }
    cluster = Cluster(initialize_head=True, head_node_args=common)
    other = cluster.add_node(**common)
    head = cluster.head_node
    pids = [
        node.all_processes[kind][0].process.pid
        for node, kind in ((head, "gcs_server"), (head, "raylet"), (other, "raylet"))
    ]
    print(cluster.address, *pids, flush=True)
    sys.stdin.read()


main()
