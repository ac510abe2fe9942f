import functools
import itertools
import json
from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any

import pytest
import torch

from model.config import ModelConfig, TrainConfig
from model.errors import DivergedError, ModelError
from model.evaluation import epoch_selection
from model.evaluation.scoring import Score
from model.training.fit import (
    Fit,
    TrainingState,
    better,
    class_weights,
    fit,
    initialise,
    state_from,
    state_numbers,
    state_tensors,
)

SMALL = ModelConfig(layers=2, hidden=16)
QUICK = TrainConfig(lr=3e-3, batch=8, epochs=5)


def train(
    segments_of: Callable, config: TrainConfig = QUICK, model: ModelConfig = SMALL, **more: Any
) -> tuple[Fit, list[TrainingState]]:
    states: list[TrainingState] = []
    result = fit(
        initialise(model, 6, 4, more.pop("init_seed", 0), nodes=120),
        segments_of(32),
        segments_of(12, seed=1),
        segments_of(14, seed=2),
        config,
        classes=4,
        seed=more.pop("seed", 0),
        on_epoch=states.append,
        **more,
    )
    return result, states


trained = functools.cache(train)
"""The same, trained once for all tests that only read what came of it."""


def same(one: Fit, other: Fit) -> bool:
    def scored(result: Fit) -> list[torch.Tensor]:
        sides = (result.tests_a, result.tests_b)
        return [
            tensor
            for side in sides
            for tensor in (
                side.at_chosen_SC,
                side.at_last_SC,
                side.at_best_on_test_SC,
                *side.weights.values(),
            )
        ] + averaged(result)

    def averaged(result: Fit) -> list[torch.Tensor]:
        mean = result.averaged
        return [mean.a_SC, mean.b_SC, *mean.weights.values()] if mean else []

    pairs = zip(scored(one), scored(other), strict=True)
    return one.history == other.history and all(itertools.starmap(torch.equal, pairs))


@pytest.mark.parametrize("model", [ModelConfig(hidden=32), replace(SMALL, layer_norm=True)])
def test_it_learns_32_segments_by_heart(segments_of: Callable, model: ModelConfig) -> None:
    segments = segments_of(32)
    network = initialise(model, 6, 4, seed=0, nodes=120)
    config = TrainConfig(lr=3e-3, batch=16, epochs=20, patience=20)
    result = fit(network, segments, segments, segments, config, classes=4, seed=0)
    assert max(epoch.a.wa for epoch in result.history) == 1
    recognised = result.tests_a.at_chosen_SC.argmax(1) == segments.labels_S
    assert recognised.float().mean() == 1


def test_the_same_seed_gives_the_same_bits_and_another_seed_others(segments_of: Callable) -> None:
    first, _ = trained(segments_of)
    torch.manual_seed(12345)  # whatever was drawn before
    again, _ = train(segments_of)
    other, _ = train(segments_of, seed=1)
    assert same(first, again)
    assert not same(first, other)


@pytest.mark.parametrize("epoch", range(1, 6))
@pytest.mark.parametrize(("dropout", "patience"), [(0.0, 20), (0.4, 20), (0.0, 1)])
def test_resumed_after_any_epoch_it_ends_in_the_same_bits(
    segments_of: Callable, epoch: int, dropout: float, patience: int
) -> None:
    model, config = replace(SMALL, dropout=dropout), replace(QUICK, patience=patience)
    straight, states = trained(segments_of, config, model=model)
    numbers = json.loads(json.dumps(state_numbers(states[epoch - 1])))
    tensors = {name: tensor.clone() for name, tensor in state_tensors(states[epoch - 1]).items()}
    resumed, rest = train(
        segments_of, model=model, resume=state_from(tensors, numbers), init_seed=99
    )
    assert same(straight, resumed)
    assert len(rest) == 5 - epoch


def test_no_state_is_touched_by_the_epochs_after_it(segments_of: Callable) -> None:
    _, states = trained(segments_of)
    _, fresh = train(segments_of, replace(QUICK, epochs=1))
    before, after = (
        {name: tensor for name, tensor in state_tensors(state).items() if "summed" not in name}
        for state in (fresh[0], states[0])  # of one epoch the first is averaged, of five it is not
    )
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_each_side_is_tested_at_the_epoch_chosen_on_the_other(segments_of: Callable) -> None:
    result, states = train(segments_of, replace(QUICK, epochs=12, patience=12))

    def best(side: str) -> int:
        scores = [getattr(epoch, side) for epoch in result.history]
        return max(range(len(scores)), key=lambda i: (scores[i].ua, -scores[i].loss, -i)) + 1

    assert (result.tests_b.chosen, result.tests_a.chosen) == (best("a"), best("b"))
    assert (result.tests_a.best_on_test, result.tests_b.best_on_test) == (best("a"), best("b"))
    chosen = states[best("a") - 1]
    assert torch.equal(result.tests_b.at_chosen_SC, chosen.tests_b.at_last_SC)
    assert torch.equal(result.tests_a.at_best_on_test_SC, chosen.tests_a.at_last_SC)
    assert all(torch.equal(result.tests_b.weights[k], v) for k, v in chosen.network.items())
    assert torch.equal(result.tests_a.at_last_SC, states[-1].tests_a.at_last_SC)


@pytest.mark.parametrize("half", ["a", "b"])
def test_labels_of_the_tested_half_change_nothing_that_the_other_half_chose(
    segments_of: Callable, half: str
) -> None:
    """Training goes on past the direction's end here, by other numbers of epochs."""
    halves = {"a": segments_of(12, seed=1), "b": segments_of(14, seed=2)}
    if half == "a":
        halves = {"a": halves["b"], "b": halves["a"]}
    utterances = halves[half].labels_S[::2]
    found = []
    for draw in (None, 1, 2):
        if draw is not None:
            order = torch.randperm(7, generator=torch.Generator().manual_seed(draw))
            halves[half].labels_S = utterances[order].repeat_interleave(2)
        network = initialise(SMALL, 6, 4, 12, nodes=120)
        config = replace(QUICK, epochs=30, patience=2)
        found.append(
            fit(network, segments_of(32), halves["a"], halves["b"], config, classes=4, seed=12)
        )
    assert len({result.epochs for result in found}) > 1  # the labels do decide how long it trains
    first, *others = [getattr(result, f"tests_{half}") for result in found]
    dev = "b" if half == "a" else "a"
    scores = [getattr(epoch, dev) for epoch in found[0].history]
    assert better(scores[-1], scores[first.chosen - 1])  # what came after its end would have won
    for other in others:
        assert (other.chosen, other.last) == (first.chosen, first.last)
        assert torch.equal(other.at_chosen_SC, first.at_chosen_SC)
        assert torch.equal(other.at_last_SC, first.at_last_SC)
        assert all(torch.equal(other.weights[k], v) for k, v in first.weights.items())


def test_a_direction_keeps_what_it_had_when_its_own_patience_was_over(
    segments_of: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    a_then_b = iter([0.6, 0.4, 0.5, 0.5, 0.5, 0.6, 0.9, 0.7, 0.5, 0.6, 0.5, 0.6])
    monkeypatch.setattr(epoch_selection, "score", lambda *_: Score(1.0, next(a_then_b), 0.5))
    result, states = train(segments_of, replace(QUICK, epochs=50, patience=2))
    assert result.epochs == 6  # b was best in epoch 4, two epochs ago
    frozen = result.tests_b  # a was best in epoch 1; its epoch 4 comes after its patience
    assert (frozen.chosen, frozen.last, frozen.best_on_test) == (1, 3, 3)
    assert torch.equal(frozen.at_last_SC, states[2].tests_b.at_last_SC)
    assert (result.tests_a.chosen, result.tests_a.last, result.tests_a.best_on_test) == (4, 6, 4)


def test_a_finished_training_resumed_trains_nothing_more(segments_of: Callable) -> None:
    straight, states = train(segments_of)
    resumed, rest = train(segments_of, resume=states[-1])
    assert same(straight, resumed) and rest == []


OTHER: dict[str, Any] = {
    "lr": 1e-3,
    "weight_decay": 1e-2,
    "batch": 16,
    "epochs": 3,
    "patience": 1,
    "class_weights": "inverse",
}


@pytest.mark.parametrize("axis", OTHER)
def test_no_axis_of_training_is_dead(segments_of: Callable, axis: str) -> None:
    base = replace(QUICK, patience=4)
    results = [
        trained_on_uneven(segments_of, config)
        if axis != "patience"
        else train(segments_of, replace(config, lr=0.0))[0]
        for config in (base, replace(base, **{axis: OTHER[axis]}))
    ]
    assert results[0].history != results[1].history


@functools.cache
def trained_on_uneven(segments_of: Callable, config: TrainConfig) -> Fit:
    uneven = segments_of(32)
    uneven.labels_S = uneven.labels_S.clamp(max=2)
    return fit(
        initialise(SMALL, 6, 4, 0, nodes=120), uneven, uneven, uneven, config, classes=4, seed=0
    )


def test_the_axes_above_are_all_there_are() -> None:
    assert OTHER.keys() == {field.name for field in fields(TrainConfig)}


def test_inverse_class_weights_average_to_one_over_the_segments() -> None:
    labels_S = torch.tensor([0, 0, 0, 1])
    weights_C = class_weights(labels_S, 3, "inverse")
    assert weights_C is not None
    torch.testing.assert_close(weights_C, torch.tensor([4 / 9, 4 / 3, 0.0]))
    assert class_weights(labels_S, 3, "off") is None


@pytest.mark.parametrize("poison", [float("nan"), float("inf")])
def test_a_loss_that_is_no_number_names_its_epoch(segments_of: Callable, poison: float) -> None:
    sick = segments_of(8)
    sick.x_SNF[3, 0, 0] = poison
    network = initialise(SMALL, 6, 4, 0, nodes=120)
    sentence = (
        r"^The training loss must be finite, but is not a number in epoch 1\. "
        r"A smaller `training\.lr` usually helps\.$"
    )
    with pytest.raises(DivergedError, match=sentence):
        fit(network, sick, segments_of(4), segments_of(4), QUICK, classes=4, seed=0)


def test_an_empty_set_is_refused(segments_of: Callable) -> None:
    some, none = segments_of(4), segments_of(0)
    with pytest.raises(ValueError, match=r"^`b` must hold at least one segment, but is empty"):
        fit(initialise(SMALL, 6, 4, 0, nodes=120), some, some, none, QUICK, classes=4, seed=0)


def test_an_incomplete_state_is_refused(segments_of: Callable) -> None:
    _, states = train(segments_of, replace(QUICK, epochs=1))
    tensors = state_tensors(states[0])
    del tensors["tests_a/last"]
    with pytest.raises(
        ModelError, match=r"^A saved state must be complete, but 'tests_a/last' is wrong"
    ):
        state_from(tensors, state_numbers(states[0]))


def test_the_first_weights_depend_on_the_seed_alone() -> None:
    one, two, other = (initialise(SMALL, 6, 4, seed, nodes=120).state_dict() for seed in (3, 3, 4))
    assert all(torch.equal(one[name], two[name]) for name in one)
    assert not all(torch.equal(one[name], other[name]) for name in one)
