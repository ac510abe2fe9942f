"""`ablate run --inline` in a fork of a process that has imported everything: starts in no time.

The real command line, the real worker, the real store; what a test changes is named in `Settings`.
"""

import os
import random
import resource
import socket
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil._pslinux as system
import torch

from orchestrator.cli import main as command
from orchestrator.execution import retries
from orchestrator.execution.cluster.inline import InlineCluster
from orchestrator.execution.cluster.protocol import OnEvent, Task, Work
from orchestrator.store import leases
from tests.faults.probe import attach
from tests.forks import check_warm


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How one process differs from an ordinary one."""

    lease_s: float | None = None
    """A short lease, so that a test need not wait for two minutes; beats come 20 times as often."""
    waits_s: tuple[float, float] = (0.0, 0.0)
    """Before attempts after a fault of the machines."""
    file_bytes: int | None = None
    """No file may grow beyond this (RLIMIT_FSIZE)."""
    more_memory: int | None = None
    """So many bytes beyond what the process has (RLIMIT_AS)."""
    shuffle: int | None = None
    """Tasks in an order of this seed."""
    cpus: tuple[int, ...] = ()
    """The only cores."""
    polluted: bool = False
    """Whether an earlier trial left torch's settings and random state astray."""
    host: str = ""
    """Another name for this machine: its claims cannot be proven dead."""
    clock_s: float = 0.0
    """How far the time of day is wrong."""


def drive(
    words: Sequence[str], store: str, log: str, fault: str, said: str, settings: Settings
) -> None:
    """Run the command in this process, until it exits or is killed."""
    check_warm()
    os.setpgid(0, 0)
    handle = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(handle, 1)
    os.dup2(handle, 2)
    _apply(settings)
    attach(log, fault, store)
    sys.argv = ["ablate", *words, "--store", store]
    command.main()


def _apply(settings: Settings) -> None:
    retries.WAITS_S = settings.waits_s
    if settings.lease_s is not None:
        leases.LEASE_S = settings.lease_s
        leases.BEAT_S = settings.lease_s / 20
        leases.LeaseObserver.__init__.__defaults__ = (settings.lease_s,)  # type: ignore[misc]
    if settings.file_bytes is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (settings.file_bytes, settings.file_bytes))
    if settings.more_memory is not None:
        size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        limit = size + settings.more_memory
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    if settings.clock_s:
        right = time.time
        time.time = lambda: right() + settings.clock_s
        boot = system.boot_time()  # which moves with the clock
        system.boot_time = lambda: boot + settings.clock_s
    if settings.cpus:
        os.sched_setaffinity(0, settings.cpus)
    if settings.host:
        socket.gethostname = lambda: settings.host  # type: ignore[assignment,return-value]
    if settings.shuffle is not None:
        InlineCluster.train = _shuffled(settings.shuffle)  # type: ignore[method-assign]
    if settings.polluted:
        _pollute()


def _shuffled(seed: int):  # type: ignore[no-untyped-def]
    def train(self: InlineCluster, tasks: Sequence[Task], work: Work, tell: OnEvent) -> str:
        for task in random.Random(seed).sample(tasks, len(tasks)):
            work(task, tell)
        return ""

    return train


def _pollute() -> None:
    torch.set_num_threads(2)
    torch.set_float32_matmul_precision("medium")
    torch.use_deterministic_algorithms(False)
    torch.manual_seed(1)
    torch.rand(7)
    torch.set_grad_enabled(False)
    random.seed(5)
