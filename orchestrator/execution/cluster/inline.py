"""One trial after another in this process: what `--inline` asks for, and tests use."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from orchestrator.errors import LackError
from orchestrator.execution.cluster.protocol import OnEvent, Task, Work
from orchestrator.planning.cost.machine import cpu_count, usage_here
from orchestrator.planning.cost.resources import Usage


class InlineCluster:
    """One trial after another in this process, by the same worker."""

    def __init__(self, gpus: float = 0) -> None:
        self.slots = 1
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


def cuda_works() -> bool:
    """Whether the installed PyTorch can use a GPU here."""
    import torch

    return bool(torch.cuda.is_available())
