"""Amir et al.: a compact graph network with exact spectral convolution (Shirian and Guha, 2021).

ICASSP 2021, arXiv 2008.02063. Sourced (paper and its published code): the graph of an utterance's
frames is a line or a cycle; a convolution is H = U MLP(U' X), with U the graph Fourier transform,
which of a line is the cosine transform; two convolutions with MLP Linear - BatchNorm - ReLU -
Linear, 128 and 64 wide; sum over nodes; Linear(64, 128), Dropout, PReLU, Linear. Its code has
38,916 parameters at its 35 features; the paper prints 30K. The code's default graph is the line.
Trained there by Adam at 5e-4, halved every 50 epochs, batches of 128, stopped on the test fold.
Our reading: the transform of a padded segment is that of its real nodes; batch normalisation sees
real nodes only. The features `lld35` leave out the code's two columns of metadata, so 33 are left
(38,660 parameters).
"""

import math

import torch
from torch import Tensor, nn

from model.network.compared_system import ComparedSystem
from model.network.graph_network import Logits
from model.network.layers.batch_norm import RealBatchNorm
from model.network.nodes import Nodes

INNER = 128
"""Hidden channels of the MLP inside a convolution."""
HIDDEN = 64
"""Output channels of a convolution."""
HEAD = 128
"""Hidden width of the classifier."""
DROPOUT = 0.5


class SpectralConv(nn.Module):
    """One spectral convolution: U MLP(U' X), with U the graph Fourier transform.

    Args:
        width: channels of the nodes that go in; ``HIDDEN`` come out.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Linear(width, INNER)
        self.norm = RealBatchNorm(INNER)
        self.second = nn.Linear(INNER, HIDDEN)

    def forward(self, x_BNF: Tensor, u_BNN: Tensor, nodes: Nodes) -> Tensor:
        """Transform the nodes to frequencies, map each by the MLP, and transform back.

        Args:
            x_BNF: node values, ``(B, N, width)``.
            u_BNN: transform, nodes by frequencies, ``(B, N, N)``, as `cosines` gives it.
            nodes: which nodes are real.

        Returns:
            Node values, ``(B, N, HIDDEN)``.
        """
        spectrum_BNF = torch.bmm(u_BNN.transpose(1, 2), x_BNF)
        inner_BNI = self.norm(self.first(spectrum_BNF), nodes).relu()
        return torch.bmm(u_BNN, self.second(inner_BNI))


class CompactGraph(ComparedSystem):
    """The network of Shirian and Guha: two spectral convolutions, sum over nodes, two dense layers.

    Arguments as `ComparedSystem`.
    """

    def _build(self, features: int, classes: int, nodes: int) -> None:
        self.convs = nn.ModuleList(map(SpectralConv, (features, HIDDEN)))
        self.head = nn.Sequential(
            nn.Linear(HIDDEN, HEAD), nn.Dropout(DROPOUT), nn.PReLU(HEAD), nn.Linear(HEAD, classes)
        )

    def _logits(self, x_BNF: Tensor, nodes: Nodes) -> Logits:
        x_BNF, u_BNN = nodes.cleared(x_BNF), cosines(nodes)
        for layer in self.convs:
            x_BNF = layer(x_BNF, u_BNN, nodes).relu()
        return Logits.of(self.head(nodes.pooled(x_BNF, "sum")))


def cosines(nodes: Nodes) -> Tensor:
    """Compute the graph Fourier transform of each segment's line graph: the orthonormal DCT-II.

    .. math:: U_{ik} = c_k cos(pi k (2 i + 1) / 2 n),  c_0 = 1 / sqrt n,  c_k = sqrt(2 / n)

    Its columns are the eigenvectors of the line's Laplacian, from slow to fast.

    Returns:
        U, nodes by frequencies, ``(B, N, N)``; 0 in rows and columns beyond the n real nodes of a
        segment.
    """
    n_B11, steps_N = nodes.count_B11, nodes.steps_N.to(nodes.count_B11.dtype)
    phase_BNN = (2 * steps_N[:, None] + 1) * steps_N[None, :] * (math.pi / (2 * n_B11))
    scale_N = torch.where(steps_N == 0, 1.0, math.sqrt(2))
    u_BNN = phase_BNN.cos() * scale_N / n_B11.sqrt()
    real_BN = nodes.real_BN
    return u_BNN * (real_BN[:, :, None] & real_BN[:, None, :])
