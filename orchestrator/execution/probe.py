"""``ablate plan --probe``: measures how long an epoch takes here and what memory a trial needs.

One trial of each shape trains for a few epochs, by the same worker as in a run, and in a process of
its own, since a process knows its own peak of memory and not that of one trial. On a CPU as many
train beside each other as a run would train, for cores share caches and memory; on a GPU first one,
then two, three, ... for as long as one more trial at once trains more epochs an hour.
The files of these trainings are thrown away; the timings are kept in the store (`timings.py`).
"""

import contextlib
import multiprocessing
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from pathlib import Path

from model.systems.catalogue import SYSTEMS
from orchestrator.errors import LackError
from orchestrator.execution.cluster.protocol import OnEvent, Task
from orchestrator.execution.events import Epoch, Event, Failed, Progress
from orchestrator.execution.import_roots import bind
from orchestrator.execution.prepare import prepare
from orchestrator.planning.cost import timings
from orchestrator.planning.cost.gpu_sharing import GpuSharing, measure_sharing
from orchestrator.planning.cost.machine import Machine, cpu_count
from orchestrator.planning.cost.price import price_plan
from orchestrator.planning.cost.timings import Probe
from orchestrator.planning.plan import Plan, plan_study
from orchestrator.store.ledger import Ledger
from orchestrator.study.study import Study
from orchestrator.study.trials import PlannedTrial, Trial

EPOCHS = 3
"""Epochs of the training that is measured; a training of one epoch, to warm up, goes before it."""
LONG_S = 30.0
"""Seconds after which a training is stopped at the end of its epoch: with epochs as long as this,
the time to warm up does not count."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ProbeMeasurement:
    """The times and the peak of memory of one trial, measured by the process that trained it."""

    epoch_s: float = 0.0
    """Seconds per epoch."""
    fixed_s: float = 0.0
    """Seconds of a training outside of its epochs: loading data, writing records."""
    warm_s: float = 0.0
    """Seconds that the first training of a process takes longer than the second."""
    epochs: int = 0
    """How many epochs were measured."""
    memory: int = 0
    """The process's peak of host memory (resident set), in bytes."""
    gpu_memory: int = 0
    """The process's peak of GPU memory, in bytes; 0 on a CPU."""
    gpu_total: int = 0
    """All memory of the GPU, in bytes; 0 on a CPU."""
    failure: str = ""
    """Why the trial could not be trained; empty where it could."""
    out_of_memory: bool = False
    """Whether the machine or its GPU ran out of memory."""


def probe_study(
    study: Study,
    ledger: Ledger,
    on_event: OnEvent,
    cpus: int | None,
    gpus: int | None,
    *,
    allow_config: bool,
) -> None:
    """Build missing features, train a few epochs of each shape of network, keep their lengths.

    The measured timings are kept in the store; the weights are not.

    Args:
        study: the study to measure.
        ledger: the store.
        on_event: is called with ``Progress``.
        cpus: CPUs to use; all if None.
        gpus: GPUs to use; all if None.
        allow_config: whether a configuration file of openSMILE that the study names may run here.

    Raises:
        AblateError, FeatureError: the study cannot be planned, its features cannot be made, or a
            trial could not be trained here.
    """
    plan = plan_study(study, ledger, allow_config=allow_config)
    prepare(plan, shapes(plan), ledger, on_event, cpus or cpu_count())
    assumed = price_plan(plan, ledger, cpus, gpus)
    measure(plan, ledger, assumed.machine, assumed.lanes, on_event)


def shapes(plan: Plan) -> list[PlannedTrial]:
    """One trial of each shape (all that the cost of an epoch depends on) that is to be trained.

    Where nothing is to be trained: one trial of each shape of the whole plan.
    """
    first: dict[str, PlannedTrial] = {}
    rows = dict[str, PlannedTrial]()
    for item in plan.to_train or plan.trials:
        rows.setdefault(item.row, item)
    for item in rows.values():
        first.setdefault(timings.shape(item.trial), item)
    return list(first.values())


def measure(plan: Plan, ledger: Ledger, machine: Machine, at_once: int, on_event: OnEvent) -> None:
    """Measure one trial of each shape of a plan, and write the timings to the store.

    The shards must be in the store already.

    Args:
        plan: the plan whose trials are measured.
        ledger: the store.
        machine: the kind of this machine, under which the timings are kept.
        at_once: how many trials a run trains at the same time on the CPUs here; as many are
            measured beside each other.
        on_event: is called with ``Progress``.

    Raises:
        LackError: a trial could not be trained here.
    """
    items = shapes(plan)
    for done, item in enumerate(items):
        on_event(Progress("measuring epochs", done, len(items)))
        trial = item.trial
        if machine.device == "cuda":
            probe = _on_gpu(trial, ledger)
        else:
            probe = _on_cpu(trial, ledger, min(at_once, max(1, len(plan.to_train))))
        network = SYSTEMS[trial.model.model].network
        whole = 0 if network else probe.epochs
        found = replace(probe, load=timings.epoch_load(trial, plan), epochs=whole)
        timings.write_probe(ledger, machine, trial, found)
    on_event(Progress("measuring epochs", len(items), len(items)))


def _on_cpu(trial: Trial, ledger: Ledger, at_once: int) -> Probe:
    """Measure ``at_once`` copies of a trial side by side, or fewer where memory runs out.

    Raises:
        LackError: the trial cannot be trained, or memory does not suffice for one.
    """
    for count in range(at_once, 0, -1):
        measured = _measure_beside(_tasks(trial, ledger, "cpu"), count)
        if not any(m.out_of_memory for m in measured):
            return _probe(measured)
    raise LackError("Not even one trial has enough memory here.")


def _on_gpu(trial: Trial, ledger: Ledger) -> Probe:
    """Measure a trial alone on the GPU, then 2, 3, ... copies while more train more epochs an hour.

    Raises:
        LackError: the trial cannot be trained, or memory does not suffice for one.
    """
    tasks = _tasks(trial, ledger, "cuda")
    by_count = {1: _measure_beside(tasks, 1)}
    alone = by_count[1][0]
    if alone.out_of_memory:
        raise LackError("Not even one trial has enough memory on this GPU.")

    def epochs_per_second(count: int) -> float | None:
        """Epochs per second of ``count`` trials together; None where memory ran out."""
        if count not in by_count:
            by_count[count] = _measure_beside(tasks, count)
        measured = by_count[count]
        if any(m.out_of_memory for m in measured):
            return None
        return sum(1 / m.epoch_s for m in measured)

    found = measure_sharing(alone.gpu_memory, alone.gpu_total, epochs_per_second)
    probe = _probe(by_count[GpuSharing(found.throughput).trials])
    return replace(probe, gpu_memory=alone.gpu_memory, throughput=found.throughput)


def _probe(measured: Sequence[ProbeMeasurement]) -> Probe:
    """Join what processes measured side by side: means of times, the largest memory."""
    return Probe(
        epoch_s=statistics.fmean(m.epoch_s for m in measured),
        fixed_s=statistics.fmean(m.fixed_s for m in measured),
        warm_s=statistics.fmean(m.warm_s for m in measured),
        epochs=max(m.epochs for m in measured),
        load=1.0,
        at_once=len(measured),
        memory=max(m.memory for m in measured),
        gpu_memory=max(m.gpu_memory for m in measured),
    )


def _tasks(trial: Trial, ledger: Ledger, device: str) -> tuple[Task, Task]:
    """Two tasks of a trial: with one epoch, to warm up, and with ``EPOCHS``, to be measured."""

    def short(epochs: int) -> Task:
        own = replace(trial, training=replace(trial.training, epochs=epochs))
        return Task(id=own.id, identity=own.identity, store=str(ledger.root), device=device)

    return short(1), short(EPOCHS)


def _measure_beside(tasks: tuple[Task, Task], count: int) -> list[ProbeMeasurement]:
    """Train the same trial in ``count`` processes at the same time.

    Args:
        tasks: the task to warm up, and the one to measure.
        count: how many processes.

    Returns:
        One measurement for each process; a single one, out of memory, where a process died.

    Raises:
        LackError: a training failed, and not for memory.
    """
    context = multiprocessing.get_context("spawn")
    try:
        with ProcessPoolExecutor(count, context, initializer=bind) as processes:
            measured = list(processes.map(_measure_here, [tasks] * count))
    except BrokenProcessPool:  # the system ends what takes too much memory, without a word
        return [ProbeMeasurement(out_of_memory=True, failure="its process died")]
    for m in measured:
        if m.failure and not m.out_of_memory:
            raise LackError(f"A trial could not be trained here: {m.failure}")
    return measured


class _StopTrainingError(BaseException):
    """Raised in a listener to end a training after ``LONG_S``.

    It is a BaseException, since a worker takes an Exception for a failed attempt.
    """


def _measure_here(tasks: tuple[Task, Task]) -> ProbeMeasurement:
    """Train both tasks in this process, and measure times and memory.

    A worker trains trial after trial, and only its first training waits for libraries to warm up.
    So the second training is measured; where an epoch takes longer than ``LONG_S``, the first one.
    """
    first = _train(tasks[0])
    if first.failure or first.epoch_s > LONG_S:
        measured = first
    else:
        second = _train(tasks[1])
        more_s = first.fixed_s + first.epoch_s - second.fixed_s - second.epoch_s
        measured = replace(second, warm_s=max(0.0, more_s))
    gpu_memory, gpu_total = _gpu_memory(tasks[0].device)
    return replace(measured, memory=_peak_memory(), gpu_memory=gpu_memory, gpu_total=gpu_total)


def _train(task: Task) -> ProbeMeasurement:
    """Train a task, measure seconds per epoch and outside of epochs, and throw its files away."""
    from orchestrator.execution.worker import worker

    began = time.monotonic()
    ends = list[float]()
    failures = list[Failed]()

    def on_event(event: Event) -> None:
        if isinstance(event, Failed):
            failures.append(event)
        elif isinstance(event, Epoch):
            ends.append(time.monotonic())
            if ends[-1] - began > LONG_S:
                raise _StopTrainingError

    with tempfile.TemporaryDirectory(prefix="ablate-probe-") as scratch:
        with contextlib.suppress(_StopTrainingError):
            worker.rehearse(task, Path(scratch), on_event)
        took_s = time.monotonic() - began
    if failures or not ends:
        sentence = failures[0].sentence if failures else "it had no epoch."
        return ProbeMeasurement(
            failure=sentence, out_of_memory=bool(failures and failures[0].memory)
        )
    epoch_s = (ends[-1] - ends[0]) / (len(ends) - 1) if len(ends) > 1 else ends[0] - began
    fixed_s = max(0.0, took_s - len(ends) * epoch_s)
    return ProbeMeasurement(epoch_s=epoch_s, fixed_s=fixed_s, epochs=len(ends))


def _peak_memory() -> int:
    """This process's peak of memory in bytes; Linux counts in KiB, macOS in bytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _gpu_memory(device: str) -> tuple[int, int]:
    """This process's peak of GPU memory with its CUDA context, and all memory of the GPU; in bytes.

    Both are 0 where the device is ``cpu``.
    """
    if device == "cpu":
        return 0, 0
    import torch

    free, total = torch.cuda.mem_get_info()
    context = max(0, total - free - torch.cuda.memory_reserved())
    return torch.cuda.max_memory_reserved() + context, total
