"""GCN: graph convolutions on the cycle of frames (Kipf and Welling, ICLR 2017, arXiv 1609.02907).

Sourced: the layer, D^-1/2 (A + I) D^-1/2 X W, PyG's `GCNConv`. The paper of WMA-GIN prints this
system's figures as reported by LSTM-GIN's paper, with 78K parameters, and says no more of it.
Our reading: the paper's own cycle graph, no recurrent layer in front (one alone exceeds 78K at a
usual width), two layers with ReLU, mean over nodes, one hidden layer. All sizes are open; the
width is what comes near 78K at 78 features (76,916).
"""

import torch
from torch import Tensor, nn
from torch_geometric.nn import GCNConv

from model.network.compared_system import ComparedSystem
from model.network.graph_network import Logits
from model.network.layers.edges import convolved, edge_list
from model.network.nodes import Nodes

HIDDEN = 176
"""Output channels of a graph convolution, and hidden width of the classifier."""
LAYERS = 2
"""Number of graph convolutions."""


class Gcn(ComparedSystem):
    """GCN on the cycle: two graph convolutions, mean over nodes, two dense layers.

    Arguments as `ComparedSystem`.
    """

    def _build(self, features: int, classes: int, nodes: int) -> None:
        widths = [features] + [HIDDEN] * LAYERS
        self.convs = nn.ModuleList(map(GCNConv, widths, widths[1:]))
        self.head = nn.Sequential(nn.Linear(HIDDEN, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, classes))

    def _logits(self, x_BNF: Tensor, nodes: Nodes) -> Logits:
        edges_2E = edge_list(nodes, reach=1, closed=True)
        for layer in self.convs:
            x_BNF = torch.relu(convolved(layer, x_BNF, edges_2E))
        return Logits.of(self.head(nodes.pooled(x_BNF, "mean")))
