"""The state of a training between two epochs, as plain tensors and plain numbers.

It holds no random state, since seeds are derived (`seeding.py`), and needs no pickle: the caller
writes `state_tensors` as safetensors and `state_numbers` as JSON, and `state_from` gives the same
state back. Its tensors are copies: an epoch that follows changes none of them.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from torch import Tensor

from model.errors import ModelError
from model.evaluation.scoring import Score

StateDict = dict[str, Tensor]
"""A network's ``state_dict``: name -> parameter or buffer, such as the scaler's ``mean_F``."""


@dataclass(frozen=True, slots=True)
class EpochScores:
    """Training loss and held-out scores of one epoch.

    Attributes:
        number: the epoch's number, from 1.
        loss: mean training loss of a segment, in nats.
        a: scores of half ``a`` of the held-out group after the epoch.
        b: scores of half ``b`` after the epoch.
    """

    number: int
    loss: float
    a: Score
    b: Score


@dataclass(frozen=True, slots=True)
class Direction:
    """One half of the held-out group, tested at the epoch that was chosen on the other half.

    A direction ends when the other half, on which it chooses, has run out of patience, or with the
    training. Nothing of it changes after that, though the training may go on for the other
    direction. So the labels of the tested half decide `best_on_test` and nothing else.

    Attributes:
        chosen: number, from 1, of the epoch chosen on the other half; reports show the scores of
            this epoch.
        at_chosen_SC: log probabilities of the tested segments at that epoch, ``(S, C)``, float64;
            in logarithms, since probabilities underflow where a network is very sure.
        last: number of the direction's last epoch; the newest epoch until the direction ends.
        at_last_SC: log probabilities of the tested segments at that epoch.
        best_on_test: number of the epoch, up to `last`, that the same rule would choose on the
            tested half itself: a cheat, computed to measure the optimism of papers that do so.
        at_best_on_test_SC: log probabilities of the tested segments at that epoch.
        weights: the network's ``state_dict`` at the chosen epoch, on the CPU.
    """

    chosen: int
    at_chosen_SC: Tensor
    last: int
    at_last_SC: Tensor
    best_on_test: int
    at_best_on_test_SC: Tensor
    weights: StateDict


@dataclass(frozen=True, slots=True)
class TrainingState:
    """State of a training after its newest epoch, complete enough to resume with the same bits.

    Attributes:
        history: loss and scores of each epoch, from epoch 1 on.
        network: the ``state_dict`` after the newest epoch.
        adam: tensors of the optimiser, named ``<parameter>/<tensor>``, such as
            ``heads.0.bias/exp_avg``; empty for an SVM.
        tests_a: half ``a`` of the held-out group tested, at the epoch chosen on ``b``.
        tests_b: half ``b`` tested, at the epoch chosen on ``a``.
        summed: sum of the weights after each epoch that is averaged so far, float64; empty before
            the first of them, and for an SVM.
    """

    history: tuple[EpochScores, ...]
    network: StateDict
    adam: StateDict
    tests_a: Direction
    tests_b: Direction
    summed: StateDict

    @property
    def epoch(self) -> int:
        """Number of the newest finished epoch, from 1."""
        return self.history[-1].number


def state_tensors(state: TrainingState) -> dict[str, Tensor]:
    """Name each tensor of a state uniquely, such as ``tests_a/weights/NAME``, for safetensors.

    `state_from` is the inverse.
    """
    groups = {"network": state.network, "adam": state.adam, "summed": state.summed}
    for name, direction in _directions(state).items():
        groups[f"{name}/weights"] = direction.weights
        groups[name] = {epoch: getattr(direction, f"at_{epoch}_SC") for epoch in _EPOCHS}
    return {
        f"{group}/{name}": tensor
        for group, members in groups.items()
        for name, tensor in members.items()
    }


def state_numbers(state: TrainingState) -> dict[str, Any]:
    """Collect the history of a state, and the epochs of both directions, as JSON values.

    JSON keeps every bit of a float. `state_from` is the inverse.
    """
    return {
        "history": [asdict(epoch) for epoch in state.history],
        **{
            name: {epoch: getattr(direction, epoch) for epoch in _EPOCHS}
            for name, direction in _directions(state).items()
        },
    }


def state_from(tensors: Mapping[str, Tensor], numbers: Mapping[str, Any]) -> TrainingState:
    """Rebuild a state from the results of `state_tensors` and `state_numbers`.

    Raises:
        ModelError: a tensor or a number is missing.
    """
    try:
        return TrainingState(
            history=tuple(
                EpochScores(
                    entry["number"], entry["loss"], Score(**entry["a"]), Score(**entry["b"])
                )
                for entry in numbers["history"]
            ),
            network=_under("network/", tensors),
            adam=_under("adam/", tensors),
            tests_a=_direction("tests_a", tensors, numbers),
            tests_b=_direction("tests_b", tensors, numbers),
            summed=_under("summed/", tensors),
        )
    except (KeyError, TypeError) as fault:
        raise ModelError(f"A saved state must be complete, but {fault} is wrong in it.") from fault


_EPOCHS = ("chosen", "last", "best_on_test")
"""The epochs of a direction whose log probabilities a state keeps."""


def _directions(state: TrainingState) -> dict[str, Direction]:
    """Both directions of a state by name."""
    return {"tests_a": state.tests_a, "tests_b": state.tests_b}


def _under(prefix: str, tensors: Mapping[str, Tensor]) -> StateDict:
    """Return the tensors whose names begin with ``prefix``, without it."""
    return {
        name.removeprefix(prefix): tensor
        for name, tensor in tensors.items()
        if name.startswith(prefix)
    }


def _direction(name: str, tensors: Mapping[str, Tensor], numbers: Mapping[str, Any]) -> Direction:
    """Rebuild a direction; ``name`` is ``tests_a`` or ``tests_b``."""
    epochs = numbers[name]
    return Direction(
        chosen=epochs["chosen"],
        at_chosen_SC=tensors[f"{name}/chosen"],
        last=epochs["last"],
        at_last_SC=tensors[f"{name}/last"],
        best_on_test=epochs["best_on_test"],
        at_best_on_test_SC=tensors[f"{name}/best_on_test"],
        weights=_under(f"{name}/weights/", tensors),
    )
