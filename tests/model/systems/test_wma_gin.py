from dataclasses import fields, replace
from fractions import Fraction
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from model.config import Aggregators, ModelConfig
from model.errors import ModelConfigError
from model.network.nodes import Nodes
from model.systems.wma_gin import BiGru, WmaGin

R_STAR: dict[str, Any] = {"layer_norm": True, "deep_heads": True, "attention_output": True}
SMALL = ModelConfig(hidden=16)


def parameters(network: WmaGin) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def network_of(config: ModelConfig = SMALL, seed: int = 0, **more: Any) -> WmaGin:
    torch.manual_seed(seed)
    return WmaGin.from_config(config, 6, 4, 120, **more)


def batch_of(*lengths: int, padded: int | None = None) -> tuple[Tensor, Tensor]:
    draw = torch.Generator().manual_seed(5)
    x_BNF = torch.randn(len(lengths), padded or max(lengths), 6, generator=draw)
    return x_BNF, torch.tensor(lengths)


def test_reading_r0_has_579864_parameters_and_r_star_976664() -> None:
    assert parameters(WmaGin.from_config(ModelConfig(), 78, 4, 120)) == 579_864
    assert parameters(WmaGin.from_config(ModelConfig(**R_STAR), 78, 4, 120)) == 976_664


def test_log_mel_input_adds_51200_parameters() -> None:
    assert parameters(WmaGin.from_config(ModelConfig(), 128, 4, 120)) == 631_064


@pytest.mark.parametrize("layers", range(1, 9))
def test_l_layers_have_l_plus_one_stages_and_the_last_is_g(layers: int) -> None:
    network = network_of(replace(SMALL, layers=layers, fa_layers=(layers,)))
    logits = network(*(batch := batch_of(5, 3)), batch[1])
    assert logits.stages_SBC.shape == (layers + 1, 2, 4)
    assert torch.equal(logits.stages_SBC[-1], logits.total_BC)


def test_g_is_the_sum_of_all_heads_and_a_has_no_stage_of_its_own() -> None:
    network = network_of()
    x_BNF, nodes_B = batch_of(5, 3)
    logits = network(x_BNF, nodes_B, nodes_B)
    nodes = Nodes.of(nodes_B, 5)
    a_BC = network.heads[0](nodes.pooled(network.gru(x_BNF, nodes), "mean"))
    torch.testing.assert_close(a_BC + logits.stages_SBC[:-1].sum(0), logits.total_BC)


def test_the_bigru_reads_what_packed_sequences_read() -> None:
    torch.manual_seed(0)
    gru, packed_gru = BiGru(6), nn.GRU(6, 128, batch_first=True, bidirectional=True)
    for name, parameter in packed_gru.named_parameters():
        half = gru.backwards if name.endswith("_reverse") else gru.forwards
        parameter.data = getattr(half, name.removesuffix("_reverse")).data
    x_BNF, nodes_B = batch_of(7, 2, 1, 5)
    nodes = Nodes.of(nodes_B, 7)
    packed = nn.utils.rnn.pack_padded_sequence(
        x_BNF, nodes_B, batch_first=True, enforce_sorted=False
    )
    wanted_BNG, _ = nn.utils.rnn.pad_packed_sequence(packed_gru(packed)[0], batch_first=True)
    torch.testing.assert_close(nodes.cleared(gru(x_BNF, nodes)), wanted_BNG)


VARIANTS = {
    "R0": {},
    "R*": R_STAR,
    "without self": {"fa_self": False},
    "no FA": {"fa_layers": ()},
    "all FA": {"fa_layers": (1, 2, 3, 4)},
    "line": {"graph": "line"},
    "window": {"graph": "window:2"},
    "sum pooling": {"pooling": "sum"},
    "without attention": {"attention": False},
    "without Bi-GRU": {"bigru": False},
    "without residual": {"residual": False},
    "none of the three": {"attention": False, "bigru": False, "residual": False},
    "one layer": {"layers": 1, "fa_layers": (1,)},
    "eight layers": {"layers": 8, "fa_layers": (6,)},
    "hidden 256": {"hidden": 256},
    "without stage loss": {"stage_loss": False},
    "softmax only": {
        "aggregators": Aggregators(softmax=Fraction(1), sum=Fraction(0), mean=Fraction(0))
    },
}


@pytest.mark.parametrize("variant", VARIANTS.values(), ids=VARIANTS.keys())
def test_a_padded_segment_scores_and_learns_what_its_unpadded_twin_does(
    variant: dict[str, Any],
) -> None:
    x_BNF, nodes_B = batch_of(9, 4, 1, 2)
    labels_B = torch.tensor([0, 1, 2, 3])
    network = network_of(replace(SMALL, **variant))
    dirty_BNF = torch.full((4, 12, 6), float("nan"))
    for segment, length in enumerate(nodes_B.tolist()):
        dirty_BNF[segment, :length] = x_BNF[segment, :length]
    dirty_BNF.requires_grad_()
    padded = network(dirty_BNF, nodes_B, nodes_B)
    network.loss(padded, labels_B).backward()
    assert dirty_BNF.grad is not None
    gradients = {n: p.grad.clone() for n, p in network.named_parameters() if p.grad is not None}
    network.zero_grad()
    for segment, length in enumerate(nodes_B.tolist()):
        one = slice(segment, segment + 1)
        clean_BNF = x_BNF[one, :length].clone().requires_grad_()
        twin = network(clean_BNF, nodes_B[one], nodes_B[one])
        torch.testing.assert_close(twin.stages_SBC, padded.stages_SBC[:, one], rtol=0, atol=1e-5)
        (network.loss(twin, labels_B[one]) / 4).backward()
        at_frames_BNF = dirty_BNF.grad[one]
        torch.testing.assert_close(at_frames_BNF[:, :length], clean_BNF.grad, rtol=0, atol=1e-5)
        assert not at_frames_BNF[:, length:].any()
    for name, parameter in network.named_parameters():
        if parameter.grad is not None:
            scale = max(1.0, float(parameter.grad.abs().max()))
            error = (parameter.grad - gradients[name]).abs().max() / scale
            assert error < 1e-5, name


@pytest.mark.parametrize("bigru", [True, False])
@pytest.mark.parametrize("residual", [True, False])
def test_without_attention_head_e_pools_the_last_layer(bigru: bool, residual: bool) -> None:
    network = network_of(replace(SMALL, attention=False, bigru=bigru, residual=residual))
    x_BNF, nodes_B = batch_of(5, 3)
    nodes = Nodes.of(nodes_B, 5)
    first_BNG = network.gru(network.scaled(x_BNF, nodes_B), nodes)
    outputs = [first_BNG]
    for layer, aggregate in zip(network.convs, network._neighbourhoods(nodes), strict=True):
        y_BNH = layer(outputs[-1], aggregate).relu()
        outputs.append(y_BNH + outputs[-1] if residual and len(outputs) > 1 else y_BNH)
    e_BC = network.heads[-1](nodes.pooled(outputs[-1], "mean"))
    torch.testing.assert_close(network(x_BNF, nodes_B, nodes_B).stages_SBC[-2], e_BC)


def test_without_bigru_no_node_hears_of_another_before_the_first_layer() -> None:
    x_BNF, nodes_B = batch_of(5)
    other_BNF = x_BNF.clone()
    other_BNF[0, 2] += 1
    nodes = Nodes.of(nodes_B, 5)
    for bigru in (True, False):
        gru = network_of(replace(SMALL, bigru=bigru)).gru
        one_BNG, changed_BNG = gru(x_BNF, nodes), gru(other_BNF, nodes)
        assert one_BNG.shape == (1, 5, 256) and one_BNG.abs().max() < 1
        moved = {n for n in range(5) if not torch.equal(one_BNG[0, n], changed_BNG[0, n])}
        assert moved == ({0, 1, 2, 3, 4} if bigru else {2})


def test_where_zeros_are_nodes_they_count() -> None:
    network = network_of()
    x_BNF, frames_B = batch_of(9, 4)
    masked = network(x_BNF, frames_B, frames_B).total_BC
    counted = network(x_BNF, frames_B, torch.tensor([9, 9])).total_BC
    torch.testing.assert_close(masked[0], counted[0])
    assert not torch.allclose(masked[1], counted[1])


def test_the_scaler_stands_at_the_input_and_padding_is_zero_behind_it() -> None:
    mean_F, std_F = torch.arange(6.0), torch.full((6,), 2.0)
    network = network_of(mean_F=mean_F, std_F=std_F)
    scaled = network.scaled(torch.full((1, 3, 6), 10.0), torch.tensor([2]))
    torch.testing.assert_close(scaled[0, 0], (10 - mean_F) / 2)
    assert (scaled[0, 2] == 0).all()
    assert {"mean_F", "std_F"} <= network.state_dict().keys()


@pytest.mark.parametrize("variant", VARIANTS.values(), ids=VARIANTS.keys())
def test_gradients_reach_every_parameter_but_the_bias_softmax_forgets(
    variant: dict[str, Any],
) -> None:
    network = network_of(replace(SMALL, **variant))
    x_BNF, nodes_B = batch_of(9, 4, 7, 8)
    network.loss(network(x_BNF, nodes_B, nodes_B), torch.tensor([0, 1, 2, 3])).backward()
    unreached = {
        name
        for name, parameter in network.named_parameters()
        if parameter.grad is None or not parameter.grad.any()
    }
    assert unreached == {"attention.key.bias"} & dict(network.named_parameters()).keys()


OTHER: dict[str, Any] = {
    "layers": 3,
    "hidden": 8,
    "aggregators": Aggregators(softmax=Fraction(1), sum=Fraction(0), mean=Fraction(0)),
    "fa_layers": (3,),
    "fa_self": False,
    "graph": "line",
    "pooling": "sum",
    "stage_loss": False,
    "attention": False,
    "bigru": False,
    "residual": False,
    "dropout": 0.5,
    "layer_norm": True,
    "deep_heads": True,
    "attention_output": True,
}


@pytest.mark.parametrize("axis", OTHER)
def test_no_axis_is_dead(axis: str) -> None:
    x_BNF, nodes_B = batch_of(9, 4)
    losses = []
    for config in (SMALL, replace(SMALL, **{axis: OTHER[axis]})):
        network = network_of(config)
        losses.append(network.loss(network(x_BNF, nodes_B, nodes_B), nodes_B % 4).item())
    assert losses[0] != losses[1]


def test_the_axes_above_are_all_there_are() -> None:
    assert OTHER.keys() == {field.name for field in fields(ModelConfig)} - {"model"}


@pytest.mark.parametrize(
    "wrong, sentence",
    [
        ({"layers": 0}, "`layers` must be between 1 and 8, but is 0 instead."),
        ({"layers": 9}, "`layers` must be between 1 and 8, but is 9 instead."),
        ({"dropout": 1.0}, "`dropout` must be between 0 and 0.9, but is 1.0 instead."),
        ({"hidden": 0}, "`hidden` must be between 1 and 4096, but is 0 instead."),
        (
            {"fa_layers": (5,)},
            "`fa_layers` must be between 1 and `layers` (4), but is 5 instead.",
        ),
        (
            {"aggregators": Aggregators(sum=Fraction(1))},
            "`aggregators` must not be negative and sum to 1, "
            "but is softmax 1/3, sum 1, mean 1/3 instead.",
        ),
        (
            {"graph": "star"},
            "`graph` must be `cycle`, `line` or `window:K` with K of at least 1, "
            "but is `star` instead.",
        ),
    ],
)
def test_an_impossible_configuration_is_refused(wrong: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ModelConfigError) as caught:
        WmaGin.from_config(replace(ModelConfig(), **wrong), 6, 4, 120)
    assert str(caught.value) == sentence


@pytest.mark.parametrize(
    "x_BNF, frames, nodes, sentence",
    [
        ((2, 5), [1], [1], "`x_BNF` must have the shape (B, N, 6), but has (2, 5) instead."),
        ((2, 5, 7), [1], [1], "`x_BNF` must have the shape (B, N, 6), but has (2, 5, 7) instead."),
        ((2, 5, 6), [5], [5, 5], "`frames_B` must have the shape (2,), but has (1,) instead."),
        (
            (2, 5, 6),
            [5, 5],
            [5, 0],
            "`nodes_B` must be between 1 and N = 5, but is 0 to 5 instead.",
        ),
        (
            (2, 5, 6),
            [5, 6],
            [5, 5],
            "`frames_B` must be between 1 and N = 5, but is 5 to 6 instead.",
        ),
    ],
)
def test_a_batch_of_the_wrong_shape_is_refused(
    x_BNF: tuple[int, ...], frames: list[int], nodes: list[int], sentence: str
) -> None:
    with pytest.raises(ValueError) as caught:
        network_of()(torch.zeros(x_BNF), torch.tensor(frames), torch.tensor(nodes))
    assert str(caught.value) == sentence


def test_dropout_acts_in_training_alone_and_none_of_it_draws_nothing() -> None:
    x_BNF, nodes_B = batch_of(12, 7, 9)
    plain, dropped = network_of(SMALL), network_of(replace(SMALL, dropout=0.5))
    dropped.load_state_dict(plain.state_dict())
    before = torch.get_rng_state()
    plain.train()(x_BNF, nodes_B, nodes_B)
    assert torch.equal(torch.get_rng_state(), before)  # so earlier trials keep their numbers
    scored = [net.eval()(x_BNF, nodes_B, nodes_B).total_BC for net in (plain, dropped)]
    assert torch.equal(*scored)
    dropped.train()
    one, other = (dropped(x_BNF, nodes_B, nodes_B).total_BC for _ in range(2))
    assert not torch.equal(one, other)
