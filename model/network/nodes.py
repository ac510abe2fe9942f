"""Which nodes of a padded batch are real: here alone lengths become masks.

Padding is masked wherever nodes meet: Bi-GRU, ends of the cycle, FA, attention and pooling.
So a padded segment has the scores that it has without padding (the paper says nothing on this).
"""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Nodes:
    """The real nodes of a batch of B segments, all padded to N nodes.

    Attributes:
        lengths_B: number of real nodes of each segment, ``(B,)``, int64, at least 1.
        padded: number of nodes N that every segment is padded to.
        shortest: the least of ``lengths_B``; equal to ``padded`` when no segment is padded,
            and then masks are left out and cost nothing.
        count_B11: ``lengths_B`` as floating point numbers, ``(B, 1, 1)``, to divide node values by.
    """

    lengths_B: Tensor
    padded: int
    shortest: int
    count_B11: Tensor

    @classmethod
    def of(cls, lengths_B: Tensor, padded: int, dtype: torch.dtype = torch.float32) -> "Nodes":
        """Describe segments of these lengths.

        Args:
            lengths_B: number of real nodes of each segment, ``(B,)``, int64.
            padded: number of nodes N that every segment is padded to.
            dtype: type of the node values.
        """
        return cls(lengths_B, padded, int(lengths_B.min()), lengths_B.to(dtype)[:, None, None])

    @property
    def steps_N(self) -> Tensor:
        """Numbers of the nodes, 0 to N - 1, ``(N,)``."""
        return torch.arange(self.padded, device=self.lengths_B.device)

    @property
    def real_BN(self) -> Tensor:
        """True at real nodes, ``(B, N)``."""
        return self.steps_N < self.lengths_B[:, None]

    @property
    def is_last_BN1(self) -> Tensor:
        """True at the last real node of each segment, ``(B, N, 1)``."""
        return (self.steps_N == self.lengths_B[:, None] - 1).unsqueeze(2)

    def from_end(self, x_BNH: Tensor, steps: int) -> Tensor:
        """Take from each segment the node ``steps`` from the end, ``(B, 1, H)``.

        Step 1 is the last real node, 2 the one before it. A shorter segment gives its first node.
        """
        if self.shortest == self.padded:
            row = max(self.padded - steps, 0)
            return x_BNH[:, row : row + 1]
        row_B11 = (self.lengths_B - steps).clamp(min=0)[:, None, None]
        return x_BNH.gather(1, row_B11.expand(-1, 1, x_BNH.shape[2]))

    def cleared(self, x_BNH: Tensor, value: float = 0.0) -> Tensor:
        """Put ``value`` into every channel of padded nodes; ``(B, N, H)`` in and out."""
        if self.shortest == self.padded:
            return x_BNH
        return x_BNH.masked_fill(~self.real_BN.unsqueeze(2), value)

    def pooled(self, x_BNH: Tensor, pooling: str) -> Tensor:
        """Take the ``mean`` or the ``sum`` (``pooling``) over real nodes, ``(B, H)``."""
        total_BH = self.cleared(x_BNH).sum(1)
        return total_BH if pooling == "sum" else total_BH / self.count_B11.squeeze(2)

    def reversed(self, x_BNH: Tensor) -> Tensor:
        """Reverse the real nodes of each segment, ``(B, N, H)``; padding stays at the end."""
        if self.shortest == self.padded:
            return x_BNH.flip(1)
        mirrored_BN = self.lengths_B[:, None] - 1 - self.steps_N
        order_BN = torch.where(mirrored_BN >= 0, mirrored_BN, self.steps_N)
        return x_BNH.gather(1, order_BN.unsqueeze(2).expand_as(x_BNH))
