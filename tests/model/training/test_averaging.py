from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from model.config import ModelConfig, TrainConfig
from model.evaluation.scoring import log_probabilities
from model.network.graph_network import GraphNetwork
from model.training.averaging import first_averaged
from model.training.fit import Fit, TrainingState, fit, initialise

SMALL = ModelConfig(layers=2, hidden=16)
CONFIG = TrainConfig(lr=3e-3, batch=8, epochs=5)


def trained(
    segments_of: Callable,
    config: TrainConfig = CONFIG,
    model: ModelConfig = SMALL,
    order: Tensor | None = None,
) -> tuple[Fit, list[TrainingState], GraphNetwork]:
    """Train on synthetic segments; ``order`` permutes the labels of both held-out halves."""
    states: list[TrainingState] = []
    network = initialise(model, 6, 4, 0, nodes=10)
    halves = segments_of(12, seed=1), segments_of(12, seed=2)
    for half in halves if order is not None else ():
        half.labels_S = half.labels_S[::2][order].repeat_interleave(2)
    result = fit(
        network, segments_of(32), *halves, config, classes=4, seed=0, on_epoch=states.append
    )
    return result, states, network


@pytest.mark.parametrize(("epochs", "first"), [(1, 1), (2, 2), (3, 2), (4, 3), (5, 3), (15, 8)])
def test_the_mean_begins_after_the_first_half_of_the_epochs(epochs: int, first: int) -> None:
    assert first_averaged(epochs) == first


@pytest.mark.parametrize("epochs", [1, 4, 5])
def test_weights_are_the_mean_over_the_second_half_of_the_epochs(
    segments_of: Callable, epochs: int
) -> None:
    result, states, network = trained(segments_of, replace(CONFIG, epochs=epochs))
    mean = result.averaged
    assert mean is not None and mean.epoch == epochs
    averaged = states[first_averaged(epochs) - 1 :]
    for name, tensor in mean.weights.items():
        stacked = torch.stack([state.network[name].double() for state in averaged])
        assert tensor.dtype == torch.float32
        torch.testing.assert_close(tensor.double(), stacked.mean(0), rtol=1e-7, atol=1e-9)
    assert all(torch.equal(network.state_dict()[k], v) for k, v in states[-1].network.items())
    network.load_state_dict(mean.weights)
    assert torch.equal(mean.a_SC, log_probabilities(network, segments_of(12, seed=1)))
    assert torch.equal(mean.b_SC, log_probabilities(network, segments_of(12, seed=2)))


def test_no_label_of_the_held_out_halves_changes_a_bit_of_it(segments_of: Callable) -> None:
    one, *_ = trained(segments_of)
    other, *_ = trained(segments_of, order=torch.tensor([3, 1, 5, 0, 2, 4]))
    assert one.history != other.history
    assert one.averaged is not None and other.averaged is not None
    assert torch.equal(one.averaged.a_SC, other.averaged.a_SC)
    assert torch.equal(one.averaged.b_SC, other.averaged.b_SC)
    assert all(
        torch.equal(tensor, other.averaged.weights[name])
        for name, tensor in one.averaged.weights.items()
    )


def test_a_training_that_stops_early_has_none_not_the_mean_so_far(segments_of: Callable) -> None:
    result, states, _ = trained(segments_of, replace(CONFIG, lr=0.0, epochs=6, patience=4))
    assert result.epochs == 5 and states[-1].summed
    assert result.averaged is None


@contextmanager
def seen_by(norms: list[nn.Module]) -> Iterator[list[Tensor]]:
    """The inputs of these layers, while a network is called."""
    inputs: list[Tensor] = []
    hooks = [norm.register_forward_pre_hook(lambda _, x: inputs.append(x[0])) for norm in norms]
    yield inputs
    for hook in hooks:
        hook.remove()


@pytest.mark.parametrize("model", ["l-grin", "compact"])
def test_batch_statistics_are_those_of_the_training_segments(
    segments_of: Callable, model: str
) -> None:
    """32 segments are one batch: its mean and variance are what each layer must have."""
    result, _, network = trained(segments_of, model=ModelConfig(model=model))
    assert result.averaged is not None
    network.load_state_dict(result.averaged.weights)
    norms = [part for part in network.modules() if isinstance(part, _BatchNorm)]
    network.eval()
    for norm in norms:
        norm.train()  # so that every layer normalises by its batch, as in the pass
    before = [(norm.running_mean.clone(), norm.running_var.clone()) for norm in norms]
    with torch.no_grad(), seen_by(norms) as inputs:
        network(*segments_of(32).batch(torch.arange(32)))
    for (mean_H, variance_H), x_RH in zip(before, inputs, strict=True):
        torch.testing.assert_close(mean_H, x_RH.mean(0), rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(variance_H, x_RH.var(0), rtol=1e-4, atol=1e-5)
