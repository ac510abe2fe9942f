"""The resources of nodes and of trials: how many trials fit a node, and what a node lacks.

A trial needs all its resources on one node. Ray itself would wait for ever, without a message, for
a node that has them.
"""

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

MIB = 1024**2


@dataclass(frozen=True, kw_only=True, slots=True)
class Resources:
    """What a node has, or what a trial takes of one."""

    cpus: float
    memory: float
    """Bytes of host memory."""
    gpus: float = 0.0
    """GPUs; of a trial also a share of one."""
    name: str = ""
    """The name of the node; empty for a trial."""

    def __str__(self) -> str:
        return ", ".join(resource.shown(self) for resource in _RESOURCES if resource.of(self))


@dataclass(frozen=True, slots=True)
class Usage:
    """The resources in use, of those that there are."""

    used: Resources
    there: Resources
    promised: bool = False
    """Whether the memory is what trials reserve on all machines, not what this machine uses."""


@dataclass(frozen=True, slots=True)
class _Resource:
    """One kind of resource: its name and unit in messages, and what to do where it lacks."""

    name: str
    of: Callable[[Resources], float]
    unit: float
    remedy: str

    def shown(self, found: Resources) -> str:
        """The amount of this resource as text."""
        return f"{self.of(found) / self.unit:.6g} {self.name}"


_RESOURCES = (
    _Resource("CPU", lambda found: found.cpus, 1, "`--cpus`, or a node with more"),
    _Resource("MiB of memory", lambda found: found.memory, MIB, "free memory, or a larger node"),
    _Resource("GPU", lambda found: found.gpus, 1, "a smaller `--gpus-per-trial`, or `--gpus 0`"),
)


def capacity(node: Resources, trial: Resources) -> int:
    """How many trials a node takes at once; a share of a GPU always lies on one GPU."""
    counts = [node.cpus // trial.cpus, node.memory // trial.memory]
    if 0 < trial.gpus < 1:
        counts.append(int(node.gpus) * int(1 / trial.gpus + 1e-9))
    elif trial.gpus:
        counts.append(node.gpus // trial.gpus)
    return int(min(counts))


def with_one_trial_fewer(nodes: Iterable[Resources], trial: Resources) -> Resources | None:
    """The resources of a trial with which one trial fewer shares a GPU, or the memory of a node.

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
    """Why no node can take a trial, by the node that comes closest; empty where one can."""
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
    """The resources of which the node has too little for a trial."""
    return [r for r in _RESOURCES if r.of(node) < r.of(trial)]


def _shortage(node: Resources, trial: Resources) -> float:
    """The share of its resources that a trial would lack on the node, summed over resources."""
    return sum(1 - r.of(node) / r.of(trial) for r in _missing(node, trial))


def autoscaler_nodes(bootstrap: Path) -> Sequence[Resources]:
    """The nodes that Ray's autoscaler may add to a cluster.

    Args:
        bootstrap: `~/ray_bootstrap_config.yaml` of the head node, where `ray up` writes JSON.

    Returns:
        One for each node type that may have workers; a resource that is not declared is unbounded,
        as for Ray. Empty without the file: such a cluster does not grow.
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
    """A node type by its declaration: without one it has no GPU, but unbounded CPUs and memory."""
    unknown = 2.0**53
    return Resources(
        cpus=float(resources.get("CPU", unknown)),
        memory=float(resources.get("memory", unknown)),
        gpus=float(resources.get("GPU", 0)),
        name=name,
    )
