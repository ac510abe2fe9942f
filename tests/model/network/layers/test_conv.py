import pytest
import torch

from model.errors import ModelConfigError
from model.network.layers.aggregators import AggregatorWeights
from model.network.layers.conv import WmaGinConv, shifted, window_of
from model.network.nodes import Nodes

SUM = AggregatorWeights(softmax=0, sum=1, mean=0)


def test_a_cycle_closes_over_the_real_nodes() -> None:
    x_BNH = torch.tensor([1.0, 10, 100, 1000]).view(1, 4, 1)
    for real, wanted in ((4, [1010, 101, 1010, 101]), (3, [110, 101, 11]), (2, [10, 1]), (1, [0])):
        got = shifted(x_BNH, Nodes.of(torch.tensor([real]), 4), SUM, closed=True)
        assert got[0, :real, 0].tolist() == wanted


def test_a_line_ends_at_its_first_and_last_real_node() -> None:
    x_BNH = torch.tensor([1.0, 10, 100, 1000]).view(1, 4, 1)
    for real, wanted in ((4, [10, 101, 1010, 100]), (3, [10, 101, 10]), (2, [10, 1]), (1, [0])):
        got = shifted(x_BNH, Nodes.of(torch.tensor([real]), 4), SUM, closed=False)
        assert got[0, :real, 0].tolist() == wanted


def test_eps_starts_at_zero_and_weighs_the_node_itself() -> None:
    conv = WmaGinConv(2, 3)
    assert conv.eps.item() == 0
    x_BNF = torch.ones(1, 1, 2)
    with torch.no_grad():
        conv.eps.fill_(0.5)
    torch.testing.assert_close(conv(x_BNF, torch.zeros_like), conv.linear(1.5 * x_BNF))


def test_windows_are_read() -> None:
    assert (window_of("window:3"), window_of("cycle"), window_of("line")) == (3, None, None)


@pytest.mark.parametrize("graph", ["ring", "window", "window:0", "window:-1", "window:two", ""])
def test_other_graphs_are_refused(graph: str) -> None:
    sentence = (
        r"^`graph` must be `cycle`, `line` or `window:K` with K of at least 1, "
        rf"but is `{graph}` instead\.$"
    )
    with pytest.raises(ModelConfigError, match=sentence):
        window_of(graph)
