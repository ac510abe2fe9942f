"""Edge lists and aggregation along them: for any graph, and a slow reference for cycle and line.

    along_edges(edge_list(nodes, reach=1, closed=True), weights)     the cycle, edge by edge
    along_edges(edges_2E, weights)                                   whatever graph you list

Import this module only where edges are wanted: PyG takes seconds to load, and the closed forms of
`conv.py` and `full_adjacent.py` do not need it.
"""

from collections.abc import Callable

import torch
from torch import Tensor
from torch_geometric.nn.aggr import MeanAggregation, SoftmaxAggregation, SumAggregation

from model.network.layers.aggregators import Aggregate, AggregatorWeights
from model.network.nodes import Nodes


def edge_list(
    nodes: Nodes, *, reach: int, closed: bool = False, include_self: bool = False
) -> Tensor:
    """List the edges of a padded batch, sorted by target; padded nodes have no edge.

    A line has ``reach`` 1; a cycle has ``reach`` 1 and is ``closed``; a complete graph has
    ``reach`` N.

    Args:
        nodes: which nodes are real.
        reach: most steps between two nodes that are neighbours.
        closed: whether the first and the last real node are neighbours as well.
        include_self: whether a node is its own neighbour.

    Returns:
        Sources and targets, shape ``(2, E)``; node n of segment b is number ``b * N + n``.
    """
    steps_N = nodes.steps_N
    apart_NN = (steps_N[None, :] - steps_N[:, None]).abs()
    joined_BNN = (apart_NN <= reach).expand(len(nodes.lengths_B), -1, -1)
    if closed:
        joined_BNN = joined_BNN | (apart_NN == nodes.lengths_B[:, None, None] - 1)
    if not include_self:
        joined_BNN = joined_BNN & (apart_NN > 0)
    real_BN = nodes.real_BN
    joined_BNN = joined_BNN & real_BN[:, :, None] & real_BN[:, None, :]
    segment_E, target_E, source_E = joined_BNN.nonzero(as_tuple=True)
    return torch.stack([source_E, target_E]) + segment_E * nodes.padded


def along_edges(edges_2E: Tensor, weights: AggregatorWeights) -> Aggregate:
    """Make a function that aggregates neighbours along edges, by PyG's own aggregators.

    PyG's softmax with inverse temperature 1, not learnt, is the element-wise one of eq. (4).

    Args:
        edges_2E: sources and targets of any graph, ``(2, E)``, int64, in any order, with the nodes
            numbered as `edge_list` does. An edge has one direction and counts as often as it is
            listed.
        weights: the aggregator weights.

    Returns:
        A function from node values ``(B, N, H)`` to aggregates ``(B, N, H)``; 0 at a node without
        an edge.

    Raises:
        ValueError: ``edges_2E`` has another shape or type.
    """
    if edges_2E.dim() != 2 or len(edges_2E) != 2 or edges_2E.dtype != torch.int64:
        raise ValueError(
            "`edges_2E` must have the shape (2, E) and hold int64, but has "
            f"{tuple(edges_2E.shape)} and {str(edges_2E.dtype).removeprefix('torch.')} instead."
        )
    source_E, target_E = edges_2E
    aggregators = {
        "softmax": SoftmaxAggregation(t=1.0, learn=False),
        "sum": SumAggregation(),
        "mean": MeanAggregation(),
    }

    def aggregate(x_BNH: Tensor) -> Tensor:
        x_VH = x_BNH.reshape(-1, x_BNH.shape[2])
        message_EH = x_VH[source_E]
        result_VH = torch.zeros_like(x_VH)
        for name, aggregator in aggregators.items():
            if weight := getattr(weights, name):
                part_VH = aggregator(message_EH, target_E, dim_size=len(x_VH))
                result_VH = torch.add(result_VH, part_VH, alpha=weight)
        return result_VH.view_as(x_BNH)

    return aggregate


def convolved(layer: Callable[[Tensor, Tensor], Tensor], x_BNH: Tensor, edges_2E: Tensor) -> Tensor:
    """Apply a graph layer of PyG to a padded batch.

    Padded nodes have no edge, so no real node sees their values. The result at padded nodes has no
    meaning: the caller clears it or pools over the real nodes alone.

    Args:
        layer: from node values ``(B * N, H)`` and edges to node values ``(B * N, K)``.
        x_BNH: node values, ``(B, N, H)``.
        edges_2E: sources and targets, ``(2, E)``, nodes numbered as `edge_list` does.

    Returns:
        Node values, ``(B, N, K)``.
    """
    batch, nodes, width = x_BNH.shape
    return layer(x_BNH.reshape(-1, width), edges_2E).view(batch, nodes, -1)
