r"""Variances that comparisons share: each is estimated from its own units and all others. Pure.

With five held-out groups a comparison estimates its variance on four degrees of freedom, so badly
that its interval is wide and small differences are never shown. Comparisons of one table have
similar variances, though. The *moderated* variance moves each one towards what is common to all, by
as much as they resemble each other; where they do not, each keeps its own (empirical Bayes).

.. math:: \tilde s_g^2 = \frac{d_0 s_0^2 + d_g s_g^2}{d_0 + d_g}, \quad
    \tilde d_g = \min(d_0 + d_g, \textstyle\sum_h d_h)

:math:`s_0^2` and :math:`d_0`, the prior, are estimated from the mean and the variance of
:math:`\log s_g^2`. Where the logarithms vary no more than chance alone would let them,
:math:`d_0` is infinite: all have one variance. Comparisons with one reference are not independent,
so the total degrees of freedom are never more than the sum of all.

Source: Smyth, "Linear models and empirical Bayes methods for assessing differential expression in
microarray experiments", Statistical Applications in Genetics and Molecular Biology 3 (2004),
sections 6.1, 6.2 and the appendix; the cap and the mean under an infinite prior as in limma 3.54
(``fitFDist``, ``squeezeVar``, ``eBayes``).
"""

import math
from collections.abc import Sequence
from statistics import median

from orchestrator.analysis.statistics import mean

TINY = 1e-5
"""A variance below this part of the median counts as so large when the prior is estimated."""
CONVERGED = 1e-12
"""Newton's iteration ends at a relative step below this."""

VarianceAndDf = tuple[float, float]
"""(variance, its degrees of freedom)."""


def moderated_variances(own: Sequence[VarianceAndDf]) -> list[VarianceAndDf]:
    """The moderated variance of each comparison, with its total degrees of freedom.

    Args:
        own: variance, above 0, and degrees of freedom, above 0, of each comparison. limma puts a
            small number in the place of a variance of 0, which makes a comparison all but certain;
            here the caller leaves it out.

    Returns:
        The same number of them, in their order. One alone has nothing to share, and is returned as
        it is.

    Example:
        >>> moderated_variances([(4.0, 4)])
        [(4.0, 4)]
        >>> [(round(v, 2), round(df, 1)) for v, df in moderated_variances([(4.0, 4), (100.0, 4)])]
        [(4.81, 5.1), (80.84, 5.1)]
        >>> moderated_variances([(4.0, 4), (5.0, 4)])
        [(4.5, 8), (4.5, 8)]
    """
    if len(own) < 2:
        return list(own)
    all_df = sum(df for _, df in own)
    prior, prior_df = prior_of(own)
    if math.isinf(prior_df):
        return [(prior, all_df) for _ in own]
    return [
        ((prior_df * prior + df * variance) / (prior_df + df), min(prior_df + df, all_df))
        for variance, df in own
    ]


def prior_of(own: Sequence[VarianceAndDf]) -> VarianceAndDf:
    """What the variances have in common: the prior variance, and how much it is worth.

    Args:
        own: variance and degrees of freedom of each comparison; at least two.

    Returns:
        The prior variance and its degrees of freedom, which may be infinite.
    """
    from scipy.special import digamma, polygamma

    least = TINY * median([v for v, _ in own])
    own = [(max(v, least), df) for v, df in own]
    logs = [math.log(v) - float(digamma(df / 2)) + math.log(df / 2) for v, df in own]
    middle = mean(logs)
    by_chance = mean([float(polygamma(1, df / 2)) for _, df in own])
    excess = math.fsum((one - middle) ** 2 for one in logs) / (len(own) - 1) - by_chance
    if excess <= 0:
        return mean([v for v, _ in own]), math.inf
    half = inverse_trigamma(excess)
    return math.exp(middle + float(digamma(half)) - math.log(half)), 2 * half


def inverse_trigamma(value: float) -> float:
    """The number whose trigamma is ``value``, by Newton's iteration on 1 / trigamma.

    Args:
        value: above 0.

    Example:
        >>> round(inverse_trigamma(math.pi**2 / 6), 12)
        1.0
    """
    from scipy.special import polygamma

    if value > 1e7:  # where trigamma(x) is 1/x²
        return 1 / math.sqrt(value)
    if value < 1e-6:  # where it is 1/x
        return 1 / value
    x, step = 0.5 + 1 / value, math.inf
    while abs(step) > CONVERGED * x:
        trigamma = float(polygamma(1, x))
        step = trigamma * (1 - trigamma / value) / float(polygamma(2, x))
        x += step
    return x
