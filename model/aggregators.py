"""The aggregator weights: sum, mean and softmax of a neighbourhood, weighted and added (eq. 4).

The softmax is element-wise: each channel weighs the neighbours by their own value in that channel,
without a temperature. That is the aggregator of PNA (arXiv 2004.05718), which the paper cites.
Its maximum is taken out before the exponential, so no value overflows.

Nothing here knows a graph's shape, only three kinds of neighbourhood that need no edge list:
two nodes (`pair`), all nodes of a graph (`pooled`), all nodes but oneself (`others`).
Letters: B graphs of a batch, N nodes, H channels.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

LOWEST = float("-inf")


@dataclass(frozen=True, kw_only=True, slots=True)
class Weights:
    """Weights of the three aggregators. Hyper-parameters of the paper: never learned."""

    softmax: float
    sum: float
    mean: float


def pair(left: Tensor, right: Tensor, weights: Weights) -> Tensor:
    """Aggregate neighbourhoods of exactly two nodes, channel by channel.

    The softmax of two values is a sigmoid of their difference:
    half the work of two exponentials, and nothing to overflow.

    Args:
        left: values of one neighbour, any shape.
        right: values of the other neighbour, the same shape.
        weights: the aggregator weights.

    Returns:
        The weighted aggregate, the same shape.
    """
    total = (left + right) * (weights.sum + weights.mean / 2)
    if not weights.softmax:
        return total
    softmax = torch.lerp(right, left, torch.sigmoid(left - right))
    return torch.add(total, softmax, alpha=weights.softmax)


def pooled(x_BNH: Tensor, real_BN1: Tensor | None, count_B11: Tensor, weights: Weights) -> Tensor:
    """Aggregate all real nodes of a graph into one vector: O(N), no pair is ever formed.

    Args:
        x_BNH: node values.
        real_BN1: True at real nodes; None when all are.
        count_B11: number of real nodes, as a float.
        weights: the aggregator weights.

    Returns:
        The aggregate, shape ``(B, 1, H)``.
    """
    x_BNH = x_BNH if real_BN1 is None else x_BNH * real_BN1
    result_B1H = x_BNH.sum(1, keepdim=True) * (weights.sum + weights.mean / count_B11)
    if not weights.softmax:
        return result_B1H
    softmax_B1H = _softmax(x_BNH, real_BN1)
    return torch.add(result_B1H, softmax_B1H, alpha=weights.softmax)


def others(x_BNH: Tensor, real_BN1: Tensor | None, count_B11: Tensor, weights: Weights) -> Tensor:
    """Aggregate, for every node, all real nodes but itself: O(N), and nothing is subtracted.

    "All minus mine" loses every digit of the rest once one node outweighs it,
    so sums come from `_sum_of_others` and the softmax treats the greatest node apart.

    Args:
        x_BNH: node values.
        real_BN1: True at real nodes; None when all are.
        count_B11: number of real nodes, as a float.
        weights: the aggregator weights.

    Returns:
        The aggregate, shape ``(B, N, H)``; 0 for the only node of a graph.
    """
    x_BNH = x_BNH if real_BN1 is None else x_BNH * real_BN1
    factor_B11 = weights.sum + weights.mean / (count_B11 - 1).clamp(min=1)
    result_BNH = _sum_of_others(x_BNH) * factor_B11
    if not weights.softmax:
        return result_BNH
    return torch.add(result_BNH, _softmax_of_others(x_BNH, real_BN1), alpha=weights.softmax)


def _softmax(x_BNH: Tensor, real_BN1: Tensor | None) -> Tensor:
    """Softmax aggregate of all real nodes, ``(B, 1, H)``; 0 where a graph has none."""
    scores_BNH = x_BNH if real_BN1 is None else x_BNH.masked_fill(~real_BN1, LOWEST)
    top_B1H = scores_BNH.detach().amax(1, keepdim=True)
    share_BNH = (scores_BNH - top_B1H.clamp(min=torch.finfo(top_B1H.dtype).min)).exp()
    whole_B1H = share_BNH.sum(1, keepdim=True).clamp(min=1)  # the greatest alone counts 1
    return (x_BNH * share_BNH).sum(1, keepdim=True) / whole_B1H


def _softmax_of_others(x_BNH: Tensor, real_BN1: Tensor | None) -> Tensor:
    """Softmax aggregate of all real nodes but oneself, ``(B, N, H)``.

    Shares relative to the greatest node serve all but that node itself:
    its own neighbourhood may vanish beside it, so it is aggregated with a scale of its own.
    """
    real_BNH = torch.ones_like(x_BNH, dtype=torch.bool) if real_BN1 is None else real_BN1
    scores_BNH = x_BNH.masked_fill(~real_BNH, LOWEST)
    top_B1H, where_B1H = scores_BNH.detach().max(1, keepdim=True)
    share_BNH = (scores_BNH - top_B1H).exp()
    is_top_BNH = torch.zeros_like(x_BNH, dtype=torch.bool).scatter(1, where_B1H, True)
    whole_BNH = _sum_of_others(share_BNH).masked_fill(is_top_BNH, 1)
    shared_BNH = _sum_of_others(x_BNH * share_BNH) / whole_BNH
    rest_B1H = _softmax(x_BNH, real_BNH & ~is_top_BNH)
    return torch.where(is_top_BNH, rest_B1H, shared_BNH)


def _sum_of_others(x_BNH: Tensor) -> Tensor:
    """Sum of all nodes but oneself, by a tree: my pair's others, and the other one of my pair.

    N + N/2 + N/4 + ... additions, log2(N) deep: the rounding error grows with log N.
    (Prefix and suffix sums would do on a CPU; on a GPU `cumsum` refuses to be deterministic.)
    """
    batch, nodes, width = x_BNH.shape
    if nodes == 1:
        return torch.zeros_like(x_BNH)
    if nodes % 2:
        x_BNH = torch.cat([x_BNH, x_BNH.new_zeros(batch, 1, width)], dim=1)
    pairs_BM2H = x_BNH.view(batch, -1, 2, width)
    outside_BM1H = _sum_of_others(pairs_BM2H.sum(2)).unsqueeze(2)
    return (outside_BM1H + pairs_BM2H.flip(2)).view(batch, -1, width)[:, :nodes]
