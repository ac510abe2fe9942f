"""Train any system: a network by Adam, the SVM by its own solver, epochs chosen by one rule.

The rule that chooses the epoch stands in `epoch_selection.py`.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.optim import Adam

from model.config import ModelConfig, TrainConfig
from model.errors import DivergedError
from model.evaluation.epoch_selection import (
    Fit,
    better,
    fewest_epochs,
    fit_of,
    is_over,
    state_after_epoch,
)
from model.evaluation.scoring import LabelledSegments, log_probabilities
from model.evaluation.state import (
    Direction,
    StateDict,
    TrainingState,
    state_from,
    state_numbers,
    state_tensors,
)
from model.network.graph_network import GraphNetwork, parameters_of
from model.systems.catalogue import SYSTEMS, build
from model.training.averaging import averaged_network, summed_weights
from model.training.seeding import derive

__all__ = [
    "Direction",
    "Fit",
    "LabelledSegments",
    "TrainingState",
    "better",
    "fewest_epochs",
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
    resume: TrainingState | None = None,
    on_epoch: Callable[[TrainingState], None] = lambda state: None,
    device: str = "cpu",
) -> Fit:
    """Build and train any system of `systems/catalogue.py`: a trial calls this function alone.

    Args:
        model: the system and its sizes.
        config: learning rate, batch, epochs, patience; of the SVM only the class weights count.
        train: segments to learn from.
        a: segments of half A of the held-out group.
        b: segments of half B.
        mean_F: mean of each feature over the training frames, ``(F,)``.
        std_F: their standard deviation, ``(F,)``.
        classes: number of classes C.
        nodes: most nodes N of a segment.
        seed: seed of the trial; weights, order and dropout derive from it.
        resume: the state after a finished epoch, to go on from; None to begin.
        on_epoch: called with the state after every epoch.
        device: torch device to compute on, such as ``cpu`` or ``cuda``.

    Returns:
        History of the epochs and both directions: each half tested at the epoch chosen on the
        other.

    Raises:
        DivergedError: the loss is no longer a finite number.
        ModelConfigError: such a network cannot be built.
        ModelError: a support vector machine is given frames, or rows of one class.
        ValueError: one of the three sets of segments is empty.
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
    nodes: int,
) -> GraphNetwork:
    """Build an untrained network; its weights depend on the configuration and the seed alone.

    Args:
        config: the system and its sizes.
        features: channels F of a node.
        classes: number of classes C.
        seed: seed of the trial.
        mean_F: mean of each feature over the training frames, ``(F,)``; 0 if None.
        std_F: their standard deviation, ``(F,)``; 1 if None.
        nodes: most nodes N of a segment.

    Raises:
        ModelConfigError: such a network cannot be built.
    """
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
    resume: TrainingState | None = None,
    on_epoch: Callable[[TrainingState], None] = lambda state: None,
    device: str = "cpu",
) -> Fit:
    """Train a network by Adam until both directions have ended, or all epochs are done.

    Args:
        network: as `initialise` built it; it is trained in place.
        train: segments to learn from.
        a: segments of half A of the held-out group.
        b: segments of half B.
        config: learning rate, weight decay, batch, epochs, patience, class weights.
        classes: number of classes C.
        seed: seed of the trial.
        resume: the state to go on from; None to begin with the network's own weights.
        on_epoch: called with the state after every epoch.
        device: torch device to compute on.

    Returns:
        History of the epochs and both directions: each half tested at the epoch chosen on the
        other. The averaged weights with their scores, if all epochs were trained. A resumed
        training gives the same bits as an uninterrupted one.

    Raises:
        DivergedError: the loss is no longer a finite number.
        ValueError: one of the three sets of segments is empty.
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
    while state is None or not is_over(state, epochs=config.epochs, patience=config.patience):
        number = 1 if state is None else state.epoch + 1
        indices_T = epoch_order(len(train), seed, number)
        batches = torch.split(indices_T, config.batch)
        loss = _train_epoch(network, optimiser, train, batches, weights_C, number, device)
        logs = log_probabilities(network, a, device), log_probabilities(network, b, device)
        weights, moments = network.state_dict(), _optimiser_tensors(network, optimiser)
        state = state_after_epoch(
            state,
            loss,
            logs,
            (a, b),
            classes,
            weights,
            moments,
            patience=config.patience,
            summed=summed_weights(state, weights, config.epochs),
        )
        on_epoch(state)
    mean = averaged_network(state, network, train, (a, b), config.epochs, device)
    return fit_of(state, parameters_of(network), mean)


def epoch_order(segments: int, seed: int, epoch: int) -> Tensor:
    """Draw the order in which an epoch visits the training segments; seed torch for the epoch.

    Args:
        segments: number of training segments S.
        seed: seed of the trial.
        epoch: number of the epoch, from 1.

    Returns:
        A permutation of 0 to S - 1, ``(S,)``, int64, that depends on seed and epoch alone.
    """
    torch.manual_seed(derive(seed, epoch, "training"))
    generator = torch.Generator().manual_seed(derive(seed, epoch, "order"))
    return torch.randperm(segments, generator=generator)


def class_weights(labels_S: Tensor, classes: int, kind: str) -> Tensor | None:
    """Compute class weights for the loss from how often each class occurs in training.

    .. math:: w_c = S / (C n_c)

    Args:
        labels_S: class of each training segment, int64.
        classes: number of classes C.
        kind: ``inverse`` (inverse frequency), or ``off``.

    Returns:
        A weight for each class, ``(C,)``, 0 for one without a segment; None if ``kind`` is ``off``.
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
    """Take one optimiser step for each batch; return the mean loss of a segment, in nats.

    Raises:
        DivergedError: the loss of a batch is NaN or infinite.
    """
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


def _optimiser_tensors(network: GraphNetwork, optimiser: Adam) -> StateDict:
    """Collect the optimiser's tensors under names such as ``heads.0.bias/exp_avg``."""
    return {
        f"{name}/{what}": tensor
        for name, parameter in network.named_parameters()
        for what, tensor in optimiser.state[parameter].items()
    }


def _restore(state: TrainingState, network: GraphNetwork, optimiser: Adam) -> None:
    """Load the weights and Adam's tensors of a saved state into a network and its optimiser."""
    network.load_state_dict(state.network)
    parameters = dict(network.named_parameters())
    for key, tensor in state.adam.items():
        name, _, what = key.rpartition("/")
        parameter = parameters[name]
        home = tensor.device if what == "step" else parameter.device
        optimiser.state[parameter][what] = tensor.to(home, copy=True)


def _check_sets(**sets: LabelledSegments) -> None:
    """Refuse empty sets of segments, given by name.

    Raises:
        ValueError: a set is empty.
    """
    for name, segments in sets.items():
        if not len(segments):
            raise ValueError(f"`{name}` must hold at least one segment, but is empty instead.")
