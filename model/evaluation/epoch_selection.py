"""The rule that chooses the epoch: on one half of the held-out group, for the score of the other.

A fold holds out a group of speakers in two halves, a and b (of ten speakers, one each); a system
is trained once on the others. The epoch that scores b is chosen on a, and the epoch that scores a
is chosen on b. This is the paper's 8:1:1 with every speaker tested, for half of the trainings.

The rule for "best", used for choosing and for patience alike (ours, the paper only names early
stopping): highest UA over utterances; of equal ones the lowest loss (`Score.loss`, cross-entropy of
the utterances' probabilities, never class-weighted); of equal ones the earliest. A direction has
run out of patience when its best is ``patience`` epochs old; training stops when both have.

An epoch of a network is one pass over its training segments; an "epoch" of a support vector
machine is the next regularisation of its grid. Both are chosen by this one rule.
"""

from dataclasses import dataclass

from torch import Tensor

from model.config import TrainConfig
from model.errors import DivergedError
from model.evaluation.scoring import LabelledSegments, Score, score
from model.evaluation.state import BestEpoch, EpochScores, StateDict, TrainingState


@dataclass(frozen=True, slots=True)
class Direction:
    """One half of the held-out group, tested at the epoch that was chosen on the other half.

    Attributes:
        chosen: number, from 1, of the epoch chosen on the other half; reports show the scores of
            this epoch.
        at_chosen_SC: log probabilities of the tested segments at that epoch, ``(S, C)``, float64;
            in logarithms, since probabilities underflow where a network is very sure.
        at_last_SC: the same after the last epoch of the training.
        best_on_test: number of the epoch that the same rule would choose on the tested half
            itself: a cheat, computed to measure the optimism of papers that do so.
        at_best_on_test_SC: log probabilities of the tested segments at that epoch.
        weights: the network's ``state_dict`` at the chosen epoch, on the CPU.
    """

    chosen: int
    at_chosen_SC: Tensor
    at_last_SC: Tensor
    best_on_test: int
    at_best_on_test_SC: Tensor
    weights: StateDict


@dataclass(frozen=True, slots=True)
class Fit:
    """The result of a training.

    Attributes:
        epochs: number of epochs that were trained.
        history: loss and scores of each epoch, from epoch 1 on.
        tests_a: half ``a`` tested, at the epoch chosen on ``b``.
        tests_b: half ``b`` tested, at the epoch chosen on ``a``.
        parameters: number of the network's learnable parameters; 0 for the SVM.
    """

    epochs: int
    history: tuple[EpochScores, ...]
    tests_a: Direction
    tests_b: Direction
    parameters: int = 0


def better(score: Score, than: Score) -> bool:
    """Whether a later ``score`` beats ``than``: by a higher UA, or by a lower loss at equal UA."""
    return (score.ua, -score.loss) > (than.ua, -than.loss)


def state_after_epoch(
    state: TrainingState | None,
    loss: float,
    logs: tuple[Tensor, Tensor],
    held_out: tuple[LabelledSegments, LabelledSegments],
    classes: int,
    weights: StateDict,
    moments: StateDict,
) -> TrainingState:
    """Score both halves of the held-out group after an epoch, and append the epoch to the state.

    Args:
        state: the state after the epoch before; None after the first epoch.
        loss: mean training loss of a segment in this epoch, in nats.
        logs: log probabilities of the segments of ``a`` and of ``b``, each ``(S, C)``.
        held_out: the segments of ``a`` and of ``b``, with their labels.
        classes: number of classes C.
        weights: the system's ``state_dict`` now; copied to the CPU.
        moments: the tensors of its optimiser, such as Adam's moments; copied to the CPU.

    Returns:
        The state after this epoch, from which the next one goes on.

    Raises:
        DivergedError: a log probability is NaN or infinite.
    """
    number = 1 if state is None else state.epoch + 1
    if not all(bool(log_SC.isfinite().all()) for log_SC in logs):
        raise DivergedError(number)
    scores = [score(log, segments, classes) for log, segments in zip(logs, held_out, strict=True)]
    weights = _copies(weights)
    now = BestEpoch(number, weights, *logs)
    past = () if state is None else state.history
    on_a, on_b = now, now
    if state is not None:
        on_a = now if better(scores[0], past[state.on_a.epoch - 1].a) else state.on_a
        on_b = now if better(scores[1], past[state.on_b.epoch - 1].b) else state.on_b
    epoch = EpochScores(number, loss, *scores)
    return TrainingState((*past, epoch), weights, _copies(moments), on_a, on_b, *logs)


def is_over(state: TrainingState, config: TrainConfig) -> bool:
    """Whether to stop: ``config.epochs`` are done, or both halves have run out of patience."""
    latest = max(state.on_a.epoch, state.on_b.epoch)
    return state.epoch >= config.epochs or state.epoch - latest >= config.patience


def fit_of(state: TrainingState, parameters: int = 0) -> Fit:
    """Make the result of a training from the state after its last epoch.

    Args:
        state: the state after the last epoch.
        parameters: number of the network's learnable parameters; 0 for the SVM.
    """
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
        parameters=parameters,
    )


def _copies(tensors: StateDict) -> StateDict:
    """Copy tensors to the CPU, without their gradients."""
    return {name: tensor.detach().to("cpu", copy=True) for name, tensor in tensors.items()}
