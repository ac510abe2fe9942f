"""The WMA-GIN network (paper, section 2.1 and Figure 1).

    x --scaled--> Bi-GRU --> WMA-GIN 1 --> ... --> WMA-GIN L --(value)--> attention
                    |a          |b                                          |e
                    +-----------+---------- G = a + b + ... + e ------------+

Letters: B segments, N nodes, F features, G channels of the Bi-GRU (256), H hidden, C classes,
S stages, L layers.

Where the paper is silent (ours): each layer ends in a ReLU, the first too; layer 1 maps G -> H
without residual (the widths may differ), then X_l = X_(l-1) + ReLU(conv(X_(l-1)));
nodes are pooled before each head. Reading R* adds a LayerNorm before each ReLU,
a hidden layer in each head and an output map in the attention.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from model import conv, full_adjacent
from model.aggregators import Aggregate, Weights
from model.attention import MultiPhaseAttention
from model.config import BIGRU_HIDDEN, ModelConfig
from model.conv import WmaGinConv
from model.errors import ModelConfigError
from model.graph_network import GraphNetwork, Logits
from model.nodes import Nodes
from model.recurrent import BothWays
from model.stage_loss import stage_loss

MOST_LAYERS, MOST_HIDDEN = 8, 4096

PHASE = 2 * BIGRU_HIDDEN
"""Channels G of the Bi-GRU's output."""


class BiGru(BothWays):
    """The paper's Bi-GRU, one layer (section 2.1).

    Args:
        features: channels of the input.
    """

    def __init__(self, features: int) -> None:
        super().__init__(nn.GRU, features, BIGRU_HIDDEN)


class WmaGin(GraphNetwork):
    """Graph isomorphism network with weighted multiple aggregators.

    Args:
        features: channels F of a node.
        classes: emotions C.
        layers: WMA-GIN layers L.
        hidden: their width H.
        weights: aggregator weights.
        fa_layers: 1-based positions of the fully adjacent layers.
        fa_self: whether a node is its own neighbour there.
        graph: ``cycle``, ``line`` or ``window:K`` elsewhere.
        pooling: ``mean`` or ``sum`` of the real nodes before each head.
        multi_stage: whether `loss` sees all stages or only G.
        layer_norm: LayerNorm before the ReLU of each layer.
        deep_heads: a hidden layer in each head.
        attention_output: an output map in the attention.
        mean_F: what the scaler subtracts; 0 if None.
        std_F: what the scaler divides by; 1 if None.
        edges: pass messages along edge lists everywhere (the slow reference).
    """

    def __init__(
        self,
        features: int,
        classes: int,
        *,
        layers: int = 4,
        hidden: int = 256,
        weights: Weights,
        fa_layers: Sequence[int] = (2,),
        fa_self: bool = True,
        graph: str = "cycle",
        pooling: str = "mean",
        multi_stage: bool = True,
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

        widths = [PHASE] + [hidden] * layers
        self.gru = BiGru(features)
        self.convs = nn.ModuleList(map(WmaGinConv, widths, widths[1:]))
        self.norms = nn.ModuleList(
            nn.LayerNorm(hidden) if layer_norm else nn.Identity() for _ in range(layers)
        )
        self.attention = MultiPhaseAttention(features, PHASE, hidden, output_map=attention_output)
        self.heads = nn.ModuleList(
            _head(width, hidden, classes, deep=deep_heads) for width in [*widths[:-1], hidden]
        )

    def _logits(self, x_BNF: Tensor, nodes: Nodes) -> Logits:
        """Sum the heads of all phases; stages b, c, ..., e, G: ``(L + 1, B, C)``."""
        phases = self._phases(x_BNF, nodes)
        scores = [head(phase_BH) for head, phase_BH in zip(self.heads, phases, strict=True)]
        total_BC = torch.stack(scores).sum(0)
        return Logits(total_BC, torch.stack([*scores[1:], total_BC]))

    def _phases(self, x_BNF: Tensor, nodes: Nodes) -> list[Tensor]:
        """Pooled output of Bi-GRU, of all layers but the last, and of the attention."""
        gru_BNG = self.gru(x_BNF, nodes)
        outputs = [gru_BNG]
        aggregates = self._neighbourhoods(nodes)
        for layer, norm, aggregate in zip(self.convs, self.norms, aggregates, strict=True):
            y_BNH = norm(layer(outputs[-1], aggregate)).relu()
            outputs.append(outputs[-1] + y_BNH if len(outputs) > 1 else y_BNH)
        last_BNH = outputs.pop()
        phases = [nodes.pooled(output, self.pooling) for output in outputs]
        return [*phases, self.attention(x_BNF, gru_BNG, last_BNH, nodes, self.pooling)]

    def _neighbourhoods(self, nodes: Nodes) -> list[Aggregate]:
        """How each layer sees its neighbours."""
        near = conv.neighbourhood(self.graph, nodes, self.weights, edges=self.edges)
        full = self._full_neighbourhood(nodes) if self.fa_layers else near
        numbers = range(1, len(self.convs) + 1)
        return [full if number in self.fa_layers else near for number in numbers]

    def _full_neighbourhood(self, nodes: Nodes) -> Aggregate:
        """How a fully adjacent layer sees its neighbours."""
        if self.edges:
            from model.edges import along_edges  # PyG takes seconds to import: only if needed

            reach = nodes.padded
            return along_edges(nodes, self.weights, reach=reach, include_self=self.fa_self)
        return full_adjacent.neighbourhood(nodes, self.weights, include_self=self.fa_self)

    def loss(self, logits: Logits, labels_B: Tensor, weights_C: Tensor | None = None) -> Tensor:
        """Training loss: multi-stage, or the cross-entropy of G."""
        return stage_loss(
            logits.stages_SBC, labels_B, multi_stage=self.multi_stage, weights_C=weights_C
        )


def build(
    config: ModelConfig,
    features: int,
    classes: int,
    mean_F: Tensor | None = None,
    std_F: Tensor | None = None,
    edges: bool = False,
) -> WmaGin:
    """Turn a configuration into a network.

    Args:
        config: the network's configuration.
        features: channels of a node.
        classes: emotions.
        mean_F: mean of each feature over the training frames; 0 if None.
        std_F: their standard deviation; 1 if None.
        edges: pass messages along edge lists everywhere (the slow reference).

    Raises:
        ModelConfigError: such a network cannot be built.
    """
    shares = config.aggregators
    _check_range("layers", config.layers, 1, MOST_LAYERS)
    _check_range("hidden", config.hidden, 1, MOST_HIDDEN)
    parts = (shares.softmax, shares.sum, shares.mean)
    if min(parts) < 0 or sum(parts) != 1:
        raise ModelConfigError(
            "`aggregators` must not be negative and sum to 1, but is "
            f"softmax {shares.softmax}, sum {shares.sum}, mean {shares.mean} instead."
        )
    weights = Weights(softmax=float(shares.softmax), sum=float(shares.sum), mean=float(shares.mean))
    return WmaGin(
        features,
        classes,
        layers=config.layers,
        hidden=config.hidden,
        weights=weights,
        fa_layers=config.fa_layers,
        fa_self=config.fa_self,
        graph=config.graph,
        pooling=config.pooling,
        multi_stage=config.stage_loss,
        layer_norm=config.layer_norm,
        deep_heads=config.deep_heads,
        attention_output=config.attention_output,
        mean_F=mean_F,
        std_F=std_F,
        edges=edges,
    )


def _head(width: int, hidden: int, classes: int, *, deep: bool) -> nn.Module:
    """One stage's head: a linear layer, or one with a hidden layer before it."""
    if deep:
        return nn.Sequential(nn.Linear(width, hidden), nn.ReLU(), nn.Linear(hidden, classes))
    return nn.Linear(width, classes)


def _check_range(key: str, value: int, least: int, most: int) -> None:
    if not least <= value <= most:
        raise ModelConfigError(
            f"`{key}` must be between {least} and {most}, but is {value} instead."
        )
