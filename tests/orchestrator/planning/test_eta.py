"""Time left, against trainings that are drawn: unequal rows, early stopping, lanes, other load."""

import heapq
import random
import statistics
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import pytest

from orchestrator.planning.cost.eta import TimeLeft, mean_length

ROWS = {"plain": 1.0, "wide": 3.0, "small": 0.4}
"""Seconds an epoch; what a trial takes beside them is half a second."""
MOST, PATIENCE = 200, 20


@dataclass(frozen=True)
class Guess:
    """What was promised when so many trials had finished, and what then came."""

    finished: int
    promised: float
    came: float

    @property
    def error(self) -> float:
        return abs(self.promised - self.came) / self.came


def an_ending(rng: random.Random) -> tuple[int, list[int]]:
    """How many epochs a training has, and after each how many it will have at the least."""
    best, epoch, least = 0, 0, []
    while epoch < MOST and epoch - best < PATIENCE:
        epoch += 1
        if rng.random() < min(0.95, 8 / epoch):
            best = epoch
        least.append(min(MOST, best + PATIENCE))
    return epoch, least


def drawn(
    seed: int,
    trials_a_row: int,
    lanes: int,
    load: Callable[[float], float] = lambda now: 1.0,
    rows: Mapping[str, float] = ROWS,
) -> list[Guess]:
    """One study, row beside row; epochs scatter by 5 %, trainings end early."""
    rng, time_left = random.Random(seed), TimeLeft()
    waiting = [(f"{row} {n}", row) for n in range(trials_a_row) for row in rows]
    coming: list[tuple[float, str]] = []
    plan: dict[str, tuple[str, int, list[int], float]] = {}
    epochs: dict[str, int] = {}

    def begin(now: float) -> None:
        id, row = waiting.pop(0)
        plan[id] = (row, *an_ending(rng), now)
        epochs[id] = 0
        time_left.begin(id, row, now)
        heapq.heappush(coming, (now + 0.5 + took(row, now), id))

    def took(row: str, now: float) -> float:
        return rows[row] * rng.lognormvariate(0, 0.05) * load(now)

    for _ in range(lanes):
        begin(0.0)
    promised, now = [], 0.0
    while coming:
        now, id = heapq.heappop(coming)
        row, last, least, began = plan[id]
        epochs[id] += 1
        time_left.epoch(id, epochs[id], MOST, least[epochs[id] - 1], now)
        if epochs[id] < last:
            heapq.heappush(coming, (now + took(row, now), id))
            continue
        time_left.end(id, row, last, MOST, now - began, 0, now)
        if waiting:
            begin(now)
        left = time_left.seconds_left([row for _, row in waiting], lanes, now)
        assert left is not None
        promised.append((now, left))
    return [Guess(n, left, now - when) for n, (when, left) in enumerate(promised, 1) if when < now]


def errors(studies: list[list[Guess]], finished: int) -> list[float]:
    """Sorted relative errors when so many trials had finished."""
    return sorted(guess.error for study in studies for guess in study if guess.finished == finished)


def share(found: list[float]) -> float:
    return sum(error <= 0.25 for error in found) / len(found)


@pytest.mark.parametrize("lanes", [1, 2, 4])
def test_nine_in_ten_promises_are_right_within_a_quarter_after_the_first_trials(
    lanes: int,
) -> None:
    studies = [drawn(seed, 15, lanes) for seed in range(40)]
    print(f"\n{lanes} lanes, 45 trials of unequal rows that end early; error of the time left:")
    for finished in (1, 3, 6, 9, 15, 22, 30):
        found = errors(studies, finished)
        print(
            f"  after {finished:2d}: median {statistics.median(found):.2f}, nine in ten "
            f"{found[35]:.2f}, within a quarter {share(found):.0%}"
        )
    for finished in (6, 9, 15, 22):
        assert share(errors(studies, finished)) >= 0.9


def test_rows_of_unequal_cost_and_equal_length_are_told_apart_at_once() -> None:
    """A plain mean of what has finished is off by half here: the cheap rows finish first."""
    time_left, now = TimeLeft(), 0.0
    for id, row in enumerate(ROWS):
        time_left.begin(str(id), row, 0.0)
    for second in range(1, 61):
        for id, (row, cost) in enumerate(ROWS.items()):
            epoch = round(second / cost)
            if epoch <= 20 and abs(second - epoch * cost) < 0.2:
                time_left.epoch(str(id), epoch, 20, 20, second)
                if epoch == 20:
                    time_left.end(str(id), row, 20, 20, second, 0, second)
        now = float(second)
        if second == 20:  # small and plain have finished, wide is at a third
            left = time_left.seconds_left(["plain", "wide", "small"] * 4, 3, now)
            assert left == pytest.approx((20 + 60 + 8) * 4 / 3 + 40 / 3, rel=0.25)
    assert time_left.seconds_left(["wide"], 1, now) == pytest.approx(60, rel=0.05)


def test_a_slow_down_is_seen_within_a_few_trials() -> None:
    """Twice as slow from the 1,500th second on: before it nobody can know, soon after it is told.

    A quarter of the trials later the promise is as right as without.
    """
    studies = [drawn(seed, 15, 2, lambda now: 1.0 if now < 1500 else 2.0) for seed in range(40)]
    assert share(errors(studies, 32)) >= 0.85


def test_the_last_wave_is_not_divided_among_lanes() -> None:
    time_left = TimeLeft()
    time_left.add_finished("row", 10, 10, 100.0)
    assert time_left.seconds_left(["row"] * 5, 4, 0.0) == pytest.approx(200)
    assert time_left.seconds_left(["row"], 4, 0.0) == pytest.approx(100)


def test_a_trial_that_stands_still_promises_no_end() -> None:
    time_left = TimeLeft()
    time_left.add_finished("row", 10, 10, 100.0)
    time_left.begin("a", "row", 0.0)
    time_left.epoch("a", 1, 10, 10, 10.0)
    assert time_left.seconds_left([], 1, 10_000.0) == pytest.approx(80)


def test_epochs_of_an_earlier_attempt_are_no_speed() -> None:
    time_left = TimeLeft()
    time_left.add_finished("row", 10, 10, 100.0)
    time_left.begin("a", "row", 0.0)
    time_left.epoch("a", 6, 10, 10, 1.0)  # it goes on after the fifth
    assert time_left.seconds_left([], 1, 1.0) == pytest.approx(40)


def test_before_anything_was_measured_nothing_is_promised() -> None:
    time_left = TimeLeft()
    time_left.begin("a", "row", 0.0)
    assert time_left.seconds_left(["row"], 1, 5.0) is None


def test_trials_in_training_count_as_no_shorter_than_they_are() -> None:
    assert mean_length(0.0, {0.2: 1}, [0.1]) == pytest.approx(0.2)
    assert mean_length(0.0, {0.2: 1}, [0.6]) == pytest.approx((0.2 + 0.6) / 2)
    assert mean_length(0.4, {0.2: 9, 0.5: 1}, []) == pytest.approx(0.5)
