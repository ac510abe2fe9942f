"""The test of a published split: in its limits it is Student's, and it needs speakers and seeds."""

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from orchestrator.analysis.crossed import (
    CrossedContrast,
    crossed_detectable,
    crossed_t,
    why_no_verdict,
)
from orchestrator.analysis.family import judge_family
from orchestrator.analysis.statistics import detectable, paired_t
from orchestrator.store.snapshot import SnapshotFold
from tests.benchmarks import null_tables

Table = np.ndarray[tuple[int, int], np.dtype[np.float64]]


def contrast(table_SK: Table) -> CrossedContrast:
    return CrossedContrast.of({f"s{n}": dict(enumerate(row)) for n, row in enumerate(table_SK)})


def drawn(speakers: int, seeds: int) -> Table:
    random = np.random.default_rng([speakers, seeds])
    return (
        0.02
        + 0.03 * random.standard_normal((speakers, 1))
        + 0.02 * random.standard_normal((1, seeds))
        + 0.03 * random.standard_normal((speakers, seeds))
    )


@pytest.mark.parametrize(("speakers", "seeds"), [(5, 3), (10, 3), (24, 10)])
def test_each_variance_has_its_own_quantile(speakers: int, seeds: int) -> None:
    table_SK = drawn(speakers, seeds)
    low, high, p = crossed_t(contrast(table_SK))
    of_speakers = table_SK.mean(axis=1).var(ddof=1) / speakers
    of_seeds = table_SK.mean(axis=0).var(ddof=1) / seeds

    def half(level: float) -> float:
        t_speakers, t_seeds = (stats.t.isf(level / 2, n - 1) for n in (speakers, seeds))
        return math.sqrt(t_speakers**2 * of_speakers + t_seeds**2 * of_seeds)

    centre = table_SK.mean()
    assert (low, high) == pytest.approx((centre - half(0.05), centre + half(0.05)), abs=1e-12)
    assert half(p) == pytest.approx(abs(centre), rel=1e-9)


def test_where_only_speakers_differ_it_is_students_t_over_them() -> None:
    by_speaker = drawn(8, 3).mean(axis=1)
    found = crossed_t(contrast(np.repeat(by_speaker[:, None], 4, axis=1)))
    own = stats.ttest_1samp(by_speaker, 0.0)
    assert found[2] == pytest.approx(own.pvalue, rel=1e-9)
    assert found[:2] == pytest.approx(tuple(own.confidence_interval(0.95)), abs=1e-12)


def test_where_only_seeds_differ_it_is_the_paired_t_over_them() -> None:
    """The luck of a training, which all test speakers share, does not vanish with more speakers."""
    by_seed = [float(value) for value in drawn(8, 4).mean(axis=0)]
    found = crossed_t(contrast(np.repeat([by_seed], 24, axis=0)))
    assert found == pytest.approx(paired_t(by_seed), rel=1e-9)


def test_the_smallest_difference_that_would_show_is_that_of_students_t_in_the_limits() -> None:
    by_speaker = drawn(8, 3).mean(axis=1)
    found = crossed_detectable(contrast(np.repeat(by_speaker[:, None], 4, axis=1)), 3)
    error = by_speaker.std(ddof=1) / math.sqrt(8)
    assert found == pytest.approx(detectable(error, 7, comparisons=3), rel=2e-3)


def test_what_would_show_shows_in_four_of_five_draws() -> None:
    """Drawn anew from normal components: not by the quantiles that the product sums over."""
    random, speakers, seeds = np.random.default_rng(5), 8, 4
    of_speakers, of_seeds = 0.03, 0.02
    fixed = CrossedContrast(
        estimate=0.0,
        between_speakers=of_speakers,
        between_seeds=of_seeds,
        speakers=speakers,
        seeds=seeds,
    )
    reach = crossed_detectable(fixed, 1)
    shown, draws = 0, 4000
    for _ in range(draws):
        error = math.hypot(of_speakers / math.sqrt(speakers), of_seeds / math.sqrt(seeds))
        one = CrossedContrast(
            estimate=reach + error * random.standard_normal(),
            between_speakers=of_speakers * math.sqrt(random.chisquare(speakers - 1) / 7),
            between_seeds=of_seeds * math.sqrt(random.chisquare(seeds - 1) / 3),
            speakers=speakers,
            seeds=seeds,
        )
        low, high, _ = crossed_t(one)
        shown += low > 0 or high < 0
    assert 0.775 < shown / draws < 0.825  # 4 standard errors


def test_neither_few_speakers_nor_few_seeds_nor_no_spread_can_be_tested() -> None:
    for table_SK in (drawn(4, 10), drawn(24, 2), np.full((6, 4), 0.05)):
        (found,) = judge_family({"row": contrast(table_SK)}).values()
        assert (found.low, found.high, found.p_alone, found.p, found.detectable) == (None,) * 5
    (found,) = judge_family({"row": contrast(drawn(5, 3))}).values()
    assert found.p == found.p_alone is not None


@pytest.mark.parametrize(
    ("test", "seeds", "expected"),
    [
        (5, 3, ""),
        (5, 2, "none: 2 seeds, 3 are needed"),
        (5, 1, "none: 1 seed, 3 are needed"),
        (4, 3, "none: 4 test speakers, 5 are needed"),
        (1, 1, "none: 1 test speaker, 5 are needed"),
    ],
)
def test_the_reason_for_no_verdict_names_what_is_lacking(
    test: int, seeds: int, expected: str
) -> None:
    b = tuple(f"s{n}" for n in range(test))
    fold = SnapshotFold(index=0, a=("dev-1", "dev-2"), b=b, train=4)
    dealt = null_tables.snapshot(2, seeds)
    assert why_no_verdict(dealt) == ""
    study = replace(dealt, folds=(fold,))
    assert why_no_verdict(study) == expected
    assert study.test_speakers == b and study.dev_speakers == {"dev-1", "dev-2"}
    assert dealt.dev_speakers == frozenset() and len(dealt.test_speakers) == 10
