"""The rule that chooses the epoch: on one half of the held-out group, for the score of the other.

A fold holds out a group of speakers in two halves, a and b (of ten speakers, one each); a system
is trained once on the others. The epoch that scores b is chosen on a, and the epoch that scores a
is chosen on b. This is the paper's 8:1:1 with every speaker tested, for half of the trainings.

The rule for "best", used for choosing and for patience alike (ours, the paper only names early
stopping): highest UA over utterances; of equal ones the lowest loss (`Score.loss`, cross-entropy of
the utterances' probabilities, never class-weighted); of equal ones the earliest. A direction ends
when the best epoch of the half on which it chooses is ``patience`` epochs old. From then on it is
frozen: its chosen epoch, its last epoch and its best epoch on test stay, and training goes on only
for the other direction, until that one ends, too. If a direction could still choose while the other
one goes on, the labels of its test speakers would decide how long it may choose.

An epoch of a network is one pass over its training segments; an "epoch" of a support vector
machine is the next regularisation of its grid. Both are chosen by this one rule.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from torch import Tensor

from model.errors import DivergedError
from model.evaluation.scoring import LabelledSegments, Score, score
from model.evaluation.state import Direction, EpochScores, StateDict, TrainingState


@dataclass(frozen=True, slots=True)
class Averaged:
    """The network of averaged weights, with which both halves of the held-out group are scored.

    No label of a held-out speaker takes part in it. For the SVM, whose "epochs" are settings, it is
    the machine of the setting that was chosen by inner folds of the training speakers.

    Attributes:
        epoch: number of the last epoch that is averaged, which is the last of the configuration; of
            the SVM, the one that the inner folds chose.
        a_SC: log probabilities of the segments of ``a``, ``(S, C)``, float64.
        b_SC: log probabilities of the segments of ``b``.
        weights: the network's ``state_dict``, on the CPU.
    """

    epoch: int
    a_SC: Tensor
    b_SC: Tensor
    weights: StateDict


@dataclass(frozen=True, slots=True)
class Fit:
    """The result of a training.

    Attributes:
        epochs: number of epochs that were trained, until both directions had ended.
        history: loss and scores of each epoch, from epoch 1 on.
        tests_a: half ``a`` tested, at the epoch chosen on ``b``.
        tests_b: half ``b`` tested, at the epoch chosen on ``a``.
        parameters: number of the network's learnable parameters; 0 for the SVM.
        averaged: the network of averaged weights; None where the training stopped before all
            epochs, and for an SVM whose training speakers give no inner folds.
    """

    epochs: int
    history: tuple[EpochScores, ...]
    tests_a: Direction
    tests_b: Direction
    parameters: int = 0
    averaged: Averaged | None = None


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
    *,
    patience: int,
    summed: StateDict | None = None,
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
        patience: epochs without a better score after which a direction is frozen.
        summed: sum of the weights that are averaged so far; None for a system without.

    Returns:
        The state after this epoch, from which the next one goes on.

    Raises:
        DivergedError: a log probability is NaN or infinite.
    """
    number = 1 if state is None else state.epoch + 1
    if not all(bool(log_SC.isfinite().all()) for log_SC in logs):
        raise DivergedError(number)
    on_a, on_b = (
        score(log_SC, segments, classes) for log_SC, segments in zip(logs, held_out, strict=True)
    )
    history = (*(state.history if state else ()), EpochScores(number, loss, on_a, on_b))
    curve_a, curve_b = [epoch.a for epoch in history], [epoch.b for epoch in history]
    log_a, log_b = logs
    weights = _copies(weights)
    before_a, before_b = (state.tests_a, state.tests_b) if state else (None, None)
    return TrainingState(
        history=history,
        network=weights,
        adam=_copies(moments),
        tests_a=_after_epoch(before_a, curve_b, curve_a, log_a, weights, patience),
        tests_b=_after_epoch(before_b, curve_a, curve_b, log_b, weights, patience),
        summed=summed or {},
    )


def has_ended(direction: Direction, patience: int) -> bool:
    """Whether a direction is frozen: its chosen epoch was ``patience`` epochs old at its last."""
    return direction.last - direction.chosen >= patience


def is_over(state: TrainingState, *, epochs: int, patience: int) -> bool:
    """Whether to stop: all ``epochs`` are done, or both directions have run out of patience."""
    directions = state.tests_a, state.tests_b
    return state.epoch >= epochs or all(has_ended(one, patience) for one in directions)


def fewest_epochs(state: TrainingState, *, epochs: int, patience: int) -> int:
    """The fewest epochs that a training can still end with.

    That is the patience after the later one of the two epochs chosen so far, at most ``epochs``. A
    direction that has ended is counted by the same sum, which gives its last epoch.
    """
    return min(epochs, max(state.tests_a.chosen, state.tests_b.chosen) + patience)


def fit_of(state: TrainingState, parameters: int = 0, averaged: Averaged | None = None) -> Fit:
    """Make the result of a training from the state after its last epoch.

    Args:
        state: the state after the last epoch.
        parameters: number of the network's learnable parameters; 0 for the SVM.
        averaged: the network of averaged weights, if there is one.
    """
    return Fit(state.epoch, state.history, state.tests_a, state.tests_b, parameters, averaged)


def _after_epoch(
    direction: Direction | None,
    dev: Sequence[Score],
    test: Sequence[Score],
    log_SC: Tensor,
    weights: StateDict,
    patience: int,
) -> Direction:
    """Take the newest epoch into a direction, unless the direction has ended.

    Args:
        direction: the direction after the epoch before; None after the first epoch.
        dev: scores of the half on which it chooses, one for each epoch, the newest one included.
        test: the same of the half that it tests.
        log_SC: log probabilities of the tested segments after the newest epoch, ``(S, C)``.
        weights: the system's ``state_dict`` after the newest epoch, already copied.
        patience: epochs without a better score after which a direction is frozen.
    """
    now = len(dev)
    if direction is None:
        return Direction(now, log_SC, now, log_SC, now, log_SC, weights)
    if has_ended(direction, patience):
        return direction
    following = replace(direction, last=now, at_last_SC=log_SC)
    if better(dev[-1], dev[direction.chosen - 1]):
        following = replace(following, chosen=now, at_chosen_SC=log_SC, weights=weights)
    if better(test[-1], test[direction.best_on_test - 1]):
        following = replace(following, best_on_test=now, at_best_on_test_SC=log_SC)
    return following


def _copies(tensors: StateDict) -> StateDict:
    """Copy tensors to the CPU, without their gradients."""
    return {name: tensor.detach().to("cpu", copy=True) for name, tensor in tensors.items()}
