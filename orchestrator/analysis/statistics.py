r"""The statistical formulas of the tables: numbers in, numbers out.

Trainings on different folds share most of their training speakers, so their scores are not
independent. Every function takes one value for each independent unit (a held-out group, a seed, or
a speaker). Scores are fractions, 0 to 1; differences lie in [-1, 1]. Where there are too few values
for a result, it is None and never 0.
"""

import math
from collections.abc import Hashable, Mapping, Sequence
from functools import lru_cache
from typing import TypeVar

from orchestrator.study.protocol import FEWEST_SEEDS

CONFIDENCE = 0.95
"""Confidence level of every interval; tests are at 1 - 0.95 = 5 %."""
POWER = 0.8
"""The probability with which a true difference of the detectable size is shown."""
MOST_FLIPPED = 20
"""The most groups for which the sign-flip test is made: more have over a million sign patterns."""
ROUNDING = 1e-13
"""Two scores that differ by less count as equal: scores are ratios of counts, so this is
rounding."""

Name = TypeVar("Name", bound=Hashable)
"""How the caller names a comparison: a row, or a pair of levels."""
IntervalAndP = tuple[float | None, float | None, float | None]
"""(low end, high end, p): the 95 % interval, and the two-sided p of the true value being 0."""


def mean(values: Sequence[float]) -> float:
    """Arithmetic mean, exactly rounded (so that the order of the values does not matter).

    Raises:
        ZeroDivisionError: there are no values.

    Example:
        >>> mean([0.5, 0.25])
        0.375
    """
    return math.fsum(values) / len(values)


def corrected_t(
    groups: Sequence[float], test_to_train: float, centre: float, confidence: float = CONFIDENCE
) -> IntervalAndP:
    r"""Nadeau and Bengio's corrected t over held-out groups: would it hold for new speakers?

    .. math:: t = \frac{c}{\sqrt{(1/J + n_{test} / n_{train}) s^2}}, \quad J - 1 \text{ d.f.}

    Source: Nadeau and Bengio, "Inference for the Generalization Error", Machine Learning 52
    (2003), eq. 8. The second term accounts for the training speakers that folds share.

    Args:
        groups: one value for each held-out group; J values.
        test_to_train: ratio of test to training speakers (2/8 for ten speakers in five pairs).
        centre: the mean over speakers, c; with groups of one size, the mean of ``groups``.
        confidence: of the interval, in (0, 1).

    Returns:
        Low end, high end, p. All are None below two groups, and where all groups are equal: scores
        are ratios of small counts, so two or three groups are often equal by chance. To take that
        for certainty showed a difference in 6 of 100 comparisons of equal rows, on two pairs of
        speakers with 16 utterances each.

    Example:
        >>> low, high, p = corrected_t([0.03, 0.05, 0.04, 0.06, 0.02], 2 / 8, 0.04)
        >>> round(low, 3), round(high, 3), round(p, 3)
        (0.011, 0.069, 0.02)
        >>> corrected_t([0.03], 2 / 8, 0.03), corrected_t([0.03, 0.03], 2 / 8, 0.03)
        ((None, None, None), (None, None, None))
    """
    if len(groups) < 2 or (deviation := deviation_of(groups)) == 0:
        return None, None, None
    error = deviation * math.sqrt(1 / len(groups) + test_to_train)
    return student_t(centre, error, len(groups) - 1, confidence)


def student_t(
    estimate: float, error: float, df: float, confidence: float = CONFIDENCE
) -> tuple[float, float, float]:
    """Student's t test of an estimate against 0, and its interval.

    Args:
        estimate: the mean that is tested.
        error: its standard error, above 0.
        df: degrees of freedom of the error, above 0.
        confidence: of the interval, in (0, 1).

    Returns:
        Low end, high end, two-sided p.
    """
    from scipy.special import stdtr, stdtrit  # `scipy.stats` calls these; its import takes a second

    half = float(stdtrit(df, 0.5 + confidence / 2)) * error
    return estimate - half, estimate + half, 2 * float(stdtr(df, -abs(estimate) / error))


def paired_t(differences: Sequence[float], confidence: float = CONFIDENCE) -> IntervalAndP:
    r"""Student's paired t over seeds: would it hold if the same speakers were trained again?

    .. math:: t = \frac{\bar d}{s / \sqrt{n}}, \quad n - 1 \text{ d.f.}

    Source: Student, "The Probable Error of a Mean" (1908). Seeds are independent, so nothing is
    corrected. The result says nothing about other speakers.

    Args:
        differences: one value for each seed, each a mean over the same speakers; n values.
        confidence: of the interval, in (0, 1).

    Returns:
        Low end, high end, p. All are None below three seeds, and where all seeds are equal: a seed
        without effect is a fault of the set-up and no certainty.

    Example:
        >>> low, high, p = paired_t([0.01, 0.02, 0.03])
        >>> round(low, 3), round(high, 3), round(p, 3)
        (-0.005, 0.045, 0.074)
        >>> paired_t([0.01, 0.02]), paired_t([0.01, 0.01, 0.01])
        ((None, None, None), (None, None, None))
    """
    if len(differences) < FEWEST_SEEDS:
        return None, None, None
    return corrected_t(differences, 0.0, mean(differences), confidence)


def predictive_power(differences: Sequence[float], seeds: int, level: float) -> float | None:
    r"""The probability that the paired t will show a difference once there are more seeds.

    .. math:: P(|\bar d_N| > t_{N-1, 1-\alpha/2}\, s / \sqrt{N}), \quad
        \bar d_N \sim \bar d + s \sqrt{1/n - 1/N}\; T_{n-1}

    The deviation of the seeds so far is taken for that of all N.

    Source: predictive power under a flat prior, Spiegelhalter, Freedman and Blackburn, "Monitoring
    clinical trials: conditional or predictive power?" (1986).

    Args:
        differences: one value for each seed so far; n values.
        seeds: the number of seeds N in the end, more than n.
        level: alpha of the two-sided test at N seeds, in (0, 1).

    Returns:
        A probability; None below three seeds, and where all seeds are equal.

    Example:
        >>> round(predictive_power([0.01, -0.02, 0.02, -0.01], 10, 0.05), 3)
        0.162
        >>> round(predictive_power([0.04, 0.05, 0.03], 10, 0.05), 3)
        0.995
        >>> predictive_power([0.01], 10, 0.05) is None
        True
    """
    if len(differences) < FEWEST_SEEDS or (deviation := deviation_of(differences)) == 0:
        return None
    from scipy.special import stdtr, stdtrit

    so_far, centre = len(differences), mean(differences)
    bar = float(stdtrit(seeds - 1, 1 - level / 2)) * deviation / math.sqrt(seeds)
    scale = deviation * math.sqrt(1 / so_far - 1 / seeds)
    above = float(stdtr(so_far - 1, (centre - bar) / scale))
    below = float(stdtr(so_far - 1, (-bar - centre) / scale))
    return above + below


def chance_to_lead(differences: Sequence[Sequence[float]], unseen: Sequence[int]) -> float | None:
    r"""The probability that the mean difference over all folds is above 0, from the first folds.

    .. math:: P\left(T_{n-1} < \frac{\bar d\,(n + m) / m}
        {s \sqrt{1/n + 1/m + 1/k + 1/l}}\right)

    with n units in the k folds that are trained, and m units in the l folds that are not. It is a
    predictive probability: the means over both scatter about the same true mean, and the mean over
    all folds is above 0 where that over the other folds exceeds :math:`-n \bar d / m`. Units of one
    fold come from one training and share its random error. One fold does not suffice to estimate
    that error, so it is assumed to vary as much as a single unit (the terms 1/k and 1/l).

    Source: Spiegelhalter, Freedman and Blackburn, "Monitoring clinical trials: conditional or
    predictive power?" (1986), with the mean's variance as for clusters (Kish, "Survey Sampling",
    1965, section 5.4).

    Args:
        differences: for each trained fold a sequence with one value for each unit.
        unseen: the number of units of each other fold; at least one fold, at least one unit.

    Returns:
        A probability in (0, 1); None below two units, and where all values are equal.

    Example:
        >>> round(chance_to_lead([[-0.04, -0.10, -0.07]], [3, 2]), 3)
        0.06
        >>> chance_to_lead([[-0.05]], [1]), chance_to_lead([[-0.05, -0.05]], [1])
        (None, None)
    """
    seen = [value for fold in differences for value in fold]
    if len(seen) < 2 or (deviation := deviation_of(seen)) == 0:
        return None
    from scipy.special import stdtr

    n, m = len(seen), sum(unseen)
    error = deviation * math.sqrt(1 / n + 1 / m + 1 / len(differences) + 1 / len(unseen))
    return float(stdtr(n - 1, mean(seen) * (n + m) / m / error))


def sign_flip(groups: Sequence[float]) -> float | None:
    """Exact sign-flip permutation test over held-out groups.

    Under the null hypothesis each group's difference could as well have the other sign. p is the
    share of all 2^J sign patterns whose sum is at least as far from 0 as the one seen. It is
    two-sided and at least 2 / 2^J, which is 0.0625 for five groups, so it is reported beside the
    corrected t and gives no verdict.

    Source: Fisher, "The Design of Experiments" (1935), section 21.

    Args:
        groups: one difference for each held-out group; J values.

    Returns:
        p in (0, 1]; None without groups and above 20 groups.

    Example:
        >>> sign_flip([0.03, 0.05, 0.04, 0.06, 0.02])
        0.0625
        >>> sign_flip([0.01, -0.01]), sign_flip([0.02]), sign_flip([])
        (1.0, 1.0, None)
    """
    if not groups or len(groups) > MOST_FLIPPED:
        return None
    import numpy as np

    sums = np.zeros(1)
    for value in groups:
        sums = np.concatenate((sums + value, sums - value))
    slack = 1e-12 * math.fsum(map(abs, groups))  # equal sums in another order are equal
    return float(np.mean(np.abs(sums) >= abs(math.fsum(groups)) - slack))


def holm(p_values: Mapping[Name, float]) -> dict[Name, float]:
    """Holm's step-down adjustment: it bounds the family-wise error under any dependence.

    Source: Holm, "A simple sequentially rejective multiple test procedure" (1979).

    Args:
        p_values: name of a comparison -> p, in [0, 1].

    Returns:
        Name -> adjusted p, in [0, 1]; with one comparison its own p.

    Example:
        >>> holm({"a": 0.01, "b": 0.04})
        {'a': 0.02, 'b': 0.04}
    """
    adjusted: dict[Name, float] = {}
    highest = 0.0
    for rank, name in enumerate(sorted(p_values, key=lambda n: p_values[n])):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[name]))
        adjusted[name] = highest
    return adjusted


def effect_size(difference: float, deviation: float, df: float) -> float | None:
    r"""Cohen's d_z over groups with Hedges's correction for small samples.

    .. math:: g_z = c(m)\,d / s, \quad
        c(m) = \frac{\Gamma(m/2)}{\sqrt{m/2}\,\Gamma((m-1)/2)}

    Source: Cohen, "Statistical Power Analysis" (1988), section 2.3.5; Hedges, "Distribution
    Theory for Glass's Estimator" (1981), eq. 6e. The deviation s is between held-out groups, so
    effect sizes of tables with groups of different sizes are not comparable.

    Args:
        difference: the mean difference d.
        deviation: the deviation s between groups, above 0.
        df: its degrees of freedom m.

    Returns:
        Any number; None where m is 1 or less, since c(1) is 0.

    Example:
        >>> round(effect_size(0.04, 0.0158, 4), 2)
        2.02
        >>> effect_size(0.04, 0.0158, 1) is None
        True
    """
    if df <= 1:
        return None
    log_c = math.lgamma(df / 2) - math.lgamma((df - 1) / 2) - 0.5 * math.log(df / 2)
    return math.exp(log_c) * difference / deviation


def detectable(error: float, df: float, comparisons: int) -> float:
    r"""The smallest true difference that the t test would have shown with 80 % power.

    .. math:: \delta\,e, \quad P(|T_m(\delta)| > t_{m, 1 - \alpha/2}) = 0.8

    with noncentral T (Cohen 1988, section 2.5). The standard error seen is taken for the true one,
    and alpha is 0.05 divided by the number of comparisons: the first step of Holm, which a row must
    pass if it is the only one that differs.

    Args:
        error: the standard error e of the difference, above 0.
        df: its degrees of freedom m.
        comparisons: how many comparisons the family has, at least 1.

    Returns:
        A difference above 0.

    Example:
        >>> round(detectable(0.0106, 4, comparisons=1), 3)
        0.04
    """
    return error * _noncentrality(df, (1 - CONFIDENCE) / comparisons)


def deviation_of(values: Sequence[float]) -> float:
    """Sample standard deviation of at least two values; exactly 0 where they are equal."""
    middle = mean(values)
    if max(values) - min(values) < ROUNDING:
        return 0.0  # 0.55 - 0.5 and 0.65 - 0.6 differ in their last bit, yet are equal
    return math.sqrt(math.fsum((v - middle) ** 2 for v in values) / (len(values) - 1))


@lru_cache(maxsize=64)
def _noncentrality(df: float, alpha: float) -> float:
    """The noncentrality at which a two-sided t test has a power of 80 %, in standard errors.

    A noncentral T is a normal variable divided by a chi variable, so its tails are a mean of
    normal tails over the quantiles of chi. SciPy 1.17's own `nct` gives NaN at some of the sizes
    that two or three groups need (12.7 standard errors at one degree of freedom, 8.0 at two).
    """
    import numpy as np
    from scipy.special import chdtri, ndtr, stdtrit

    quantiles = (np.arange(4000) + 0.5) / 4000
    bar = float(stdtrit(df, 1 - alpha / 2)) * np.sqrt(chdtri(df, quantiles) / df)

    low, high = 0.0, float(bar.max()) + 10
    for _ in range(60):
        middle = (low + high) / 2
        if float(np.mean(ndtr(middle - bar) + ndtr(-middle - bar))) < POWER:
            low = middle
        else:
            high = middle
    return high
