"""Trials -> machines: RayCluster (Ray Tune schedules) and InlineCluster. A door to Ray.

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
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from orchestrator.errors import LackError, RequestError
from orchestrator.execution.cluster import ray_environment, scratch
from orchestrator.execution.events import Event, Waiting, pack, unpack
from orchestrator.planning.cost.machine import MEMORY_PER_TRIAL, OBJECT_STORE, cpu_count, usage_here
from orchestrator.planning.cost.resources import Resources, Usage, fits, lack, node_types, roomier
from orchestrator.store.files import Location, is_refusal, location, replace_file

PATIENCE_S = 10.0
"""How long nothing may train before it is told why: a worker's start takes a few seconds."""
ANSWER_S = 10.0
"""How long an address is waited for."""
LOOKS_S = (0.0, 1.0, 5.0)
"""Waits before each look of a node at the store; what no look finds is not there."""
LOW_MEMORY = "a machine ran low on memory and Ray ended a worker"
"""Why a scheduler ended early."""
BOOTSTRAP = Path("~/ray_bootstrap_config.yaml")
"""Where Ray's launcher keeps, on the head node, which nodes it may add."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Task:
    """All that a worker is told: what to train and where the store lies. Plain values."""

    id: str
    identity: Mapping[str, Any]
    store: str
    device: str = "cpu"
    gpu_share: float = 1.0
    """Of a GPU's memory: no more is taken, so that those beside it keep theirs."""


_ADDRESS = re.compile(
    r"auto|(ray://)?(?P<host>[^\s/:\[\]]+|\[[0-9a-fA-F:.]+\]):(?P<port>[0-9]{1,5})"
)

OnEvent = Callable[[Event], None]
Map = Callable[[Callable[[Any], Any], Sequence[Any]], Iterator[Any]]
"""Applies a function to items and gives the results in their order."""

Work = Callable[[Task, OnEvent], None]
"""Trains one task, writes its record, tells. Everything it has to say goes through ``OnEvent``."""


class Cluster(Protocol):
    """Where tasks are trained. Used as a context: machines are held between enter and exit."""

    @property
    def slots(self) -> int:
        """How many trials train at once."""

    @property
    def device(self) -> str:
        """The device of every trial, ``cpu`` or ``cuda``."""

    @property
    def note(self) -> str:
        """What a person should know of these machines; empty where there is nothing."""

    def __enter__(self) -> "Cluster":
        """Take the machines."""

    def __exit__(self, *error: object) -> None:
        """Give them back."""

    def usage(self) -> Usage | None:
        """What is used of the machines now; None where they are not held."""

    def train(self, tasks: Sequence[Task], work: Work, tell: OnEvent) -> str:
        """Train every task once. Deaths of workers are not raised: the ledger shows them.

        Returns:
            Why the scheduler ended before every task had its turn; empty when it did not.
        """

    def spread(self) -> str:
        """Give each trial more room from the next ``train`` on, since memory ran out.

        Returns:
            What changes, as a sentence; empty where there is no more room to give.
        """

    def map(self, function: Callable[[Any], Any], items: Sequence[Any]) -> Iterator[Any]:
        """Apply a function to every item; results in order, as they come. What it raises rises."""


class InlineCluster:
    """One trial after another in this process, by the same worker."""

    def __init__(self, gpus: float = 0) -> None:
        self.slots = 1
        self.device = "cuda" if gpus else "cpu"
        self.note = ""

    def __enter__(self) -> "InlineCluster":
        if self.device == "cuda" and not _cuda_works():
            raise LackError(
                "`--gpus` needs a GPU that the installed PyTorch can use, and there is none: "
                "leave it out to train on the CPU."
            )
        return self

    def __exit__(self, *error: object) -> None:
        return None

    def usage(self) -> Usage | None:
        """What is used of this machine."""
        gpus = 1.0 if self.device == "cuda" else 0.0
        return usage_here(cpus=1, cpus_there=cpu_count(), gpus=gpus, gpus_there=gpus)

    def train(self, tasks: Sequence[Task], work: Work, tell: OnEvent) -> str:
        """Train every task once, in order."""
        for task in tasks:
            work(task, tell)
        return ""

    def spread(self) -> str:
        """One trial trains at a time: there is no more room to give."""
        return ""

    def map(self, function: Callable[[Any], Any], items: Sequence[Any]) -> Iterator[Any]:
        """Apply a function to every item, here."""
        return map(function, items)


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
                )
            else:
                ray.init(address=self._address, log_to_driver=False, logging_level=logging.CRITICAL)
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
        nodes = _rooms()
        if self._address is not None:
            self._types = node_types(BOOTSTRAP.expanduser())
        if self._gpus != 0 and (self._share > 1 or any(n.gpus for n in (*nodes, *self._types))):
            self._take_gpus(nodes)
        if missing := lack(nodes, self._room):
            if lack(self._types, self._room):
                raise LackError(missing)
            self.note = _GROWS
        self.slots = max(1, sum(fits(node, self._room) for node in nodes))

    def _take_gpus(self, nodes: Sequence[Resources]) -> None:
        """Train on the GPUs, where the installed PyTorch can use them."""
        import ray

        room = replace(self._room, gpus=self._share)
        there = any(fits(node, room) for node in nodes)
        if not there or ray.get(ray.remote(num_gpus=self._share)(_cuda_works).remote()):
            self._room, self.device = room, "cuda"
            return
        sentence = "There is a GPU, but the installed PyTorch cannot use it (a CPU build?)"
        if self._gpus:
            raise LackError(f"{sentence}: `--gpus 0` trains on CPUs.")
        self.note = f"{sentence}: training on CPUs."

    def _check_store_everywhere(self) -> None:
        """Each node reads back a nonce from the store, or nothing trains.

        A cluster that was there before may grow, and a node that joins later has had no such
        look: there the nonce stays while the run lasts, which `sweep.py` knows, and every trial
        asks first.
        """
        import ray
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        nodes = [n for n in ray.nodes() if n["Alive"]]
        if len(nodes) < 2 and self._address is None:
            return
        marker = self._store / f".nonce-{secrets.token_hex(6)}"
        nonce = secrets.token_hex(16)
        self._stack.callback(_remove, marker)
        replace_file(marker, nonce.encode())
        self._seen = functools.partial(_reads, str(marker), nonce)
        look = ray.remote(num_cpus=0)(_reads)
        for node in nodes:
            strategy = NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
            sees = look.options(scheduling_strategy=strategy).remote(str(marker), nonce)
            try:
                if not ray.get(sees):
                    raise _blind(node["NodeManagerAddress"], self._store)
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
        hear = _Ear(tell, self._store)
        patience = _Patience(room, self._types, hear)
        tuner = tune.Tuner(
            tune.with_resources(_trainable(by_id, work, self._seen), resources),
            param_space={"trial": tune.grid_search(list(by_id))},
            tune_config=tune.TuneConfig(reuse_actors=True),
            run_config=tune.RunConfig(
                name=secrets.token_hex(4),
                storage_path=str(self._scratch / "tune"),
                verbose=0,
                callbacks=[_callback(hear, patience)],
                failure_config=tune.FailureConfig(max_failures=0),
            ),
        )
        try:
            tuner.fit()
        except (RuntimeError, tune.TuneError) as error:
            if hear.raised is not None:
                raise hear.raised from None
            return _reason(error)
        return "" if hear.heard else hear.last_error  # where others began, it is one trial's

    def spread(self) -> str:
        """One trial fewer on a GPU or, of CPU trials, on the node that takes most."""
        nodes = _rooms()
        room = roomier(nodes, self._room)
        if room is None:
            return ""
        before = self.slots
        self._room = room
        self.slots = max(1, sum(fits(node, room) for node in nodes))
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


class _Ear:
    """Hears the events of workers in the driver; keeps what went wrong there."""

    def __init__(self, tell: OnEvent, store: Location) -> None:
        self._tell, self._store = tell, store
        self.raised: Exception | None = None
        """What ``tell`` itself raised: Tune would hide it in an error of its own."""
        self.heard = False
        """Whether any worker has said a word."""
        self.last_error = ""
        """The last line of a trial that ended without a word of its own."""

    def hear(self, packed: Mapping[str, Any]) -> None:
        self.heard = True
        self.tell(unpack(packed))

    def blind(self, node: str) -> None:
        """What is trained there would be lost: the run ends, and its trials go on from here."""
        self.raised = _blind(node, self._store)
        raise self.raised

    def tell(self, event: Event) -> None:
        try:
            self._tell(event)
        except Exception as error:
            self.raised = error
            raise

    def lost(self, words: str) -> None:
        self.last_error = _reason(words) if words else "a worker ended without a word"


def _last_words(trial: Any) -> str:
    """What Tune noted of a trial's end. Its own `get_error` looks where the note comes later."""
    try:
        return Path(trial.error_file).read_text(errors="replace")
    except (OSError, TypeError):
        return ""


def _reason(error: object) -> str:
    """One line of an error of Ray's, which may be a page long and end in the address of another."""
    text = str(error).strip()
    if "OutOfMemory" in text or "low on memory" in text:
        return LOW_MEMORY
    return text.splitlines()[-1][:160] if text else type(error).__name__


_GROWS = "No node takes a trial yet: waiting for the cluster to grow."


class _Patience:
    """Says why nothing trains, once it has lasted: Ray itself would wait without a word."""

    def __init__(self, room: Resources, types: Sequence[Resources], hear: _Ear) -> None:
        self._room, self._types, self._hear = room, types, hear
        self._since = time.monotonic()
        self._told = ""

    def look(self, *, training: bool) -> None:
        """Called again and again, by Tune's loop."""
        if training:
            self._told = ""
        elif time.monotonic() - self._since < PATIENCE_S:
            return
        elif (why := self._why()) != self._told:
            self._told = why
            if why:
                self._hear.tell(Waiting(why))
        self._since = time.monotonic()

    def _why(self) -> str:
        """Empty where a place is taken and its worker is on the way."""
        import ray

        ours = ray.get_runtime_context().get_job_id()
        asked = ray.util.placement_group_table().items()
        if any(id.endswith(ours) and location["state"] == "CREATED" for id, location in asked):
            return ""
        if missing := lack(_rooms(), self._room):
            return missing if lack(self._types, self._room) else _GROWS
        return f"Others use this cluster: waiting for a node with {self._room} to spare."


def _rooms() -> list[Resources]:
    """What each living node has, used or not."""
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


def _trainable(
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


def _callback(ear: _Ear, patience: _Patience) -> Any:
    """A Tune callback that hands the events of workers on."""
    from ray import tune

    class _Callback(tune.Callback):  # type: ignore[misc]
        def on_trial_result(
            self, iteration: int, trials: Any, trial: Any, result: Mapping[str, Any], **info: Any
        ) -> None:
            if packed := result.get("event"):
                ear.hear(packed)
            elif node := result.get("blind"):
                ear.blind(node)

        def on_step_end(self, iteration: int, trials: Any, **info: Any) -> None:
            patience.look(training=any(trial.status == "RUNNING" for trial in trials))

        def on_trial_error(self, iteration: int, trials: Any, trial: Any, **info: Any) -> None:
            ear.lost(_last_words(trial))

        def __reduce__(self) -> tuple[type[object], tuple[()]]:
            """Tune pickles its callbacks into its own state, which nothing ever reads."""
            return object, ()

    return _Callback()


def _cuda_works() -> bool:
    import torch

    return bool(torch.cuda.is_available())


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


def _reads(marker: str, nonce: str) -> bool:
    """Whether the store here is the driver's; a mount that stalls for seconds is no other store."""
    return any(_reads_now(marker, nonce, wait_s) for wait_s in LOOKS_S)


def _reads_now(marker: str, nonce: str, wait_s: float) -> bool:
    time.sleep(wait_s)
    try:
        return location(marker).read_text() == nonce
    except Exception as error:
        if is_refusal(error) or isinstance(error, LackError):
            return False
        raise


def _remove(marker: Location) -> None:
    """Also from a store that cannot be written any more: there `gc` finds it one day."""
    with contextlib.suppress(OSError):
        marker.unlink(missing_ok=True)


def _blind(node: str, store: Location) -> LackError:
    return LackError(
        f"The node {node} does not see the store `{store}`: "
        "put it where every node mounts or reaches it."
    )
