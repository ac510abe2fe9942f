"""L-GrIN: a learnt graph and inception layers (Shirian, Tripathi and Guha, IEEE TMM 2021).

doi 10.1109/TMM.2021.3059169. Sourced (its published code, which is for video): one adjacency for
all segments, A = ReLU(P), P learnt from a uniform start; a convolution is MLP(A X), BatchNorm,
ReLU, with MLP Linear - BatchNorm - ReLU - Linear of a quarter of the two widths together; an
inception layer joins a maximum over neighbours with convolutions to 128 and to 64 channels; two
of them; read out by maximum, a learnt weighted sum and the mean over nodes; input normalised.
Trained there by Adam at 0.01, batches of 128, at most 1000 epochs.
Our reading: the sound variant has 35 descriptors and 120 nodes. It is printed with 92K parameters:
77,432 stand before the classifier, so the 512-wide one of the code cannot have been used. The
width of ours, the one open size, is what comes near: 12 (92,592 at 35 features). The neighbours of
the maximum are those in time; the adjacency of a shorter segment is the corner of P that it needs.
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from model.network.compared_system import ComparedSystem
from model.network.graph_network import Logits
from model.network.layers.batch_norm import RealBatchNorm
from model.network.nodes import Nodes

BRANCHES = (128, 64)
"""Output channels of the two convolutions of an inception layer."""
LAYERS = 2
"""Number of inception layers."""
HEAD = 12
"""Hidden width of the classifier."""
DROPOUT = 0.5


class LearntConv(nn.Module):
    """A convolution with the learnt adjacency A: ReLU(BatchNorm(MLP(A X))).

    Args:
        width_in: channels of the nodes that go in.
        width_out: channels of the nodes that come out.
    """

    def __init__(self, width_in: int, width_out: int) -> None:
        super().__init__()
        inner = (width_in + width_out) // 4
        self.first = nn.Linear(width_in, inner)
        self.first_norm = RealBatchNorm(inner)
        self.second = nn.Linear(inner, width_out)
        self.second_norm = RealBatchNorm(width_out)

    def forward(self, mixed_BNF: Tensor, nodes: Nodes) -> Tensor:
        """Map ``mixed_BNF``, which is A X, ``(B, N, width_in)``, to ``(B, N, width_out)``."""
        inner_BNI = self.first_norm(self.first(mixed_BNF), nodes).relu()
        result_BNH: Tensor = self.second_norm(self.second(inner_BNI), nodes).relu()
        return result_BNH


class Inception(nn.Module):
    """An inception layer: a maximum over neighbours beside two convolutions of 128 and 64 channels.

    Args:
        width: channels of the nodes that go in; ``width + 192`` come out.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.convs = nn.ModuleList(LearntConv(width, branch) for branch in BRANCHES)

    def forward(self, x_BNF: Tensor, adjacency_NN: Tensor, nodes: Nodes) -> Tensor:
        """Concatenate the three branches by channel; padded nodes stay 0.

        Args:
            x_BNF: node values, ``(B, N, width)``.
            adjacency_NN: the learnt adjacency A, ``(N, N)``, not negative.
            nodes: which nodes are real.

        Returns:
            Node values, ``(B, N, width + 192)``.
        """
        mixed_BNF = adjacency_NN @ x_BNF
        branches = [layer(mixed_BNF, nodes) for layer in self.convs]
        return torch.cat([nodes.cleared(greatest_near(x_BNF, nodes)), *branches], dim=2)


class LGrin(ComparedSystem):
    """L-GrIN: a learnt adjacency, two inception layers, three read-outs, a narrow classifier.

    Arguments as `ComparedSystem`; here the size depends on ``nodes``.
    """

    def _build(self, features: int, classes: int, nodes: int) -> None:
        self.norm = RealBatchNorm(features, affine=False)
        self.adjacency_NN = nn.Parameter(torch.rand(nodes, nodes))
        self.weight_N = nn.Parameter(torch.ones(nodes))
        widths = [features + layer * sum(BRANCHES) for layer in range(LAYERS + 1)]
        self.layers = nn.ModuleList(map(Inception, widths[:-1]))
        self.head = nn.Sequential(
            nn.Linear(3 * widths[-1], HEAD),
            nn.Dropout(DROPOUT),
            nn.PReLU(HEAD),
            nn.Linear(HEAD, classes),
        )

    def _logits(self, x_BNF: Tensor, nodes: Nodes) -> Logits:
        corner_NN = self.adjacency_NN[: nodes.padded, : nodes.padded].relu()
        x_BNF = self.norm(x_BNF, nodes)
        for layer in self.layers:
            x_BNF = layer(x_BNF, corner_NN, nodes)
        weighted_BF = (x_BNF * self.weight_N[: nodes.padded, None]).sum(1)
        greatest_BF = nodes.cleared(x_BNF, float("-inf")).amax(1)
        pooled_BF = torch.cat([greatest_BF, weighted_BF, nodes.pooled(x_BNF, "mean")], dim=1)
        return Logits.of(self.head(pooled_BF))


def greatest_near(x_BNF: Tensor, nodes: Nodes) -> Tensor:
    """Take, by channel, the maximum of a real node and its real neighbours in time.

    Args:
        x_BNF: node values, ``(B, N, F)``.
        nodes: which nodes are real.

    Returns:
        The maxima, ``(B, N, F)``; at padded nodes they have no meaning.
    """
    x_BNF = nodes.cleared(x_BNF, float("-inf"))
    before_BNF = pad(x_BNF[:, :-1], (0, 0, 1, 0), value=float("-inf"))
    after_BNF = pad(x_BNF[:, 1:], (0, 0, 0, 1), value=float("-inf"))
    return torch.maximum(torch.maximum(before_BNF, x_BNF), after_BNF)
