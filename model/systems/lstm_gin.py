"""LSTM-GIN: a Bi-LSTM's outputs as nodes of a graph isomorphism network (Liu and Wang, 2021).

Interspeech 2021. Sourced (abstract): frame features go through a Bi-LSTM, whose outputs are the
nodes of an undirected graph with edges by temporal relation; a GIN (Xu et al., ICLR 2019, arXiv
1810.00826; PyG's `GINConv` with a learnable eps) classifies it. WMA-GIN's paper prints it with
0.89M parameters and 120 nodes.
Our reading: the graph is the line; the layers' maps are one linear layer each, as WMA-GIN's; as in
GIN's own code every layer, the Bi-LSTM included, is read out by a sum over nodes and a linear
head, and the heads are summed. All sizes are open: one Bi-LSTM layer of 256 each way and two GIN
layers of 256 come near 0.89M at 78 features (889,358).
"""

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch_geometric.nn import GINConv

from model.network.compared_system import ComparedSystem
from model.network.graph_network import Logits
from model.network.layers.edges import convolved, edge_list
from model.network.layers.recurrent import BothWays
from model.network.nodes import Nodes

LSTM_HIDDEN = 256
"""Channels of the Bi-LSTM in each direction."""
HIDDEN = 256
"""Channels of each GIN layer."""
LAYERS = 2
"""Number of GIN layers."""


class LstmGin(ComparedSystem):
    """LSTM-GIN on the line: Bi-LSTM and two GIN layers; the linear heads of all three are summed.

    Arguments as `ComparedSystem`.
    """

    def _build(self, features: int, classes: int, nodes: int) -> None:
        widths = [2 * LSTM_HIDDEN] + [HIDDEN] * LAYERS
        self.lstm = BothWays(nn.LSTM, features, LSTM_HIDDEN)
        self.convs = nn.ModuleList(
            GINConv(nn.Linear(width_in, width_out), train_eps=True)
            for width_in, width_out in pairwise(widths)
        )
        self.heads = nn.ModuleList(nn.Linear(width, classes) for width in widths)

    def _logits(self, x_BNF: Tensor, nodes: Nodes) -> Logits:
        edges_2E = edge_list(nodes, reach=1)
        outputs = [self.lstm(x_BNF, nodes)]
        for layer in self.convs:
            outputs.append(torch.relu(convolved(layer, outputs[-1], edges_2E)))
        scores = [
            head(nodes.pooled(output_BNH, "sum"))
            for head, output_BNH in zip(self.heads, outputs, strict=True)
        ]
        return Logits.of(torch.stack(scores).sum(0))
