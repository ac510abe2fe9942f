"""The closed forms and PyG's message passing are the same network."""

from fractions import Fraction
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from model.config import Aggregators, ModelConfig
from model.network.layers.aggregators import AggregatorWeights
from model.network.layers.conv import neighbourhood
from model.network.layers.edges import along_edges, edge_list
from model.network.layers.full_adjacent import neighbourhood as full_neighbourhood
from model.network.nodes import Nodes
from model.systems.wma_gin import WmaGin

TOLERANCE = {torch.float32: 2e-5, torch.float64: 1e-11}
SLOWLY = settings(deadline=None, derandomize=True, max_examples=40)


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


# --- one neighbourhood ---------------------------------------------------------------------------

SINGLES = [(1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)]
share = st.floats(0, 3, allow_subnormal=False)
triples = st.one_of(st.sampled_from(SINGLES), st.tuples(share, share, share))
"""Softmax, sum and mean: any that are not negative, whatever they sum to."""


def weights_of(softmax: float, total: float, mean: float) -> AggregatorWeights:
    return AggregatorWeights(softmax=softmax, sum=total, mean=mean)


@st.composite
def batches(draw: Any) -> tuple[Tensor, Tensor]:
    """Lengths of 1 to 4 segments of 1 to 9 nodes, and values for them."""
    lengths_B = torch.tensor(draw(st.lists(st.integers(1, 9), min_size=1, max_size=4)))
    padded = int(lengths_B.max()) + draw(st.integers(0, 2))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 10**6)))
    scale = draw(st.sampled_from([0.1, 1.0, 30.0]))
    return scale * torch.randn(len(lengths_B), padded, 5, generator=generator), lengths_B


@settings(SLOWLY, max_examples=150)
@given(batches(), triples, st.sampled_from(["cycle", "line", "full", "full-self"]), st.booleans())
def test_each_neighbourhood_aggregates_alike_forward_and_backward(
    batch: tuple[Tensor, Tensor], shares: tuple[float, float, float], graph: str, double: bool
) -> None:
    dtype = torch.float64 if double else torch.float32
    x_BNH, lengths_B = batch[0].to(dtype), batch[1]
    nodes, weights = Nodes.of(lengths_B, x_BNH.shape[1], dtype), weights_of(*shares)
    if graph.startswith("full"):
        include_self = graph == "full-self"
        closed = full_neighbourhood(nodes, weights, include_self=include_self)
        edges_2E = edge_list(nodes, reach=nodes.padded, include_self=include_self)
        listed = along_edges(edges_2E, weights)
    else:
        closed, listed = (neighbourhood(graph, nodes, weights, edges=e) for e in (False, True))
    up_BNH = torch.randn(x_BNH.shape, dtype=dtype, generator=torch.Generator().manual_seed(0))
    results = []
    for form in (closed, listed):
        leaf = x_BNH.clone().requires_grad_()
        result_BNH = nodes.cleared(form(leaf) + 0 * leaf)
        result_BNH.backward(nodes.cleared(up_BNH))
        assert leaf.grad is not None
        results.append((result_BNH.detach(), leaf.grad))
    # The softmax's slope grows with its values.
    scale = (float(x_BNH.abs().max()) ** 2 + 1) * (1 + sum(shares))
    for one, other in zip(*results, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=TOLERANCE[dtype] * scale)


# --- the whole network ---------------------------------------------------------------------------


@st.composite
def configs(draw: Any) -> ModelConfig:
    layers = draw(st.integers(1, 8))
    part = st.integers(0, 6)
    parts = draw(st.one_of(st.sampled_from(SINGLES), st.tuples(part, part, part).filter(any)))
    softmax, total, mean = (Fraction(int(part), int(sum(parts))) for part in parts)
    return ModelConfig(
        layers=layers,
        hidden=draw(st.sampled_from([1, 8, 24, 256])),
        aggregators=Aggregators(softmax=softmax, sum=total, mean=mean),
        fa_layers=tuple(sorted(draw(st.sets(st.integers(1, layers))))),
        fa_self=draw(st.booleans()),
        graph=draw(st.sampled_from(["cycle", "line"])),
        pooling=draw(st.sampled_from(["mean", "sum"])),
        stage_loss=draw(st.booleans()),
        attention=draw(st.booleans()),
        bigru=draw(st.booleans()),
        residual=draw(st.booleans()),
        layer_norm=draw(st.booleans()),
        deep_heads=draw(st.booleans()),
        attention_output=draw(st.booleans()),
    )


def trained(
    config: ModelConfig, batch: tuple[Tensor, Tensor], dtype: torch.dtype, *, edges: bool
) -> dict[str, Tensor]:
    """One step's scores and gradients, in float64."""
    x_BNF, lengths_B = batch[0].to(dtype), batch[1]
    torch.manual_seed(1)
    network = WmaGin.from_config(config, 5, 3, 120, edges=edges).to(dtype)
    logits = network(x_BNF, lengths_B, lengths_B)
    network.loss(logits, lengths_B % 3).backward()
    found = {n: p.grad for n, p in network.named_parameters() if p.grad is not None}
    return {n: t.double() for n, t in {"scores": logits.stages_SBC.detach(), **found}.items()}


def apart(one: dict[str, Tensor], other: dict[str, Tensor]) -> float:
    """The largest difference of two steps, relative to the greatest number of its tensor."""
    assert one.keys() == other.keys()
    return max(
        float((one[name] - other[name]).abs().max() / (1 + other[name].abs().max())) for name in one
    )


@SLOWLY
@given(configs(), batches())
def test_the_whole_network_is_the_same_on_edges_forward_and_backward(
    config: ModelConfig, batch: tuple[Tensor, Tensor]
) -> None:
    exact = trained(config, batch, torch.float64, edges=True)
    assert apart(trained(config, batch, torch.float64, edges=False), exact) < 1e-9
    assert apart(trained(config, batch, torch.float32, edges=False), exact) < 1e-4


@pytest.mark.parametrize("fa_self", [True, False])
@pytest.mark.parametrize("graph", ["cycle", "line"])
def test_the_whole_network_in_float32_differs_by_rounding_only(graph: str, fa_self: bool) -> None:
    config = ModelConfig(hidden=64, graph=graph, fa_self=fa_self)
    x_BNF = torch.randn(4, 30, 5, generator=torch.Generator().manual_seed(2))
    batch = x_BNF, torch.tensor([30, 17, 2, 1])
    closed, listed = (trained(config, batch, torch.float32, edges=e) for e in (False, True))
    assert apart(closed, listed) < 1e-5


# --- any other graph -----------------------------------------------------------------------------


@settings(SLOWLY)
@given(st.data(), triples)
def test_any_list_of_edges_aggregates_as_equation_4_says(
    data: Any, shares: tuple[float, float, float]
) -> None:
    node = st.integers(0, 5)
    edges = data.draw(st.lists(st.tuples(node, node), max_size=20))
    edges_2E = torch.tensor(edges, dtype=torch.int64).reshape(-1, 2).T
    x_BNH = torch.randn(2, 3, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    got_VH = along_edges(edges_2E, weights_of(*shares))(x_BNH).view(6, 4)
    softmax, total, mean = shares
    for target in range(6):
        x_KH = x_BNH.view(6, 4)[[source for source, end in edges if end == target]]
        wanted_H = total * x_KH.sum(0) + softmax * (x_KH * x_KH.softmax(0)).sum(0)
        wanted_H = wanted_H + (mean * x_KH.mean(0) if len(x_KH) else 0)
        torch.testing.assert_close(got_VH[target], wanted_H)


def test_a_network_takes_any_graph_as_a_function_of_the_nodes() -> None:
    def star(nodes: Nodes) -> Tensor:
        """The first node of each segment and every other one are neighbours."""
        segment_E, other_E = (nodes.real_BN & (nodes.steps_N > 0)).nonzero(as_tuple=True)
        rays_2E = torch.stack([segment_E * nodes.padded, segment_E * nodes.padded + other_E])
        return torch.cat([rays_2E, rays_2E.flip(0)], dim=1)

    def ring(nodes: Nodes) -> Tensor:
        return edge_list(nodes, reach=1, closed=True)

    x_BNF = torch.randn(2, 6, 5, generator=torch.Generator().manual_seed(0))
    lengths_B, scores = torch.tensor([6, 4]), {}
    for graph in ("cycle", ring, star):
        torch.manual_seed(0)
        network = WmaGin(5, 3, hidden=8, weights=weights_of(0.2, 0.3, 0.5), graph=graph)
        scores[graph] = network(x_BNF, lengths_B, lengths_B).total_BC
        twin_BC = network(x_BNF[1:, :4], lengths_B[1:], lengths_B[1:]).total_BC
        torch.testing.assert_close(twin_BC, scores[graph][1:], rtol=0, atol=1e-5)
    torch.testing.assert_close(scores[ring], scores["cycle"])
    assert not torch.allclose(scores[star], scores["cycle"], atol=1e-5)


@pytest.mark.parametrize(
    "wrong, sentence",
    [
        (torch.zeros(3, 2, dtype=torch.int64), r"has \(3, 2\) and int64 instead"),
        (torch.zeros(2, 3), r"has \(2, 3\) and float32 instead"),
    ],
)
def test_what_is_no_list_of_edges_is_refused(wrong: Tensor, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        along_edges(wrong, weights_of(1, 0, 0))


@pytest.mark.parametrize("window, same_as", [("window:1", "line"), ("window:8", None)])
def test_a_window_trains_along_edges_without_being_asked(window: str, same_as: str | None) -> None:
    scores = []
    for graph in (window, same_as or "line"):
        torch.manual_seed(0)
        network = WmaGin.from_config(ModelConfig(hidden=8, graph=graph), 5, 3, 120)
        x_BNF = torch.randn(2, 6, 5, generator=torch.Generator().manual_seed(0))
        scores.append(network(x_BNF, torch.tensor([6, 4]), torch.tensor([6, 4])).total_BC)
    assert torch.allclose(*scores, atol=1e-5) is (same_as is not None)  # type: ignore[misc]
