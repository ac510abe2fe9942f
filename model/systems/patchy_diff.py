"""PATCHY-Diff: patches of consecutive frames, then differentiable pooling.

Sourced: Ying et al., "Hierarchical Graph Representation Learning with Differentiable Pooling"
(NeurIPS 2018, arXiv 1806.08804), which WMA-GIN's paper cites for this row, gives the pooling: an
assignment S of nodes to clusters, X' = S'Z, A' = S'AS, and two losses that keep S near the graph
and decided; PyG's `dense_diff_pool`. Niepert et al., PATCHY-SAN (ICML 2016, arXiv 1605.05273),
gives the front: a receptive field of fixed order for each node, and a 1-D convolution over it.
WMA-GIN's paper says that it reproduced this system, with 68K parameters, and no more.
Our reading: how the two join. Frames have a natural order, time, so a receptive field is the node
and four on either side (zeros beyond the ends); the graph is the line. All sizes are open: 64
channels, 30 clusters, one pooling; the last hidden layer comes near 68K at 78 features (67,586).
Losses are averaged over real nodes and pairs, so padding changes none of them.
"""

from torch import Tensor, nn
from torch_geometric.nn import DenseGraphConv, dense_diff_pool

from model.network.compared_system import ComparedSystem
from model.network.graph_network import Logits
from model.network.nodes import Nodes

FIELD = 9
"""Nodes of a receptive field: the node itself and four on either side."""
HIDDEN = 64
"""Output channels of every convolution."""
CLUSTERS = 30
"""Clusters that the nodes of a segment are pooled to."""
HEAD = 32
"""Width of the last hidden layer."""


class PatchyDiff(ComparedSystem):
    """PATCHY-Diff: a convolution over patches, differentiable pooling to 30 clusters, a classifier.

    Arguments as `ComparedSystem`. Pooling adds its two losses to the training loss.
    """

    def _build(self, features: int, classes: int, nodes: int) -> None:
        self.patches = nn.Conv1d(features, HIDDEN, FIELD, padding=FIELD // 2)
        self.embed = DenseGraphConv(HIDDEN, HIDDEN, aggr="mean")
        self.assign = DenseGraphConv(HIDDEN, CLUSTERS, aggr="mean")
        self.coarse = DenseGraphConv(HIDDEN, HIDDEN, aggr="mean")
        self.head = nn.Sequential(nn.Linear(HIDDEN, HEAD), nn.ReLU(), nn.Linear(HEAD, classes))

    def _logits(self, x_BNF: Tensor, nodes: Nodes) -> Logits:
        x_BNF = nodes.cleared(x_BNF)
        x_BNH = nodes.cleared(self.patches(x_BNF.transpose(1, 2)).transpose(1, 2).relu())
        line_BNN = _line(nodes).to(x_BNH.dtype)
        z_BNH = self.embed(x_BNH, line_BNN).relu()
        s_BNK = self.assign(x_BNH, line_BNN)
        x_BKH, adjacency_BKK, link, entropy = dense_diff_pool(
            z_BNH, line_BNN, s_BNK, nodes.real_BN, normalize=False
        )
        pairs, count = nodes.count_B11.square().sum(), nodes.count_B11.sum()
        penalty = link / pairs + entropy * (nodes.real_BN.numel() / count)
        x_BKH = self.coarse(x_BKH, adjacency_BKK).relu()
        return Logits.of(self.head(x_BKH.mean(1)), penalty)


def _line(nodes: Nodes) -> Tensor:
    """Make the adjacency of each segment's line: True for consecutive real nodes, ``(B, N, N)``."""
    real_BN, steps_N = nodes.real_BN, nodes.steps_N
    apart_NN = (steps_N[None, :] - steps_N[:, None]).abs()
    return (apart_NN == 1) & real_BN[:, :, None] & real_BN[:, None, :]
