"""One WMA-GIN convolution (paper, eq. 4) and the near neighbourhoods: cycle, line, window.

X_i <- Linear((1 + eps) X_i + aggregate of the neighbours of i), eps learnable.
The paper calls its map "MLP" and says it is one linear layer; where the activation stands is
chosen here (`wma_gin.py`).

A cycle or a line needs no edge list: its neighbours are two shifts of the node axis,
repaired at the ends of every padded segment. Conventions, shared with the edge lists of `edges.py`:
the cycle closes over the real nodes (first and last are neighbours); no edge is counted twice,
so in a segment of two nodes each has one neighbour; a lone node has none and aggregates to 0.
"""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn

from model.errors import ModelConfigError
from model.network.layers.aggregators import Aggregate, AggregatorWeights, pair
from model.network.nodes import Nodes

Graph = str | Callable[[Nodes], Tensor]
"""``cycle``, ``line`` or ``window:K``; or, for any other graph, a function from a batch of nodes
to its edges, ``(2, E)``, int64, with the nodes numbered as in `edges.edge_list`."""


class WmaGinConv(nn.Module):
    """One WMA-GIN convolution: Linear((1 + eps) x + aggregate), eps learnable (eq. 4).

    Args:
        width_in: channels of the nodes that go in.
        width_out: channels of the nodes that come out.
    """

    def __init__(self, width_in: int, width_out: int) -> None:
        super().__init__()
        self.eps = nn.Parameter(torch.zeros(()))
        self.linear = nn.Linear(width_in, width_out)

    def forward(self, x_BNF: Tensor, aggregate: Aggregate) -> Tensor:
        """Apply the convolution to the nodes.

        Args:
            x_BNF: node values, ``(B, N, width_in)``.
            aggregate: aggregates each node's neighbours.

        Returns:
            Node values, ``(B, N, width_out)``.
        """
        result_BNH: Tensor = self.linear(torch.addcmul(aggregate(x_BNF), x_BNF, 1 + self.eps))
        return result_BNH


def window_of(graph: Graph) -> int | None:
    """Read K (in nodes) out of ``window:K``; None for ``cycle``, ``line`` and a function.

    Raises:
        ModelConfigError: ``graph`` is none of these.
    """
    if not isinstance(graph, str):
        return None
    kind, _, steps = graph.partition(":")
    if kind == "window" and steps.isdecimal() and int(steps) >= 1:
        return int(steps)
    if graph not in ("cycle", "line"):
        raise ModelConfigError(
            "`graph` must be `cycle`, `line` or `window:K` with K of at least 1, "
            f"but is `{graph}` instead."
        )
    return None


def neighbourhood(
    graph: Graph, nodes: Nodes, weights: AggregatorWeights, *, edges: bool
) -> Aggregate:
    """Make the function that aggregates the near neighbours of each node.

    It works by shifts of the node axis for a cycle or a line, else along edge lists.

    Args:
        graph: which nodes are neighbours.
        nodes: which nodes are real.
        weights: the aggregator weights.
        edges: whether to use edge lists even where shifts would do (the slow reference).

    Raises:
        ModelConfigError: ``graph`` is a word that names no graph.
    """
    window = window_of(graph)
    if edges or window is not None or not isinstance(graph, str):
        # PyG takes seconds to import: only if it is needed.
        from model.network.layers.edges import along_edges, edge_list

        if not isinstance(graph, str):
            return along_edges(graph(nodes), weights)
        edges_2E = edge_list(nodes, reach=window or 1, closed=graph == "cycle")
        return along_edges(edges_2E, weights)
    return partial(shifted, nodes=nodes, weights=weights, closed=graph == "cycle")


def shifted(x_BNH: Tensor, nodes: Nodes, weights: AggregatorWeights, *, closed: bool) -> Tensor:
    """Aggregate, for each node, the one before and the one after it, by shifts of the node axis.

    Args:
        x_BNH: node values, ``(B, N, H)``.
        nodes: which of them are real.
        weights: the aggregator weights.
        closed: whether the first and the last real node are neighbours (cycle) or not (line).

    Returns:
        The weighted aggregate, ``(B, N, H)``; at padded nodes it has no meaning.
    """
    first_B1H, last_B1H = x_BNH[:, :1], nodes.from_end(x_BNH, 1)
    halo_BMH = torch.cat([last_B1H, x_BNH, first_B1H], dim=1)
    if nodes.shortest < nodes.padded:  # after its last real node a segment goes on with its first
        length_B11 = nodes.lengths_B[:, None, None]
        index_B1H = (length_B11 + 1).expand_as(first_B1H)
        halo_BMH = halo_BMH.scatter(1, index_B1H, first_B1H)
    result_BNH = pair(halo_BMH, weights)
    if closed and nodes.shortest > 2:
        return result_BNH
    return _with_open_ends(result_BNH, x_BNH, nodes, weights, closed=closed)


def _with_open_ends(
    result_BNH: Tensor, x_BNH: Tensor, nodes: Nodes, weights: AggregatorWeights, *, closed: bool
) -> Tensor:
    """Correct ``result_BNH`` at first and last nodes that have fewer than two neighbours.

    These are the ends of a line and, on a cycle, the nodes of segments of one or two nodes.
    """
    length_B11 = nodes.lengths_B[:, None, None]
    is_open_B11 = length_B11 <= 2 if closed else length_B11 > 0
    is_first_1N1 = (nodes.steps_N == 0)[None, :, None]
    second_B1H = x_BNH[:, 1:2] if nodes.padded > 1 else x_BNH
    for is_end, neighbour_B1H in (
        (is_first_1N1, second_B1H),
        (nodes.is_last_BN1, nodes.from_end(x_BNH, 2)),
    ):
        lone_B1H = (neighbour_B1H * weights.total).masked_fill(length_B11 == 1, 0)
        result_BNH = torch.where(is_end & is_open_B11, lone_B1H, result_BNH)
    return result_BNH
