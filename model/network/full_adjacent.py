"""The fully adjacent (FA) layer: every pair of nodes of a graph is joined (paper, section 2.3).

Which layers are fully adjacent, and what such a layer aggregates. An FA layer keeps its type and
its parameters; only its neighbourhood changes, from two nodes to all of them.

The paper joins "every pair of nodes" and does not say whether a node is its own neighbour.
The code of the work it cites for the idea (arXiv 2006.05205) includes it: our default.
Then all nodes share *one* neighbourhood: one pooled vector a graph, O(N) instead of O(N²).
Without it, each node's aggregate leaves that node out: still O(N).
"""

from collections.abc import Sequence
from functools import partial

from model.errors import ModelConfigError
from model.network.aggregators import Aggregate, AggregatorWeights, others, pooled
from model.network.nodes import Nodes


def positions(fa_layers: Sequence[int], layers: int) -> frozenset[int]:
    """Check the 1-based positions of the FA layers against the number of layers.

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
    """Aggregate the fully adjacent neighbourhood.

    Args:
        nodes: which nodes are real.
        weights: the aggregator weights.
        include_self: whether a node is its own neighbour.

    Returns:
        A function whose result is ``(B, 1, H)``, the same for all nodes of a segment,
        where a node is its own neighbour; else ``(B, N, H)``.
    """
    return partial(pooled if include_self else others, nodes=nodes, weights=weights)
