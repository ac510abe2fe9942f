"""The base of every network: it scales the nodes that go in and defines what comes out.

A subclass says in `_logits` how scaled nodes become scores.
Letters: B segments, N nodes, F features, C classes, S stages.
"""

from collections.abc import Mapping
from typing import NamedTuple, Self

import torch
from torch import Tensor, nn

from model.config import ModelConfig
from model.network.nodes import Nodes
from model.network.stage_loss import stage_loss


class Logits(NamedTuple):
    """Scores before any softmax.

    Attributes:
        total_BC: G, the sum of all heads; its softmax is the prediction.
        stages_SBC: the scores that the loss sees, G as the last: of WMA-GIN b, c, ..., e, G.
        penalty: a scalar that a system adds to its training loss; 0 for most.
    """

    total_BC: Tensor
    stages_SBC: Tensor
    penalty: Tensor | float = 0.0

    @classmethod
    def of(cls, total_BC: Tensor, penalty: Tensor | float = 0.0) -> "Logits":
        """Return the scores of a network with a single stage."""
        return cls(total_BC, total_BC.unsqueeze(0), penalty)


class GraphNetwork(nn.Module):
    """A network on padded segments of nodes.

    Args:
        features: channels F of a node.
        mean_F: what the scaler subtracts; 0 if None.
        std_F: what the scaler divides by; 1 if None.
    """

    mean_F: Tensor
    std_F: Tensor

    def __init__(
        self, features: int, mean_F: Tensor | None = None, std_F: Tensor | None = None
    ) -> None:
        super().__init__()
        self.register_buffer("mean_F", torch.zeros(features) if mean_F is None else mean_F.clone())
        self.register_buffer("std_F", torch.ones(features) if std_F is None else std_F.clone())

    @classmethod
    def from_config(
        cls,
        config: ModelConfig,
        features: int,
        classes: int,
        nodes: int = 120,
        mean_F: Tensor | None = None,
        std_F: Tensor | None = None,
    ) -> Self:
        """Build the untrained network that a configuration asks for.

        Args:
            config: the system's name and, of WMA-GIN, its sizes.
            features: channels F of a node.
            classes: number of emotions C.
            nodes: most nodes N of a segment; only L-GrIN's size depends on it.
            mean_F: mean of each feature over the training frames, ``(F,)``; 0 if None.
            std_F: their standard deviation, ``(F,)``; 1 if None.

        Raises:
            ModelConfigError: such a network cannot be built.
        """
        raise NotImplementedError

    @classmethod
    def from_weights(
        cls, config: ModelConfig, weights: Mapping[str, Tensor], classes: int, nodes: int
    ) -> Self:
        """Build the network and give it the weights and the scaler of a finished training.

        Args:
            config: as `from_config` takes it.
            weights: its ``state_dict``.
            classes: number of emotions C.
            nodes: most nodes N of a segment.

        Raises:
            KeyError, RuntimeError: the weights are another network's.
        """
        network = cls.from_config(config, len(weights["mean_F"]), classes, nodes)
        network.load_state_dict(dict(weights))
        return network

    def forward(self, x_BNF: Tensor, frames_B: Tensor, nodes_B: Tensor) -> Logits:
        """Score the classes of each segment.

        Args:
            x_BNF: features as extracted, unscaled; anything may stand beyond the real frames.
            frames_B: real frames of each segment: what is beyond them is zero after scaling.
            nodes_B: what counts as a node: equal to ``frames_B`` where padding is masked,
                N where the zeros of the padding are nodes too.

        Shape:
            x_BNF: ``(B, N, F)``; total_BC: ``(B, C)``; stages_SBC: ``(S, B, C)``.

        Raises:
            ValueError: a shape or a length does not fit.
        """
        _check_batch(x_BNF, frames_B, nodes_B, features=len(self.mean_F))
        x_BNF = x_BNF[:, : int(nodes_B.max())]
        x_BNF = self.scaled(x_BNF, frames_B)
        return self._logits(x_BNF, Nodes.of(nodes_B, x_BNF.shape[1], x_BNF.dtype))

    def scaled(self, x_BNF: Tensor, frames_B: Tensor) -> Tensor:
        """Standardise each feature; zero beyond the real frames. Shape stays ``(B, N, F)``."""
        frames = Nodes.of(frames_B, x_BNF.shape[1])
        return frames.cleared((x_BNF - self.mean_F) / self.std_F)

    def loss(self, logits: Logits, labels_B: Tensor, weights_C: Tensor | None = None) -> Tensor:
        """Compute the training loss: cross-entropy of G plus the system's own penalty.

        Args:
            logits: as `forward` gives them.
            labels_B: class of each segment, int64.
            weights_C: class weights; all 1 if None.

        Returns:
            A scalar, in nats.
        """
        entropy = stage_loss(logits.stages_SBC, labels_B, multi_stage=False, weights_C=weights_C)
        return entropy + logits.penalty

    def _logits(self, x_BNF: Tensor, nodes: Nodes) -> Logits:
        """Score scaled segments; what is beyond the real nodes must not change any score."""
        raise NotImplementedError


def parameters_of(network: nn.Module) -> int:
    """Count the numbers that a network learns."""
    return sum(parameter.numel() for parameter in network.parameters())


def _check_batch(x_BNF: Tensor, frames_B: Tensor, nodes_B: Tensor, *, features: int) -> None:
    """Refuse a batch that would broadcast into a wrong answer."""
    if x_BNF.dim() != 3 or x_BNF.shape[2] != features:
        raise ValueError(
            f"`x_BNF` must have the shape (B, N, {features}), but has {tuple(x_BNF.shape)} instead."
        )
    batch, padded, _ = x_BNF.shape
    for key, lengths_B in (("frames_B", frames_B), ("nodes_B", nodes_B)):
        if lengths_B.shape != (batch,):
            raise ValueError(
                f"`{key}` must have the shape ({batch},), but has {tuple(lengths_B.shape)} instead."
            )
        if batch and not 1 <= int(lengths_B.min()) <= int(lengths_B.max()) <= padded:
            raise ValueError(
                f"`{key}` must be between 1 and N = {padded}, but is "
                f"{int(lengths_B.min())} to {int(lengths_B.max())} instead."
            )
