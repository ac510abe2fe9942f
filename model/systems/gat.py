"""GAT: graph attention on the cycle of frames (Velickovic et al., ICLR 2018, arXiv 1710.10903).

Sourced: the layer, a softmax over neighbours of LeakyReLU(a' [W x_i; W x_j]), PyG's `GATConv`
(a node is its own neighbour), and the ELU behind it. The paper of WMA-GIN prints this system's
figures as reported by LSTM-GIN's paper, without a count of parameters, and says no more of it.
Our reading: as `gcn.py`; 4 heads of 32 channels, concatenated. All sizes are open.
"""

from torch import Tensor, nn
from torch.nn.functional import elu
from torch_geometric.nn import GATConv

from model.network.compared_system import ComparedSystem
from model.network.graph_network import Logits
from model.network.layers.edges import convolved, edge_list
from model.network.nodes import Nodes

HEADS = 4
"""Attention heads of a layer, of ``HIDDEN / HEADS`` channels each."""
HIDDEN = 128
"""Output channels of a layer, all heads together."""
LAYERS = 2
"""Number of attention layers."""


class Gat(ComparedSystem):
    """GAT on the cycle: two layers of graph attention, mean over nodes, two dense layers.

    Arguments as `ComparedSystem`.
    """

    def _build(self, features: int, classes: int, nodes: int) -> None:
        widths = [features] + [HIDDEN] * (LAYERS - 1)
        self.convs = nn.ModuleList(GATConv(width, HIDDEN // HEADS, HEADS) for width in widths)
        self.head = nn.Sequential(nn.Linear(HIDDEN, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, classes))

    def _logits(self, x_BNF: Tensor, nodes: Nodes) -> Logits:
        edges_2E = edge_list(nodes, reach=1, closed=True)
        for layer in self.convs:
            x_BNF = elu(convolved(layer, x_BNF, edges_2E))
        return Logits.of(self.head(nodes.pooled(x_BNF, "mean")))
