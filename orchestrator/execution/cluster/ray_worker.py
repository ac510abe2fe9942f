"""What Tune calls in a worker of Ray."""

import functools
import os
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from orchestrator.execution.cluster.protocol import Task, Work
from orchestrator.execution.events import pack


def trainable(
    tasks: Mapping[str, Task], work: Work, sees_store: Callable[[], bool] | None
) -> Callable[[Mapping[str, Any]], None]:
    """The function that Tune calls in a worker: plain values and functions by their names."""

    def train_one(config: Mapping[str, Any]) -> None:
        import ray
        from ray import tune

        task = tasks[config["trial"]]
        _end_with_raylet()
        if sees_store is not None and not sees_store():
            tune.report({"blind": ray.util.get_node_ip_address()})
            return
        work(task, lambda event: tune.report({"event": pack(event)}))

    return train_one


@functools.cache
def _end_with_raylet() -> None:
    """In a worker, once: end when the raylet that started it has ended.

    Ray leaves such an orphan alive while its function runs. It was seen to wait for ever to report
    an epoch to nobody, renewing its lease, so that no other worker could have the trial.
    """
    raylet = os.getppid()

    def watch() -> None:
        while os.getppid() == raylet:
            time.sleep(1.0)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
