"""Resources of nodes and trials: how many trials fit a node, and what a node has too little of.

A trial needs all its resources on one node. Ray itself would wait for ever, without a message, for
a node that has them.
"""

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

MIB = 1024**2
"""Bytes of a MiB."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Resources:
    """CPUs, memory and GPUs: those of a node, or those that one trial takes."""

    cpus: float
    """Number of CPUs (logical cores)."""
    memory: float
    """Host memory in bytes."""
    gpus: float = 0.0
    """Number of GPUs; for a trial it may be a share of one, such as 0.25."""
    name: str = ""
    """The name of the node; empty for a trial."""

    def __str__(self) -> str:
        return ", ".join(resource.shown(self) for resource in _RESOURCES if resource.of(self))


@dataclass(frozen=True, slots=True)
class Usage:
    """The CPUs, memory and GPUs in use, and those that exist, as amounts (no percentages)."""

    used: Resources
    """The amounts in use: CPUs and GPUs by trials, memory see ``promised``."""
    there: Resources
    """The amounts that exist."""
    promised: bool = False
    """What used memory means: True, the sum that trials reserve on all machines; False, what all
    processes use on this machine."""


@dataclass(frozen=True, slots=True)
class _Resource:
    """One kind of resource: how messages name it, and what to do where there is too little."""

    name: str
    """Its unit in messages, such as ``MiB of memory``."""
    of: Callable[[Resources], float]
    """The amount of it in some resources."""
    unit: float
    """What an amount is divided by for messages, such as 2**20 for bytes as MiB."""
    remedy: str
    """What the user can do where there is too little, as part of a sentence."""

    def shown(self, found: Resources) -> str:
        """The amount of this resource as text, such as ``4 CPU``."""
        return f"{self.of(found) / self.unit:.6g} {self.name}"


_RESOURCES = (
    _Resource("CPU", lambda found: found.cpus, 1, "`--cpus`, or a node with more"),
    _Resource("MiB of memory", lambda found: found.memory, MIB, "free memory, or a larger node"),
    _Resource("GPU", lambda found: found.gpus, 1, "a smaller `--gpus-per-trial`, or `--gpus 0`"),
)
"""The kinds of resources, in the order of messages."""


def capacity(node: Resources, trial: Resources) -> int:
    """How many trials fit a node at the same time; the share of a GPU always lies on one GPU."""
    counts = [node.cpus // trial.cpus, node.memory // trial.memory]
    if 0 < trial.gpus < 1:
        counts.append(int(node.gpus) * int(1 / trial.gpus + 1e-9))
    elif trial.gpus:
        counts.append(node.gpus // trial.gpus)
    return int(min(counts))


def with_one_trial_fewer(nodes: Iterable[Resources], trial: Resources) -> Resources | None:
    """Larger resources of a trial, so that one trial fewer shares a GPU, or the memory of a node.

    A run uses them after memory ran out.

    Args:
        nodes: the nodes of the cluster.
        trial: the present resources of a trial.

    Returns:
        None where nothing is shared: a trial has a whole GPU, or no node takes two trials.
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
    """Why no node can take a trial, as a sentence about the closest node; empty where one can."""
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
    """The kinds of resources of which the node has too little for a trial."""
    return [r for r in _RESOURCES if r.of(node) < r.of(trial)]


def _shortage(node: Resources, trial: Resources) -> float:
    """How much the node lacks: missing share (0 to 1) of each resource of a trial, summed."""
    return sum(1 - r.of(node) / r.of(trial) for r in _missing(node, trial))


def autoscaler_nodes(bootstrap: Path) -> Sequence[Resources]:
    """The kinds of nodes that Ray's autoscaler may add to a cluster.

    Args:
        bootstrap: `~/ray_bootstrap_config.yaml` of the head node, where `ray up` writes JSON.

    Returns:
        One for each node type that may have workers; CPUs and memory that are not declared are
        unbounded, as for Ray. Empty without the file: such a cluster does not grow.
    """
    try:
        config = json.loads(bootstrap.read_text("utf-8"))
        types = config["available_node_types"].items()
        return [
            _declared(name, kind.get("resources", {}))
            for name, kind in types
            if kind.get("max_workers", config.get("max_workers", 0)) > 0
        ]
    except (OSError, ValueError, KeyError, AttributeError, TypeError):
        return ()


def _declared(name: str, resources: dict[str, Any]) -> Resources:
    """The resources of a node type; undeclared CPUs and memory are unbounded, GPUs are 0."""
    unknown = 2.0**53
    return Resources(
        cpus=float(resources.get("CPU", unknown)),
        memory=float(resources.get("memory", unknown)),
        gpus=float(resources.get("GPU", 0)),
        name=name,
    )
