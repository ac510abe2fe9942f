"""What Ray and Ray Tune call in a worker process."""

import functools
import os
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from orchestrator.execution.cluster.protocol import Task, Work
from orchestrator.execution.cluster.store_check import StoreMarker
from orchestrator.execution.events import pack

EVENT, STORE_NOT_SEEN = "event", "store_not_seen"
"""Keys of what a worker reports to Tune: a packed event, or the node that lacks the store."""


def setup_hook() -> Callable[[], None]:
    """Make the function that Ray calls first in every worker: it binds our packages.

    Ray sends a function that is made here by value, so it can run before any package is found.
    What fails in it is left to fail again where a task needs the package: Ray would end the worker
    and not say why.
    """

    def bind_packages() -> None:
        import contextlib

        with contextlib.suppress(Exception):
            from orchestrator.execution.import_roots import bind

            bind()

    return bind_packages


def trainable(
    tasks: Mapping[str, Task], work: Work, marker: StoreMarker | None
) -> Callable[[Mapping[str, Any]], None]:
    """Make the function that Tune calls in a worker; it captures plain values only.

    Args:
        tasks: trial id -> task. Tune's configuration names the trial.
        work: trains a task.
        marker: the store's marker, which the node must see; None where it need not look.
    """

    def train_one(config: Mapping[str, Any]) -> None:
        import ray
        from ray import tune

        task = tasks[config["trial"]]
        _end_with_raylet()
        if marker is not None and not marker.is_seen():
            tune.report({STORE_NOT_SEEN: ray.util.get_node_ip_address()})
            return
        work(task, lambda event: tune.report({EVENT: pack(event)}))

    return train_one


@functools.cache
def _end_with_raylet() -> None:
    """End this worker when the raylet that started it has ended; once a process.

    Ray leaves such an orphan alive while its function runs. It was seen to wait for ever to report
    an epoch to nobody, renewing its lease, so that no other worker could have the trial.
    """
    raylet = os.getppid()

    def watch() -> None:
        while os.getppid() == raylet:
            time.sleep(1.0)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
