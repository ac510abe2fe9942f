"""Batch normalisation that ignores padded nodes."""

import torch
from torch import Tensor, nn
from torch_geometric.nn import BatchNorm

from model.network.nodes import Nodes


class RealBatchNorm(nn.Module):
    """Batch normalisation over the real nodes of a batch; padded nodes become zero.

    A batch with one real node in all has no variance: it is normalised by the running statistics.

    Args:
        width: channels H.
        affine: whether scale and shift of each channel are learnt.
    """

    def __init__(self, width: int, *, affine: bool = True) -> None:
        super().__init__()
        self.norm = BatchNorm(width, affine=affine, allow_single_element=True)

    def forward(self, x_BNH: Tensor, nodes: Nodes) -> Tensor:
        """Normalise each channel over the real nodes; ``(B, N, H)`` in and out."""
        real_BN = nodes.real_BN
        result_BNH = torch.zeros_like(x_BNH)
        result_BNH[real_BN] = self.norm(x_BNH[real_BN])
        return result_BNH
