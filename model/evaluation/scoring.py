"""From a network to scores: segments are scored, averaged into utterances, counted to UA and WA.

Letters: S segments, U utterances, C classes.
"""

import math
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from model.evaluation import metrics
from model.network.graph_network import GraphNetwork

BATCH = 128
"""Segments scored at once: one number for all trials, so that scores do not depend on `batch`."""


class LabelledSegments(Protocol):
    """What training and scoring need of the segments of some speakers.

    `features.dataset.dataset.Segments` has it. The two packages do not import each other, so this
    protocol says here what it must have.

    Attributes:
        labels_S: class of each segment's utterance, int64.
        utterance_S: number of each segment's utterance, int64; equal means the same utterance.
    """

    @property
    def labels_S(self) -> Tensor:
        """Class of each segment's utterance."""

    @property
    def utterance_S(self) -> Tensor:
        """Number of each segment's utterance."""

    def __len__(self) -> int:
        """Return the number of segments."""

    def batch(self, indices: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return x_BNF, frames_B and nodes_B of segments, as `GraphNetwork.forward` takes them."""


@dataclass(frozen=True, slots=True)
class Score:
    """How well a set of speakers is recognised; utterances are counted, not segments.

    Attributes:
        loss: mean cross-entropy of the utterances' probabilities, in nats.
        ua: unweighted accuracy, in [0, 1].
        wa: weighted accuracy, in [0, 1].
    """

    loss: float
    ua: float
    wa: float


def log_probabilities(
    network: GraphNetwork, segments: LabelledSegments, device: str = "cpu"
) -> Tensor:
    """Score all segments in their own order, in batches of ``BATCH``.

    Args:
        network: a network in any mode; it is put into evaluation mode.
        segments: the S segments to score.
        device: torch device to compute on.

    Returns:
        Logarithms of the softmax of G, shape ``(S, C)``, float64 on the CPU.
    """
    network.eval()
    with torch.no_grad():
        totals = [
            network(*(part.to(device) for part in segments.batch(indices))).total_BC.cpu()
            for indices in torch.split(torch.arange(len(segments)), BATCH)
        ]
    return torch.cat(totals).double().log_softmax(1)


def by_utterance(log_SC: Tensor, utterance_S: Tensor) -> tuple[Tensor, Tensor]:
    """Average the probabilities of each utterance's segments; every segment counts the same.

    Added in float64 in the order of the segments. In logarithms, so that no probability of a long
    utterance underflows to an infinite loss.

    Args:
        log_SC: log probabilities of the segments, ``(S, C)``, float64.
        utterance_S: number of each segment's utterance, ``(S,)``, int64.

    Returns:
        The utterances' numbers, ascending, ``(U,)``; logarithms of their probabilities, ``(U, C)``.
    """
    numbers_U, which_S, count_U = torch.unique(utterance_S, return_inverse=True, return_counts=True)
    index_SC = which_S[:, None].expand_as(log_SC)
    top_UC = log_SC.new_full((len(numbers_U), log_SC.shape[1]), -math.inf)
    top_UC = top_UC.scatter_reduce(0, index_SC, log_SC, "amax")
    share_UC = torch.zeros_like(top_UC).index_add_(0, which_S, (log_SC - top_UC[which_S]).exp())
    return numbers_U, top_UC + (share_UC / count_U[:, None]).log()


def score(log_SC: Tensor, segments: LabelledSegments, classes: int) -> Score:
    """Score utterances from the segments' log probabilities.

    Args:
        log_SC: log probabilities of the segments, ``(S, C)``, as `log_probabilities` gives them.
        segments: those segments.
        classes: number of classes C.
    """
    numbers_U, log_UC = by_utterance(log_SC, segments.utterance_S)
    first_U = [int((segments.utterance_S == number).nonzero()[0]) for number in numbers_U]
    labels_U = segments.labels_S[first_U]
    counts = metrics.confusion(labels_U.tolist(), log_UC.argmax(1).tolist(), classes)
    losses = (-log_UC.gather(1, labels_U[:, None])).flatten().tolist()
    return Score(math.fsum(losses) / len(losses), metrics.ua(counts), metrics.wa(counts))
