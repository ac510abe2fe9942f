"""The configuration of a network and of its training. Light: imports no torch.

Paper: Hu, Tang, Huang, He, "A Graph Isomorphism Network with Weighted Multiple Aggregators
for Speech Emotion Recognition", Interspeech 2022 (arXiv 2207.00940).
"""

from dataclasses import dataclass
from fractions import Fraction
from typing import Annotated, Literal

from annotated_types import Interval

BIGRU_HIDDEN = 128
"""Hidden size of each direction of the Bi-GRU (paper, section 2.1); its output is twice that."""

WMA_GIN = "wma-gin"
"""Name of the paper's own system in `ModelConfig.model`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Aggregators:
    """Weights of the three neighbourhood aggregators of eq. (4), as exact fractions.

    Each is 0 to 1 and they sum to 1; they are not learnt.
    """

    softmax: Fraction = Fraction(1, 3)
    sum: Fraction = Fraction(1, 3)
    mean: Fraction = Fraction(1, 3)


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelConfig:
    """The system that a row trains and, of WMA-GIN, its sizes and parts.

    The defaults are reading R0, the text of the paper: 579,864 parameters at 78 descriptors and 4
    classes.

    A field's type gives the values that a study file may set; its docstring is printed in the
    reference of study files.
    A new field is a new setting of every study, see CONTRIBUTING.md.
    """

    model: str = WMA_GIN
    """The system that a row trains. Every other setting of `baseline` is WMA-GIN's alone: the sizes
    of the systems that it is compared with are fixed."""

    layers: Annotated[int, Interval(ge=1, le=8)] = 4
    """WMA-GIN layers (paper: 4, section 3.4)."""

    hidden: Annotated[int, Interval(ge=1, le=4096)] = 256
    """Width H of every WMA-GIN layer (paper: 256, section 3.4)."""

    aggregators: Aggregators = Aggregators()
    """Weights of the three aggregators of neighbours, which sum to 1 (paper, Table 2)."""

    fa_layers: tuple[int, ...] = (2,)
    """Positions of the fully adjacent layers, from 1, ascending; empty for none (paper: layer 2 of
    4, section 2.3)."""

    fa_self: bool = True
    """Whether a node is its own neighbour in a fully adjacent layer (as in the code of the paper's
    source [20], arXiv 2006.05205)."""

    graph: str = "cycle"
    """Edges between nodes: ``cycle`` (paper), ``line``, or ``window:K``, which joins all nodes at
    most K steps apart and does not join the ends."""

    pooling: Literal["mean", "sum"] = "mean"
    """How the real nodes of a segment become one vector before each head (the paper is
    silent)."""

    stage_loss: bool = True
    """Multi-stage loss: the mean cross-entropy of the S = ``layers`` + 1 stages, weighted 1 to S
    (section 2.4); off: the cross-entropy of G, the sum of all heads."""

    attention: bool = True
    """Multi-phase attention before the last head, e; off: head e pools the last layer as the other
    heads pool theirs (chosen here)."""

    bigru: bool = True
    """The Bi-GRU before the layers; off: tanh(Linear(F, 256)) of each node by itself
    (chosen here)."""

    residual: bool = True
    """Whether every layer after the first adds its input to its output (section 2.1)."""

    dropout: Annotated[float, Interval(ge=0, le=0.9)] = 0.0
    """Dropout probability in training, on what each layer computes before its input is added (the
    paper names none)."""

    layer_norm: bool = False
    """LayerNorm before the ReLU of every WMA-GIN layer (reading R*, ``size-matched``)."""

    deep_heads: bool = False
    """Each head is Linear(H, H), ReLU, Linear(H, C), and not one Linear(H, C) (reading R*,
    ``size-matched``)."""

    attention_output: bool = False
    """A linear map H -> H behind the multi-phase attention (reading R*, ``size-matched``)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainConfig:
    """Settings of one trial's training: optimiser, batches, epochs, patience, class weights."""

    lr: Annotated[float, Interval(ge=1e-8, le=1)] = 1e-4
    """Adam's learning rate (paper, section 3.3)."""

    weight_decay: Annotated[float, Interval(ge=0, le=1)] = 1e-8
    """Adam's weight decay (paper, section 3.3)."""

    batch: Annotated[int, Interval(ge=1, le=65_536)] = 128
    """Number of segments in a batch (paper, section 3.3)."""

    epochs: Annotated[int, Interval(ge=1, le=100_000)] = 200
    """Most epochs of a training (chosen here)."""

    patience: Annotated[int, Interval(ge=1, le=100_000)] = 20
    """A half of the held-out group chooses no later epoch once it has had no better score for this
    many epochs; a training stops when both halves have got there (chosen here)."""

    class_weights: Literal["off", "inverse"] = "off"
    """Weights of the classes in the loss. ``inverse``: the inverse of how often a class occurs
    among the training segments."""

    @property
    def may_end_early(self) -> bool:
        """Whether a training can stop before ``epochs``.

        If epoch 1 stays the best, training stops after ``1 + patience`` epochs.
        """
        return 1 + self.patience < self.epochs
