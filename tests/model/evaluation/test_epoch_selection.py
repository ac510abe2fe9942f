"""What a direction gives follows from the half on which it chooses, whatever the tested half shows.

Curves of scores are drawn; the rule runs on them as a training runs it, epoch after epoch. The log
probabilities and weights of an epoch hold its number, so a test sees of which epoch they are.
"""

import json
from typing import Any
from unittest.mock import patch

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from model.evaluation import epoch_selection
from model.evaluation.epoch_selection import (
    Fit,
    better,
    fewest_epochs,
    fit_of,
    is_over,
    state_after_epoch,
)
from model.evaluation.scoring import Score
from model.evaluation.state import (
    Direction,
    TrainingState,
    state_from,
    state_numbers,
    state_tensors,
)

Curve = list[Score]
EPOCHS = 10
SCORES = [Score(loss, ua, 0.0) for loss in (1.0, 2.0) for ua in (0.2, 0.4, 0.6)]
"""Few values, so that equal UAs, and equal UAs with equal losses, are common."""
curves = st.lists(st.sampled_from(SCORES), min_size=EPOCHS, max_size=EPOCHS)
patiences = st.integers(1, EPOCHS)
drawn = settings(deadline=None, max_examples=60)


def trained(
    curve_a: Curve, curve_b: Curve, patience: int, states: list[TrainingState] | None = None
) -> Fit:
    """Train by the rule on two drawn curves; go on from the last one of ``states``, if given."""
    states = [] if states is None else states
    held_out: Any = (curve_a, curve_b)
    with patch.object(epoch_selection, "score", lambda log, curve, _: curve[int(log) - 1]):
        while not states or not is_over(states[-1], epochs=EPOCHS, patience=patience):
            before = states[-1] if states else None
            now = torch.tensor([[float(before.epoch + 1 if before else 1)]])
            states.append(
                state_after_epoch(
                    before, 0.0, (now, now), held_out, 1, {"w": now}, {}, patience=patience
                )
            )
    return fit_of(states[-1])


def numbers(direction: Direction) -> dict[str, int]:
    """The epochs of a direction, each told by its number and by what was kept of it."""
    chosen, last, best = direction.chosen, direction.last, direction.best_on_test
    assert direction.at_chosen_SC.item() == direction.weights["w"].item() == chosen
    assert (direction.at_last_SC.item(), direction.at_best_on_test_SC.item()) == (last, best)
    return {"chosen": chosen, "last": last}


def first_best(curve: Curve) -> int:
    """The number of the best epoch, read off the curve at once."""
    keys = [(score.ua, -score.loss) for score in curve]
    return keys.index(max(keys)) + 1


def read_off(curve: Curve, patience: int) -> dict[str, int]:
    """What a direction that chooses on this curve must give."""
    ends = (n for n in range(1, EPOCHS) if n - first_best(curve[:n]) >= patience)
    last = next(ends, EPOCHS)
    return {"chosen": first_best(curve[:last]), "last": last}


@drawn
@given(curves, curves, curves, patiences)
def test_no_curve_of_the_tested_half_changes_what_the_other_half_chose(
    dev: Curve, test: Curve, permuted: Curve, patience: int
) -> None:
    wanted = read_off(dev, patience)
    for tested in (test, permuted):
        assert numbers(trained(dev, tested, patience).tests_b) == wanted
        assert numbers(trained(tested, dev, patience).tests_a) == wanted


@drawn
@given(curves, curves, patiences)
def test_the_best_epoch_on_test_is_one_of_the_direction(
    dev: Curve, test: Curve, patience: int
) -> None:
    direction = trained(dev, test, patience).tests_b
    assert direction.best_on_test == first_best(test[: direction.last])


@drawn
@given(curves, curves, patiences)
def test_training_goes_on_until_both_directions_have_ended(
    one: Curve, other: Curve, patience: int
) -> None:
    result = trained(one, other, patience)
    assert result.epochs == len(result.history) == max(result.tests_a.last, result.tests_b.last)


@drawn
@given(curves, curves, patiences, st.integers(1, EPOCHS))
def test_resumed_after_any_epoch_both_directions_are_the_same(
    one: Curve, other: Curve, patience: int, epoch: int
) -> None:
    states: list[TrainingState] = []
    straight = trained(one, other, patience, states)
    kept = states[min(epoch, straight.epochs) - 1]
    again = state_from(state_tensors(kept), json.loads(json.dumps(state_numbers(kept))))
    resumed = trained(one, other, patience, [again])
    assert resumed.history == straight.history
    for name in ("tests_a", "tests_b"):
        assert numbers(getattr(resumed, name)) == numbers(getattr(straight, name))
        assert getattr(resumed, name).best_on_test == getattr(straight, name).best_on_test


@drawn
@given(curves, curves, patiences)
def test_the_fewest_epochs_are_reached_where_nothing_more_improves(
    one: Curve, other: Curve, patience: int
) -> None:
    states: list[TrainingState] = []
    straight = trained(one, other, patience, states)
    for state in states:
        fewest = fewest_epochs(state, epochs=EPOCHS, patience=patience)
        assert state.epoch <= fewest <= straight.epochs
        flat = [curve[: state.epoch] + [Score(9.0, 0.0, 0.0)] * EPOCHS for curve in (one, other)]
        assert trained(flat[0], flat[1], patience).epochs == fewest


def test_higher_ua_wins_then_lower_loss_then_the_earlier_epoch() -> None:
    first = Score(loss=1.0, ua=0.5, wa=0.5)
    assert better(Score(loss=9.0, ua=0.6, wa=0.1), first)
    assert better(Score(loss=0.9, ua=0.5, wa=0.1), first)
    assert not better(Score(loss=1.0, ua=0.5, wa=0.9), first)
    assert not better(Score(loss=0.1, ua=0.4, wa=0.9), first)
