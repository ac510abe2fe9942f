"""GA-GRU: graph attention over the outputs of a Bi-GRU (Su, Chang, Lin and Lee, Interspeech 2020).

doi 10.21437/Interspeech.2020-1733. Sourced (abstract, and a figure's caption on the authors' page):
78 emobase descriptors; the graph is built from the hidden outputs of a Bi-GRU, so that a frame
may learn from others than its neighbours in time; graph attention; four classes; UA 63.8.
Our reading: how the graph is built. A frame is joined to the eight whose hidden outputs have the
most similar direction, and to itself; attention is GAT's (PyG's `GATConv`), 4 heads of 64 channels;
the mean over nodes is classified by one linear layer. All sizes are open; the Bi-GRU has WMA-GIN's.
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import elu, normalize
from torch_geometric.nn import GATConv

from model.config import BIGRU_HIDDEN
from model.network.compared_system import ComparedSystem
from model.network.graph_network import Logits
from model.network.layers.edges import convolved
from model.network.layers.recurrent import BothWays
from model.network.nodes import Nodes

NEIGHBOURS = 8
"""Most similar frames that a frame is joined to, itself not counted."""
HEADS = 4
"""Attention heads, of ``HIDDEN / HEADS`` channels each."""
HIDDEN = 256
"""Output channels of the graph attention, all heads together."""


class GaGru(ComparedSystem):
    """The network of Su et al.: Bi-GRU, graph attention among similar frames, one linear layer.

    Arguments as `ComparedSystem`.
    """

    def _build(self, features: int, classes: int, nodes: int) -> None:
        self.gru = BothWays(nn.GRU, features, BIGRU_HIDDEN)
        self.attention = GATConv(2 * BIGRU_HIDDEN, HIDDEN // HEADS, HEADS)
        self.head = nn.Linear(HIDDEN, classes)

    def _logits(self, x_BNF: Tensor, nodes: Nodes) -> Logits:
        h_BNG = self.gru(x_BNF, nodes)
        h_BNH = elu(convolved(self.attention, h_BNG, similar(h_BNG.detach(), nodes)))
        return Logits.of(self.head(nodes.pooled(h_BNH, "mean")))


def similar(h_BNG: Tensor, nodes: Nodes) -> Tensor:
    """Join each real node to the 8 real nodes whose values are most similar by cosine.

    A segment of fewer than 9 real nodes is joined completely; no node is joined to itself here.

    Args:
        h_BNG: outputs of the Bi-GRU, ``(B, N, G)``.
        nodes: which nodes are real.

    Returns:
        Sources and targets, shape ``(2, E)``; node n of segment b is number ``b * N + n``.
    """
    real_BN = nodes.real_BN
    direction_BNG = normalize(nodes.cleared(h_BNG), dim=2)
    cosine_BNN = torch.bmm(direction_BNG, direction_BNG.transpose(1, 2))
    itself_NN = torch.eye(nodes.padded, dtype=torch.bool, device=h_BNG.device)
    barred_BNN = itself_NN | ~(real_BN[:, :, None] & real_BN[:, None, :])
    count = min(NEIGHBOURS, nodes.padded - 1)
    best_BNK, source_BNK = cosine_BNN.masked_fill(barred_BNN, float("-inf")).topk(count, dim=2)
    segment_E, target_E, rank_E = (best_BNK > float("-inf")).nonzero(as_tuple=True)
    source_E = source_BNK[segment_E, target_E, rank_E]
    return torch.stack([source_E, target_E]) + segment_E * nodes.padded
