"""One training of any system: networks by Adam, epochs chosen as `epoch_selection.py` says."""

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.optim import Adam

from model.config import ModelConfig, TrainConfig
from model.errors import DivergedError
from model.evaluation.epoch_selection import Direction, Fit, advance, better, fit_of, is_over
from model.evaluation.scoring import LabelledSegments, log_probabilities
from model.evaluation.state import State, StateDict, state_from, state_numbers, state_tensors
from model.network.graph_network import GraphNetwork, parameters_of
from model.systems.catalogue import SYSTEMS, build
from model.training.seeding import derive

__all__ = [
    "Direction",
    "Fit",
    "LabelledSegments",
    "State",
    "better",
    "fit",
    "initialise",
    "state_from",
    "state_numbers",
    "state_tensors",
    "train",
]


def train(
    model: ModelConfig,
    config: TrainConfig,
    train: LabelledSegments,
    a: LabelledSegments,
    b: LabelledSegments,
    *,
    mean_F: Tensor,
    std_F: Tensor,
    classes: int,
    nodes: int,
    seed: int,
    resume: State | None = None,
    on_epoch: Callable[[State], None] = lambda state: None,
    device: str = "cpu",
) -> Fit:
    """Train any system of `catalogue.py`: the one function that a trial needs.

    Args:
        model: which system.
        config: how to train.
        train: segments to learn from.
        a: segments of one held-out speaker.
        b: segments of the other.
        mean_F: mean of each feature over the training frames.
        std_F: their standard deviation.
        classes: number of classes C.
        nodes: most nodes of a segment.
        seed: seed of the trial.
        resume: the state to go on from.
        on_epoch: called with the state after every epoch.
        device: where to compute.

    Raises:
        DivergedError, ValueError: as `fit`.
    """
    if not SYSTEMS[model.model].network:
        from model.systems import svm

        _check_sets(train=train, a=a, b=b)
        weights_C = class_weights(train.labels_S, classes, config.class_weights)
        return svm.fit(
            train, a, b, mean_F, std_F, weights_C, classes=classes, resume=resume, on_epoch=on_epoch
        )
    return fit(
        initialise(model, len(mean_F), classes, seed, mean_F, std_F, nodes=nodes),
        train,
        a,
        b,
        config,
        classes=classes,
        seed=seed,
        resume=resume,
        on_epoch=on_epoch,
        device=device,
    )


def initialise(
    config: ModelConfig,
    features: int,
    classes: int,
    seed: int,
    mean_F: Tensor | None = None,
    std_F: Tensor | None = None,
    *,
    nodes: int = 120,
) -> GraphNetwork:
    """Build a network whose first weights depend on nothing but the configuration and the seed."""
    torch.manual_seed(derive(seed, 0, "init"))
    return build(config, features, classes, nodes, mean_F, std_F)


def fit(
    network: GraphNetwork,
    train: LabelledSegments,
    a: LabelledSegments,
    b: LabelledSegments,
    config: TrainConfig,
    *,
    classes: int,
    seed: int,
    resume: State | None = None,
    on_epoch: Callable[[State], None] = lambda state: None,
    device: str = "cpu",
) -> Fit:
    """Train on ``train`` until neither ``a`` nor ``b`` improves.

    Args:
        network: as `initialise` built it; it is trained in place.
        train: segments to learn from.
        a: segments of one held-out speaker.
        b: segments of the other.
        config: how to train.
        classes: number of classes C.
        seed: seed of the trial.
        resume: the state to go on from, instead of the network's own weights.
        on_epoch: called with the state after every epoch.
        device: where to compute.

    Returns:
        Both directions. A resumed training gives the same bits as an uninterrupted one.

    Raises:
        DivergedError: the loss is no longer a finite number.
        ValueError: there is nothing to train on, or to choose on.
    """
    _check_sets(train=train, a=a, b=b)
    network.to(device)
    optimiser = Adam(network.parameters(), lr=config.lr, weight_decay=config.weight_decay)
    weights_C = class_weights(train.labels_S, classes, config.class_weights)
    if weights_C is not None:
        weights_C = weights_C.to(device)
    state = resume
    if state is not None:
        _restore(state, network, optimiser)
    while state is None or not is_over(state, config):
        number = 1 if state is None else state.epoch + 1
        indices_T = epoch_order(len(train), seed, number)
        batches = torch.split(indices_T, config.batch)
        loss = _train_epoch(network, optimiser, train, batches, weights_C, number, device)
        logs = log_probabilities(network, a, device), log_probabilities(network, b, device)
        weights, memory = network.state_dict(), _memory(network, optimiser)
        state = advance(state, loss, logs, (a, b), classes, weights, memory)
        on_epoch(state)
    return fit_of(state, parameters_of(network))


def epoch_order(segments: int, seed: int, epoch: int) -> Tensor:
    """Shuffle the training segments; the order depends on the seed and the epoch alone."""
    torch.manual_seed(derive(seed, epoch, "training"))
    generator = torch.Generator().manual_seed(derive(seed, epoch, "order"))
    return torch.randperm(segments, generator=generator)


def class_weights(labels_S: Tensor, classes: int, kind: str) -> Tensor | None:
    """Weigh classes by their inverse frequency: S / (C n_c); None if ``kind`` is ``off``.

    A class that does not occur has no segment to weigh, and gets 0.
    """
    if kind == "off":
        return None
    count_C = torch.bincount(labels_S, minlength=classes).to(torch.float32)
    return torch.where(count_C > 0, len(labels_S) / (classes * count_C), 0)


def _train_epoch(
    network: GraphNetwork,
    optimiser: Adam,
    train: LabelledSegments,
    batches: tuple[Tensor, ...],
    weights_C: Tensor | None,
    number: int,
    device: str,
) -> float:
    """Go through all batches once; return the mean loss of a segment."""
    network.train()
    losses: list[float] = []
    for indices in batches:
        x_BNF, frames_B, nodes_B = (part.to(device) for part in train.batch(indices))
        optimiser.zero_grad()
        logits = network(x_BNF, frames_B, nodes_B)
        loss = network.loss(logits, train.labels_S[indices].to(device), weights_C)
        losses.append(loss.item() * len(indices))
        if not math.isfinite(losses[-1]):
            raise DivergedError(number)
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    return math.fsum(losses) / sum(map(len, batches))


def _memory(network: GraphNetwork, optimiser: Adam) -> StateDict:
    """Name the optimiser's memory after the parameters."""
    return {
        f"{name}/{what}": tensor
        for name, parameter in network.named_parameters()
        for what, tensor in optimiser.state[parameter].items()
    }


def _restore(state: State, network: GraphNetwork, optimiser: Adam) -> None:
    """Give the network and the optimiser back what they had."""
    network.load_state_dict(state.network)
    parameters = dict(network.named_parameters())
    for key, tensor in state.adam.items():
        name, _, what = key.rpartition("/")
        parameter = parameters[name]
        home = tensor.device if what == "step" else parameter.device
        optimiser.state[parameter][what] = tensor.to(home, copy=True)


def _check_sets(**sets: LabelledSegments) -> None:
    for name, segments in sets.items():
        if not len(segments):
            raise ValueError(f"`{name}` must hold at least one segment, but is empty instead.")
