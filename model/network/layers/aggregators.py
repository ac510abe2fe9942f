"""The three aggregators of eq. (4): sum, mean and softmax of a neighbourhood, weighted and added.

The softmax is element-wise: each channel weighs the neighbours by their own value in that channel,
without a temperature. That is the aggregator of PNA (arXiv 2004.05718), which the paper cites.
Its maximum is taken out before the exponential, so that nothing overflows.

The functions serve three neighbourhoods that need no edge list: two nodes (`pair`), all nodes of a
segment (`pooled`), all nodes of a segment but oneself (`others`).
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
"""A function from node values ``(B, N, H)`` to the weighted aggregate of each node's neighbours,
``(B, N, H)``, or ``(B, 1, H)`` where all nodes of a segment have the same neighbours."""


@dataclass(frozen=True, kw_only=True, slots=True)
class AggregatorWeights:
    """Weights of the three aggregators as floats, not learnt: the paper's alpha, beta and gamma."""

    softmax: float
    sum: float
    mean: float

    @property
    def total(self) -> float:
        """Sum of the three weights: the factor of a single neighbour.

        Sum, mean and softmax of one neighbour are all equal to it.
        """
        return self.softmax + self.sum + self.mean


def pair(halo_BMH: Tensor, weights: AggregatorWeights) -> Tensor:
    """Aggregate, for each node, the node before it and the node after it.

    Args:
        halo_BMH: values of the N nodes with one more neighbour at each end, ``(B, N + 2, H)``.
        weights: the aggregator weights.

    Returns:
        The weighted aggregate at the N inner positions, ``(B, N, H)``.
    """
    result_BNH: Tensor = _Pair.apply(halo_BMH, weights)  # type: ignore[no-untyped-call]
    return result_BNH


def pooled(x_BNH: Tensor, nodes: Nodes, weights: AggregatorWeights) -> Tensor:
    """Aggregate all real nodes of a segment into one vector, in O(N) time.

    Args:
        x_BNH: node values, ``(B, N, H)``.
        nodes: which nodes are real.
        weights: the aggregator weights.

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
    """Aggregate, for every node, all real nodes of its segment but itself, in O(N) time.

    The sum of all nodes minus the node's own value would lose every digit of the others where one
    node outweighs them. So sums are built by a tree, and in the softmax the greatest node is
    treated apart.

    Args:
        x_BNH: node values, ``(B, N, H)``.
        nodes: which nodes are real.
        weights: the aggregator weights.

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
    """`pair` with its derivative written by hand: it saves one tensor where autograd saves four.

    The softmax weight of the left of two values l, r is s = sigmoid(d), d = l - r, and their
    softmax aggregate is r + s d: half the work of two exponentials, and nothing can overflow. Its
    derivative by l is s + d s (1 - s), and by r it is one minus that.
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
"""Most numbers (1 MiB of float32) that `pair` works on at once: a core's cache holds several such
blocks."""

VECTORS = 64
"""Channels H must be a multiple of this for the batch to be cut into blocks: it is a multiple of
the number of floats in a vector register of any processor."""


def _blocks(x_BNH: Tensor) -> list[slice]:
    """Cut the batch axis into slices that fit a core's cache, for element-wise work.

    The batch is cut only on a CPU and only where H is a multiple of ``VECTORS``: then the results
    have the same bits as uncut. Elsewhere a cut would leave a remainder, which is rounded in
    another way, so there is one slice.
    """
    batch, length, width = x_BNH.shape
    cut = x_BNH.device.type == "cpu" and width % VECTORS == 0
    step = max(1, BLOCK // (length * width)) if cut else max(1, batch)
    return [slice(start, start + step) for start in range(0, batch, step)]


def _pair_into(result_BNH: Tensor, halo_BMH: Tensor, weights: AggregatorWeights) -> None:
    """Write each node's aggregate of its two neighbours into ``result_BNH``, ``(B, N, H)``."""
    left_BNH, right_BNH = halo_BMH[:, :-2], halo_BMH[:, 2:]
    torch.add(left_BNH, right_BNH, out=result_BNH).mul_(weights.sum + weights.mean / 2)
    if weights.softmax:
        share_BNH = torch.sub(left_BNH, right_BNH).sigmoid_()
        softmax_BNH = torch.lerp(right_BNH, left_BNH, share_BNH, out=share_BNH)
        result_BNH.add_(softmax_BNH, alpha=weights.softmax)


def _pair_slopes_into(
    grad_halo_BMH: Tensor, halo_BMH: Tensor, grad_BNH: Tensor, weights: AggregatorWeights
) -> None:
    """Write the gradient of `pair` by its input into ``grad_halo_BMH``.

    Each node's gradient goes to the node before it and to the node after it.

    Args:
        grad_halo_BMH: the result, ``(B, N + 2, H)``.
        halo_BMH: the input of `pair`.
        grad_BNH: gradient by the output of `pair`, ``(B, N, H)``.
        weights: the aggregator weights.
    """
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
    """`_softmax` with its derivative written by hand: it saves two node tensors, autograd five.

    With p a node's share of the softmax and y the result, dy/dx = p (1 + x - y).
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
    """Compute the softmax aggregate over the nodes of a segment, by channel.

    Args:
        x_BNH: node values, ``(B, N, H)``; -inf at nodes that do not count.
        whole: promises that no value is -inf, so that none is searched for.

    Returns:
        Sum of the values weighted by their softmax, ``(B, 1, H)``; 0 where no node counts.
    """
    y_B1H: Tensor = _Softmax.apply(x_BNH, whole)  # type: ignore[no-untyped-call]
    return y_B1H


def _softmax_of_others(x_BNH: Tensor) -> Tensor:
    """Compute, for every node, the softmax aggregate over all other nodes, by channel.

    Exponentials relative to the greatest node serve every node but the greatest itself: its
    neighbours may underflow beside it, so they are aggregated relative to their own maximum.

    Args:
        x_BNH: node values, ``(B, N, H)``; -inf at nodes that do not count.

    Returns:
        The aggregate that leaves the node itself out, ``(B, N, H)``.
    """
    top_B1H, where_B1H = x_BNH.detach().max(1, keepdim=True)
    is_top_BNH = torch.zeros_like(x_BNH, dtype=torch.bool).scatter(1, where_B1H, True)
    share_BNH = (x_BNH - top_B1H).exp()
    whole_BNH = _sum_of_others(share_BNH).masked_fill(is_top_BNH, 1)
    shared_BNH = _sum_of_others(_finite(x_BNH) * share_BNH) / whole_BNH
    beside_top_B1H = _softmax(x_BNH.masked_fill(is_top_BNH, float("-inf")))
    return torch.where(is_top_BNH, beside_top_B1H, shared_BNH)


def _finite(x_BNH: Tensor) -> Tensor:
    """Replace the -inf of nodes that do not count by 0: their share is 0, but 0 x inf is NaN."""
    return x_BNH.masked_fill(x_BNH == float("-inf"), 0)


def _sum_of_others(x_BNH: Tensor) -> Tensor:
    """Sum, for every node, the values of all other nodes, ``(B, N, H)``, by a tree of pairs.

    A node's result is the value of its partner in the pair plus the sum of all other pairs, which
    is found in the same way (recursively, with the pairs as nodes).

    The tree takes N + N/2 + N/4 + ... additions, so O(N); it is log2(N) deep, so the rounding
    error grows with log N. (Prefix and suffix sums would serve a CPU; on a GPU `cumsum` is not
    deterministic.)
    """
    batch, nodes, width = x_BNH.shape
    if nodes == 1:
        return torch.zeros_like(x_BNH)
    if nodes % 2:
        x_BNH = torch.cat([x_BNH, x_BNH.new_zeros(batch, 1, width)], dim=1)
    pairs_BM2H = x_BNH.reshape(batch, -1, 2, width)
    outside_BM1H = _sum_of_others(pairs_BM2H.sum(2)).unsqueeze(2)
    return (outside_BM1H + pairs_BM2H.flip(2)).view(batch, -1, width)[:, :nodes]
