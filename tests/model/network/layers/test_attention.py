import math

import pytest
import torch
from torch import Tensor

from model.network.layers.attention import MultiPhaseAttention
from model.network.nodes import Nodes

LENGTHS_B = torch.tensor([5, 3, 1])


def plainly(mpa: MultiPhaseAttention, x: Tensor, gru: Tensor, last: Tensor, pooling: str) -> Tensor:
    """The formula of the paper's words, one segment at a time, nothing rearranged."""
    results = []
    for segment, nodes in enumerate(LENGTHS_B.tolist()):
        query, key = mpa.query(x[segment, :nodes]), mpa.key(gru[segment, :nodes])
        shares = (query @ key.T / math.sqrt(key.shape[1])).softmax(1)
        result = shares @ mpa.value(last[segment, :nodes])
        result = result if mpa.output is None else mpa.output(result)
        results.append(result.mean(0) if pooling == "mean" else result.sum(0))
    return torch.stack(results)


@pytest.mark.parametrize("pooling", ["mean", "sum"])
@pytest.mark.parametrize("output_map", [False, True])
def test_the_rearranged_form_equals_the_plain_one(output_map: bool, pooling: str) -> None:
    torch.manual_seed(0)
    mpa = MultiPhaseAttention(6, 8, 10, output_map=output_map).double()
    inputs = [torch.randn(3, 5, width, dtype=torch.float64) for width in (6, 8, 10)]
    nodes = Nodes.of(LENGTHS_B, 5, torch.float64)
    got_BH, wanted_BH = mpa(*inputs, nodes, pooling), plainly(mpa, *inputs, pooling)  # type: ignore[call-arg]
    torch.testing.assert_close(got_BH, wanted_BH)
    up_BH = torch.randn_like(wanted_BH)
    parameters = dict(mpa.named_parameters())
    wanted = torch.autograd.grad(wanted_BH, list(parameters.values()), up_BH)
    parameters_read = [value for name, value in parameters.items() if name != "key.bias"]
    got = iter(torch.autograd.grad(got_BH, parameters_read, up_BH))
    for name, gradient in zip(parameters, wanted, strict=True):
        if name == "key.bias":  # the softmax forgets it: its gradient is nothing but rounding
            assert gradient.abs().max() < 1e-14
        else:
            torch.testing.assert_close(next(got), gradient, msg=name)


def test_shares_of_padded_keys_are_zero_and_each_row_sums_to_one() -> None:
    mpa = MultiPhaseAttention(6, 8, 10, output_map=False)
    shares_BNN = mpa.shares(torch.randn(3, 5, 6), torch.randn(3, 5, 8), Nodes.of(LENGTHS_B, 5))
    assert (shares_BNN[1, :, 3:] == 0).all()
    torch.testing.assert_close(shares_BNN.sum(2), torch.ones(3, 5))
