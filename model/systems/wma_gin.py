"""The WMA-GIN network (paper, section 2.1 and Figure 1).

    x --scaled--> Bi-GRU --> WMA-GIN 1 --> ... --> WMA-GIN L --(value)--> attention
                    |a          |b                                          |e
                    +-----------+---------- G = a + b + ... + e ------------+

Letters: B segments, N nodes, F features, G channels of the Bi-GRU (256), H hidden, C classes,
S stages, L layers.

Where the paper is silent (chosen here): each layer ends in a ReLU, the first too; layer 1 maps
G -> H without residual (the widths may differ), then X_l = X_(l-1) + ReLU(conv(X_(l-1)));
nodes are pooled before each head. Reading R* adds a LayerNorm before each ReLU,
a hidden layer in each head and an output map in the attention.

What "without" means, where the paper is silent too (chosen here): without Bi-GRU, `NodeMap` stands
in its place; without attention, head e pools the last layer's output as b, c and d pool theirs;
without residual, X_l = ReLU(conv(X_(l-1))) in every layer. Each takes away one thing:
the widths, the heads and the stages of the loss remain.
"""

from collections.abc import Sequence
from string import ascii_lowercase
from typing import Self, get_type_hints

import torch
from annotated_types import Interval
from torch import Tensor, nn

from model.config import BIGRU_HIDDEN, Aggregators, ModelConfig
from model.errors import ModelConfigError
from model.network.graph_network import GraphNetwork, Logits
from model.network.layers import conv, full_adjacent
from model.network.layers.aggregators import Aggregate, AggregatorWeights
from model.network.layers.attention import MultiPhaseAttention
from model.network.layers.conv import Graph, WmaGinConv
from model.network.layers.recurrent import BothWays
from model.network.nodes import Nodes
from model.network.stage_loss import stage_loss

PHASE = 2 * BIGRU_HIDDEN
"""Channels G of the Bi-GRU's output: 128 of each direction."""


class BiGru(BothWays):
    """The paper's Bi-GRU, one layer of 128 channels each way (section 2.1).

    Args:
        features: channels F of the input.
    """

    def __init__(self, features: int) -> None:
        super().__init__(nn.GRU, features, BIGRU_HIDDEN)


class NodeMap(nn.Module):
    """The replacement of the Bi-GRU where that is off: tanh(Linear(F, 256)) of each node by itself.

    This is a GRU's candidate state, which is all that a GRU without memory and gates computes. So
    the ablation removes the recurrence, and keeps the width and the range (-1, 1) of what the
    layers and the attention's key read.

    Args:
        features: channels F of the input.
    """

    def __init__(self, features: int) -> None:
        super().__init__()
        self.linear = nn.Linear(features, PHASE)

    def forward(self, x_BNF: Tensor, nodes: Nodes) -> Tensor:
        """Map each node: ``(B, N, F)`` to ``(B, N, 2 x BIGRU_HIDDEN)``, the shape of `BiGru`."""
        result_BNG: Tensor = self.linear(x_BNF).tanh()
        return result_BNG


class WmaGin(GraphNetwork):
    """The paper's network: a graph isomorphism network with weighted multiple aggregators.

    Args:
        features: channels F of a node.
        classes: number of classes C.
        layers: number of WMA-GIN layers L.
        hidden: width H of every WMA-GIN layer.
        weights: weights of the three aggregators.
        fa_layers: positions of the fully adjacent layers, from 1, ascending.
        fa_self: whether a node is its own neighbour in a fully adjacent layer.
        graph: ``cycle``, ``line``, ``window:K`` or a function (`conv.Graph`): the edges in all
            other layers.
        pooling: ``mean`` or ``sum`` of the real nodes before each head.
        multi_stage: whether `loss` takes all stages or G alone.
        attention: whether head e reads the last layer through the multi-phase attention.
        bigru: whether a Bi-GRU reads the frames first; else a `NodeMap`.
        residual: whether layers after the first add their input to their output.
        dropout: probability, 0 to 1, that a value that a layer adds is set to 0 in training.
        layer_norm: whether a LayerNorm stands before the ReLU of each layer.
        deep_heads: whether each head has a hidden layer.
        attention_output: whether the attention ends in a linear map H -> H.
        mean_F: mean of each feature over the training frames, ``(F,)``; 0 if None.
        std_F: their standard deviation, ``(F,)``; 1 if None.
        edges: whether all layers aggregate along edge lists (the slow reference).

    Raises:
        ModelConfigError: ``graph`` names no graph, or ``fa_layers`` do not fit ``layers``.
    """

    def __init__(
        self,
        features: int,
        classes: int,
        *,
        layers: int = 4,
        hidden: int = 256,
        weights: AggregatorWeights,
        fa_layers: Sequence[int] = (2,),
        fa_self: bool = True,
        graph: Graph = "cycle",
        pooling: str = "mean",
        multi_stage: bool = True,
        attention: bool = True,
        bigru: bool = True,
        residual: bool = True,
        dropout: float = 0.0,
        layer_norm: bool = False,
        deep_heads: bool = False,
        attention_output: bool = False,
        mean_F: Tensor | None = None,
        std_F: Tensor | None = None,
        edges: bool = False,
    ) -> None:
        super().__init__(features, mean_F, std_F)
        conv.window_of(graph)
        self.weights, self.graph, self.edges = weights, graph, edges
        self.fa_layers = full_adjacent.positions(fa_layers, layers)
        self.fa_self, self.pooling, self.multi_stage = fa_self, pooling, multi_stage
        self.residual, self.dropout = residual, dropout

        widths = [PHASE] + [hidden] * layers
        self.gru = BiGru(features) if bigru else NodeMap(features)
        self.convs = nn.ModuleList(map(WmaGinConv, widths, widths[1:]))
        self.norms = nn.ModuleList(
            nn.LayerNorm(hidden) if layer_norm else nn.Identity() for _ in range(layers)
        )
        self.attention = (
            MultiPhaseAttention(features, PHASE, hidden, output_map=attention_output)
            if attention
            else None
        )
        self.heads = nn.ModuleList(
            _head(width, hidden, classes, deep=deep_heads) for width in [*widths[:-1], hidden]
        )

    @classmethod
    def from_config(
        cls,
        config: ModelConfig,
        features: int,
        classes: int,
        nodes: int,
        mean_F: Tensor | None = None,
        std_F: Tensor | None = None,
        *,
        edges: bool = False,
    ) -> Self:
        """Build the untrained network that a configuration asks for.

        Args:
            config: sizes and parts of the network.
            features: channels F of a node.
            classes: number of classes C.
            nodes: ignored: no size depends on the length of a segment.
            mean_F: mean of each feature over the training frames, ``(F,)``; 0 if None.
            std_F: their standard deviation, ``(F,)``; 1 if None.
            edges: whether all layers aggregate along edge lists (the slow reference).

        Raises:
            ModelConfigError: a value is out of its range, or values contradict each other.
        """
        _check_ranges(config)
        return cls(
            features,
            classes,
            layers=config.layers,
            hidden=config.hidden,
            weights=_weights(config.aggregators),
            fa_layers=config.fa_layers,
            fa_self=config.fa_self,
            graph=config.graph,
            pooling=config.pooling,
            multi_stage=config.stage_loss,
            attention=config.attention,
            bigru=config.bigru,
            residual=config.residual,
            dropout=config.dropout,
            layer_norm=config.layer_norm,
            deep_heads=config.deep_heads,
            attention_output=config.attention_output,
            mean_F=mean_F,
            std_F=std_F,
            edges=edges,
        )

    def _logits(self, x_BNF: Tensor, nodes: Nodes) -> Logits:
        """Score each phase (Bi-GRU, then each layer, pooled over nodes) by its head; sum them to G.

        Returns:
            G, ``(B, C)``, and the stages b, c, ..., e, G, ``(L + 1, B, C)``.
        """
        phases = self._phases(x_BNF, nodes)
        scores = [head(phase_BH) for head, phase_BH in zip(self.heads, phases, strict=True)]
        total_BC = torch.stack(scores).sum(0)
        return Logits(total_BC, torch.stack([*scores[1:], total_BC]))

    def _phases(self, x_BNF: Tensor, nodes: Nodes) -> list[Tensor]:
        """Compute one vector a segment for each head: the Bi-GRU's and each layer's output, pooled.

        The last layer's output is pooled through the attention where that is on.

        Returns:
            L + 1 tensors: ``(B, G)`` of the Bi-GRU, then ``(B, H)`` of each layer.
        """
        gru_BNG = self.gru(x_BNF, nodes)
        outputs = [gru_BNG]
        aggregates = self._neighbourhoods(nodes)
        for layer, norm, aggregate in zip(self.convs, self.norms, aggregates, strict=True):
            y_BNH = norm(layer(outputs[-1], aggregate)).relu()
            if self.dropout:
                y_BNH = nn.functional.dropout(y_BNH, self.dropout, self.training)
            outputs.append(outputs[-1] + y_BNH if self.residual and len(outputs) > 1 else y_BNH)
        if self.attention is None:
            return [nodes.pooled(output, self.pooling) for output in outputs]
        last_BNH = outputs.pop()
        phases = [nodes.pooled(output, self.pooling) for output in outputs]
        return [*phases, self.attention(x_BNF, gru_BNG, last_BNH, nodes, self.pooling)]

    def _neighbourhoods(self, nodes: Nodes) -> list[Aggregate]:
        """Make the function of each layer that aggregates a node's neighbours; L of them."""
        near = conv.neighbourhood(self.graph, nodes, self.weights, edges=self.edges)
        full = self._full_neighbourhood(nodes) if self.fa_layers else near
        numbers = range(1, len(self.convs) + 1)
        return [full if number in self.fa_layers else near for number in numbers]

    def _full_neighbourhood(self, nodes: Nodes) -> Aggregate:
        """Make the function by which a fully adjacent layer aggregates a node's neighbours."""
        if self.edges:
            # PyG takes seconds to import: only if it is needed.
            from model.network.layers.edges import along_edges, edge_list

            edges_2E = edge_list(nodes, reach=nodes.padded, include_self=self.fa_self)
            return along_edges(edges_2E, self.weights)
        return full_adjacent.neighbourhood(nodes, self.weights, include_self=self.fa_self)

    @property
    def titles(self) -> dict[str, str]:
        """Attribute name of a part, such as ``heads.0``, -> its name in the paper, ``head a``."""
        named = {"gru": "Bi-GRU" if isinstance(self.gru, BiGru) else "instead of the Bi-GRU"}
        named["attention"] = "attention"
        near = self.graph if isinstance(self.graph, str) else "edges"
        for index in range(len(self.convs)):
            around = "fully adjacent" if index + 1 in self.fa_layers else near
            named[f"convs.{index}"] = f"WMA-GIN {index + 1}, {around}"
            named[f"norms.{index}"] = f"LayerNorm {index + 1}"
        for index, letter in zip(range(len(self.heads)), ascii_lowercase, strict=False):
            named[f"heads.{index}"] = f"head {letter}"
        return named

    def loss(self, logits: Logits, labels_B: Tensor, weights_C: Tensor | None = None) -> Tensor:
        """Compute the training loss: multi-stage (eq. 5), or the cross-entropy of G alone.

        Args:
            logits: as `forward` gives them.
            labels_B: class index of each segment, ``(B,)``, int64.
            weights_C: weight of each class, ``(C,)``; all 1 if None.

        Returns:
            A scalar, in nats.
        """
        return stage_loss(
            logits.stages_SBC, labels_B, multi_stage=self.multi_stage, weights_C=weights_C
        )


def _weights(aggregators: Aggregators) -> AggregatorWeights:
    """Convert the aggregator weights to floats, after checking them as exact fractions.

    Raises:
        ModelConfigError: a weight is negative, or their sum is not 1.
    """
    parts = (aggregators.softmax, aggregators.sum, aggregators.mean)
    if min(parts) < 0 or sum(parts) != 1:
        raise ModelConfigError(
            "`aggregators` must not be negative and sum to 1, but is softmax "
            f"{aggregators.softmax}, sum {aggregators.sum}, mean {aggregators.mean} instead."
        )
    softmax, sum_, mean = map(float, parts)
    return AggregatorWeights(softmax=softmax, sum=sum_, mean=mean)


def _head(width: int, hidden: int, classes: int, *, deep: bool) -> nn.Module:
    """Make the head of a stage: a linear layer ``width`` -> ``classes``.

    A ``deep`` head has a hidden layer of ``hidden`` channels with a ReLU before it.
    """
    if deep:
        return nn.Sequential(nn.Linear(width, hidden), nn.ReLU(), nn.Linear(hidden, classes))
    return nn.Linear(width, classes)


def _check_ranges(config: ModelConfig) -> None:
    """Refuse a number that is outside of the range that its field declares.

    Raises:
        ModelConfigError: it is outside.
    """
    for key, hint in get_type_hints(ModelConfig, include_extras=True).items():
        for limits in getattr(hint, "__metadata__", ()):
            value = getattr(config, key)
            if isinstance(limits, Interval) and not limits.ge <= value <= limits.le:
                raise ModelConfigError(
                    f"`{key}` must be between {limits.ge} and {limits.le}, but is {value} instead."
                )
