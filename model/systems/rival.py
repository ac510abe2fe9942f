"""What the networks of this folder share: how they are built, and PyG's layers on padded batches.

A rival is a fixed system: its sizes are constants of its file and no study varies them. It trains
under the study's own training settings, as WMA-GIN does; what its authors used stands in its file.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch_geometric.nn import BatchNorm

from model.network.graph_network import GraphNetwork
from model.network.nodes import Nodes


class Rival(GraphNetwork):
    """A network that WMA-GIN is compared with.

    Args:
        features: channels F of a node.
        classes: emotions C.
        nodes: most nodes of a segment.
        mean_F: what the scaler subtracts; 0 if None.
        std_F: what the scaler divides by; 1 if None.
    """

    def __init__(
        self,
        features: int,
        classes: int,
        nodes: int,
        mean_F: Tensor | None = None,
        std_F: Tensor | None = None,
    ) -> None:
        super().__init__(features, mean_F, std_F)
        self._build(features, classes, nodes)

    def _build(self, features: int, classes: int, nodes: int) -> None:
        """Make the layers."""
        raise NotImplementedError


def convolved(layer: Callable[[Tensor, Tensor], Tensor], x_BNH: Tensor, edges_2E: Tensor) -> Tensor:
    """Apply a layer of PyG's to a padded batch; edges as `edges.edge_list` numbers them.

    Padded nodes have no edge, so nothing of them reaches a real one; what stands at them
    afterwards is to be cleared or pooled away.
    """
    batch, nodes, width = x_BNH.shape
    return layer(x_BNH.reshape(-1, width), edges_2E).view(batch, nodes, -1)


class RealBatchNorm(nn.Module):
    """Batch normalisation over the real nodes of a batch; zero at padded ones.

    A batch of a single node has no variance: it is normalised by the running statistics.

    Args:
        width: channels.
        affine: whether scale and shift are learnt.
    """

    def __init__(self, width: int, *, affine: bool = True) -> None:
        super().__init__()
        self.norm = BatchNorm(width, affine=affine, allow_single_element=True)

    def forward(self, x_BNH: Tensor, nodes: Nodes) -> Tensor:
        """Normalise each channel; the shape stays ``(B, N, H)``."""
        real_BN = nodes.real_BN
        result_BNH = torch.zeros_like(x_BNH)
        result_BNH[real_BN] = self.norm(x_BNH[real_BN])
        return result_BNH
