import torch

from model.network.nodes import Nodes

X_BNH = torch.arange(12.0).view(2, 6, 1)
NODES = Nodes.of(torch.tensor([4, 6]), 6)


def test_reversing_turns_the_real_nodes_round_and_leaves_the_padding() -> None:
    assert NODES.reversed(X_BNH)[0].flatten().tolist() == [3, 2, 1, 0, 4, 5]
    assert NODES.reversed(X_BNH)[1].flatten().tolist() == [11, 10, 9, 8, 7, 6]


def test_from_end_counts_from_the_last_real_node_and_stops_at_the_first() -> None:
    assert NODES.from_end(X_BNH, 1).flatten().tolist() == [3, 11]
    assert NODES.from_end(X_BNH, 9).flatten().tolist() == [0, 6]


def test_pooling_sees_real_nodes_only() -> None:
    assert NODES.pooled(X_BNH, "mean").flatten().tolist() == [1.5, 8.5]
    assert NODES.pooled(X_BNH, "sum").flatten().tolist() == [6, 51]
