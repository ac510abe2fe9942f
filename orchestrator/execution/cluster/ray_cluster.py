"""Ray as a cluster, of this machine or one that runs already: Ray Tune schedules the trials.

Tune is used statelessly: it holds no truth, is never restored, and its folder is scratch. It
gives resources, placement and worker reuse; the ledger gives resume, and ``run`` gives retries.
``work`` is passed in, so this file knows no network and no audio.
"""

import contextlib
import functools
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

from orchestrator.errors import LackError, RequestError
from orchestrator.execution import import_roots
from orchestrator.execution.cluster import ray_environment, scratch
from orchestrator.execution.cluster.inline import cuda_works
from orchestrator.execution.cluster.protocol import OnEvent, Task, Work
from orchestrator.execution.cluster.ray_driver import (
    GROWS,
    Ear,
    Patience,
    callback,
    reason,
    rooms,
)
from orchestrator.execution.cluster.ray_worker import trainable
from orchestrator.execution.cluster.store_check import blind, reads, remove
from orchestrator.planning.cost.machine import MEMORY_PER_TRIAL, OBJECT_STORE, usage_here
from orchestrator.planning.cost.resources import (
    Resources,
    Usage,
    autoscaler_nodes,
    capacity,
    describe_lack,
    with_one_trial_fewer,
)
from orchestrator.store.files import replace_file
from orchestrator.store.paths import Location, new_nonce

ANSWER_S = 10.0
"""How long an address is waited for."""
BOOTSTRAP = Path("~/ray_bootstrap_config.yaml")
"""Where Ray's launcher keeps, on the head node, which nodes it may add."""


_ADDRESS = re.compile(
    r"auto|(ray://)?(?P<host>[^\s/:\[\]]+|\[[0-9a-fA-F:.]+\]):(?P<port>[0-9]{1,5})"
)


class RayCluster:
    """One machine under a Ray of our own, or a running cluster at ``address``.

    Args:
        cpus: CPUs to use; None for all.
        gpus: GPUs to use; None for all that Ray finds.
        gpus_per_trial: share of a GPU that a trial takes.
        memory_per_trial: bytes of a node's memory that it takes.
        address: address of a running cluster; None starts one here.
        store: the store; every node must reach it.

    Raises:
        RequestError: an address that is none.
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
            _look_for(address)
        self._cpus, self._gpus, self._share = cpus, gpus, gpus_per_trial
        self._address, self._store = address, store
        self._stack = contextlib.ExitStack()
        self._scratch = Path()
        self._room = Resources(cpus=1, memory=memory_per_trial)
        self._types: Sequence[Resources] = ()
        self._seen: Callable[[], bool] | None = None
        self.slots = 0
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
        import ray

        # A worker's death is told in a sentence, by `run`. Ray and Tune would print two pages for
        # it; what a raylet has to say goes past Python's logging, by a switch of Ray's own (2.60).
        logging.getLogger("ray").setLevel(logging.CRITICAL)
        ray._private.worker._worker_logs_enabled = False
        ray_environment.read_again()
        environment = {"worker_process_setup_hook": import_roots.BIND}
        try:
            if self._address is None:
                ray.init(
                    address="local",
                    num_cpus=self._cpus or os.cpu_count() or 1,
                    num_gpus=self._gpus,
                    object_store_memory=OBJECT_STORE,
                    include_dashboard=False,
                    log_to_driver=False,
                    logging_level=logging.CRITICAL,
                    _node_ip_address="127.0.0.1",
                    _temp_dir=str(self._scratch / "ray"),
                    runtime_env=environment,
                )
            else:
                ray.init(
                    address=self._address,
                    log_to_driver=False,
                    logging_level=logging.CRITICAL,
                    runtime_env=environment,
                )
        except Exception as error:
            raise LackError(
                f"Ray did not start: {str(error).strip().splitlines()[0].rstrip('.')}. "
                "`--inline` trains without it."
            ) from error
        self._stack.callback(ray.shutdown)
        self._check_store_everywhere()
        self._place_trials()

    def _place_trials(self) -> None:
        """Decide what a trial takes of a node; what no node will ever have is refused at once."""
        nodes = rooms()
        if self._address is not None:
            self._types = autoscaler_nodes(BOOTSTRAP.expanduser())
        if self._gpus != 0 and (self._share > 1 or any(n.gpus for n in (*nodes, *self._types))):
            self._take_gpus(nodes)
        if missing := describe_lack(nodes, self._room):
            if describe_lack(self._types, self._room):
                raise LackError(missing)
            self.note = GROWS
        self.slots = max(1, sum(capacity(node, self._room) for node in nodes))

    def _take_gpus(self, nodes: Sequence[Resources]) -> None:
        """Train on the GPUs, where the installed PyTorch can use them."""
        import ray

        room = replace(self._room, gpus=self._share)
        there = any(capacity(node, room) for node in nodes)
        if not there or ray.get(ray.remote(num_gpus=self._share)(cuda_works).remote()):
            self._room, self.device = room, "cuda"
            return
        sentence = "There is a GPU, but the installed PyTorch cannot use it (a CPU build?)"
        if self._gpus:
            raise LackError(f"{sentence}: `--gpus 0` trains on CPUs.")
        self.note = f"{sentence}: training on CPUs."

    def _check_store_everywhere(self) -> None:
        """Each node reads back a nonce from the store, or nothing trains.

        A cluster that was there before may grow, and a node that joins later has had no such
        look: there the nonce stays while the run lasts, which `gc.py` knows, and every trial
        asks first.
        """
        import ray
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        nodes = [n for n in ray.nodes() if n["Alive"]]
        if len(nodes) < 2 and self._address is None:
            return
        marker = self._store / new_nonce()
        nonce = secrets.token_hex(16)
        self._stack.callback(remove, marker)
        replace_file(marker, nonce.encode())
        self._seen = functools.partial(reads, str(marker), nonce)
        look = ray.remote(num_cpus=0)(reads)
        for node in nodes:
            strategy = NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
            sees = look.options(scheduling_strategy=strategy).remote(str(marker), nonce)
            try:
                if not ray.get(sees):
                    raise blind(node["NodeManagerAddress"], self._store)
            except (ray.exceptions.TaskUnschedulableError, ray.exceptions.WorkerCrashedError):
                continue  # it has just gone; what trains there, should it come back, asks first

    def usage(self) -> Usage | None:
        """What trials hold of the cluster, by Ray's own count; memory of one machine by its own."""
        if not self.slots:  # not started yet
            return None
        import ray

        try:
            if not ray.is_initialized():
                return None
            there, free = ray.cluster_resources(), ray.available_resources()
            alone = len(ray.nodes()) == 1
        except Exception:  # it ends just now: a view asks at any time
            return None
        held = {key: total - free.get(key, 0.0) for key, total in there.items()}
        cpus, gpus = held.get("CPU", 0.0), held.get("GPU", 0.0)
        cpus_there, gpus_there = there.get("CPU", 0.0), there.get("GPU", 0.0)
        if alone and self._address is None:
            return usage_here(cpus=cpus, cpus_there=cpus_there, gpus=gpus, gpus_there=gpus_there)
        return Usage(
            used=Resources(cpus=cpus, memory=held.get("memory", 0.0), gpus=gpus),
            there=Resources(cpus=cpus_there, memory=there.get("memory", 0.0), gpus=gpus_there),
            promised=True,
        )

    def train(self, tasks: Sequence[Task], work: Work, tell: OnEvent) -> str:
        """Train every task once under Ray Tune.

        A worker that dies ends its own trial. One killed for memory ends Tune's whole run
        (Ray 2.60 raises RuntimeError): that is what the returned sentence says.
        """
        from ray import tune

        room = self._room
        by_id = {task.id: replace(task, gpu_share=min(1.0, room.gpus or 1.0)) for task in tasks}
        share = {"gpu": room.gpus} if room.gpus else {}
        resources = {"cpu": room.cpus, "memory": room.memory, **share}
        hear = Ear(tell, self._store)
        patience = Patience(room, self._types, hear)
        tuner = tune.Tuner(
            tune.with_resources(trainable(by_id, work, self._seen), resources),
            param_space={"trial": tune.grid_search(list(by_id))},
            tune_config=tune.TuneConfig(reuse_actors=True),
            run_config=tune.RunConfig(
                name=secrets.token_hex(4),
                storage_path=str(self._scratch / "tune"),
                verbose=0,
                callbacks=[callback(hear, patience)],
                failure_config=tune.FailureConfig(max_failures=0),
            ),
        )
        try:
            tuner.fit()
        except (RuntimeError, tune.TuneError) as error:
            if hear.raised is not None:
                raise hear.raised from None
            return reason(error)
        return "" if hear.heard else hear.last_error  # where others began, it is one trial's

    def spread(self) -> str:
        """One trial fewer on a GPU or, of CPU trials, on the node that takes most."""
        nodes = rooms()
        room = with_one_trial_fewer(nodes, self._room)
        if room is None:
            return ""
        before = self.slots
        self._room = room
        self.slots = max(1, sum(capacity(node, room) for node in nodes))
        return f"Out of memory: {self.slots} trials at once from now on, no longer {before}."

    def map(self, function: Callable[[Any], Any], items: Sequence[Any]) -> Iterator[Any]:
        """Apply a function on one CPU an item, a few items ahead of what has been taken.

        Results come in order, and no more of them than that lie in the object store. What the
        function raises rises as itself; a lost node's items are done again by Ray.
        """
        import ray

        remote = ray.remote(num_cpus=1, memory=MEMORY_PER_TRIAL)(function)
        waiting: deque[Any] = deque()
        ahead = 2 * max(1, self.slots)
        try:
            for item in items:
                waiting.append(remote.remote(item))
                if len(waiting) >= ahead:
                    yield _taken(waiting.popleft())
            while waiting:
                yield _taken(waiting.popleft())
        finally:
            if ray.is_initialized():  # not when the results outlived the cluster
                for reference in waiting:
                    ray.cancel(reference)


def _taken(reference: Any) -> Any:
    """A result of Ray; what its function raised is raised as itself, and a death in a sentence."""
    import ray

    try:
        return ray.get(reference)
    except ray.exceptions.RayTaskError as error:
        raise error.cause from None
    except ray.exceptions.RayError as error:
        raise LackError(
            f"A worker died ({str(error).strip().splitlines()[0][:120]}): what is done is kept, "
            "so run the same command again."
        ) from error


def _look_for(address: str) -> None:
    """Ask for an answer before anything is made for it: Ray itself would wait for a minute."""
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
