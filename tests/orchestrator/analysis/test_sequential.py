"""A sequential design spends its level once, decides from the seeds alone, and saves trainings."""

import doctest
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.analysis import sequential
from orchestrator.analysis.sequential import (
    LEVEL,
    InterimResult,
    decide,
    interim_seeds,
    level_shares,
)
from orchestrator.analysis.statistics import paired_t, predictive_power
from tests.benchmarks.adaptive_tables import TABLES, shown_by, tally

CLEAR = [0.10, 0.11, 0.09, 0.10]
NOISE = [0.01, -0.02, 0.02, -0.01]


def test_the_examples_hold() -> None:
    result = doctest.testmod(sequential)
    assert result.failed == 0 and result.attempted >= 10


@pytest.mark.parametrize("cap", [1, 2, 3, 4, 5, 9, 10, 50, 1000])
def test_the_level_is_spent_once_and_most_of_it_at_the_end(cap: int) -> None:
    assert math.fsum(level_shares(cap)) == pytest.approx(1.0, abs=1e-12)
    assert interim_seeds(cap)[-1] == cap and list(interim_seeds(cap)) == sorted(
        set(interim_seeds(cap))
    )
    assert len(interim_seeds(cap)) < 3 or level_shares(cap)[-1] == max(level_shares(cap))


def test_a_cap_of_three_is_the_fixed_design() -> None:
    three = {"a": CLEAR[:3], "b": NOISE[:3], "c": [0.05, 0.06, 0.045]}
    found = decide(three, cap=3)
    assert {name for name, s in found.items() if s.verdict == "yes"} == shown_by(three)
    low, high, p = paired_t(three["a"])
    assert (found["a"].low, found["a"].high, found["a"].p) == (low, high, p)
    assert {s.interims for s in found.values()} == {1} and found["b"].stop_reason == "cap"


def test_an_interval_holds_zero_where_the_look_could_not_tell() -> None:
    """Of one row, whose p is not adjusted for others."""
    rng = np.random.default_rng(1)
    for shift in np.linspace(0.0, 0.08, 200):
        standing = decide({"a": list(rng.normal(shift, 0.02, 10))}, cap=10)["a"]
        assert standing.low is not None and standing.high is not None
        excludes = not standing.low <= 0 <= standing.high
        assert excludes == (standing.verdict == "yes") == (standing.stop_reason == "differs")


def test_looking_often_widens_the_interval_and_raises_p() -> None:
    plain_low, _, plain_p = paired_t(CLEAR)
    standing = decide({"a": CLEAR}, cap=20)["a"]
    assert standing.seeds == 4 and standing.low is not None and standing.p is not None
    assert plain_low is not None and plain_p is not None
    assert standing.low < plain_low and standing.p > plain_p


def test_what_a_missing_seed_would_tell_is_waited_for_by_all_rows() -> None:
    found = decide({"a": CLEAR, "b": [0.01, None, 0.02, -0.01]}, cap=10)
    assert {(s.seeds_wanted, s.interims, s.seeds, s.ua) for s in found.values()} == {
        (3, 0, 0, None)
    }
    found = decide({"a": CLEAR[:3], "b": NOISE}, cap=10)
    assert (found["a"].seeds_wanted, found["a"].seeds, found["b"].seeds) == (4, 3, 3)


def test_seeds_beyond_what_a_settled_row_was_asked_for_are_not_looked_at() -> None:
    short = decide({"a": CLEAR, "b": [0.03, -0.02, 0.02, 0.04]}, cap=10)
    long = decide({"a": [*CLEAR, -1.0, -1.0], "b": [0.03, -0.02, 0.02, 0.04]}, cap=10)
    assert short["a"].stop_reason == "differs" and short == long
    assert short["b"].stop_reason == "" and short["b"].seeds_wanted == 6


def test_seeds_that_change_nothing_bear_no_verdict_and_end_at_the_cap() -> None:
    standing = decide({"a": [0.1] * 10}, cap=10)["a"]
    assert (standing.stop_reason, standing.seeds, standing.p, standing.low) == (
        "cap",
        10,
        None,
        None,
    )
    assert standing.verdict == "cannot tell" and standing.ua == pytest.approx(0.1)


values = st.lists(
    st.floats(-0.2, 0.2).map(lambda x: round(x, 3)), min_size=12, max_size=12
)  # by seed


@settings(max_examples=150, deadline=None)
@given(rows=st.lists(values, min_size=1, max_size=4), cap=st.integers(3, 12))
def test_training_only_what_is_asked_for_ends_where_training_everything_would(
    rows: list[list[float]], cap: int
) -> None:
    """So an interruption, an order or a seed too many changes nothing."""
    everything = {str(n): row for n, row in enumerate(rows)}
    done = {name: 0 for name in everything}
    while True:
        found = decide({name: everything[name][: done[name]] for name in everything}, cap)
        wanted = {name: standing.seeds_wanted for name, standing in found.items()}
        if wanted == done:
            break
        assert all(wanted[name] >= done[name] for name in done)
        assert all(wanted[name] == done[name] for name, s in found.items() if s.stop_reason)
        done = wanted
    assert found == decide(everything, cap)
    assert all(standing.stop_reason for standing in found.values())
    assert all((s.verdict == "yes") == (s.stop_reason == "differs") for s in found.values())


def test_the_predicted_chance_is_what_happens_to_seeds_drawn_on() -> None:
    """The rest is drawn from the predictive distribution itself, spread and mean uncertain."""
    rng = np.random.default_rng(2)
    so_far = np.array([0.030, 0.001, 0.022, 0.018])
    n, seeds, level = len(so_far), 10, 0.05
    variance = so_far.var(ddof=1) * (n - 1) / rng.chisquare(n - 1, 200_000)
    middle = rng.normal(so_far.mean(), np.sqrt(variance / n))
    rest = rng.normal(middle, np.sqrt(variance / (seeds - n)))
    final = (n * so_far.mean() + (seeds - n) * rest) / seeds
    from scipy import stats

    bar = stats.t.isf(level / 2, seeds - 1) * so_far.std(ddof=1) / math.sqrt(seeds)
    assert predictive_power(list(so_far), seeds, level) == pytest.approx(
        np.mean(np.abs(final) > bar), abs=0.005
    )


def test_two_hundred_tables_in_short() -> None:
    null = tally((0.0,) * 4, cap=10, tables=200, seed=8)
    true = tally(TABLES["half of the rows differ"], cap=10, tables=200, seed=9)
    assert null.false <= 21 and null.false_new_speakers <= 21  # more in 1 of 1,000 runs at 5 %
    assert null.trials < 0.7 and true.trials < 0.7
    assert true.same > 0.9 and true.same > true.again


def test_a_standing_that_shows_less_than_the_level_is_a_verdict() -> None:
    shown = InterimResult(
        stop_reason="",
        seeds_wanted=3,
        interims=1,
        seeds=3,
        ua=0.1,
        low=0.0,
        high=0.2,
        p=0.01,
        p_holm=LEVEL,
    )
    assert shown.verdict == "cannot tell"
