"""The driver's side of Ray Tune: passes on workers' events, and reports why no trial trains."""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from orchestrator.execution.cluster.protocol import LOW_MEMORY, OnEvent
from orchestrator.execution.cluster.ray_worker import EVENT, STORE_NOT_SEEN
from orchestrator.execution.cluster.store_check import store_not_seen
from orchestrator.execution.events import Event, Waiting, unpack
from orchestrator.planning.cost.resources import Resources, describe_lack
from orchestrator.store.paths import Location

PATIENCE_S = 10.0
"""Seconds without a training before the reason is reported: a worker takes a few to start."""
WAITING_TO_GROW = "No node takes a trial yet: waiting for the cluster to grow."
"""The reason that is shown while a trial fits only a node that may still join."""


class EventRelay:
    """Passes the events of workers on to a listener, and remembers the error that ends the run.

    Args:
        on_event: the listener, which is called in this process.
        store: the store, which a message names when a node does not see it.
    """

    def __init__(self, on_event: OnEvent, store: Location) -> None:
        self._on_event, self._store = on_event, store
        self.error: Exception | None = None
        """The exception that ended the run, None so far: Tune wraps it in an error of its own."""
        self.any_event = False
        """Whether any worker has sent an event."""
        self.last_death = ""
        """One line on the last worker that died; empty where none did."""

    def receive(self, packed: Mapping[str, Any]) -> None:
        """Pass on an event that a worker sent as a mapping (`events.pack`)."""
        self.any_event = True
        self.send(unpack(packed))

    def send(self, event: Event) -> None:
        """Pass on an event; an exception of the listener is kept in ``error`` and raised again."""
        try:
            self._on_event(event)
        except Exception as error:
            self.error = error
            raise

    def end_without_store(self, node: str) -> None:
        """End the run because a node does not see the store, so that its outcomes would be lost.

        Args:
            node: IP address of the node.

        Raises:
            LackError: always.
        """
        self.error = store_not_seen(node, self._store)
        raise self.error

    def worker_died(self, text: str) -> None:
        """Keep one line of Tune's text on a worker's death, which may be empty."""
        self.last_death = one_line(text) if text else "a worker ended without a word"


def one_line(error: object) -> str:
    """The last line of an error of Ray's, cut to 160 characters; ``LOW_MEMORY`` where it is that.

    Such an error may be a page long.
    """
    text = str(error).strip()
    if "OutOfMemory" in text or "low on memory" in text:
        return LOW_MEMORY
    return text.splitlines()[-1][:160] if text else type(error).__name__


class IdleReporter:
    """Reports why no trial trains, after ``PATIENCE_S``; Ray itself would wait without a message.

    Args:
        trial: the resources that a trial reserves on a node.
        node_types: nodes that may join the cluster; empty where it does not grow.
        relay: passes the ``Waiting`` event on.
    """

    def __init__(
        self, trial: Resources, node_types: Sequence[Resources], relay: EventRelay
    ) -> None:
        self._trial, self._node_types, self._relay = trial, node_types, relay
        self._since = time.monotonic()
        self._reported = ""

    def poll(self, *, training: bool) -> None:
        """Check once, and report a reason that is new; Tune's loop calls this all the time.

        Args:
            training: whether any trial trains now.
        """
        if training:
            self._reported = ""
        elif time.monotonic() - self._since < PATIENCE_S:
            return
        elif (reason := self._reason()) != self._reported:
            self._reported = reason
            if reason:
                self._relay.send(Waiting(reason))
        self._since = time.monotonic()

    def _reason(self) -> str:
        """Why nothing trains; empty where a trial has its resources and its worker is starting."""
        import ray

        job = ray.get_runtime_context().get_job_id()
        groups = ray.util.placement_group_table().items()
        if any(id.endswith(job) and group["state"] == "CREATED" for id, group in groups):
            return ""
        if missing := describe_lack(living_nodes(), self._trial):
            return missing if describe_lack(self._node_types, self._trial) else WAITING_TO_GROW
        return f"Others use this cluster: waiting for a node with {self._trial} to spare."


def living_nodes() -> list[Resources]:
    """The resources of every living node, used or not."""
    import ray

    return [
        Resources(
            cpus=node["Resources"].get("CPU", 0.0),
            memory=node["Resources"].get("memory", 0.0),
            gpus=node["Resources"].get("GPU", 0.0),
            name=node["NodeManagerAddress"],
        )
        for node in ray.nodes()
        if node["Alive"]
    ]


def tune_callback(relay: EventRelay, idle: IdleReporter) -> Any:
    """A ``tune.Callback`` that hands workers' reports to the relay and polls the idle reporter."""
    from ray import tune

    class _Callback(tune.Callback):  # type: ignore[misc]
        """Is called by Tune in the driver (the process of `ablate run`)."""

        def on_trial_result(
            self, iteration: int, trials: Any, trial: Any, result: Mapping[str, Any], **info: Any
        ) -> None:
            if packed := result.get(EVENT):
                relay.receive(packed)
            elif node := result.get(STORE_NOT_SEEN):
                relay.end_without_store(node)

        def on_step_end(self, iteration: int, trials: Any, **info: Any) -> None:
            idle.poll(training=any(trial.status == "RUNNING" for trial in trials))

        def on_trial_error(self, iteration: int, trials: Any, trial: Any, **info: Any) -> None:
            relay.worker_died(_error_text(trial))

        def __reduce__(self) -> tuple[type[object], tuple[()]]:
            """Tune pickles its callbacks into its own state, which nothing ever reads."""
            return object, ()

    return _Callback()


def _error_text(trial: Any) -> str:
    """The text of the error file that Tune wrote for a trial; empty where there is none.

    Tune's own `get_error` reads a file that is written later.
    """
    try:
        return Path(trial.error_file).read_text("utf-8", errors="replace")
    except (OSError, TypeError):
        return ""
