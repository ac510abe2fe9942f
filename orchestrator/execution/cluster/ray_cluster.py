"""Trains tasks with Ray Tune, on a Ray that is started on this machine or on a running cluster.

Nothing that Tune keeps is ever read again: its folder is scratch. Tune gives resources, placement
and worker reuse; resuming is done by the ledger, and retries by the scheduler. The function that
trains is passed in (``work``), so this file needs neither torch nor audio.
"""

import contextlib
import logging
import os
import re
import secrets
import socket
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from orchestrator.errors import LackError, RequestError, first_line
from orchestrator.execution.cluster import ray_environment, scratch
from orchestrator.execution.cluster.gpu import cuda_works
from orchestrator.execution.cluster.protocol import OnEvent, Task, Work
from orchestrator.execution.cluster.ray_driver import (
    WAITING_TO_GROW,
    EventRelay,
    IdleReporter,
    living_nodes,
    one_line,
    tune_callback,
)
from orchestrator.execution.cluster.ray_worker import setup_hook, trainable
from orchestrator.execution.cluster.store_check import StoreMarker, store_not_seen
from orchestrator.planning.cost.machine import MEMORY_PER_TRIAL, OBJECT_STORE, usage_here
from orchestrator.planning.cost.resources import (
    Resources,
    Usage,
    autoscaler_nodes,
    capacity,
    describe_lack,
    with_one_trial_fewer,
)
from orchestrator.store.paths import Location

ANSWER_S = 10.0
"""Seconds to wait for a connection to the address of a running cluster."""
BOOTSTRAP = Path("~/ray_bootstrap_config.yaml")
"""The file on a cluster's head node in which `ray up` lists the nodes that it may add."""
_ADDRESS = re.compile(
    r"auto|(ray://)?(?P<host>[^\s/:\[\]]+|\[[0-9a-fA-F:.]+\]):(?P<port>[0-9]{1,5})"
)


class RayCluster:
    """A ``Cluster`` of workers of Ray: of a Ray started on this machine, or of a running cluster.

    Args:
        cpus: how many CPUs to use of this machine; None for all.
        gpus: how many GPUs to use; 0 trains on CPUs; None for all that Ray finds.
        gpus_per_trial: GPUs that a trial reserves: a share such as 0.25, or a whole number.
        memory_per_trial: bytes of a node's memory that a trial reserves.
        address: address of a running cluster, ``HOST:PORT`` or ``auto``; None starts Ray here.
        store: the store; every node must reach it.

    Raises:
        RequestError: ``address`` does not have the form of an address.
        LackError: nothing answers there.
    """

    def __init__(
        self,
        *,
        cpus: int | None = None,
        gpus: int | None = None,
        gpus_per_trial: float = 1.0,
        memory_per_trial: float = MEMORY_PER_TRIAL,
        address: str | None = None,
        store: Location,
    ) -> None:
        if address is not None:
            _refuse_silent(address)
        self._cpus, self._gpus, self._gpus_per_trial = cpus, gpus, gpus_per_trial
        self._address, self._store = address, store
        self._stack = contextlib.ExitStack()
        self._scratch = Path()
        self._trial = Resources(cpus=1, memory=memory_per_trial)
        """The resources that a trial reserves on a node."""
        self._node_types: Sequence[Resources] = ()
        """Nodes that may still join the cluster; empty where it does not grow."""
        self._marker: StoreMarker | None = None
        """The file in the store that each worker must be able to read; None on this machine alone.
        """
        self.lanes = 0
        self.device = "cpu"
        self.note = ""

    def __enter__(self) -> "RayCluster":
        self._scratch = self._stack.enter_context(scratch.folder())
        try:
            self._stack.enter_context(
                ray_environment.prepared(self._scratch, own=self._address is None)
            )
            with ray_environment.own_signals():
                self._start()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    def _start(self) -> None:
        """Start Ray or join one, check that its nodes see the store, and set what a trial takes.

        Raises:
            LackError: Ray does not start, a node does not see the store, or no node fits a trial.
        """
        import ray

        # `run` reports a worker's death in a sentence. Ray and Tune would print two pages for it;
        # what a raylet prints goes past Python's logging, by a switch of Ray's own (2.60).
        logging.getLogger("ray").setLevel(logging.CRITICAL)
        ray._private.worker._worker_logs_enabled = False
        ray_environment.reread()
        common: dict[str, Any] = {
            "log_to_driver": False,
            "logging_level": logging.CRITICAL,
            "runtime_env": {"worker_process_setup_hook": setup_hook()},
        }
        try:
            if self._address is None:
                ray.init(
                    address="local",
                    num_cpus=self._cpus or os.cpu_count() or 1,
                    num_gpus=self._gpus,
                    object_store_memory=OBJECT_STORE,
                    include_dashboard=False,
                    _node_ip_address="127.0.0.1",
                    _temp_dir=str(self._scratch / "ray"),
                    **common,
                )
            else:
                ray.init(address=self._address, **common)
        except Exception as error:
            raise LackError(
                f"Ray did not start: {first_line(error).rstrip('.')}. `--inline` trains without it."
            ) from error
        self._stack.callback(ray.shutdown)
        self._check_store()
        self._size_trials()

    def _size_trials(self) -> None:
        """Set the resources of a trial, the device, and how many trials train at once.

        Raises:
            LackError: no node of this cluster, nor one that may join, has the resources of a trial.
        """
        nodes = living_nodes()
        if self._address is not None:
            self._node_types = autoscaler_nodes(BOOTSTRAP.expanduser())
        has_gpus = any(node.gpus for node in (*nodes, *self._node_types))
        if self._gpus != 0 and (self._gpus_per_trial > 1 or has_gpus):
            self._use_gpus(nodes)
        if missing := describe_lack(nodes, self._trial):
            if describe_lack(self._node_types, self._trial):
                raise LackError(missing)
            self.note = WAITING_TO_GROW
        self.lanes = max(1, sum(capacity(node, self._trial) for node in nodes))

    def _use_gpus(self, nodes: Sequence[Resources]) -> None:
        """Let trials train on GPUs; where the installed PyTorch cannot use them, say so in a note.

        Raises:
            LackError: PyTorch cannot use them, and the person asked for GPUs.
        """
        import ray

        trial = replace(self._trial, gpus=self._gpus_per_trial)
        fits_now = any(capacity(node, trial) for node in nodes)
        check = ray.remote(num_gpus=self._gpus_per_trial)(cuda_works)
        if not fits_now or ray.get(check.remote()):
            self._trial, self.device = trial, "cuda"
            return
        sentence = "There is a GPU, but the installed PyTorch cannot use it (a CPU build?)"
        if self._gpus:
            raise LackError(f"{sentence}: `--gpus 0` trains on CPUs.")
        self.note = f"{sentence}: training on CPUs."

    def _check_store(self) -> None:
        """Write a marker file to the store, and check that every node can read it.

        A node that joins later is not checked here. Therefore the marker stays while the run lasts
        (`gc` leaves it), and every worker reads it before it trains.

        Raises:
            LackError: a node does not see the store.
        """
        import ray
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        nodes = [node for node in ray.nodes() if node["Alive"]]
        if len(nodes) < 2 and self._address is None:
            return
        self._marker = StoreMarker.new(self._store)
        self._stack.callback(self._marker.remove)
        self._marker.write()
        is_seen = ray.remote(num_cpus=0)(StoreMarker.is_seen)
        for node in nodes:
            strategy = NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
            answer = is_seen.options(scheduling_strategy=strategy).remote(self._marker)
            try:
                if not ray.get(answer):
                    raise store_not_seen(node["NodeManagerAddress"], self._store)
            except (ray.exceptions.TaskUnschedulableError, ray.exceptions.WorkerCrashedError):
                continue  # the node has just gone; should it come back, its workers look first

    def usage(self) -> Usage | None:
        """The CPUs and GPUs that trials reserve, by Ray's count, and memory; of all that there are.

        Memory is what is in use on this machine or, on a running cluster, what trials reserve.
        None while no cluster is held.
        """
        if not self.lanes:  # not started yet
            return None
        import ray

        try:
            if not ray.is_initialized():
                return None
            total, free = ray.cluster_resources(), ray.available_resources()
            alone = len(ray.nodes()) == 1
        except Exception:  # Ray is shutting down: a view asks at any time
            return None
        held = {key: amount - free.get(key, 0.0) for key, amount in total.items()}
        cpus, gpus = held.get("CPU", 0.0), held.get("GPU", 0.0)
        cpus_there, gpus_there = total.get("CPU", 0.0), total.get("GPU", 0.0)
        if alone and self._address is None:
            return usage_here(cpus=cpus, cpus_there=cpus_there, gpus=gpus, gpus_there=gpus_there)
        return Usage(
            used=Resources(cpus=cpus, memory=held.get("memory", 0.0), gpus=gpus),
            there=Resources(cpus=cpus_there, memory=total.get("memory", 0.0), gpus=gpus_there),
            promised=True,
        )

    def train(self, tasks: Sequence[Task], work: Work, on_event: OnEvent) -> str:
        """Train every task once under Ray Tune; returns why Tune ended early, or "".

        A worker that dies ends only its own trial. But one that Ray kills for lack of memory ends
        Tune's whole run (Ray 2.60 raises RuntimeError), and ``LOW_MEMORY`` is returned.
        """
        from ray import tune

        trial = self._trial
        gpu_share = min(1.0, trial.gpus or 1.0)
        by_id = {task.id: replace(task, gpu_share=gpu_share) for task in tasks}
        gpus = {"gpu": trial.gpus} if trial.gpus else {}
        resources = {"cpu": trial.cpus, "memory": trial.memory, **gpus}
        relay = EventRelay(on_event, self._store)
        idle = IdleReporter(trial, self._node_types, relay)
        tuner = tune.Tuner(
            tune.with_resources(trainable(by_id, work, self._marker), resources),
            param_space={"trial": tune.grid_search(list(by_id))},
            tune_config=tune.TuneConfig(reuse_actors=True),
            run_config=tune.RunConfig(
                name=secrets.token_hex(4),
                storage_path=str(self._scratch / "tune"),
                verbose=0,
                callbacks=[tune_callback(relay, idle)],
                failure_config=tune.FailureConfig(max_failures=0),
            ),
        )
        try:
            tuner.fit()
        except (RuntimeError, tune.TuneError) as error:
            if relay.error is not None:
                raise relay.error from None
            return one_line(error)
        return "" if relay.any_event else relay.last_death  # else that death is one trial's own

    def give_more_memory(self) -> str:
        """Let one trial fewer share a GPU or, of CPU trials, the node with the most trials.

        Returns:
            What has changed, as a sentence; empty where a trial shares nothing.
        """
        nodes = living_nodes()
        trial = with_one_trial_fewer(nodes, self._trial)
        if trial is None:
            return ""
        before = self.lanes
        self._trial = trial
        self.lanes = max(1, sum(capacity(node, trial) for node in nodes))
        return f"Out of memory: {self.lanes} trials at once from now on, no longer {before}."

    def map(self, function: Callable[[Any], Any], items: Sequence[Any]) -> Iterator[Any]:
        """Apply a function to each item in workers of one CPU; yield results in order.

        At most ``2 * lanes`` items are started and not yet yielded, which bounds the object store.
        An exception of the function is raised here; Ray repeats the items of a lost node.

        Raises:
            LackError: a worker died.
        """
        import ray

        remote = ray.remote(num_cpus=1, memory=MEMORY_PER_TRIAL)(function)
        pending: deque[Any] = deque()
        most_pending = 2 * max(1, self.lanes)
        try:
            for item in items:
                pending.append(remote.remote(item))
                if len(pending) >= most_pending:
                    yield _result(pending.popleft())
            while pending:
                yield _result(pending.popleft())
        finally:
            if ray.is_initialized():  # not when the results outlived the cluster
                for reference in pending:
                    ray.cancel(reference)


def _result(reference: Any) -> Any:
    """Wait for the result of a remote function; an exception that it raised is raised here.

    Raises:
        LackError: the worker died.
    """
    import ray

    try:
        return ray.get(reference)
    except ray.exceptions.RayTaskError as error:
        raise error.cause from None
    except ray.exceptions.RayError as error:
        raise LackError(
            f"A worker died ({first_line(error)[:120]}): what is done is kept, "
            "so run the same command again."
        ) from error


def _refuse_silent(address: str) -> None:
    """Refuse an address of a wrong form or at which nothing answers: Ray would wait a minute.

    Raises:
        RequestError: it is neither ``auto`` nor ``HOST:PORT``.
        LackError: nothing answers within ``ANSWER_S``.
    """
    found = _ADDRESS.fullmatch(address)
    if found is None:
        raise RequestError(
            "`--address` must be a Ray cluster's HOST:PORT, such as 192.0.2.10:6379, or `auto`, "
            f"but is `{address}` instead. (`ablate submit` takes the URL of a job server.)"
        )
    if address == "auto":
        return
    try:
        where = found["host"].strip("[]"), int(found["port"])
        socket.create_connection(where, timeout=ANSWER_S).close()
    except (OSError, OverflowError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise LackError(
            f"No Ray cluster answers at `{address}` ({why}): `ray status` on its head node "
            "tells whether it runs, `--address auto` finds one on this machine."
        ) from None
