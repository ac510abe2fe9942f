"""Averaged weights: the mean of a network's weights after each epoch of a training's second half.

The mean (Izmailov et al., "Averaging Weights Leads to Wider Optima and Better Generalization", UAI
2018, arXiv 1803.05407) is one network, and both halves of the held-out group are scored with it. No
label of a held-out speaker is used, so it needs no epoch to be chosen. The epochs are those from
floor(E / 2) + 1 to E, where E is the configured number of epochs: a training that stops earlier has
no averaged weights, never the mean up to where it stopped.

Polynomial-decay averaging (Shamir and Zhang, "Stochastic Gradient Descent for Non-smooth
Optimization", ICML 2013, arXiv 1212.1824), which weighs the newest epoch t with
(eta + 1) / (t + eta) and needs no end known, was compared once, on the same 20 trainings
(synthesised speech, 2 layers of 64, batches of 32, 2e-3, 15 epochs, 5 folds, 2 seeds, 2 rows; mean
UA of a pair): uniform 78.0; eta 1, 3 and 8: 77.5, 77.8 and 78.3, which is -0.5, -0.2 and +0.3
points, paired, with standard errors of 0.5, 0.7 and 0.9. Nothing shows, so the uniform mean stays.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch.nn.modules.batchnorm import _BatchNorm

from model.errors import DivergedError
from model.evaluation.epoch_selection import Averaged
from model.evaluation.scoring import BATCH, LabelledSegments, log_probabilities
from model.evaluation.state import StateDict, TrainingState
from model.network.graph_network import GraphNetwork


def first_averaged(epochs: int) -> int:
    """The first epoch, from 1, whose weights enter the mean: floor(``epochs`` / 2) + 1."""
    return epochs // 2 + 1


def summed_weights(state: TrainingState | None, weights: StateDict, epochs: int) -> StateDict:
    """Add the weights after the newest epoch to the sum, if the epoch is one of those averaged.

    Args:
        state: the state after the epoch before; None after the first epoch.
        weights: the network's ``state_dict`` after the newest epoch.
        epochs: the configured number of epochs.

    Returns:
        Sum of each parameter and buffer of floating-point numbers, float64 on the CPU; empty before
        the first epoch that is averaged.
    """
    before = state.summed if state else {}
    if (state.epoch if state else 0) + 1 < first_averaged(epochs):
        return {}
    return {
        name: tensor.detach().to("cpu", torch.float64, copy=True) + before.get(name, 0)
        for name, tensor in weights.items()
        if tensor.is_floating_point()
    }


def averaged_network(
    state: TrainingState,
    network: GraphNetwork,
    train: LabelledSegments,
    held_out: tuple[LabelledSegments, LabelledSegments],
    epochs: int,
    device: str,
) -> Averaged | None:
    """Score both halves of the held-out group with the averaged weights.

    Args:
        state: the state after the training's last epoch.
        network: the network that was trained, on ``device``; it ends with the weights of ``state``.
        train: the training segments, from which batch statistics are computed.
        held_out: the segments of ``a`` and of ``b``.
        epochs: the configured number of epochs.
        device: torch device to compute on.

    Returns:
        The averaged weights and what they give; None where the training stopped before ``epochs``.

    Raises:
        DivergedError: a log probability is NaN or infinite.
    """
    if state.epoch < epochs:
        return None
    network.load_state_dict(_mean(state, epochs))
    _compute_batch_statistics(network, train, device)
    a_SC, b_SC = (log_probabilities(network, segments, device) for segments in held_out)
    if not (a_SC.isfinite().all() and b_SC.isfinite().all()):
        raise DivergedError(state.epoch)
    weights = {k: v.detach().to("cpu", copy=True) for k, v in network.state_dict().items()}
    network.load_state_dict(state.network)
    return Averaged(epochs, a_SC, b_SC, weights)


def _mean(state: TrainingState, epochs: int) -> StateDict:
    """Divide the summed weights by the number of epochs, each back in its own type."""
    count = epochs - first_averaged(epochs) + 1
    means = {
        name: (total / count).to(state.network[name].dtype) for name, total in state.summed.items()
    }
    return {**state.network, **means}


def _compute_batch_statistics(network: GraphNetwork, train: LabelledSegments, device: str) -> None:
    """Compute the running statistics of batch normalisation anew, for the weights as they are.

    They were collected for other weights, so their mean does not belong to the mean of weights. One
    pass over the training segments in their order, dropout off, gives the mean over batches. A
    network without batch normalisation is left as it is.
    """
    norms = [part for part in network.modules() if isinstance(part, _BatchNorm)]
    if not norms:
        return
    network.eval()
    with torch.no_grad(), _cumulative(norms):
        for indices in torch.split(torch.arange(len(train)), BATCH):
            network(*(part.to(device) for part in train.batch(indices)))


@contextmanager
def _cumulative(norms: list[_BatchNorm]) -> Iterator[None]:
    """Let these layers collect statistics from zero, every batch with the same weight."""
    before = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # PyTorch's word for the mean over all batches
        norm.train()
    yield
    for norm, momentum in zip(norms, before, strict=True):
        norm.momentum = momentum
        norm.eval()
