"""A bidirectional recurrent layer that never reads padding."""

import torch
from torch import Tensor, nn

from model.network.nodes import Nodes


class BothWays(nn.Module):
    """A bidirectional layer whose backward half starts at the last *real* node.

    It consists of two one-way layers; the second reads each segment's real nodes in reverse. The
    result is that of packed sequences, in half of their time on a CPU.

    Args:
        cell: class of each one-way layer, ``nn.GRU`` or ``nn.LSTM``.
        features: channels F of the input.
        hidden: output channels of each one-way layer.
    """

    def __init__(self, cell: type[nn.GRU] | type[nn.LSTM], features: int, hidden: int) -> None:
        super().__init__()
        self.forwards = cell(features, hidden, batch_first=True)
        self.backwards = cell(features, hidden, batch_first=True)

    def forward(self, x_BNF: Tensor, nodes: Nodes) -> Tensor:
        """Read each segment both ways: ``(B, N, F)`` to ``(B, N, 2 x hidden)``."""
        forwards_BNH, _ = self.forwards(x_BNF)
        backwards_BNH, _ = self.backwards(nodes.reversed(x_BNF))
        return torch.cat([forwards_BNH, nodes.reversed(backwards_BNH)], dim=2)
