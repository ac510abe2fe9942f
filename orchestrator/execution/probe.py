"""Measures what an epoch takes here: a few epochs of one trial of each shape, by the very worker.

Each trial trains in a process of its own, since a process can tell the peak of its memory but not
of a trial's. On a CPU as many train beside each other as a run would train, for cores share caches
and memory; on a GPU first one, then two, three, ... as long as one more is worth it.
What they write is thrown away; what was measured is kept in the store (`timings.py`).
"""

import contextlib
import multiprocessing
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from pathlib import Path

from model.systems.catalogue import SYSTEMS
from orchestrator.errors import LackError
from orchestrator.execution.cluster.protocol import Task
from orchestrator.execution.events import Epoch, Event, Failed, Progress
from orchestrator.execution.import_roots import bind
from orchestrator.planning.cost import timings
from orchestrator.planning.cost.gpu_sharing import GpuSharing, measure_sharing
from orchestrator.planning.cost.machine import Machine
from orchestrator.planning.cost.timings import Probe
from orchestrator.planning.plan import Plan
from orchestrator.store.ledger import Ledger
from orchestrator.study.trials import PlannedTrial, Trial

EPOCHS = 3
"""Of the training that is measured; one to warm up goes before it."""
LONG_S = 30.0
"""After so long nothing more is trained: beside it, warming up is nothing."""

OnEvent = Callable[[Event], None]


@dataclass(frozen=True, kw_only=True, slots=True)
class ProbeMeasurement:
    """What one process saw of one trial."""

    epoch_s: float = 0.0
    fixed_s: float = 0.0
    warm_s: float = 0.0
    epochs: int = 0
    memory: int = 0
    gpu_memory: int = 0
    gpu_total: int = 0
    failure: str = ""
    lack_of_memory: bool = False


def shapes(plan: Plan) -> list[PlannedTrial]:
    """One trial of each shape that is to be trained; of every shape when nothing is."""
    first: dict[str, PlannedTrial] = {}
    rows = dict[str, PlannedTrial]()
    for item in plan.to_train or plan.trials:
        rows.setdefault(item.row, item)
    for item in rows.values():
        first.setdefault(timings.shape(item.trial), item)
    return list(first.values())


def measure(plan: Plan, ledger: Ledger, machine: Machine, at_once: int, tell: OnEvent) -> None:
    """Probe every shape of a plan and keep what was seen. The features must be there.

    Args:
        plan: whose trials.
        ledger: the store.
        machine: the kind of this machine, as it is kept.
        at_once: how many trials a run trains here on CPUs.
        tell: hears how far it is.

    Raises:
        LackError: a trial could not be trained here.
    """
    items = shapes(plan)
    for done, item in enumerate(items):
        tell(Progress("measuring epochs", done, len(items)))
        trial = item.trial
        if machine.device == "cuda":
            probe = _on_gpu(trial, ledger)
        else:
            probe = _on_cpu(trial, ledger, min(at_once, max(1, len(plan.to_train))))
        network = SYSTEMS[trial.model.model].network
        whole = 0 if network else probe.epochs
        found = replace(probe, load=timings.epoch_load(trial, plan), epochs=whole)
        timings.write_probe(ledger, machine, trial, found)
    tell(Progress("measuring epochs", len(items), len(items)))


def _on_cpu(trial: Trial, ledger: Ledger, at_once: int) -> Probe:
    """Beside as many others as memory allows."""
    for count in range(at_once, 0, -1):
        seen = _beside(_tasks(trial, ledger, "cpu"), count)
        if not any(s.lack_of_memory for s in seen):
            return _probe(seen)
    raise LackError("Not even one trial has enough memory here.")


def _on_gpu(trial: Trial, ledger: Ledger) -> Probe:
    """Alone, then beside others until one more is not worth it."""
    tasks = _tasks(trial, ledger, "cuda")
    by_count = {1: _beside(tasks, 1)}
    alone = by_count[1][0]
    if alone.lack_of_memory:
        raise LackError("Not even one trial has enough memory on this GPU.")

    def together(count: int) -> float | None:
        if count not in by_count:
            by_count[count] = _beside(tasks, count)
        seen = by_count[count]
        return None if any(s.lack_of_memory for s in seen) else sum(1 / s.epoch_s for s in seen)

    found = measure_sharing(alone.gpu_memory, alone.gpu_total, together)
    probe = _probe(by_count[GpuSharing(found.throughput).trials])
    return replace(probe, gpu_memory=alone.gpu_memory, throughput=found.throughput)


def _probe(seen: Sequence[ProbeMeasurement]) -> Probe:
    return Probe(
        epoch_s=statistics.fmean(s.epoch_s for s in seen),
        fixed_s=statistics.fmean(s.fixed_s for s in seen),
        warm_s=statistics.fmean(s.warm_s for s in seen),
        epochs=max(s.epochs for s in seen),
        load=1.0,
        at_once=len(seen),
        memory=max(s.memory for s in seen),
        gpu_memory=max(s.gpu_memory for s in seen),
    )


def _tasks(trial: Trial, ledger: Ledger, device: str) -> tuple[Task, Task]:
    """The trial with one epoch, and with as many as are measured."""

    def short(epochs: int) -> Task:
        own = replace(trial, training=replace(trial.training, epochs=epochs))
        return Task(id=own.id, identity=own.identity, store=str(ledger.root), device=device)

    return short(1), short(EPOCHS)


def _beside(tasks: tuple[Task, Task], count: int) -> list[ProbeMeasurement]:
    """What so many processes saw that trained the same at the same time."""
    context = multiprocessing.get_context("spawn")
    try:
        with ProcessPoolExecutor(count, context, initializer=bind) as processes:
            seen = list(processes.map(_look, [tasks] * count))
    except BrokenProcessPool:  # the system ends what takes too much memory, without a word
        return [ProbeMeasurement(lack_of_memory=True, failure="its process died")]
    for s in seen:
        if s.failure and not s.lack_of_memory:
            raise LackError(f"A trial could not be trained here: {s.failure}")
    return seen


class _Enough(BaseException):
    """Enough was seen. No Exception, which would be a failed attempt."""


def _look(tasks: tuple[Task, Task]) -> ProbeMeasurement:
    """Train and look at the clock, in a process of its own.

    A worker trains trial after trial, and only its first one waits for engines to warm up. So the
    first of two tasks is trained to warm up, unless it shows that this does not matter; what it
    takes more than one epoch of the second is the price of warming up.
    """
    first = _train(tasks[0])
    if first.failure or first.epoch_s > LONG_S:
        seen = first
    else:
        warm = _train(tasks[1])
        more_s = first.fixed_s + first.epoch_s - warm.fixed_s - warm.epoch_s
        seen = replace(warm, warm_s=max(0.0, more_s))
    gpu_memory, gpu_total = _gpu_peak(tasks[0].device)
    return replace(seen, memory=_peak(), gpu_memory=gpu_memory, gpu_total=gpu_total)


def _train(task: Task) -> ProbeMeasurement:
    from orchestrator.execution.worker import worker

    began, ends, failed = time.monotonic(), list[float](), list[Failed]()

    def hear(event: Event) -> None:
        if isinstance(event, Failed):
            failed.append(event)
        elif isinstance(event, Epoch):
            ends.append(time.monotonic())
            if ends[-1] - began > LONG_S:
                raise _Enough

    with tempfile.TemporaryDirectory(prefix="ablate-probe-") as scratch:
        with contextlib.suppress(_Enough):
            worker.rehearse(task, Path(scratch), hear)
        took = time.monotonic() - began
    if failed or not ends:
        sentence = failed[0].sentence if failed else "it had no epoch."
        return ProbeMeasurement(failure=sentence, lack_of_memory=bool(failed and failed[0].memory))
    epoch_s = (ends[-1] - ends[0]) / (len(ends) - 1) if len(ends) > 1 else ends[0] - began
    fixed_s = max(0.0, took - len(ends) * epoch_s)
    return ProbeMeasurement(epoch_s=epoch_s, fixed_s=fixed_s, epochs=len(ends))


def _peak() -> int:
    """Peak of this process's memory in bytes; Linux counts in KiB, macOS in bytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _gpu_peak(device: str) -> tuple[int, int]:
    """GPU memory in bytes: what this process took at the most, its context counted; and all."""
    if device == "cpu":
        return 0, 0
    import torch

    free, total = torch.cuda.mem_get_info()
    context = max(0, total - free - torch.cuda.memory_reserved())
    return torch.cuda.max_memory_reserved() + context, total
