"""The fully adjacent (FA) layer: every pair of nodes of a graph is joined (paper, section 2.3).

Here: which layers are fully adjacent, and what such a layer aggregates. An FA layer keeps its type
and its parameters; only its neighbourhood changes, from two nodes to all nodes of the segment.

The paper joins "every pair of nodes" and does not say whether a node is its own neighbour.
The code of the work it cites for the idea (arXiv 2006.05205) includes it: our default.
Then all nodes share *one* neighbourhood: one pooled vector a graph, O(N) instead of O(N²).
Without it, each node's aggregate leaves that node out: still O(N).
"""

from collections.abc import Sequence
from functools import partial

from model.errors import ModelConfigError
from model.network.layers.aggregators import Aggregate, AggregatorWeights, others, pooled
from model.network.nodes import Nodes


def positions(fa_layers: Sequence[int], layers: int) -> frozenset[int]:
    """Check the positions of the FA layers against the number of layers, and return them as a set.

    Args:
        fa_layers: positions of the fully adjacent layers, from 1, ascending.
        layers: number of WMA-GIN layers L.

    Raises:
        ModelConfigError: a position is not between 1 and ``layers``, or they do not ascend.
    """
    for layer in fa_layers:
        if not 1 <= layer <= layers:
            raise ModelConfigError(
                f"`fa_layers` must be between 1 and `layers` ({layers}), but is {layer} instead."
            )
    if list(fa_layers) != sorted(set(fa_layers)):
        raise ModelConfigError(
            f"`fa_layers` must ascend without repetition, but is {list(fa_layers)} instead."
        )
    return frozenset(fa_layers)


def neighbourhood(nodes: Nodes, weights: AggregatorWeights, *, include_self: bool) -> Aggregate:
    """Make the function that aggregates the fully adjacent neighbourhood of each node.

    Args:
        nodes: which nodes are real.
        weights: the aggregator weights.
        include_self: whether a node is its own neighbour.

    Returns:
        A function from node values ``(B, N, H)`` to aggregates: ``(B, 1, H)``, one for all nodes
        of a segment, where a node is its own neighbour; else ``(B, N, H)``.
    """
    return partial(pooled if include_self else others, nodes=nodes, weights=weights)
