"""What every network that WMA-GIN is compared with must keep."""

import json
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from model.config import ModelConfig, TrainConfig
from model.network.graph_network import GraphNetwork
from model.network.layers.batch_norm import RealBatchNorm
from model.network.nodes import Nodes
from model.systems.catalogue import SYSTEMS
from model.systems.compact import cosines
from model.systems.ga_gru import similar
from model.training.fit import (
    Fit,
    TrainingState,
    fit,
    initialise,
    state_from,
    state_numbers,
    state_tensors,
)

COMPARED = [name for name, system in SYSTEMS.items() if system.network and name != "wma-gin"]
each = pytest.mark.parametrize("name", COMPARED)

LR = {"gcn": 1e-2, "gat": 1e-2, "lstm-gin": 1e-3}
"""Learning rates at which 32 segments are learnt in few epochs; 3e-3 for the others."""


def network_of(name: str, *, nodes: int = 12, seed: int = 0) -> GraphNetwork:
    return initialise(ModelConfig(model=name), 6, 4, seed, nodes=nodes)


def batch_of(*lengths: int) -> tuple[Tensor, Tensor]:
    draw = torch.Generator().manual_seed(5)
    return torch.randn(len(lengths), max(lengths), 6, generator=draw), torch.tensor(lengths)


def scores(network: GraphNetwork, x_BNF: Tensor, nodes_B: Tensor) -> Tensor:
    network.eval()
    with torch.no_grad():
        return network(x_BNF, nodes_B, nodes_B).total_BC


@each
def test_it_learns_32_segments_by_heart(segments_of: Callable, name: str) -> None:
    segments = segments_of(32)
    config = TrainConfig(lr=LR.get(name, 3e-3), batch=16, epochs=24, patience=24)
    result = fit(network_of(name), segments, segments, segments, config, classes=4, seed=0)
    recognised = result.tests_a.at_chosen_SC.argmax(1) == segments.labels_S
    assert recognised.float().mean() == 1


@each
def test_gradients_reach_every_parameter(name: str) -> None:
    network = network_of(name)
    x_BNF, nodes_B = batch_of(12, 5, 9, 7)
    network.loss(network(x_BNF, nodes_B, nodes_B), torch.tensor([0, 1, 2, 3])).backward()
    for parameter_name, parameter in network.named_parameters():
        assert parameter.grad is not None and parameter.grad.any(), parameter_name


@each
def test_the_same_seed_gives_the_same_bits_resumed_or_not(segments_of: Callable, name: str) -> None:
    def trained(seed: int, resume: TrainingState | None = None) -> tuple[Fit, list[TrainingState]]:
        states: list[TrainingState] = []
        sets = (segments_of(16), segments_of(8, seed=1), segments_of(8, seed=2))
        config = TrainConfig(lr=1e-3, batch=8, epochs=3)
        result = fit(
            network_of(name, seed=seed),
            *sets,
            config,
            classes=4,
            seed=seed,
            resume=resume,
            on_epoch=states.append,
        )
        return result, states

    straight, states = trained(0)
    torch.manual_seed(12345)  # whatever was drawn before

    def kept(state: TrainingState) -> TrainingState:
        numbers = json.loads(json.dumps(state_numbers(state)))
        tensors = {key: tensor.clone() for key, tensor in state_tensors(state).items()}
        return state_from(tensors, numbers)

    # The weights of epochs 2 and 3 are averaged: the second state lies in the middle.
    resumed = [trained(0, kept(state))[0] for state in states[:2]]
    for again in (trained(0)[0], *resumed):
        assert again.history == straight.history
        assert torch.equal(again.tests_a.at_last_SC, straight.tests_a.at_last_SC)
        for key, tensor in straight.tests_a.weights.items():
            assert torch.equal(again.tests_a.weights[key], tensor), key
        assert again.averaged is not None and straight.averaged is not None
        assert torch.equal(again.averaged.b_SC, straight.averaged.b_SC)
        for key, tensor in straight.averaged.weights.items():
            assert torch.equal(again.averaged.weights[key], tensor), key
    assert trained(1)[0].history != straight.history


@each
def test_a_padded_segment_scores_as_its_unpadded_twin(name: str) -> None:
    network = network_of(name)
    x_BNF, nodes_B = batch_of(9, 4, 1, 2)
    network(x_BNF, nodes_B, nodes_B)  # batch statistics that are not those of the start
    dirty_BNF = torch.full((4, 12, 6), float("nan"))
    for segment, length in enumerate(nodes_B.tolist()):
        dirty_BNF[segment, :length] = x_BNF[segment, :length]
    padded_BC = scores(network, dirty_BNF, nodes_B)
    for segment, length in enumerate(nodes_B.tolist()):
        one = slice(segment, segment + 1)
        twin_BC = scores(network, x_BNF[one, :length], nodes_B[one])
        torch.testing.assert_close(twin_BC, padded_BC[one], rtol=1e-4, atol=1e-4)


@each
def test_a_batch_learns_the_same_whatever_it_is_padded_to(name: str) -> None:
    """Batch statistics and auxiliary losses included: all are taken over real nodes."""
    x_BNF, nodes_B = batch_of(9, 4, 6)
    wide_BNF = torch.cat([x_BNF, torch.full((3, 3, 6), float("nan"))], dim=1)
    losses = []
    for values in (x_BNF, wide_BNF):
        network = network_of(name)
        torch.manual_seed(0)
        nodes = Nodes.of(nodes_B, values.shape[1])
        logits = network._logits(network.scaled(values, nodes_B), nodes)
        losses.append(network.loss(logits, torch.tensor([0, 1, 2])).item())
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)


@each
def test_where_zeros_are_nodes_they_count(name: str) -> None:
    network = network_of(name)
    x_BNF, frames_B = batch_of(9, 4)
    network.eval()
    masked = network(x_BNF, frames_B, frames_B).total_BC
    counted = network(x_BNF, frames_B, torch.tensor([9, 9])).total_BC
    torch.testing.assert_close(masked[0], counted[0])
    assert not torch.allclose(masked[1], counted[1])


CYCLE = ("gcn", "gat")
"""Systems that know of time only who stands next to whom, in a cycle."""


@each
def test_only_a_cycle_forgets_where_it_begins_and_which_way_it_runs(name: str) -> None:
    network = network_of(name)
    x_BNF, nodes_B = batch_of(10)
    wanted_BC = scores(network, x_BNF, nodes_B)
    turned_BC = scores(network, x_BNF.roll(3, dims=1), nodes_B)
    mirrored_BC = scores(network, x_BNF.flip(1), nodes_B)
    assert torch.allclose(turned_BC, wanted_BC, atol=1e-5) == (name in CYCLE)
    assert torch.allclose(mirrored_BC, wanted_BC, atol=1e-5) == (name in CYCLE)


@each
def test_the_order_of_nodes_matters_to_all(name: str) -> None:
    network = network_of(name)
    x_BNF, nodes_B = batch_of(10)
    shuffled_BNF = x_BNF[:, torch.randperm(10, generator=torch.Generator().manual_seed(1))]
    one, other = scores(network, x_BNF, nodes_B), scores(network, shuffled_BNF, nodes_B)
    assert not torch.allclose(one, other, atol=1e-5)


@each
def test_two_and_seven_classes_and_a_lone_node_are_trained_too(name: str) -> None:
    for classes in (2, 7):
        network = initialise(ModelConfig(model=name), 6, classes, 0, nodes=12)
        one = torch.ones(1, dtype=torch.int64)
        logits = network(torch.ones(1, 1, 6), one, one)
        assert logits.total_BC.shape == (1, classes)
        assert network.loss(logits, one * 0).isfinite()


def test_the_cosine_transform_is_orthonormal_and_diagonalises_the_line() -> None:
    nodes = Nodes.of(torch.tensor([7, 4]), 7, torch.float64)
    u_BNN = cosines(nodes)
    for segment, length in ((0, 7), (1, 4)):
        u = u_BNN[segment, :length, :length]
        torch.testing.assert_close(u.T @ u, torch.eye(length, dtype=torch.float64))
        apart = (torch.arange(length)[:, None] - torch.arange(length)).abs()
        line = (apart == 1).double()
        spectrum = u.T @ (line.sum(1).diag() - line) @ u
        torch.testing.assert_close(spectrum, spectrum.diag().diag())
    assert not u_BNN[1, 4:].any() and not u_BNN[1, :, 4:].any()


def test_a_frame_is_joined_to_the_most_similar_ones_wherever_they_stand() -> None:
    """Two directions alternate in time: every neighbour chosen first points the same way."""
    h_BNG = torch.zeros(2, 20, 2)
    h_BNG[:, ::2, 0], h_BNG[:, 1::2, 1] = 1.0, 1.0
    nodes = Nodes.of(torch.tensor([20, 3]), 20)
    source_E, target_E = similar(h_BNG, nodes)
    first = target_E < 20
    assert ((source_E - target_E)[first] % 2 == 0).all() and (source_E != target_E).all()
    assert torch.bincount(target_E[first]).tolist() == [8] * 20
    short = torch.stack([source_E, target_E])[:, ~first] - 20
    assert short.max() == 2 and short.shape[1] == 6  # three real nodes, each joined to two


def test_batch_normalisation_sees_real_nodes_only() -> None:
    norm = RealBatchNorm(3)
    x_BNH = torch.randn(2, 5, 3, generator=torch.Generator().manual_seed(0))
    nodes = Nodes.of(torch.tensor([5, 2]), 5)
    real_VH = norm(x_BNH, nodes)[nodes.real_BN]
    torch.testing.assert_close(real_VH.mean(0), torch.zeros(3), atol=1e-6, rtol=0)
    torch.testing.assert_close(real_VH.var(0, correction=0), torch.ones(3), atol=1e-3, rtol=0)
