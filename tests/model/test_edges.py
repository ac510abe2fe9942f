"""The closed forms and PyG's message passing are the same network."""

from fractions import Fraction
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from model.aggregators import Weights
from model.config import Aggregators, ModelConfig
from model.conv import neighbourhood
from model.edges import along_edges, edge_list
from model.full_adjacent import neighbourhood as full_neighbourhood
from model.network import build
from model.nodes import Nodes

TOLERANCE = {torch.float32: 2e-5, torch.float64: 1e-11}


def pairs(*lengths: int, padded: int | None = None, **graph: Any) -> list[set[tuple[int, int]]]:
    """Edges of each segment as pairs of node numbers."""
    padded = padded or max(lengths)
    edges_2E = edge_list(Nodes.of(torch.tensor(lengths), padded), **graph)
    found: list[set[tuple[int, int]]] = [set() for _ in lengths]
    for source, target in edges_2E.T.tolist():
        assert source // padded == target // padded
        edge = (source % padded, target % padded)
        assert edge not in found[source // padded], "an edge is listed twice"
        found[source // padded].add(edge)
    return found


def test_a_cycle_is_a_simple_graph_over_the_real_nodes() -> None:
    one, two, three = pairs(1, 2, 3, padded=5, reach=1, closed=True)
    assert one == set()
    assert two == {(0, 1), (1, 0)}
    assert three == {(0, 1), (1, 0), (1, 2), (2, 1), (0, 2), (2, 0)}


def test_a_line_does_not_close() -> None:
    assert pairs(3, 1, reach=1) == [{(0, 1), (1, 0), (1, 2), (2, 1)}, set()]


def test_a_window_of_two_reaches_two_steps_and_does_not_wrap() -> None:
    (edges,) = pairs(5, reach=2)
    assert edges == {(i, j) for i in range(5) for j in range(5) if 0 < abs(i - j) <= 2}


def test_a_complete_graph_holds_all_pairs_with_or_without_oneself() -> None:
    with_self = pairs(2, 1, reach=2, include_self=True)
    assert with_self == [{(0, 0), (0, 1), (1, 0), (1, 1)}, {(0, 0)}]
    assert pairs(2, 1, reach=2) == [{(0, 1), (1, 0)}, set()]


parts = st.sampled_from([(1, 1, 1), (1, 0, 0), (0, 1, 0), (0, 0, 1), (3, 1, 1), (0, 1, 2)])


@st.composite
def batches(draw: Any) -> tuple[Tensor, Tensor]:
    """Lengths of 1 to 4 segments of 1 to 9 nodes, and values for them."""
    lengths_B = torch.tensor(draw(st.lists(st.integers(1, 9), min_size=1, max_size=4)))
    padded = int(lengths_B.max()) + draw(st.integers(0, 2))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 10**6)))
    scale = draw(st.sampled_from([0.1, 1.0, 30.0]))
    return scale * torch.randn(len(lengths_B), padded, 5, generator=generator), lengths_B


@settings(deadline=None, derandomize=True, max_examples=150)
@given(batches(), parts, st.sampled_from(["cycle", "line", "full", "full-self"]), st.booleans())
def test_each_neighbourhood_aggregates_alike_forward_and_backward(
    batch: tuple[Tensor, Tensor], shares: tuple[int, int, int], graph: str, double: bool
) -> None:
    dtype = torch.float64 if double else torch.float32
    x_BNH, lengths_B = batch[0].to(dtype), batch[1]
    nodes = Nodes.of(lengths_B, x_BNH.shape[1], dtype)
    softmax, total, mean = (share / sum(shares) for share in shares)
    weights = Weights(softmax=softmax, sum=total, mean=mean)
    up_BNH = torch.randn(x_BNH.shape, dtype=dtype, generator=torch.Generator().manual_seed(0))
    results = []
    for edges in (False, True):
        leaf = x_BNH.clone().requires_grad_()
        if graph.startswith("full"):
            include_self = graph == "full-self"
            form = full_neighbourhood(nodes, weights, include_self=include_self)
            if edges:
                reach = nodes.padded
                form = along_edges(nodes, weights, reach=reach, include_self=include_self)
        else:
            form = neighbourhood(graph, nodes, weights, edges=edges)
        result_BNH = nodes.cleared(form(leaf) + 0 * leaf)
        result_BNH.backward(nodes.cleared(up_BNH))
        assert leaf.grad is not None
        results.append((result_BNH.detach(), leaf.grad))
    scale = float(x_BNH.abs().max()) ** 2 + 1  # the softmax's slope grows with its values
    for closed, listed in zip(*results, strict=True):
        torch.testing.assert_close(closed, listed, rtol=0, atol=TOLERANCE[dtype] * scale)


@st.composite
def configs(draw: Any) -> ModelConfig:
    layers = draw(st.integers(1, 5))
    softmax, total, mean = draw(parts)
    whole = softmax + total + mean
    return ModelConfig(
        layers=layers,
        hidden=draw(st.sampled_from([1, 8, 24])),
        aggregators=Aggregators(
            softmax=Fraction(softmax, whole), sum=Fraction(total, whole), mean=Fraction(mean, whole)
        ),
        fa_layers=tuple(sorted(draw(st.sets(st.integers(1, layers))))),
        fa_self=draw(st.booleans()),
        graph=draw(st.sampled_from(["cycle", "line"])),
        pooling=draw(st.sampled_from(["mean", "sum"])),
        layer_norm=draw(st.booleans()),
        deep_heads=draw(st.booleans()),
        attention_output=draw(st.booleans()),
    )


@settings(deadline=None, derandomize=True, max_examples=40)
@given(configs(), batches())
def test_the_whole_network_is_the_same_on_edges_forward_and_backward(
    config: ModelConfig, batch: tuple[Tensor, Tensor]
) -> None:
    x_BNF, lengths_B = batch[0].double(), batch[1]
    networks = []
    for edges in (False, True):
        torch.manual_seed(1)
        network = build(config, 5, 3, edges=edges).double()
        logits = network(x_BNF, lengths_B, lengths_B)
        network.loss(logits, lengths_B % 3).backward()
        networks.append((network, logits))
    (closed, closed_logits), (listed, listed_logits) = networks
    torch.testing.assert_close(closed_logits, listed_logits, rtol=1e-9, atol=1e-9)
    for (name, one), other in zip(closed.named_parameters(), listed.parameters(), strict=True):
        if one.grad is not None and other.grad is not None:
            torch.testing.assert_close(one.grad, other.grad, rtol=1e-7, atol=1e-9, msg=name)


@pytest.mark.parametrize("fa_self", [True, False])
@pytest.mark.parametrize("graph", ["cycle", "line"])
def test_the_whole_network_in_float32_differs_by_rounding_only(graph: str, fa_self: bool) -> None:
    lengths_B = torch.tensor([30, 17, 2, 1])
    x_BNF = torch.randn(4, 30, 5, generator=torch.Generator().manual_seed(2))
    results = []
    for edges in (False, True):
        torch.manual_seed(1)
        network = build(ModelConfig(hidden=64, graph=graph, fa_self=fa_self), 5, 3, edges=edges)
        logits = network(x_BNF, lengths_B, lengths_B)
        network.loss(logits, lengths_B % 3).backward()
        read = [p.grad for p in network.parameters() if p.grad is not None]
        results.append([logits.stages_SBC.detach(), *read])
    for one, other in zip(*results, strict=True):
        assert (one - other).abs().max() < 1e-5 * max(1.0, float(other.abs().max()))


@pytest.mark.parametrize("window, same_as", [("window:1", "line"), ("window:8", None)])
def test_a_window_trains_along_edges_without_being_asked(window: str, same_as: str | None) -> None:
    scores = []
    for graph in (window, same_as or "line"):
        torch.manual_seed(0)
        network = build(ModelConfig(hidden=8, graph=graph), 5, 3)
        x_BNF = torch.randn(2, 6, 5, generator=torch.Generator().manual_seed(0))
        scores.append(network(x_BNF, torch.tensor([6, 4]), torch.tensor([6, 4])).total_BC)
    assert torch.allclose(*scores, atol=1e-5) is (same_as is not None)
