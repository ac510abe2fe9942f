"""Where a trial fits: the nodes of a cluster, what a trial takes of one, and what they lack.

A trial lies on one node whole: two nodes with half of what it takes are no place for it. Ray itself
would wait for ever, without a word, for a place that no node can ever be.
"""

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

MIB = 1024**2


@dataclass(frozen=True, kw_only=True, slots=True)
class Resources:
    """What a node has, or what a trial takes of it."""

    cpus: float
    memory: float
    """Bytes."""
    gpus: float = 0.0
    name: str = ""
    """Of the node; empty for a trial."""

    def __str__(self) -> str:
        return ", ".join(resource.shown(self) for resource in _RESOURCES if resource.of(self))


@dataclass(frozen=True, slots=True)
class Usage:
    """What is used now, of what there is."""

    used: Resources
    there: Resources
    promised: bool = False
    """Memory is what trials have been promised on several machines, not what this one uses."""


@dataclass(frozen=True, slots=True)
class _Resource:
    name: str
    of: Callable[[Resources], float]
    unit: float
    remedy: str

    def shown(self, room: Resources) -> str:
        return f"{self.of(room) / self.unit:.6g} {self.name}"


_RESOURCES = (
    _Resource("CPU", lambda room: room.cpus, 1, "`--cpus`, or a node with more"),
    _Resource("MiB of memory", lambda room: room.memory, MIB, "free memory, or a larger node"),
    _Resource("GPU", lambda room: room.gpus, 1, "a smaller `--gpus-per-trial`, or `--gpus 0`"),
)


def capacity(node: Resources, trial: Resources) -> int:
    """How many trials a node takes at once. A share of a GPU is of one GPU, never of two halves."""
    counts = [node.cpus // trial.cpus, node.memory // trial.memory]
    if 0 < trial.gpus < 1:
        counts.append(int(node.gpus) * int(1 / trial.gpus + 1e-9))
    elif trial.gpus:
        counts.append(node.gpus // trial.gpus)
    return int(min(counts))


def with_one_trial_fewer(nodes: Iterable[Resources], trial: Resources) -> Resources | None:
    """What a trial takes so that one fewer shares a GPU, or a node's memory.

    Returns:
        None where a trial has a whole GPU, or the node that takes most trials takes one.
    """
    if 0 < trial.gpus < 1:
        sharing = int(1 / trial.gpus + 1e-9)
        return replace(trial, gpus=1 / (sharing - 1))
    largest = max(nodes, key=lambda node: capacity(node, trial), default=None)
    most = capacity(largest, trial) if largest else 0
    if largest is None or trial.gpus or most < 2:
        return None
    return replace(trial, memory=largest.memory // (most - 1))


def describe_lack(nodes: Iterable[Resources], trial: Resources) -> str:
    """What keeps a trial from every node, told of the node that comes closest; empty if nothing."""
    nodes = list(nodes)
    takes = f"A trial takes {trial} of one node"
    if not nodes:
        return f"{takes}, but the cluster has none."
    if any(capacity(node, trial) for node in nodes):
        return ""
    closest = min(nodes, key=lambda node: [len(_missing(node, trial)), _shortage(node, trial)])
    missing = _missing(closest, trial)
    short = " and ".join(
        f"{(r.of(trial) - r.of(closest)) / r.unit:.6g} {r.name} (it has {r.shown(closest)})"
        for r in missing
    )
    remedy = "; ".join(r.remedy for r in missing)
    return (
        f"{takes}, but none has that: `{closest.name}` comes closest and lacks {short}: {remedy}."
    )


def _missing(node: Resources, trial: Resources) -> list[_Resource]:
    return [r for r in _RESOURCES if r.of(node) < r.of(trial)]


def _shortage(node: Resources, trial: Resources) -> float:
    """By how much of what a trial takes the node falls short, summed over resources."""
    return sum(1 - r.of(node) / r.of(trial) for r in _missing(node, trial))


def autoscaler_nodes(bootstrap: Path) -> Sequence[Resources]:
    """The nodes that Ray's autoscaler may add, where its launcher has left word of them.

    Args:
        bootstrap: `~/ray_bootstrap_config.yaml` of a head node; `ray up` writes JSON there.

    Returns:
        One a node type that may still have workers; a resource left open is without bound, as it
        is for Ray. Empty without the file: such a cluster does not grow.
    """
    try:
        config = json.loads(bootstrap.read_text())
        types = config["available_node_types"].items()
        return [
            _declared(name, kind.get("resources", {}))
            for name, kind in types
            if kind.get("max_workers", config.get("max_workers", 0)) > 0
        ]
    except (OSError, ValueError, KeyError, AttributeError, TypeError):
        return ()


def _declared(name: str, resources: dict[str, Any]) -> Resources:
    """A GPU that is not declared is not there; of CPUs and memory Ray finds out itself."""
    unknown = 2.0**53
    return Resources(
        cpus=float(resources.get("CPU", unknown)),
        memory=float(resources.get("memory", unknown)),
        gpus=float(resources.get("GPU", 0)),
        name=name,
    )
