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
class BestEpoch:
    """The best epoch so far, judged on one half of the held-out group.

    Attributes:
        epoch: its number, from 1.
        weights: the network's ``state_dict`` at that epoch.
        a_SC: log probabilities of the segments of ``a`` at that epoch, ``(S, C)``, float64.
        b_SC: log probabilities of the segments of ``b`` at that epoch.
    """

    epoch: int
    weights: StateDict
    a_SC: Tensor
    b_SC: Tensor


@dataclass(frozen=True, slots=True)
class TrainingState:
    """State of a training after its newest epoch, complete enough to resume with the same bits.

    Attributes:
        history: loss and scores of each epoch, from epoch 1 on.
        network: the ``state_dict`` after the newest epoch.
        adam: tensors of the optimiser, named ``<parameter>/<tensor>``, such as
            ``heads.0.bias/exp_avg``; empty for an SVM.
        on_a: best epoch so far judged on half ``a`` of the held-out group.
        on_b: best epoch so far judged on half ``b``.
        last_a_SC: log probabilities of the segments of ``a`` after the newest epoch, ``(S, C)``,
            float64.
        last_b_SC: log probabilities of the segments of ``b`` after the newest epoch.
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
        """Number of the newest finished epoch, from 1."""
        return self.history[-1].number


def state_tensors(state: TrainingState) -> dict[str, Tensor]:
    """Name every tensor of a state uniquely, such as ``on_a/weights/NAME``, for a safetensors file.

    `state_from` is the inverse.
    """
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
    """Collect the history and the best epochs of a state as JSON values.

    JSON keeps every bit of a float. `state_from` is the inverse.
    """
    return {
        "history": [asdict(epoch) for epoch in state.history],
        "on_a": state.on_a.epoch,
        "on_b": state.on_b.epoch,
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
            on_a=_peak("on_a", tensors, numbers),
            on_b=_peak("on_b", tensors, numbers),
            last_a_SC=tensors["last/a"],
            last_b_SC=tensors["last/b"],
        )
    except (KeyError, TypeError) as fault:
        raise ModelError(f"A saved state must be complete, but {fault} is wrong in it.") from fault


def _under(prefix: str, tensors: Mapping[str, Tensor]) -> StateDict:
    """Return the tensors whose names begin with ``prefix``, without it."""
    return {
        name.removeprefix(prefix): tensor
        for name, tensor in tensors.items()
        if name.startswith(prefix)
    }


def _peak(group: str, tensors: Mapping[str, Tensor], numbers: Mapping[str, Any]) -> BestEpoch:
    """Rebuild the best epoch judged on one half; ``group`` is ``on_a`` or ``on_b``."""
    return BestEpoch(
        numbers[group],
        _under(f"{group}/weights/", tensors),
        tensors[f"{group}/a"],
        tensors[f"{group}/b"],
    )
