"""A table of a network's parts: class, shape of the output and number of parameters of each.

It is read from the network itself, by one forward pass on zeros, so it serves every system.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from model.network.graph_network import parameters_of

BATCH = 2
"""Segments of the forward pass that finds the shapes; a size that stands for B in them."""


@dataclass(frozen=True, slots=True)
class Part:
    """One layer or bare parameter of a network.

    Attributes:
        name: the attribute that holds it, such as ``convs.0``.
        title: what the paper calls it, where the network says so in `titles`; else the name.
        kind: name of its class, such as ``Linear``; ``Parameter`` for a bare parameter.
        shape: shape of its output, such as ``(B, N, 256)``, with B segments of N nodes; of a bare
            parameter its own; empty if the forward pass did not call the part.
        parameters: number of its learnable parameters.
    """

    name: str
    title: str
    kind: str
    shape: str
    parameters: int


def describe(network: nn.Module, features: int, nodes: int) -> tuple[Part, ...]:
    """List the parts of a network: its bare parameters, then its layers in the order of use.

    Layers are the network's child modules; those in a ``ModuleList`` are listed one by one. A
    layer without learnable parameters is left out, so the parts' parameters sum to the network's.

    Args:
        network: a module that is called as `GraphNetwork.forward` is.
        features: channels F of its input.
        nodes: nodes N of a full segment.
    """
    members = {name: part for name, part in _members(network) if parameters_of(part)}
    shapes = _shapes_of(network, members, features, nodes)
    titles: Mapping[str, str] = getattr(network, "titles", {})
    own = [
        Part(name, titles.get(name, name), "Parameter", f"{tuple(values.shape)}", values.numel())
        for name, values in network.named_parameters(recurse=False)
    ]
    called = [name for name in shapes if name in members]
    order = [*called, *(name for name in members if name not in shapes)]
    parts = [
        Part(
            name,
            titles.get(name, name),
            type(members[name]).__name__,
            shapes.get(name, ""),
            parameters_of(members[name]),
        )
        for name in order
    ]
    return (*own, *parts)


def _members(network: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """Yield (name, child module); the members of a list are yielded one by one, as ``convs.0``."""
    for name, child in network.named_children():
        if isinstance(child, nn.ModuleList | nn.ModuleDict):
            yield from ((f"{name}.{inner}", member) for inner, member in child.named_children())
        else:
            yield name, child


def _shapes_of(
    network: nn.Module, members: Mapping[str, nn.Module], features: int, nodes: int
) -> dict[str, str]:
    """Map each part to the shape of its output, in the order of the first calls.

    One forward pass on zeros finds them; a part that it does not call is missing.
    """
    shapes: dict[str, str] = {}

    def recorder(name: str) -> Any:
        def hook(part: nn.Module, given: Any, result: Any) -> None:
            if isinstance(result, Tensor):
                shapes.setdefault(name, _letters(tuple(result.shape), nodes))

        return hook

    handles = [part.register_forward_hook(recorder(name)) for name, part in members.items()]
    was_training = network.training
    full_B = torch.full((BATCH,), nodes)
    try:
        with torch.no_grad():
            network.eval()(torch.zeros(BATCH, nodes, features), full_B, full_B)
    finally:
        network.train(was_training)
        for handle in handles:
            handle.remove()
    return shapes


def _letters(shape: tuple[int, ...], nodes: int) -> str:
    """Write a tensor's shape as text, with B for segments and N for nodes; channels stay a number.

    >>> _letters((2, 120, 256), 120), _letters((2, 120), 120), _letters((240, 64), 120)
    ('(B, N, 256)', '(B, 120)', '(B N, 64)')
    """
    known = {BATCH: "B", BATCH * nodes: "B N"}
    first, inner = shape[:1], shape[1:-1]
    words = [known.get(size, str(size)) for size in first]
    words += ["N" if size == nodes else str(size) for size in inner]
    words += [str(size) for size in shape[1:][-1:]]
    return f"({', '.join(words)})"
