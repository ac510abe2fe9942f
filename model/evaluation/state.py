"""All that a training must remember between two epochs, as plain tensors and plain numbers.

No random state: seeds are derived (`seeding.py`). No pickle: the caller may write `state_tensors`
as safetensors and `state_numbers` as JSON, and gets the same state back from `state_from`.
Frozen, and its tensors are copies: an epoch that follows changes none of them.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from torch import Tensor

from model.errors import ModelError
from model.evaluation.scoring import Score

StateDict = dict[str, Tensor]
"""A network's `state_dict`: parameters and scaler by name."""


@dataclass(frozen=True, slots=True)
class Epoch:
    """What one epoch gave: the training loss, and the scores of both held-out speakers."""

    number: int
    loss: float
    a: Score
    b: Score


@dataclass(frozen=True, slots=True)
class Peak:
    """The best epoch so far as judged on one held-out speaker.

    Attributes:
        epoch: its number.
        weights: the network as it was then.
        a_SC: log probabilities of the segments of ``a``, then.
        b_SC: the same of ``b``.
    """

    epoch: int
    weights: StateDict
    a_SC: Tensor
    b_SC: Tensor


@dataclass(frozen=True, slots=True)
class State:
    """A training after some epoch.

    Attributes:
        history: one entry an epoch, ascending.
        network: weights after the last epoch.
        adam: the optimiser's memory, named ``<parameter>/<what>``.
        on_a: best epoch judged on ``a``.
        on_b: best epoch judged on ``b``.
        last_a_SC: log probabilities of the segments of ``a`` after the last epoch.
        last_b_SC: the same of ``b``.
    """

    history: tuple[Epoch, ...]
    network: StateDict
    adam: StateDict
    on_a: Peak
    on_b: Peak
    last_a_SC: Tensor
    last_b_SC: Tensor

    @property
    def epoch(self) -> int:
        """The last finished epoch."""
        return self.history[-1].number


def state_tensors(state: State) -> dict[str, Tensor]:
    """Name all tensors of a state, flat."""
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


def state_numbers(state: State) -> dict[str, Any]:
    """Give all numbers of a state, ready for JSON, which keeps every bit of a float."""
    return {
        "history": [asdict(epoch) for epoch in state.history],
        "on_a": state.on_a.epoch,
        "on_b": state.on_b.epoch,
    }


def state_from(tensors: Mapping[str, Tensor], numbers: Mapping[str, Any]) -> State:
    """Put a state together again.

    Raises:
        ModelError: something is missing.
    """
    try:
        return State(
            history=tuple(
                Epoch(entry["number"], entry["loss"], Score(**entry["a"]), Score(**entry["b"]))
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


def _peak(group: str, tensors: Mapping[str, Tensor], numbers: Mapping[str, Any]) -> Peak:
    return Peak(
        numbers[group],
        _under(f"{group}/weights/", tensors),
        tensors[f"{group}/a"],
        tensors[f"{group}/b"],
    )
