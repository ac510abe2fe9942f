"""A family of comparisons is judged together."""

import doctest
import math

import pytest

from orchestrator.analysis import family
from orchestrator.analysis.family import Contrast, Judgement, judge_family
from orchestrator.analysis.moderation import moderated_variances
from orchestrator.analysis.statistics import corrected_t, holm, mean, student_t

RATIO = 2 / 8
A = [0.031, -0.012, 0.055, 0.024, 0.043]
B = [0.002, 0.011, -0.006, 0.004, 0.018]
C = [0.09, -0.05, 0.02, 0.13, -0.02]


def known(value: float | None) -> float:
    assert value is not None
    return value


def half(judgement: Judgement) -> float:
    return (known(judgement.high) - known(judgement.low)) / 2


def contrast(groups: list[float]) -> Contrast:
    return Contrast.of_units(groups, centre=mean(groups), test_to_train=RATIO)


def test_the_examples_hold() -> None:
    result = doctest.testmod(family)
    assert result.failed == 0 and result.attempted >= 1


def test_one_comparison_is_the_corrected_t() -> None:
    alone = judge_family({"a": contrast(A)})["a"]
    assert (alone.low, alone.high, alone.p) == pytest.approx(corrected_t(A, RATIO, mean(A)))
    assert alone.p == alone.p_alone and alone.df == 4


def test_several_share_their_variances() -> None:
    found = judge_family({"a": contrast(A), "b": contrast(B), "c": contrast(C)})
    own = [(contrast(groups).variance, 4) for groups in (A, B, C)]
    p = {}
    for name, groups, (variance, df) in zip(
        "abc", (A, B, C), moderated_variances(own), strict=True
    ):
        low, high, p[name] = student_t(mean(groups), math.sqrt(variance * (1 / 5 + RATIO)), df)
        assert (found[name].low, found[name].high) == pytest.approx((low, high))
        assert known(found[name].df) == df and 4 < df <= 12
        assert found[name].luck == pytest.approx(math.sqrt(variance * RATIO / 2))
    assert {name: j.p for name, j in found.items()} == pytest.approx(holm(p))
    apart = judge_family({"b": contrast(B)})["b"]
    assert half(found["b"]) > half(apart)  # the small one was luck


def test_the_order_of_comparisons_changes_nothing() -> None:
    names = {"a": A, "b": B, "c": C}
    one = judge_family({name: contrast(names[name]) for name in "abc"})
    other = judge_family({name: contrast(names[name]) for name in "cab"})
    assert one == other


def test_what_is_missing_counts_and_shares_nothing() -> None:
    flat, single = contrast([0.01] * 5), contrast([0.3])
    given = {"a": contrast(A), "none": None, "flat": flat, "single": single}
    found = judge_family(given)
    assert found["none"] == found["flat"] == found["single"] == Judgement()
    alone = judge_family({"a": contrast(A)})["a"]
    assert found["a"].low == alone.low and found["a"].p_alone == alone.p
    assert found["a"].p == pytest.approx(min(1.0, 4 * known(alone.p)))
    assert known(found["a"].detectable) > known(alone.detectable)


def test_the_judged_share_no_variance_with_the_unjudged() -> None:
    both = {"a": contrast(A), "b": contrast(B)}
    found = judge_family({**both, "wild": contrast(C)}, unjudged={"wild"})
    pair = judge_family(both)
    assert [found[name].low for name in both] == [pair[name].low for name in both]
    least = min(both, key=lambda name: known(found[name].p_alone))
    assert found[least].p == pytest.approx(min(1.0, 3 * known(found[least].p_alone)))
    wild = found["wild"]
    assert wild.p is wild.p_alone is None
    assert wild.low == judge_family({"wild": contrast(C)})["wild"].low


def test_while_none_is_judged_all_have_the_intervals_to_come() -> None:
    given = {"a": contrast(A), "b": contrast(B), "c": contrast(C)}
    still, then = judge_family(given, unjudged=given), judge_family(given)
    assert [j.low for j in still.values()] == [j.low for j in then.values()]
    assert all(j.p is None for j in still.values()) and all(j.p is not None for j in then.values())


def test_groups_of_unequal_number() -> None:
    given = {"a": contrast(A), "b": contrast(B[:3]), "c": contrast(C[:2])}
    found = judge_family(given)
    shared = moderated_variances([(c.variance, c.df) for c in given.values()])
    assert [j.df for j in found.values()] == [df for _, df in shared]
    assert all(known(j.df) <= 4 + 2 + 1 for j in found.values())
    assert found["c"].effect is not None  # of two groups alone it would be None
    assert judge_family({"c": contrast(C[:2])})["c"].effect is None
