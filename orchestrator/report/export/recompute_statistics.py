"""The formulas behind a study's tables: from predictions to scores, and from scores to statistics.

`recompute_rows.py` computes the numbers of every row with them; the docstring of `recompute.py`
explains the files and the words. Nothing of the program that made the tables is used. Scores and
differences are fractions, 0 to 1.

Names: `lines` is a table of `decided`; `by_speaker` a score, or a difference of UAs, of every test
speaker (index: fold, speaker; where the speakers were dealt several times: speaker); `groups` its
mean in each held-out group, or of each speaker (`units`); `ratio` test speakers over
training speakers of a fold; `choice` the epoch: ``chosen`` (on the other half of the held-out
group), ``last_epoch`` or ``best_on_test``, or ``averaged`` for averaged weights; `unit`
``utterance`` or ``segment``; `metric` ``wa`` or ``ua``.
"""

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy import optimize, special, stats

FLAT = 1e-13
"""Scores are ratios of counts: if their range is smaller than this, they count as equal."""

Number = float | int | None
Ends = tuple[Number, Number, Number]
"""Low end and high end of an interval, and the two-sided p; each None if it is not defined."""


# --- from segments to scores ----------------------------------------------------------------


def decided(predictions: pd.DataFrame, classes: Sequence[str], choice: str, unit: str) -> Any:
    """The predicted class (``taken``) of every held-out utterance or segment of every training.

    `predictions` has a line for each segment and choice of epoch, with probabilities ``p_CLASS``.
    An utterance gets the class with the highest mean probability over its segments.
    """
    columns = [f"p_{name}" for name in classes]
    keys = ["row", "fold", "seed", "speaker", "emotion", "utterance"]
    chosen = predictions[predictions.choice == choice]
    if unit == "utterance":
        chosen = chosen.astype(dict.fromkeys(columns, "float64"))
        chosen = chosen.groupby(keys, sort=False)[columns].mean().reset_index()
    taken = np.asarray(classes)[chosen[columns].to_numpy().argmax(axis=1)]
    return chosen[keys].assign(taken=taken)


def scored(lines: Any) -> Any:
    """WA and UA (mean recall over the classes spoken) by row, fold, test speaker and seed."""
    keys = ["row", "fold", "speaker", "seed"]
    right = lines.assign(right=(lines.emotion == lines.taken).astype(float))
    wa = right.groupby(keys).right.mean()
    ua = right.groupby([*keys, "emotion"]).right.mean().groupby(keys).mean()
    return pd.DataFrame({"wa": wa, "ua": ua})


# --- statistics -----------------------------------------------------------------------------


def deviation(values: Any) -> float:
    """Sample standard deviation (n - 1); exactly 0 if all values are equal up to ``FLAT``."""
    return 0.0 if np.ptp(values) < FLAT else float(np.std(values, ddof=1))


def units(by_speaker: Any) -> Any:
    """The independent values behind a mean over speakers: one a held-out group, or one a speaker.

    Speakers of a held-out group share its training. Where the speakers were dealt several times,
    each shares trainings with others from deal to deal, and is a unit himself.
    """
    dealt_once = "fold" in by_speaker.index.names
    return by_speaker.groupby("fold").mean() if dealt_once else by_speaker


def corrected_t(by_speaker: Any, ratio: float) -> Ends:
    """95 % interval and p of the mean for new speakers: Nadeau and Bengio's corrected t.

    The variance of the units is multiplied by 1 / number of units + ratio, since folds share
    training speakers. None below two units, or if all are equal.
    """
    groups = units(by_speaker)
    centre = float(by_speaker.mean())
    if len(groups) < 2:
        return None, None, None
    error = deviation(groups) * math.sqrt(1 / len(groups) + ratio)
    return (None, None, None) if error == 0 else t_test(centre, error, len(groups) - 1)


def paired_t(differences: Sequence[float], confidence: float = 0.95) -> Ends:
    """Student's paired t over seeds, one difference each; None below three, or if all are equal."""
    if len(differences) < 3 or deviation(differences) == 0:
        return None, None, None
    test = stats.ttest_1samp(differences, 0.0)
    ends = test.confidence_interval(confidence)
    return float(ends.low), float(ends.high), float(test.pvalue)


def sign_flip(groups: Any) -> Number:
    """Exact sign-flip p: share of sign patterns with at least as large a |sum|; None above 20."""
    if not 0 < len(groups) <= 20:
        return None
    sums = np.zeros(1)
    for value in groups:
        sums = np.add.outer(sums, [value, -value]).ravel()
    slack = 1e-12 * float(np.abs(groups).sum())
    return float(np.mean(np.abs(sums) >= abs(float(np.sum(groups))) - slack))


def moderated(variances: Sequence[float], df: Sequence[float]) -> tuple[Any, Any]:
    """Variances that comparisons share, and their degrees of freedom: Smyth (2004), as in limma.

    Each variance moves towards the prior s0^2, which counts for d0 degrees of freedom; both are
    estimated from the logarithms of all. No comparison has more degrees of freedom than all have
    together. One alone stays as it is.
    """
    s2, d = np.asarray(variances, dtype=float), np.asarray(df, dtype=float)
    if len(s2) < 2:
        return s2, d
    least = np.maximum(s2, 1e-5 * np.median(s2))
    e = np.log(least) - special.psi(d / 2) + np.log(d / 2)
    excess = float(np.var(e, ddof=1) - np.mean(special.polygamma(1, d / 2)))
    if excess <= 0:  # no more apart than by chance: all have one variance
        return np.full(len(s2), least.mean()), np.full(len(s2), d.sum())

    def above(log_half: float) -> float:
        return math.log(special.polygamma(1, math.exp(log_half))) - math.log(excess)

    half = math.exp(optimize.brentq(above, -20.0, 20.0, xtol=1e-15, rtol=1e-15))
    prior = math.exp(float(np.mean(e)) + float(special.psi(half)) - math.log(half))
    return (2 * half * prior + d * s2) / (2 * half + d), np.minimum(2 * half + d, d.sum())


def family_tests(
    groups: Mapping[Any, Any],
    centres: Mapping[Any, float],
    ratio: float,
    unjudged: Collection[Any],
    comparisons: int,
    *,
    are_speakers: bool,
) -> dict[Any, dict[str, Number]]:
    """The moderated t of a family of comparisons, without Holm: name -> its numbers.

    `groups` has a difference for each unit, not all equal, and `centres` the means over speakers.
    Those that are judged share their variances; while none is judged, all do. `luck` is how much of
    it the trainings of a row may share (a standard deviation) before the test is too bold. Where
    speakers are the units, luck that a group's speakers share leaves less room for it.
    """
    together = [name for name in groups if name not in unjudged] or list(groups)
    own = {name: (deviation(each) ** 2, len(each) - 1) for name, each in groups.items()}
    shared = moderated(*([own[name][i] for name in together] for i in (0, 1)))
    own |= dict(zip(together, zip(*map(np.ndarray.tolist, shared), strict=True), strict=True))
    found = {}
    for name, each in groups.items():
        variance, df = own[name]
        error = math.sqrt(variance * (1 / len(each) + ratio))
        room = (1 + ratio) / len(each) if are_speakers else ratio
        low, high, p = t_test(centres[name], error, df)
        found[name] = {
            "low": low,
            "high": high,
            "p": None if name in unjudged else p,
            "effect": effect_size(centres[name], math.sqrt(variance), df),
            "detectable": detectable(error, df, comparisons),
            "df": df,
            "luck": math.sqrt(variance * room / 2),
        }
    return found


def published_test(both: Any, by_speaker: Any, comparisons: int) -> dict[str, Number]:
    """The test of a published split, which has its own two variances and no promise about luck."""
    low, high, p = crossed_t(both)
    spread, df = deviation(by_speaker), len(by_speaker) - 1
    known = p is not None and spread > 0
    effect = effect_size(float(np.mean(by_speaker)), spread, df) if known else None
    reach = crossed_detectable(both, comparisons)
    return {"low": low, "high": high, "p": p, "effect": effect, "detectable": reach}


def promise_of(differences: Iterable[Mapping[str, Any]]) -> dict[str, Number] | None:
    """What verdicts keep: how many are judged, and the least luck that they tolerate; else None."""
    judged = [one for one in differences if one["p_holm"] is not None]
    lucks = [one["luck"] for one in judged if one["luck"] is not None]
    return {"comparisons": len(judged), "luck": min(lucks, default=None)} if judged else None


def t_test(centre: float, error: float, df: float) -> tuple[float, float, float]:
    """95 % interval and p of a mean with a standard error on so many degrees of freedom."""
    low, high = stats.t.interval(0.95, df, loc=centre, scale=error)
    return float(low), float(high), float(2 * stats.t.sf(abs(centre) / error, df))


def effect_size(centre: float, spread: float, df: float) -> Number:
    """Cohen's d_z over groups with Hedges's correction; None on one degree of freedom."""
    if df <= 1:
        return None
    correction = math.exp(special.gammaln(df / 2) - special.gammaln(df / 2 - 0.5))
    return correction / math.sqrt(df / 2) * centre / spread


def detectable(error: float, df: float, comparisons: int) -> float:
    """The smallest true difference that a t test at 0.05 / comparisons shows with 80 % power.

    A noncentral t is a normal over a chi: its tails are a mean over 4,000 quantiles of the chi.
    """
    chi2 = stats.chi2.isf((np.arange(4000) + 0.5) / 4000, df)
    bar = stats.t.isf(0.05 / comparisons / 2, df) * np.sqrt(chi2 / df)

    def power(shift: float) -> float:
        return float(np.mean(stats.norm.sf(bar - shift) + stats.norm.cdf(-bar - shift)))

    shift = optimize.brentq(lambda s: power(s) - 0.8, 0.0, bar.max() + 10, xtol=1e-13, rtol=1e-14)
    return float(shift) * error


def _parts(both: Any) -> tuple[float, float, float, int, int]:
    """The parts of the error variance of a difference that test speakers and seeds cross in.

    Returns:
        The mean; variance between speakers / their number; variance between seeds / their number;
        degrees of freedom of both.
    """
    table = both.unstack("seed").to_numpy()
    speakers, seeds = table.shape
    of_speakers = deviation(table.mean(axis=1)) ** 2 / speakers
    of_seeds = deviation(table.mean(axis=0)) ** 2 / seeds
    return float(table.mean()), of_speakers, of_seeds, speakers - 1, seeds - 1


def crossed_t(both: Any) -> Ends:
    """95 % interval and p of a difference on a published split: new speakers and new trainings.

    Each variance has a quantile of its own (Banerjee 1960); p is the level at which the interval
    ends at 0. None below five test speakers or three seeds, or if neither differ.
    """
    if both.groupby("speaker").ngroups < 5 or both.groupby("seed").ngroups < 3:
        return None, None, None
    centre, of_speakers, of_seeds, df_speakers, df_seeds = _parts(both)
    if of_speakers + of_seeds == 0:
        return None, None, None

    def half(level: float) -> float:
        t_speakers, t_seeds = (stats.t.isf(level / 2, df) for df in (df_speakers, df_seeds))
        return math.sqrt(t_speakers**2 * of_speakers + t_seeds**2 * of_seeds)

    if centre == 0:
        return -half(0.05), half(0.05), 1.0
    log_p = optimize.brentq(lambda x: half(math.exp(x)) - abs(centre), -600, 0, xtol=1e-14)
    return centre - half(0.05), centre + half(0.05), math.exp(log_p)


def crossed_detectable(both: Any, comparisons: int) -> Number:
    """The smallest true difference in UA that `crossed_t` shows with 80 % power.

    A mean of normal tails over 100 quantiles of the chi-square of each of the two variances.
    """
    if crossed_t(both)[2] is None:
        return None
    _, of_speakers, of_seeds, df_speakers, df_seeds = _parts(both)
    level, quantiles = 0.05 / comparisons, (np.arange(100) + 0.5) / 100
    bars = [
        part * stats.t.isf(level / 2, df) ** 2 * stats.chi2.isf(quantiles, df) / df
        for part, df in ((of_speakers, df_speakers), (of_seeds, df_seeds))
    ]
    error = math.sqrt(of_speakers + of_seeds)
    bar = np.sqrt(np.add.outer(*bars)) / error

    def power(shift: float) -> float:
        return float(np.mean(stats.norm.sf(bar - shift) + stats.norm.cdf(-bar - shift)))

    shift = optimize.brentq(lambda s: power(s) - 0.8, 0.0, bar.max() + 10, xtol=1e-13, rtol=1e-14)
    return float(shift) * error


def speakers_t(by_speaker: Any) -> Ends:
    """95 % interval and p of the mean over speakers whom the same networks are tested on."""
    if len(by_speaker) < 2 or deviation(by_speaker) == 0:
        return None, None, None
    centre, error = float(by_speaker.mean()), deviation(by_speaker) / math.sqrt(len(by_speaker))
    low, high = stats.t.interval(0.95, len(by_speaker) - 1, loc=centre, scale=error)
    p = 2 * stats.t.sf(abs(centre) / error, len(by_speaker) - 1)
    return float(low), float(high), float(p)


def interims_of(cap: int) -> dict[int, float]:
    """Seeds at each interim analysis -> its share of the level, 1 in all; `cap`: most seeds."""
    at, seeds = list[int](), 3
    while seeds <= cap * 5 / 6:
        at.append(seeds)
        seeds = math.ceil(seeds * 4 / 3)
    at.append(cap)
    spent = np.diff([0.0, *((seeds / cap) ** 3 for seeds in at)])
    return dict(zip(at, map(float, spent), strict=True))


def holm(p_values: Mapping[str, float]) -> dict[str, float]:
    """Holm's step-down adjustment for the number of tests: row -> p becomes row -> adjusted p."""
    ordered = sorted(p_values, key=lambda name: p_values[name])
    steps = [(len(ordered) - rank) * p_values[name] for rank, name in enumerate(ordered)]
    capped = np.minimum(1.0, np.maximum.accumulate(steps)) if steps else np.zeros(0)
    return {name: float(p) for name, p in zip(ordered, capped, strict=True)}


SEQUENTIAL = ("seeds", "looks", "p_holm", "verdict")
"""Keys of a row's interim analyses (looks) in an adaptive study."""
DIFFERENCE = (
    *("ua", "low", "high", "p", "p_holm", "p_sign_flip", "effect", "detectable", "groups"),
    *("df", "luck"),
)
"""Keys of a row's difference in UA to another row, for new speakers."""
SEEDS = ("ua", "low", "high", "p", "seeds")
"""Keys of a row's difference in UA to another row, for the same speakers and new seeds; `deals`
follows if there are several."""


# --- verdicts -------------------------------------------------------------------------------


def never_judged(test_speakers: int, seeds: int) -> str:
    """Why no row of a published split gets a verdict, such as ``none: 2 seeds, 3 are needed``."""
    for found, fewest, what in ((test_speakers, 5, "test speaker"), (seeds, 3, "seed")):
        if found < fewest:
            return f"none: {found} {what}{'s' * (found != 1)}, {fewest} are needed"
    return ""


def verdict_of(difference: Mapping[str, Any]) -> str | None:
    """``yes`` or ``cannot tell``, by p after Holm; None without a difference."""
    if difference["ua"] is None:
        return None
    p = difference["p_holm"]
    return "yes" if p is not None and p < 0.05 else "cannot tell"
