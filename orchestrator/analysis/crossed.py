r"""The test of a difference on a published split: test speakers crossed with seeds. Pure.

Every training of a published split learns from the same speakers and scores the same test speakers.
So there is one difference for each test speaker s and seed k,

.. math:: d_{sk} = \delta + a_s + b_k + e_{sk},

with what the row is to the speaker, the luck of the training, which the whole test side shares, and
the rest, all of them random. The mean over S speakers and K seeds then has the variance

.. math:: \sigma_a^2 / S + \sigma_b^2 / K + \sigma_e^2 / (SK),

for which stands the variance between speakers (of means over seeds) divided by S, plus the variance
between seeds (of means over speakers) divided by K. The sum has the rest twice, so it is too large
by :math:`\sigma_e^2 / (SK)` on average: where the luck of a training is small the test is cautious.
It is the error of Clark's min F' (1973), for the same reason: a difference must hold for other
speakers *and* for other trainings.

Each of the two variances gets its own quantile of Student's t, with S - 1 and K - 1 degrees of
freedom, so that the interval covers at least 95 %, whatever the components are (Banerjee 1960). One
quantile with Satterthwaite's (1946) degrees of freedom does not: with three seeds that make most of
the spread it showed a difference in 7 of 100 comparisons of equal rows, and in 15 of 100 tables
with six of them (`tests/benchmarks/test_published_split.py`).

What no seed can show is that the one training side suits a row by luck: all trainings share it.

Sources: Clark, "The language-as-fixed-effect fallacy", Journal of Verbal Learning and Verbal
Behavior 12 (1973); Banerjee, "Approximate confidence interval for linear functions of means of k
populations when the population variances are not equal", Sankhya 22 (1960); Satterthwaite, "An
approximate distribution of estimates of variance components", Biometrics Bulletin 2 (1946).
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from orchestrator.analysis.statistics import CONFIDENCE, POWER, deviation_of, mean
from orchestrator.store.snapshot import Snapshot
from orchestrator.study.protocol import FEWEST_SEEDS, FEWEST_TEST_SPEAKERS


@dataclass(frozen=True, kw_only=True, slots=True)
class CrossedContrast:
    """What is known of a comparison on a published split before it is judged."""

    estimate: float
    """The mean difference over all test speakers and seeds, -2 to 2."""
    between_speakers: float
    """Deviation between test speakers, of their means over seeds."""
    between_seeds: float
    """Deviation between seeds, of their means over test speakers."""
    speakers: int
    """Number of test speakers."""
    seeds: int
    """Number of seeds that both rows have finished."""

    @classmethod
    def of(cls, differences: Mapping[str, Mapping[int, float]]) -> "CrossedContrast":
        """The comparison of a table of speakers and seeds.

        Args:
            differences: test speaker -> seed -> difference in UA; every speaker has every seed,
                since each training scores all of them. At least one of both.
        """
        by_speaker = [mean(list(by_seed.values())) for by_seed in differences.values()]
        seeds = next(iter(differences.values())).keys()
        by_seed = [mean([own[seed] for own in differences.values()]) for seed in seeds]
        return cls(
            estimate=mean(by_speaker),
            between_speakers=deviation_of(by_speaker) if len(by_speaker) > 1 else 0.0,
            between_seeds=deviation_of(by_seed) if len(by_seed) > 1 else 0.0,
            speakers=len(by_speaker),
            seeds=len(by_seed),
        )

    @property
    def has_spread(self) -> bool:
        """Whether it can be tested: enough speakers and seeds, and any of them differ.

        Scores are ratios of counts, so that a spread of exactly 0 is chance and no certainty.
        """
        enough = self.speakers >= FEWEST_TEST_SPEAKERS and self.seeds >= FEWEST_SEEDS
        return enough and self.between_speakers + self.between_seeds > 0

    @property
    def of_speakers(self) -> float:
        """The error variance of the estimate that is due to speakers."""
        return self.between_speakers**2 / self.speakers

    @property
    def of_seeds(self) -> float:
        """The error variance of the estimate that is due to trainings."""
        return self.between_seeds**2 / self.seeds


def why_no_verdict(snapshot: Snapshot) -> str:
    """Why a study on a published split can have no verdict, however long it trains.

    Returns:
        What stands in place of every verdict, such as ``none: 2 seeds, 3 are needed``; empty where
        there are enough seeds and test speakers, and where the folds are dealt.
    """
    if not snapshot.is_published_split:
        return ""
    counts = (
        (len(snapshot.test_speakers), FEWEST_TEST_SPEAKERS, "test speaker"),
        (snapshot.seeds, FEWEST_SEEDS, "seed"),
    )
    for found, fewest, what in counts:
        if found < fewest:
            return f"none: {found} {what}{'s' * (found != 1)}, {fewest} are needed"
    return ""


def crossed_t(
    contrast: CrossedContrast, confidence: float = CONFIDENCE
) -> tuple[float, float, float]:
    r"""The test of a difference on a published split: other speakers, other trainings.

    .. math:: \bar d \pm \sqrt{t_{S-1}^2\, s_S^2 / S + t_{K-1}^2\, s_K^2 / K}

    p is the level at which the interval ends at 0. The module's docstring has model and sources.

    Args:
        contrast: the comparison; it has a spread.
        confidence: of the interval, in (0, 1).

    Returns:
        Low end, high end, two-sided p.

    Example:
        >>> table = {"a": [1, 3, 2], "b": [2, 4, 4], "c": [0, 3, 2], "d": [3, 5, 4], "e": [1, 2, 3]}
        >>> contrast = CrossedContrast.of({s: dict(enumerate(row)) for s, row in table.items()})
        >>> low, high, p = crossed_t(contrast)
        >>> round(low, 2), round(high, 2), round(p, 3)
        (-0.31, 5.51, 0.063)
    """
    half = _half(contrast, 1 - confidence)
    log_p = _last(lambda log_p: _half(contrast, math.exp(log_p)) > abs(contrast.estimate), -600, 0)
    return contrast.estimate - half, contrast.estimate + half, math.exp(log_p)


def crossed_detectable(contrast: CrossedContrast, comparisons: int) -> float:
    """The smallest true difference that `crossed_t` would have shown with 80 % power.

    The deviations seen are taken for the true ones, and the level is 0.05 divided by the number of
    comparisons, as in `statistics.detectable`.

    Args:
        contrast: the comparison; it has a spread.
        comparisons: how many comparisons the table has, at least 1.
    """
    variance = contrast.of_speakers + contrast.of_seeds
    level = (1 - CONFIDENCE) / comparisons
    share = contrast.of_speakers / variance
    return math.sqrt(variance) * _noncentrality(
        share, contrast.speakers - 1, contrast.seeds - 1, level
    )


def _half(contrast: CrossedContrast, level: float) -> float:
    """Half of the interval outside of which is the share ``level``, in (0, 1]."""
    from scipy.special import stdtrit  # `scipy.stats` calls it; its import takes a second

    of_speakers = float(stdtrit(contrast.speakers - 1, level / 2)) ** 2 * contrast.of_speakers
    of_seeds = float(stdtrit(contrast.seeds - 1, level / 2)) ** 2 * contrast.of_seeds
    return math.sqrt(of_speakers + of_seeds)


def _last(holds: Callable[[float], bool], low: float, high: float) -> float:
    """Where a condition that holds at ``low`` ceases to hold; ``high`` if it never does."""
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if holds(middle) else (low, middle)
    return high


@lru_cache(maxsize=64)
def _noncentrality(share: float, df_speakers: int, df_seeds: int, level: float) -> float:
    """The true difference, in standard errors, that `crossed_t` shows with a power of 80 %.

    The power is the mean of normal tails over the quantiles of both variances' chi-squares.

    Args:
        share: of the error variance that is due to speakers, 0 to 1.
        df_speakers: degrees of freedom of the variance between speakers.
        df_seeds: degrees of freedom of the variance between seeds.
        level: of the two-sided test.
    """
    import numpy as np
    from scipy.special import chdtri, ndtr, stdtrit

    quantiles = (np.arange(100) + 0.5) / 100
    of_speakers, of_seeds = (
        part * float(stdtrit(df, level / 2)) ** 2 * chdtri(df, quantiles) / df
        for part, df in ((share, df_speakers), (1 - share, df_seeds))
    )
    bar = np.sqrt(of_speakers[:, None] + of_seeds[None, :])

    def is_weak(shift: float) -> bool:
        return float(np.mean(ndtr(shift - bar) + ndtr(-shift - bar))) < POWER

    return _last(is_weak, 0.0, float(bar.max()) + 10)
