"""The base class of every network: it scales the input and defines the output and the loss.

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
    """Class scores of a batch before any softmax.

    Attributes:
        total_BC: G, the sum of all heads; its softmax is the predicted probability.
        stages_SBC: the scores that enter the training loss, G as the last; of WMA-GIN the heads b,
            c, ..., e and then G.
        penalty: a scalar that the system adds to its training loss, in nats; 0 for most.
    """

    total_BC: Tensor
    stages_SBC: Tensor
    penalty: Tensor | float = 0.0

    @classmethod
    def of(cls, total_BC: Tensor, penalty: Tensor | float = 0.0) -> "Logits":
        """Make the scores of a network with a single stage, G.

        Args:
            total_BC: G, ``(B, C)``.
            penalty: a scalar that the system adds to its training loss.
        """
        return cls(total_BC, total_BC.unsqueeze(0), penalty)


class GraphNetwork(nn.Module):
    """A network that scores padded segments of nodes; a subclass defines `_logits`.

    Args:
        features: channels F of a node.
        mean_F: mean of each feature over the training frames, ``(F,)``; 0 if None.
        std_F: their standard deviation, ``(F,)``; 1 if None.
    """

    mean_F: Tensor
    """What `scaled` subtracts from each feature, ``(F,)``; a buffer, saved with the weights."""
    std_F: Tensor
    """What `scaled` divides each feature by, ``(F,)``; a buffer, saved with the weights."""

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
        nodes: int,
        mean_F: Tensor | None = None,
        std_F: Tensor | None = None,
    ) -> Self:
        """Build the untrained network that a configuration asks for.

        Args:
            config: the system's name and, of WMA-GIN, its sizes.
            features: channels F of a node.
            classes: number of classes C.
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
            config: the system's name and, of WMA-GIN, its sizes.
            weights: the ``state_dict`` of the trained network.
            classes: number of classes C.
            nodes: most nodes N of a segment.

        Raises:
            KeyError, RuntimeError: the weights do not fit this network.
        """
        network = cls.from_config(config, len(weights["mean_F"]), classes, nodes)
        network.load_state_dict(dict(weights))
        return network

    def forward(self, x_BNF: Tensor, frames_B: Tensor, nodes_B: Tensor) -> Logits:
        """Score the classes of each segment.

        Args:
            x_BNF: features as extracted, unscaled, ``(B, N, F)``; values beyond the real frames do
                not matter.
            frames_B: number of real frames of each segment, ``(B,)``, 1 to N; values beyond them
                are 0 after scaling.
            nodes_B: number of nodes of each segment's graph, ``(B,)``: equal to ``frames_B`` where
                padding is masked, N where the zeros of the padding are nodes too.

        Returns:
            Scores before the softmax, ``(B, C)`` and, of each stage, ``(S, B, C)``.

        Raises:
            ValueError: a shape or a length does not fit.
        """
        _check_batch(x_BNF, frames_B, nodes_B, features=len(self.mean_F))
        x_BNF = x_BNF[:, : int(nodes_B.max())]
        x_BNF = self.scaled(x_BNF, frames_B)
        return self._logits(x_BNF, Nodes.of(nodes_B, x_BNF.shape[1], x_BNF.dtype))

    def scaled(self, x_BNF: Tensor, frames_B: Tensor) -> Tensor:
        """Z-score each feature by mean_F and std_F, and put 0 beyond the real frames.

        Args:
            x_BNF: unscaled features, ``(B, N, F)``.
            frames_B: number of real frames of each segment, ``(B,)``.

        Returns:
            Scaled features, ``(B, N, F)``.
        """
        frames = Nodes.of(frames_B, x_BNF.shape[1])
        return frames.cleared((x_BNF - self.mean_F) / self.std_F)

    def loss(self, logits: Logits, labels_B: Tensor, weights_C: Tensor | None = None) -> Tensor:
        """Compute the training loss: cross-entropy of G plus the system's own penalty.

        Args:
            logits: as `forward` gives them.
            labels_B: class index of each segment, ``(B,)``, int64.
            weights_C: weight of each class, ``(C,)``; all 1 if None.

        Returns:
            A scalar, in nats.
        """
        entropy = stage_loss(logits.stages_SBC, labels_B, multi_stage=False, weights_C=weights_C)
        return entropy + logits.penalty

    def _logits(self, x_BNF: Tensor, nodes: Nodes) -> Logits:
        """Score scaled segments, ``(B, N, F)``; values at padded nodes must not change a score."""
        raise NotImplementedError


def parameters_of(network: nn.Module) -> int:
    """Count the learnable parameters of a network, one for each number; buffers do not count."""
    return sum(parameter.numel() for parameter in network.parameters())


def _check_batch(x_BNF: Tensor, frames_B: Tensor, nodes_B: Tensor, *, features: int) -> None:
    """Refuse shapes and lengths that do not fit, since some would broadcast into a wrong answer.

    Raises:
        ValueError: a shape or a length does not fit.
    """
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
