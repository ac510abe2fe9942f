import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from model.network.layers import aggregators
from model.network.layers.aggregators import AggregatorWeights, others, pair, pooled
from model.network.nodes import Nodes

THIRDS = AggregatorWeights(softmax=1 / 3, sum=1 / 3, mean=1 / 3)
SINGLES = [
    AggregatorWeights(softmax=1, sum=0, mean=0),
    AggregatorWeights(softmax=0, sum=1, mean=0),
    AggregatorWeights(softmax=0, sum=0, mean=1),
]


def plainly(neighbours_KH: Tensor, weights: AggregatorWeights) -> Tensor:
    """Eq. (4) word for word in float64, for one node with K neighbours."""
    x_KH = neighbours_KH.double()
    if not len(x_KH):
        return x_KH.sum(0)
    softmax_H = (x_KH * x_KH.softmax(0)).sum(0)
    return weights.softmax * softmax_H + weights.sum * x_KH.sum(0) + weights.mean * x_KH.mean(0)


def all_nodes(nodes: int, batch: int = 1, dtype: torch.dtype = torch.float32) -> Nodes:
    return Nodes.of(torch.full((batch,), nodes), nodes, dtype)


def extremes(nodes: int) -> dict[str, Tensor]:
    draw = torch.Generator().manual_seed(1)
    x_1NH = torch.randn(1, nodes, 6, generator=draw)
    peak_1NH = torch.zeros(1, nodes, 6)
    peak_1NH[0, nodes // 2] = torch.tensor([50.0, 60, 70, 80, 90, 100])
    return {
        "one node outweighs a channel by 50 to 100": x_1NH + peak_1NH,
        "one node lies far below": x_1NH - peak_1NH,
        "equal values": torch.full((1, nodes, 6), 7.25),
        "large negatives": x_1NH - 1e4,
        "large and small": x_1NH * 10 ** torch.arange(-3.0, 3),
        "two peaks": x_1NH + peak_1NH + peak_1NH.roll(1, 1),
    }


FORMS = ("pooled", "others", "pair")


def aggregated(form: str, x_1NH: Tensor, real: Nodes, weights: AggregatorWeights) -> Tensor:
    """One of the three forms for every real node of a segment; `pair` as on a cycle."""
    if form == "pooled":
        return pooled(x_1NH, real, weights).expand_as(x_1NH)[0]
    if form == "others":
        return others(x_1NH, real, weights)[0]
    return pair(torch.cat([x_1NH[:, -1:], x_1NH, x_1NH[:, :1]], 1), weights)[0]


def around(form: str, node: int, nodes: int) -> list[int]:
    """The neighbours that each form is meant to see."""
    if form == "pooled":
        return list(range(nodes))
    if form == "others":
        return [other for other in range(nodes) if other != node]
    return [(node - 1) % nodes, (node + 1) % nodes]


@pytest.mark.parametrize("weights", [THIRDS, *SINGLES], ids=["thirds", "softmax", "sum", "mean"])
@pytest.mark.parametrize("nodes", [1, 2, 3, 7, 120])
def test_all_three_forms_stay_exact_at_extreme_values(
    nodes: int, weights: AggregatorWeights
) -> None:
    for (name, x_1NH), form in itertools.product(extremes(nodes).items(), FORMS):
        x_NH, magnitude_H = x_1NH[0], x_1NH[0].abs().sum(0).double()
        got_NH = aggregated(form, x_1NH, all_nodes(nodes), weights).double()
        for node in range(nodes):
            wanted_H = plainly(x_NH[around(form, node, nodes)], weights)
            error_H = (got_NH[node] - wanted_H).abs()
            assert (error_H <= 1e-6 * magnitude_H + 1e-30).all(), (form, name)


@pytest.mark.parametrize("weights", [THIRDS, *SINGLES], ids=["thirds", "softmax", "sum", "mean"])
@pytest.mark.parametrize("nodes", [1, 2, 3, 24])
def test_and_so_do_their_gradients(nodes: int, weights: AggregatorWeights) -> None:
    up_NH = torch.randn(nodes, 6, generator=torch.Generator().manual_seed(2))
    for (name, x_1NH), form in itertools.product(extremes(nodes).items(), FORMS):
        leaf = x_1NH.clone().requires_grad_()
        got_NH = aggregated(form, leaf, all_nodes(nodes), weights) + 0 * leaf[0]  # no neighbour: 0
        got_NH.backward(up_NH)
        exact = x_1NH.double().requires_grad_()
        chosen = (exact[0, around(form, node, nodes)] for node in range(nodes))
        wanted_NH = torch.stack([plainly(x_KH, weights) for x_KH in chosen])
        wanted_NH.backward(up_NH.double())
        assert leaf.grad is not None and exact.grad is not None
        # A slope of the softmax is as large as its values are far apart.
        magnitude_H = (1 + x_1NH[0].abs().sum(0)) * up_NH.abs().sum(0)
        error_NH = (leaf.grad[0] - exact.grad[0]).abs()
        assert (error_NH <= 1e-6 * magnitude_H).all(), (form, name)


wild = st.one_of(
    st.floats(-100, 100, width=32, allow_subnormal=False),
    st.sampled_from([0.0, 7.25, 50.0, 100.0, -1e4, 1e4]),
)


@settings(deadline=None, derandomize=True, max_examples=150)
@given(
    st.lists(wild, min_size=1, max_size=24),
    st.integers(0, 3),
    st.tuples(*[st.floats(0, 1, allow_subnormal=False)] * 3),
)
def test_whatever_stands_in_a_channel_the_error_is_rounding(
    channel: list[float], padding: int, shares: tuple[float, float, float]
) -> None:
    weights = AggregatorWeights(softmax=shares[0], sum=shares[1], mean=shares[2])
    nodes = len(channel)
    x_NH = torch.tensor(channel)[:, None]
    x_1NH = torch.cat([x_NH, torch.full((padding, 1), float("nan"))])[None]
    real = Nodes.of(torch.tensor([nodes]), nodes + padding)
    bound = 1e-6 * float(x_NH.abs().sum().double()) + 1e-30
    for form in ("pooled", "others"):
        got_NH = aggregated(form, x_1NH, real, weights).double()
        for node in range(nodes):
            wanted_H = plainly(x_NH[around(form, node, nodes)], weights)
            assert (got_NH[node] - wanted_H).abs() <= bound, form


@settings(deadline=None, derandomize=True, max_examples=25)
@given(st.integers(1, 9), st.integers(1, 3), st.integers(0, 10**6), st.sampled_from([0, 0.25, 1]))
def test_derivatives_are_those_of_the_plain_formula(
    nodes: int, batch: int, seed: int, softmax: float
) -> None:
    weights = AggregatorWeights(softmax=softmax, sum=(1 - softmax) / 4, mean=3 * (1 - softmax) / 4)
    draw = torch.Generator().manual_seed(seed)
    lengths_B = torch.randint(1, nodes + 1, (batch,), generator=draw)
    real = Nodes.of(lengths_B, nodes, torch.float64)
    x_BNH = torch.randn(batch, nodes, 2, generator=draw, dtype=torch.float64, requires_grad=True)
    halo = torch.randn(batch, nodes + 2, 2, generator=draw, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: pooled(x, real, weights), x_BNH)
    assert torch.autograd.gradcheck(lambda x: others(x, real, weights), x_BNH)
    assert torch.autograd.gradcheck(lambda h: pair(h, weights), halo)


def test_what_stands_in_the_padding_leaves_no_trace() -> None:
    x_BNH = torch.randn(2, 5, 3, generator=torch.Generator().manual_seed(0))
    nodes = Nodes.of(torch.tensor([3, 5]), 5)
    for form in (pooled, others):
        clean = form(x_BNH, nodes, THIRDS)
        for rubbish in (float("inf"), float("nan"), 1e30):
            dirty_BNH = x_BNH.clone()
            dirty_BNH[0, 3:] = rubbish
            assert torch.equal(form(dirty_BNH, nodes, THIRDS)[0, :3], clean[0, :3])


def test_leave_one_out_sums_are_not_differences() -> None:
    x_BNH = torch.tensor([1e8, 1.0, 2.0, 3.0]).view(1, 4, 1)
    assert aggregators._sum_of_others(x_BNH).flatten().tolist()[0] == 6.0


def test_the_paper_example_is_told_apart_by_softmax_but_not_by_sum_or_mean() -> None:
    # Section 2.2: the neighbours {0.2, 0.2} and {0, 0.4}.
    graphs = [
        torch.tensor([left, 0.0, right]).view(1, 3, 1) for left, right in ((0.2, 0.2), (0.0, 0.4))
    ]
    for weights, same in zip(SINGLES, (False, True, True), strict=True):
        first, second = (pair(halo, weights).item() for halo in graphs)
        assert (first == second) is same


def test_every_pair_of_weights_gives_another_aggregate() -> None:
    x_BNH = torch.randn(1, 6, 2, generator=torch.Generator().manual_seed(3))
    results = [pooled(x_BNH, all_nodes(6), weights) for weights in (THIRDS, *SINGLES)]
    for one, other in itertools.combinations(results, 2):
        assert not torch.allclose(one, other)
