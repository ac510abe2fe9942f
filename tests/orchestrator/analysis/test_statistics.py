"""Each formula against another way to the same number."""

import doctest
import itertools
import math

import numpy as np
import pytest
from scipy import stats

from orchestrator.analysis import statistics
from orchestrator.analysis.family import Contrast
from orchestrator.analysis.statistics import (
    corrected_t,
    detectable,
    effect_size,
    holm,
    mean,
    paired_t,
    sign_flip,
)

RATIO = 2 / 8
GROUPS = [0.031, -0.012, 0.055, 0.024, 0.043]


def test_the_examples_hold() -> None:
    result = doctest.testmod(statistics)
    assert result.failed == 0 and result.attempted >= 14


def test_without_shared_speakers_the_corrected_t_is_students() -> None:
    found = corrected_t(GROUPS, 0.0, mean(GROUPS))
    theirs = stats.ttest_1samp(GROUPS, 0.0)
    low, high = theirs.confidence_interval(0.95)
    assert found == pytest.approx((low, high, theirs.pvalue), abs=1e-12)
    assert paired_t(GROUPS) == pytest.approx(found, abs=1e-12)


def test_sign_flip_is_the_permutation_test_of_scipy() -> None:
    theirs = stats.permutation_test(
        (np.array(GROUPS),), np.mean, permutation_type="samples", n_resamples=np.inf
    )
    assert sign_flip(GROUPS) == pytest.approx(theirs.pvalue, abs=1e-12)


def test_sign_flip_counts_equal_sums_as_equal_in_any_order() -> None:
    values = [0.1, 0.2, 0.3, -0.6, 0.7]
    assert len({sign_flip(order) for order in itertools.permutations(values)}) == 1


def test_five_groups_can_never_flip_below_a_sixteenth() -> None:
    assert sign_flip([0.5, 0.51, 0.52, 0.53, 0.54]) == 2 / 2**5
    assert sign_flip([0.1] * 21) is None


@pytest.mark.parametrize("groups", [3, 5, 12])
def test_the_effect_size_has_no_bias_where_cohens_has(groups: int) -> None:
    """Hedges's correction is what makes the mean over many samples the true size."""
    samples = np.random.default_rng(1).normal(0.8, 1.0, size=(20_000, groups))
    means, deviations = samples.mean(axis=1), samples.std(axis=1, ddof=1)
    corrected = np.mean(
        [effect_size(d, s, groups - 1) for d, s in zip(means, deviations, strict=True)]
    )
    plain = np.mean(means / deviations)
    assert corrected == pytest.approx(0.8, abs=0.04) and plain > 0.84


@pytest.mark.parametrize("comparisons", [1, 2, 9])
def test_a_detectable_difference_is_detected_four_times_of_five(comparisons: int) -> None:
    deviation, groups = float(np.std(GROUPS, ddof=1)), len(GROUPS)
    true = detectable(deviation / math.sqrt(groups), groups - 1, comparisons)
    samples = np.random.default_rng(2).normal(true, deviation, size=(20_000, groups))
    p = stats.ttest_1samp(samples, 0.0, axis=1).pvalue
    assert np.mean(p < 0.05 / comparisons) == pytest.approx(0.8, abs=0.012)


@pytest.mark.parametrize("groups", range(2, 13))
def test_every_number_of_groups_has_a_detectable_difference(groups: int) -> None:
    found = [detectable(0.02, groups - 1, m) for m in (1, 5, 40)]
    assert all(map(math.isfinite, found)) and found == sorted(found)


def test_a_spread_of_rounding_is_a_spread_of_zero() -> None:
    equal = [0.55 - 0.5, 0.65 - 0.6, 0.05]
    assert not Contrast.of_units(equal, centre=0.05, test_to_train=RATIO).has_spread
    assert corrected_t(equal, RATIO, 0.05) == (None, None, None)


def test_groups_that_are_equal_by_chance_show_no_difference() -> None:
    """Rows of one skill on two pairs of speakers, 16 utterances each: counts often agree."""
    draw = np.random.default_rng(0)
    shown = equal = 0
    for _ in range(2000):
        right_RGS = draw.binomial(16, 0.6, size=(2, 2, 2)) / 16
        groups = (right_RGS[0] - right_RGS[1]).mean(axis=1).tolist()
        p = corrected_t(groups, 2 / 2, sum(groups) / 2)[2]
        shown += p is not None and p < 0.05
        equal += groups[0] == groups[1]
    assert equal > 100 and shown < 20


def test_holm_is_step_down_and_monotone() -> None:
    assert holm({"a": 0.01, "b": 0.03, "c": 0.02}) == pytest.approx(
        {"a": 0.03, "c": 0.04, "b": 0.04}
    )
    assert holm({"a": 0.9, "b": 0.8}) == {"b": 1.0, "a": 1.0}
    assert holm({}) == {}
