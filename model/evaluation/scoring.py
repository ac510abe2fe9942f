"""From a network to UA and WA: log probabilities of segments, averaged into utterances, scored.

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
"""Segments that a forward pass scores at once, the same in all trials: scores must not depend on
the training's `batch`."""


class LabelledSegments(Protocol):
    """S labelled segments of some speakers, as training and scoring use them.

    `features.dataset.dataset.Segments` is one. The packages `model` and `features` do not import
    each other, so this protocol says what `model` needs of it.

    Attributes:
        labels_S: class index of each segment's utterance, ``(S,)``, int64.
        utterance_S: number of each segment's utterance, ``(S,)``, int64; segments of one utterance
            have the same number.
        speaker_S: number of each segment's speaker, ``(S,)``, int64.
    """

    @property
    def labels_S(self) -> Tensor:
        """Class index of each segment's utterance, ``(S,)``, int64."""

    @property
    def utterance_S(self) -> Tensor:
        """Number of each segment's utterance, ``(S,)``, int64; equal for one utterance."""

    @property
    def speaker_S(self) -> Tensor:
        """Number of each segment's speaker, ``(S,)``, int64."""

    def __len__(self) -> int:
        """Return the number of segments."""

    def batch(self, indices: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Gather the segments numbered ``indices`` into x_BNF, frames_B, nodes_B.

        The three are the arguments of `GraphNetwork.forward`.
        """


@dataclass(frozen=True, slots=True)
class Score:
    """Loss, UA and WA over the utterances of some speakers.

    Attributes:
        loss: mean cross-entropy of the utterances' probabilities, in nats.
        ua: unweighted accuracy (mean recall over classes), 0 to 1.
        wa: weighted accuracy (correct / all), 0 to 1.
    """

    loss: float
    ua: float
    wa: float


def log_probabilities(
    network: GraphNetwork, segments: LabelledSegments, device: str = "cpu"
) -> Tensor:
    """Compute the class log probabilities of all segments, in their order.

    Args:
        network: a network on ``device``, in any mode; it is put into evaluation mode.
        segments: the S segments to score.
        device: torch device to compute on, such as ``cpu``.

    Returns:
        Log softmax of the network's scores G, ``(S, C)``, float64 on the CPU.
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
    """Compute loss, UA and WA of utterances from their segments' log probabilities.

    An utterance is taken for the class of the highest mean probability of its segments.

    Args:
        log_SC: log probabilities of the segments, ``(S, C)``, as `log_probabilities` gives them.
        segments: the same S segments, with their labels.
        classes: number of classes C.
    """
    numbers_U, log_UC = by_utterance(log_SC, segments.utterance_S)
    first_U = [int((segments.utterance_S == number).nonzero()[0]) for number in numbers_U]
    labels_U = segments.labels_S[first_U]
    counts = metrics.confusion(labels_U.tolist(), log_UC.argmax(1).tolist(), classes)
    losses = (-log_UC.gather(1, labels_U[:, None])).flatten().tolist()
    return Score(math.fsum(losses) / len(losses), metrics.ua(counts), metrics.wa(counts))
