"""The three aggregators of eq. (4): sum, mean and softmax of a neighbourhood, weighted and added.

The softmax is element-wise: each channel weighs the neighbours by their own value in that channel,
without a temperature. That is the aggregator of PNA (arXiv 2004.05718), which the paper cites.
Its maximum is taken out before the exponential, so that nothing overflows.

Nothing here knows a graph's shape, only the three neighbourhoods that need no edge list:
two nodes (`pair`), all nodes of a graph (`pooled`), all nodes but oneself (`others`).
Letters: B segments of a batch, N nodes, H channels.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from model.network.nodes import Nodes

Aggregate = Callable[[Tensor], Tensor]
"""From node values ``(B, N, H)`` to what their neighbourhoods aggregate to, ``(B, N, H)``."""


@dataclass(frozen=True, kw_only=True, slots=True)
class AggregatorWeights:
    """Weights of the three aggregators: the paper's alpha, beta and gamma, which are not learnt."""

    softmax: float
    sum: float
    mean: float

    @property
    def total(self) -> float:
        """Weight of a lone neighbour, which is its own sum, mean and softmax."""
        return self.softmax + self.sum + self.mean


def pair(halo_BMH: Tensor, weights: AggregatorWeights) -> Tensor:
    """Aggregate neighbourhoods of two: the values before and after each position of a row.

    Args:
        halo_BMH: N + 2 values in a row: those of the nodes, one neighbour more at each end.
        weights: the aggregator weights.

    Returns:
        The weighted aggregate at the N inner positions, ``(B, N, H)``.
    """
    result_BNH: Tensor = _Pair.apply(halo_BMH, weights)  # type: ignore[no-untyped-call]
    return result_BNH


def pooled(x_BNH: Tensor, nodes: Nodes, weights: AggregatorWeights) -> Tensor:
    """Aggregate all real nodes of a segment into one vector: O(N), no pair is ever formed.

    Returns:
        The weighted aggregate, ``(B, 1, H)``.
    """
    total_B1H = nodes.cleared(x_BNH).sum(1, keepdim=True)
    total_B1H = total_B1H * (weights.sum + weights.mean / nodes.count_B11)
    if not weights.softmax:
        return total_B1H
    whole = nodes.shortest == nodes.padded
    softmax_B1H = _softmax(nodes.cleared(x_BNH, float("-inf")), whole=whole)
    return torch.add(total_B1H, softmax_B1H, alpha=weights.softmax)


def others(x_BNH: Tensor, nodes: Nodes, weights: AggregatorWeights) -> Tensor:
    """Aggregate, for every node, all real nodes but itself: O(N), and nothing is subtracted.

    "All minus mine" loses every digit of the rest once one node outweighs it,
    so sums are built by a tree, and in the softmax the greatest node is treated apart.

    Returns:
        The weighted aggregate, ``(B, N, H)``; 0 for the only node of a segment.
    """
    factor_B11 = weights.sum + weights.mean / (nodes.count_B11 - 1).clamp(min=1)
    total_BNH = _sum_of_others(nodes.cleared(x_BNH)) * factor_B11
    if not weights.softmax:
        return total_BNH
    softmax_BNH = _softmax_of_others(nodes.cleared(x_BNH, float("-inf")))
    return torch.add(total_BNH, softmax_BNH, alpha=weights.softmax)


class _Pair(torch.autograd.Function):
    """`pair`, with its derivative by hand: it keeps one tensor where autograd would keep four.

    The softmax of two values is a sigmoid s of their difference d = l - r, the aggregate r + s d:
    half the work of two exponentials, and nothing to overflow. Its slope in l is s + d s (1 - s),
    in r one minus that.
    """

    @staticmethod
    def forward(ctx: Any, halo_BMH: Tensor, weights: AggregatorWeights) -> Tensor:
        ctx.save_for_backward(halo_BMH)
        ctx.weights = weights
        batch, length, width = halo_BMH.shape
        result_BNH = halo_BMH.new_empty(batch, length - 2, width)
        for block in _blocks(halo_BMH):
            _pair_into(result_BNH[block], halo_BMH[block], weights)
        return result_BNH

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_BNH: Tensor) -> tuple[Tensor, None]:
        (halo_BMH,) = ctx.saved_tensors
        grad_halo_BMH = torch.empty_like(halo_BMH)
        for block in _blocks(halo_BMH):
            _pair_slopes_into(grad_halo_BMH[block], halo_BMH[block], grad_BNH[block], ctx.weights)
        return grad_halo_BMH, None


BLOCK = 1 << 18
"""Size of a block, in numbers: a core's cache holds several blocks."""

VECTORS = 64
"""Multiple of the number of values in a vector of any processor."""


def _blocks(x_BNH: Tensor) -> list[slice]:
    """Cut the batch into blocks that fit a core's cache, for work that is done element by element.

    Only where a node fills whole vectors of the processor: the results are the same to the bit
    then, and are not where a cut leaves a remainder, which is rounded in another way.
    A GPU takes all at once.
    """
    batch, length, width = x_BNH.shape
    cut = x_BNH.device.type == "cpu" and width % VECTORS == 0
    step = max(1, BLOCK // (length * width)) if cut else max(1, batch)
    return [slice(start, start + step) for start in range(0, batch, step)]


def _pair_into(result_BNH: Tensor, halo_BMH: Tensor, weights: AggregatorWeights) -> None:
    """Write the aggregate of each position's two neighbours."""
    left_BNH, right_BNH = halo_BMH[:, :-2], halo_BMH[:, 2:]
    torch.add(left_BNH, right_BNH, out=result_BNH).mul_(weights.sum + weights.mean / 2)
    if weights.softmax:
        share_BNH = torch.sub(left_BNH, right_BNH).sigmoid_()
        softmax_BNH = torch.lerp(right_BNH, left_BNH, share_BNH, out=share_BNH)
        result_BNH.add_(softmax_BNH, alpha=weights.softmax)


def _pair_slopes_into(
    grad_halo_BMH: Tensor, halo_BMH: Tensor, grad_BNH: Tensor, weights: AggregatorWeights
) -> None:
    """Write the gradient of the row: each position adds to its left and to its right neighbour."""
    to_left_BNH, to_right_BNH = grad_halo_BMH[:, :-2], grad_halo_BMH[:, 2:]
    grad_halo_BMH[:, -2:] = 0
    both = weights.sum + weights.mean / 2
    if not weights.softmax:
        torch.mul(grad_BNH, both, out=to_left_BNH)
        to_right_BNH.add_(grad_BNH, alpha=both)
        return
    slope_BNH = halo_BMH[:, :-2] - halo_BMH[:, 2:]
    share_BNH = slope_BNH.sigmoid()
    slope_BNH.mul_(share_BNH).addcmul_(slope_BNH, share_BNH, value=-1).add_(share_BNH)
    slope_BNH.mul_(weights.softmax)
    torch.add(slope_BNH, both, out=share_BNH)
    torch.mul(share_BNH, grad_BNH, out=to_left_BNH)
    slope_BNH.neg_().add_(both + weights.softmax)
    to_right_BNH.addcmul_(slope_BNH, grad_BNH)


class _Softmax(torch.autograd.Function):
    """`_softmax`, whose result is y, with its derivative by hand.

    With p a node's share of the softmax, dy/dx = p (1 + x - y): two tensors where autograd
    would keep five.
    """

    @staticmethod
    def forward(ctx: Any, x_BNH: Tensor, whole: bool) -> Tensor:
        top_B1H = x_BNH.amax(1, keepdim=True).clamp_(min=torch.finfo(x_BNH.dtype).min)
        share_BNH = (x_BNH - top_B1H).exp_()
        share_BNH.div_(share_BNH.sum(1, keepdim=True).clamp_(min=1))  # the greatest counts 1
        x_BNH = x_BNH if whole else _finite(x_BNH)
        y_B1H = (x_BNH * share_BNH).sum(1, keepdim=True)
        ctx.save_for_backward(x_BNH, share_BNH, y_B1H)
        return y_B1H

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_B1H: Tensor) -> tuple[Tensor, None]:
        x_BNH, share_BNH, y_B1H = ctx.saved_tensors
        return (x_BNH - y_B1H).add_(1).mul_(share_BNH).mul_(grad_B1H), None


def _softmax(x_BNH: Tensor, *, whole: bool = False) -> Tensor:
    """Compute the softmax aggregate of all nodes that are not -inf, ``(B, 1, H)``; 0 of none.

    ``whole`` promises that no node is -inf: nothing is looked for then.
    """
    y_B1H: Tensor = _Softmax.apply(x_BNH, whole)  # type: ignore[no-untyped-call]
    return y_B1H


def _softmax_of_others(x_BNH: Tensor) -> Tensor:
    """Compute the softmax aggregate of all nodes that are not -inf but oneself, ``(B, N, H)``.

    Shares relative to the greatest node serve every node but the greatest:
    its neighbours may vanish beside it, so they are aggregated on a scale of their own.
    """
    top_B1H, where_B1H = x_BNH.detach().max(1, keepdim=True)
    is_top_BNH = torch.zeros_like(x_BNH, dtype=torch.bool).scatter(1, where_B1H, True)
    share_BNH = (x_BNH - top_B1H).exp()
    whole_BNH = _sum_of_others(share_BNH).masked_fill(is_top_BNH, 1)
    shared_BNH = _sum_of_others(_finite(x_BNH) * share_BNH) / whole_BNH
    beside_top_B1H = _softmax(x_BNH.masked_fill(is_top_BNH, float("-inf")))
    return torch.where(is_top_BNH, beside_top_B1H, shared_BNH)


def _finite(x_BNH: Tensor) -> Tensor:
    """Replace the -inf of absent nodes by 0: their share is 0, and 0 x inf is not a number."""
    return x_BNH.masked_fill(x_BNH == float("-inf"), 0)


def _sum_of_others(x_BNH: Tensor) -> Tensor:
    """Sum, for every node, all other nodes, by a tree of pairs.

    A node's sum is that of all other pairs, which is found the same way, plus its partner.

    N + N/2 + N/4 + ... additions, so O(N); log2(N) deep, so the rounding error grows with log N.
    (Prefix and suffix sums would serve a CPU; on a GPU `cumsum` refuses to be deterministic.)
    """
    batch, nodes, width = x_BNH.shape
    if nodes == 1:
        return torch.zeros_like(x_BNH)
    if nodes % 2:
        x_BNH = torch.cat([x_BNH, x_BNH.new_zeros(batch, 1, width)], dim=1)
    pairs_BM2H = x_BNH.reshape(batch, -1, 2, width)
    outside_BM1H = _sum_of_others(pairs_BM2H.sum(2)).unsqueeze(2)
    return (outside_BM1H + pairs_BM2H.flip(2)).view(batch, -1, width)[:, :nodes]
