"""The cluster of `--inline`: trains one trial after another in this process, without Ray."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from orchestrator.errors import LackError
from orchestrator.execution.cluster.gpu import cuda_works
from orchestrator.execution.cluster.protocol import OnEvent, Task, Work
from orchestrator.planning.cost.machine import cpu_count, usage_here
from orchestrator.planning.cost.resources import Usage


class InlineCluster:
    """A cluster of one lane, in this process.

    Args:
        gpus: how many GPUs to use; more than 0 trains on the first one.
    """

    def __init__(self, gpus: float = 0) -> None:
        self.lanes = 1
        self.device = "cuda" if gpus else "cpu"
        self.note = ""

    def __enter__(self) -> "InlineCluster":
        if self.device == "cuda" and not cuda_works():
            raise LackError(
                "`--gpus` needs a GPU that the installed PyTorch can use, and there is none: "
                "leave it out to train on the CPU."
            )
        return self

    def __exit__(self, *error: object) -> None:
        return None

    def usage(self) -> Usage | None:
        """CPUs, memory and GPUs of this machine: in use now, and all that there are."""
        gpus = 1.0 if self.device == "cuda" else 0.0
        return usage_here(cpus=1, cpus_there=cpu_count(), gpus=gpus, gpus_there=gpus)

    def train(self, tasks: Sequence[Task], work: Work, on_event: OnEvent) -> str:
        """Train every task once, in order; returns "", since it never ends early."""
        for task in tasks:
            work(task, on_event)
        return ""

    def give_more_memory(self) -> str:
        """Return "": the only trial that trains has all memory already."""
        return ""

    def map(self, function: Callable[[Any], Any], items: Sequence[Any]) -> Iterator[Any]:
        """Apply a function to each item, in this process, when its result is asked for."""
        return map(function, items)
