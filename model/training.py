"""One training, two choices of epoch.

Holding out a pair of speakers (a, b), the network is trained once on the others. The epoch that
scores b is chosen on a, and the epoch that scores a is chosen on b. This is the paper's 8:1:1 with
every speaker tested, for half of the trainings.

The rule for "best", used for choosing and for patience alike (ours, the paper only names early
stopping): highest UA over utterances; of equal ones the lowest loss (`Score.loss`, cross-entropy of
the utterances' probabilities, never class-weighted); of equal ones the earliest. A direction has
run out of patience when its best is ``patience`` epochs old; training stops when both have.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.optim import Adam

from model.config import ModelConfig, TrainConfig
from model.errors import DivergedError
from model.network import WmaGin, build
from model.scoring import Score, Segments, log_probabilities, score
from model.seeding import derive
from model.state import Epoch, Peak, State, Weights, state_from, state_numbers, state_tensors

__all__ = [
    "Direction",
    "Fit",
    "Segments",
    "State",
    "fit",
    "initialise",
    "state_from",
    "state_numbers",
    "state_tensors",
]


@dataclass(frozen=True, slots=True)
class Direction:
    """One speaker tested, the epoch chosen on the other.

    Attributes:
        chosen: the epoch chosen on the other speaker: the headline.
        at_chosen_SC: log probabilities of the tested segments then, ``(S, C)``, float64; in
            logarithms, since probabilities underflow where a network is very sure.
        at_last_SC: after the last epoch.
        best_on_test: the epoch the same rule would choose on the tested speaker: a cheat, shown to
            measure the optimism of papers that do so.
        at_best_on_test_SC: log probabilities then.
        weights: the network at the chosen epoch.
    """

    chosen: int
    at_chosen_SC: Tensor
    at_last_SC: Tensor
    best_on_test: int
    at_best_on_test_SC: Tensor
    weights: Weights


@dataclass(frozen=True, slots=True)
class Fit:
    """What a training gave.

    Attributes:
        epochs: how many were trained.
        history: one entry an epoch.
        tests_a: a tested, chosen on b.
        tests_b: b tested, chosen on a.
    """

    epochs: int
    history: tuple[Epoch, ...]
    tests_a: Direction
    tests_b: Direction


def initialise(
    config: ModelConfig,
    features: int,
    classes: int,
    seed: int,
    mean_F: Tensor | None = None,
    std_F: Tensor | None = None,
) -> WmaGin:
    """Build a network whose first weights depend on nothing but the configuration and the seed."""
    torch.manual_seed(derive(seed, 0, "init"))
    return build(config, features, classes, mean_F, std_F)


def fit(
    network: WmaGin,
    train: Segments,
    a: Segments,
    b: Segments,
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
    while state is None or not _is_over(state, config):
        number = 1 if state is None else state.epoch + 1
        indices_T = epoch_order(len(train), seed, number)
        batches = torch.split(indices_T, config.batch)
        loss = _train_epoch(network, optimiser, train, batches, weights_C, number, device)
        state = _advance(state, number, loss, network, optimiser, (a, b), classes, device)
        on_epoch(state)
    return _fit_of(state)


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


def better(score: Score, than: Score) -> bool:
    """Whether a later epoch is strictly better: higher UA, or the same at a lower loss."""
    return (score.ua, -score.loss) > (than.ua, -than.loss)


def _train_epoch(
    network: WmaGin,
    optimiser: Adam,
    train: Segments,
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


def _advance(
    state: State | None,
    number: int,
    loss: float,
    network: WmaGin,
    optimiser: Adam,
    held_out: tuple[Segments, Segments],
    classes: int,
    device: str,
) -> State:
    """Score both held-out speakers after an epoch, and remember what is needed."""
    logs = [log_probabilities(network, segments, device) for segments in held_out]
    if not all(bool(log_SC.isfinite().all()) for log_SC in logs):
        raise DivergedError(number)
    scores = [score(log, segments, classes) for log, segments in zip(logs, held_out, strict=True)]
    weights = _copies(network.state_dict())
    now = Peak(number, weights, *logs)
    past = () if state is None else state.history
    on_a, on_b = now, now
    if state is not None:
        on_a = now if better(scores[0], past[state.on_a.epoch - 1].a) else state.on_a
        on_b = now if better(scores[1], past[state.on_b.epoch - 1].b) else state.on_b
    epoch = Epoch(number, loss, *scores)
    return State((*past, epoch), weights, _memory(network, optimiser), on_a, on_b, *logs)


def _is_over(state: State, config: TrainConfig) -> bool:
    """Whether all epochs are done, or both directions have run out of patience."""
    latest = max(state.on_a.epoch, state.on_b.epoch)
    return state.epoch >= config.epochs or state.epoch - latest >= config.patience


def _memory(network: WmaGin, optimiser: Adam) -> Weights:
    """Name the optimiser's memory after the parameters."""
    return _copies(
        {
            f"{name}/{what}": tensor
            for name, parameter in network.named_parameters()
            for what, tensor in optimiser.state[parameter].items()
        }
    )


def _restore(state: State, network: WmaGin, optimiser: Adam) -> None:
    """Give the network and the optimiser back what they had."""
    network.load_state_dict(state.network)
    parameters = dict(network.named_parameters())
    for key, tensor in state.adam.items():
        name, _, what = key.rpartition("/")
        parameter = parameters[name]
        home = tensor.device if what == "step" else parameter.device
        optimiser.state[parameter][what] = tensor.to(home, copy=True)


def _copies(tensors: Weights) -> Weights:
    return {name: tensor.detach().to("cpu", copy=True) for name, tensor in tensors.items()}


def _fit_of(state: State) -> Fit:
    """Read both directions off the last state."""
    on_a, on_b = state.on_a, state.on_b
    return Fit(
        epochs=state.epoch,
        history=state.history,
        tests_a=Direction(
            on_b.epoch,
            on_b.a_SC,
            state.last_a_SC,
            on_a.epoch,
            on_a.a_SC,
            on_b.weights,
        ),
        tests_b=Direction(
            on_a.epoch,
            on_a.b_SC,
            state.last_b_SC,
            on_b.epoch,
            on_b.b_SC,
            on_a.weights,
        ),
    )


def _check_sets(**sets: Segments) -> None:
    for name, segments in sets.items():
        if not len(segments):
            raise ValueError(f"`{name}` must hold at least one segment, but is empty instead.")
