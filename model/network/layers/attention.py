"""Multi-phase attention (MPA) over input, Bi-GRU output and last layer (paper, section 2.1).

The paper: "similar to self-attention, each of three linear projections is performed on the input
features, the output of Bi-GRU, and output of the last WMA-GIN layer, such that they are transformed
as query, key and value", each to the hidden size H. It does not give the formula. Our reading:

    softmax(Q K' / sqrt(H)) V        one head; padded keys masked; optionally an output map H -> H

and, before its head, the result is pooled over the real nodes as every other stage is.

Only the pooled result is ever used, which permits three identities (none is an approximation):
1. Q K' = (X (Wq' Wk) + bq Wk) G' + (what a query adds to all keys alike): one projection, F -> G.
2. What a query adds to all keys alike, the softmax forgets. That is all the bias of the key does:
   it is kept for the paper's count, gets no gradient and is never read.
3. The value and output maps are linear: map one pooled vector, not N. (Each row of shares sums to
   1, so the mean over nodes keeps the bias of the value once, the sum n times.)
"""

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import linear

from model.network.nodes import Nodes


class MultiPhaseAttention(nn.Module):
    """One attention head across three phases of the network, pooled over its queries.

    Args:
        features: channels F of the input (query).
        phase: channels G of the Bi-GRU's output (key).
        hidden: channels H of the last layer (value), and of the result.
        output_map: whether a linear map H -> H follows (reading R*).
    """

    def __init__(self, features: int, phase: int, hidden: int, *, output_map: bool) -> None:
        super().__init__()
        self.query = nn.Linear(features, hidden)
        self.key = nn.Linear(phase, hidden)
        self.value = nn.Linear(hidden, hidden)
        self.output = nn.Linear(hidden, hidden) if output_map else None

    def forward(
        self, x_BNF: Tensor, gru_BNG: Tensor, last_BNH: Tensor, nodes: Nodes, pooling: str
    ) -> Tensor:
        """Attend from every node to every real node, and pool the results over the real nodes.

        Args:
            x_BNF: scaled input (query), ``(B, N, F)``.
            gru_BNG: output of the Bi-GRU (key), ``(B, N, G)``.
            last_BNH: output of the last layer (value), ``(B, N, H)``.
            nodes: which nodes are real.
            pooling: ``mean`` or ``sum``.

        Returns:
            One vector a segment, ``(B, H)``.
        """
        shares_BNN = self.shares(x_BNF, gru_BNG, nodes)
        weight_BN = nodes.pooled(shares_BNN, pooling)  # of each key, summed over the queries
        context_BH = torch.bmm(weight_BN.unsqueeze(1), nodes.cleared(last_BNH)).squeeze(1)
        total_B1 = 1 if pooling == "mean" else nodes.count_B11.squeeze(2)
        result_BH = linear(context_BH, self.value.weight) + total_B1 * self.value.bias
        if self.output is None:
            return result_BH
        return linear(result_BH, self.output.weight) + total_B1 * self.output.bias

    def shares(self, x_BNF: Tensor, gru_BNG: Tensor, nodes: Nodes) -> Tensor:
        """Compute the attention weights, queries by keys, ``(B, N, N)``.

        Each row sums to 1; padded keys have weight 0.
        """
        scale = 1 / math.sqrt(self.key.out_features)
        map_FG = (self.query.weight.t() @ self.key.weight) * scale
        bias_G = (self.query.bias @ self.key.weight) * scale
        scores_BNN = torch.bmm(linear(x_BNF, map_FG.t(), bias_G), gru_BNG.transpose(1, 2))
        if nodes.shortest < nodes.padded:
            scores_BNN = scores_BNN.masked_fill(~nodes.real_BN.unsqueeze(1), float("-inf"))
        return scores_BNN.softmax(2)
