"""A recurrent layer that reads a padded segment both ways, and no padding."""

import torch
from torch import Tensor, nn

from model.network.nodes import Nodes


class BothWays(nn.Module):
    """A bidirectional layer whose backward half starts at the last *real* node.

    Two one-way layers, the second one fed each segment's real nodes in reverse.
    It gives what packed sequences give, in half of their time on a CPU.

    Args:
        cell: what each half is.
        features: channels of the input.
        hidden: channels of each half.
    """

    def __init__(self, cell: type[nn.GRU] | type[nn.LSTM], features: int, hidden: int) -> None:
        super().__init__()
        self.forwards = cell(features, hidden, batch_first=True)
        self.backwards = cell(features, hidden, batch_first=True)

    def forward(self, x_BNF: Tensor, nodes: Nodes) -> Tensor:
        """Read each segment both ways; result ``(B, N, 2 x hidden)``."""
        ahead_BNH, _ = self.forwards(x_BNF)
        behind_BNH, _ = self.backwards(nodes.reversed(x_BNF))
        return torch.cat([ahead_BNH, nodes.reversed(behind_BNH)], dim=2)
