import doctest

import pytest
import torch
from torch import Tensor, nn

from model.config import ModelConfig
from model.network import description
from model.network.description import describe
from model.network.graph_network import parameters_of
from model.systems.wma_gin import WmaGin

R_STAR = ModelConfig(layer_norm=True, deep_heads=True, attention_output=True)


def test_the_examples_in_the_documentation_hold() -> None:
    assert doctest.testmod(description).failed == 0


@pytest.mark.parametrize(
    "config",
    [
        ModelConfig(),
        R_STAR,
        ModelConfig(attention=False, bigru=False, residual=False),
        ModelConfig(layers=8, hidden=8, fa_layers=(), graph="window:2"),
    ],
)
def test_the_parts_sum_to_the_network(config: ModelConfig) -> None:
    network = WmaGin.from_config(config, 78, 4, 120)
    parts = describe(network, 78, 12)
    assert sum(part.parameters for part in parts) == parameters_of(network)
    assert len({part.title for part in parts}) == len(parts)


def test_r0_is_told_in_the_order_of_the_forward_pass_with_the_papers_names() -> None:
    told = [
        (p.title, p.kind, p.shape)
        for p in describe(WmaGin.from_config(ModelConfig(), 78, 4, 120), 78, 120)
    ]
    near, full = "WMA-GIN {}, cycle", "WMA-GIN 2, fully adjacent"
    layers = [near.format(1), full, near.format(3), near.format(4)]
    assert told == [
        ("Bi-GRU", "BiGru", "(B, N, 256)"),
        *((title, "WmaGinConv", "(B, N, 256)") for title in layers),
        ("attention", "MultiPhaseAttention", "(B, 256)"),
        *((f"head {letter}", "Linear", "(B, 4)") for letter in "abcde"),
    ]


class Other(nn.Module):
    """A system with a parameter of its own, a part that learns nothing and one never called."""

    def __init__(self) -> None:
        super().__init__()
        self.adjacency = nn.Parameter(torch.zeros(7, 7))
        self.last = nn.Linear(5, 3)
        self.spare = nn.Linear(2, 2)
        self.flat = nn.Sequential(nn.Linear(6, 5), nn.ReLU())
        self.drop = nn.Dropout(0.5)

    def forward(self, x_BNF: Tensor, frames_B: Tensor, nodes_B: Tensor) -> Tensor:
        assert not self.training
        flat_VH = self.flat((self.adjacency @ x_BNF).flatten(0, 1))
        return self.last(self.drop(flat_VH).view(len(x_BNF), -1, 5).sum(1))


def test_any_other_system_is_described_too_and_left_as_it_was() -> None:
    network = Other()
    told = [(p.title, p.kind, p.shape, p.parameters) for p in describe(network, 6, 7)]
    assert told == [
        ("adjacency", "Parameter", "(7, 7)", 49),
        ("flat", "Sequential", "(B N, 5)", 35),
        ("last", "Linear", "(B, 3)", 18),
        ("spare", "Linear", "", 6),
    ]
    assert network.training and not network.last._forward_hooks
