"""Which nodes of a padded batch are real: the one place where lengths become masks.

Padding is masked wherever nodes meet: Bi-GRU, ends of the cycle, FA, attention and pooling.
A padded segment therefore scores what its unpadded twin scores.
"""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Nodes:
    """The real nodes of a batch of B segments, padded to N nodes.

    Attributes:
        lengths_B: number of real nodes of each segment, at least 1.
        padded: N, the length all are padded to.
        full: whether no segment is padded; then the masks below are None and cost nothing.
    """

    lengths_B: Tensor
    padded: int
    full: bool

    @classmethod
    def of(cls, lengths_B: Tensor, padded: int) -> "Nodes":
        """Describe segments of these lengths, padded to ``padded`` nodes."""
        return cls(lengths_B, padded, bool((lengths_B == padded).all()))

    @property
    def real_BN1(self) -> Tensor | None:
        """True at real nodes, ``(B, N, 1)``; None when all are real."""
        if self.full:
            return None
        steps_N = torch.arange(self.padded, device=self.lengths_B.device)
        return (steps_N < self.lengths_B[:, None]).unsqueeze(2)

    @property
    def count_B11(self) -> Tensor:
        """Number of real nodes as a float, ``(B, 1, 1)``."""
        return self.lengths_B.to(torch.get_default_dtype())[:, None, None]

    @property
    def reversal_BN(self) -> Tensor:
        """Where each node stands when the real part of its segment is read backwards."""
        steps_N = torch.arange(self.padded, device=self.lengths_B.device)
        mirrored_BN = self.lengths_B[:, None] - 1 - steps_N
        return torch.where(mirrored_BN >= 0, mirrored_BN, steps_N)
