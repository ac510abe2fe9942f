"""Makes the functions that Ray and Ray Tune call in a worker process."""

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
"""Keys of a worker's report to Tune: under the first, an event as a mapping (`events.pack`); under
the second, the IP address of a node that does not see the store."""


def setup_hook() -> Callable[[], None]:
    """Make the function that Ray calls first in every worker: it runs `import_roots.bind` there.

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
    """Make the function that Tune calls in a worker to train one trial.

    Args:
        tasks: trial id -> task.
        work: trains a task.
        marker: the file in the store that the worker must be able to read before it trains; None
            where nothing need be checked.

    Returns:
        A function of Tune's configuration ``{"trial": trial id}``. It can be sent to other
        machines, since it captures plain values only.
    """

    def train_one(config: Mapping[str, Any]) -> None:
        """Train the trial that Tune's configuration names; report its events to Tune."""
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
    """Start a thread that ends this worker when the raylet (Ray's process on each node) has ended.

    Further calls in the same process do nothing.

    Ray leaves such an orphan alive while its function runs. It was seen to wait for ever to report
    an epoch to nobody, renewing its lease, so that no other worker could have the trial.
    """
    raylet = os.getppid()

    def watch() -> None:
        while os.getppid() == raylet:
            time.sleep(1.0)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
