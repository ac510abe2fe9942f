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
"""A network's ``state_dict``: name -> parameter or scaler."""


@dataclass(frozen=True, slots=True)
class EpochScores:
    """Training loss and scores of one epoch.

    Attributes:
        number: of the epoch, from 1.
        loss: mean training loss of a segment, in nats.
        a: scores of the held-out speaker ``a``.
        b: scores of the held-out speaker ``b``.
    """

    number: int
    loss: float
    a: Score
    b: Score


@dataclass(frozen=True, slots=True)
class BestEpoch:
    """The best epoch so far as judged on one held-out speaker.

    Attributes:
        epoch: its number, from 1.
        weights: the network's ``state_dict`` at that epoch.
        a_SC: log probabilities of the segments of ``a`` at that epoch, ``(S, C)``, float64.
        b_SC: the same of ``b``.
    """

    epoch: int
    weights: StateDict
    a_SC: Tensor
    b_SC: Tensor


@dataclass(frozen=True, slots=True)
class TrainingState:
    """All that a training needs to go on after an epoch.

    Attributes:
        history: one entry an epoch, ascending.
        network: weights after the last epoch.
        adam: tensors of the optimiser, named ``<parameter>/<what>``; empty for an SVM.
        on_a: best epoch judged on ``a``.
        on_b: best epoch judged on ``b``.
        last_a_SC: log probabilities of the segments of ``a`` after the last epoch, ``(S, C)``.
        last_b_SC: the same of ``b``.
    """

    history: tuple[EpochScores, ...]
    network: StateDict
    adam: StateDict
    on_a: BestEpoch
    on_b: BestEpoch
    last_a_SC: Tensor
    last_b_SC: Tensor

    @property
    def epoch(self) -> int:
        """The last finished epoch."""
        return self.history[-1].number


def state_tensors(state: TrainingState) -> dict[str, Tensor]:
    """List all tensors of a state under unique names."""
    tensors = {"last/a": state.last_a_SC, "last/b": state.last_b_SC}
    groups = {
        "network": state.network,
        "adam": state.adam,
        "on_a/weights": state.on_a.weights,
        "on_b/weights": state.on_b.weights,
    }
    for group, members in groups.items():
        tensors |= {f"{group}/{name}": tensor for name, tensor in members.items()}
    for group, peak in (("on_a", state.on_a), ("on_b", state.on_b)):
        tensors |= {f"{group}/a": peak.a_SC, f"{group}/b": peak.b_SC}
    return tensors


def state_numbers(state: TrainingState) -> dict[str, Any]:
    """List all numbers of a state as JSON values; JSON keeps every bit of a float."""
    return {
        "history": [asdict(epoch) for epoch in state.history],
        "on_a": state.on_a.epoch,
        "on_b": state.on_b.epoch,
    }


def state_from(tensors: Mapping[str, Tensor], numbers: Mapping[str, Any]) -> TrainingState:
    """Build a state from what `state_tensors` and `state_numbers` gave.

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
            on_a=_peak("on_a", tensors, numbers),
            on_b=_peak("on_b", tensors, numbers),
            last_a_SC=tensors["last/a"],
            last_b_SC=tensors["last/b"],
        )
    except (KeyError, TypeError) as fault:
        raise ModelError(f"A saved state must be complete, but {fault} is wrong in it.") from fault


def _under(prefix: str, tensors: Mapping[str, Tensor]) -> StateDict:
    return {
        name.removeprefix(prefix): tensor
        for name, tensor in tensors.items()
        if name.startswith(prefix)
    }


def _peak(group: str, tensors: Mapping[str, Tensor], numbers: Mapping[str, Any]) -> BestEpoch:
    return BestEpoch(
        numbers[group],
        _under(f"{group}/weights/", tensors),
        tensors[f"{group}/a"],
        tensors[f"{group}/b"],
    )
