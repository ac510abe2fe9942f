"""The multi-stage loss (paper, section 2.4): later stages weigh more.

    Loss = sum_i i CE_i / sum_i i,   i = 1 .. S                                            (eq. 5)

Section 2.1 puts heads on the Bi-GRU (a), on all WMA-GIN layers but the last (b, c, d) and on the
attention (e), and sums their scores to G. Section 2.4 names five stages b, c, d, e, G and calls
them "the outputs of four WMA-GIN layers and the final output". Our reading makes both true:
the last layer is read through the attention, whose value it is. So a has no loss of its own,
and L layers have S = L + 1 stages. Off: the cross-entropy of G alone.
"""

import torch
from torch import Tensor


def stage_loss(
    stages_SBC: Tensor, labels_B: Tensor, *, multi_stage: bool, weights_C: Tensor | None = None
) -> Tensor:
    """Compute the training loss from the scores of all stages, or of the last stage alone.

    Args:
        stages_SBC: scores of the S stages (b, ..., e, G) before any softmax, ``(S, B, C)``.
        labels_B: true class index of each segment, ``(B,)``, int64.
        multi_stage: whether all stages count, weighted 1 to S over the sum of the weights; else
            only the last, G.
        weights_C: weight of each class, ``(C,)``: the mean over segments is then weighted by the
            segment's class; None for equal weights.

    Returns:
        The loss, a scalar in nats.
    """
    scores_SBC = stages_SBC if multi_stage else stages_SBC[-1:]
    losses_S = cross_entropies(scores_SBC, labels_B, weights_C)
    weights_S = torch.arange(1, len(losses_S) + 1, device=losses_S.device, dtype=losses_S.dtype)
    return (losses_S * weights_S).sum() / weights_S.sum()


def cross_entropies(scores_SBC: Tensor, labels_B: Tensor, weights_C: Tensor | None) -> Tensor:
    """Compute the mean cross-entropy of each stage over the segments, ``(S,)``, in nats.

    Args:
        scores_SBC: class scores before any softmax, ``(S, B, C)``.
        labels_B: true class index of each segment, ``(B,)``, int64.
        weights_C: weight of each class, ``(C,)``, which weighs segments; None for equal weights.
    """
    # Gathered by hand: the library's loss is not deterministic on every device.
    index_SB1 = labels_B[None, :, None].expand(len(scores_SBC), -1, 1)
    losses_SB = -scores_SBC.log_softmax(2).gather(2, index_SB1).squeeze(2)
    if weights_C is None:
        return losses_SB.mean(1)
    weights_B = weights_C[labels_B]
    return (losses_SB * weights_B).sum(1) / weights_B.sum()
