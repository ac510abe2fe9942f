"""Computes the numbers of a study's tables from its predictions: scores, statistics, rows.

`recompute.py` compares them with the printed ones; its docstring explains the files and the words.
Nothing of the program that made the tables is used. Scores and differences are fractions, 0 to 1.

Names: `lines` is a table of `decided`; `by_speaker` a score, or a difference of UAs, of every test
speaker (index: fold, speaker); `groups` its mean in each held-out group; `ratio` test speakers over
training speakers of a fold; `choice` the epoch: ``chosen`` (on the other half of the held-out
group), ``last_epoch`` or ``best_on_test``; `unit` ``utterance`` or ``segment``; `metric` ``wa`` or
``ua``; `name`, `other` the names of two rows, of which the second is subtracted.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy import optimize, special, stats
from sklearn.metrics import accuracy_score, balanced_accuracy_score, confusion_matrix

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


def corrected_t(by_speaker: Any, ratio: float) -> Ends:
    """95 % interval and p of the mean for new speakers: Nadeau and Bengio's corrected t.

    The groups' variance is multiplied by 1 / number of groups + ratio, since folds share training
    speakers. None below two groups, or if all are equal.
    """
    groups = by_speaker.groupby("fold").mean()
    centre = float(by_speaker.mean())
    if len(groups) < 2:
        return None, None, None
    error = deviation(groups) * math.sqrt(1 / len(groups) + ratio)
    if error == 0:
        return None, None, None
    low, high = stats.t.interval(0.95, len(groups) - 1, loc=centre, scale=error)
    return float(low), float(high), float(2 * stats.t.sf(abs(centre) / error, len(groups) - 1))


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


def effect_size(groups: Any) -> Number:
    """Cohen's d_z over groups with Hedges's correction; None below three, or if all are equal."""
    spread = deviation(groups) if len(groups) > 2 else 0.0
    if spread == 0:
        return None
    half = (len(groups) - 1) / 2
    correction = math.exp(special.gammaln(half) - special.gammaln(half - 0.5)) / math.sqrt(half)
    return correction * float(np.mean(groups)) / spread


def detectable(groups: Any, ratio: float, comparisons: int) -> Number:
    """The smallest true difference in UA that `corrected_t` shows with 80 % power.

    The level is 0.05 / comparisons. A noncentral t is a normal over a chi: its tails are a mean
    over 4,000 quantiles of the chi. None below two groups, or if all are equal.
    """
    spread = deviation(groups) if len(groups) > 1 else 0.0
    if spread == 0:
        return None
    df = len(groups) - 1
    chi2 = stats.chi2.isf((np.arange(4000) + 0.5) / 4000, df)
    bar = stats.t.isf(0.05 / comparisons / 2, df) * np.sqrt(chi2 / df)

    def power(shift: float) -> float:
        return float(np.mean(stats.norm.sf(bar - shift) + stats.norm.cdf(-bar - shift)))

    shift = optimize.brentq(lambda s: power(s) - 0.8, 0.0, bar.max() + 10, xtol=1e-13, rtol=1e-14)
    return float(shift) * spread * math.sqrt(1 / len(groups) + ratio)


def holm(p_values: Mapping[str, float]) -> dict[str, float]:
    """Holm's step-down adjustment for the number of tests: row -> p becomes row -> adjusted p."""
    ordered = sorted(p_values, key=lambda name: p_values[name])
    steps = [(len(ordered) - rank) * p_values[name] for rank, name in enumerate(ordered)]
    capped = np.minimum(1.0, np.maximum.accumulate(steps)) if steps else np.zeros(0)
    return {name: float(p) for name, p in zip(ordered, capped, strict=True)}


def bootstrapped(lines: Any, classes: Sequence[str]) -> tuple[Ends, Ends]:
    """95 % intervals of WA and UA over all utterances of a row, without p: 2,000 fixed draws.

    A draw takes speakers with all their utterances. None below two speakers.
    """
    squares = np.array(
        [
            confusion_matrix(own.emotion, own.taken, labels=list(classes))
            for _, own in sorted(lines.groupby("speaker"), key=lambda pair: str(pair[0]))
        ]
    )
    if len(squares) < 2:
        return (None, None, None), (None, None, None)
    share = np.full(len(squares), 1 / len(squares))
    draws = np.random.default_rng(0).multinomial(len(squares), share, size=2000)
    was, uas = [], []
    for draw in draws:
        whole = np.tensordot(draw, squares, axes=1)
        spoken = whole.sum(axis=1)
        was.append(np.trace(whole) / whole.sum())
        uas.append(np.mean(np.diag(whole)[spoken > 0] / spoken[spoken > 0]))
    (wa_low, wa_high), (ua_low, ua_high) = (np.percentile(x, [2.5, 97.5]) for x in (was, uas))
    return (float(wa_low), float(wa_high), None), (float(ua_low), float(ua_high), None)


# --- the rows -------------------------------------------------------------------------------


class Bundle:
    """A study (`asked`, from `study.json`), its predictions and the scores that they give."""

    def __init__(self, asked: Mapping[str, Any], predictions: pd.DataFrame) -> None:
        self.asked = asked
        self.classes = list(asked["classes"])
        self.names = [row["name"] for row in asked["rows"]]
        self.reference = asked["reference"]
        self.folds = asked["folds"]
        tested = [(len(f["a"]) + len(f["b"])) / f["train"] for f in self.folds]
        self.ratio = float(np.mean(tested))
        self.predictions = predictions
        self.lines = {
            (choice, unit): decided(predictions, self.classes, choice, unit)
            for choice in ("chosen", "last_epoch", "best_on_test")
            for unit in ("utterance", "segment")
        }
        """(choice, unit) -> the predicted classes; `scores` has their WA and UA."""
        self.scores = {key: scored(lines) for key, lines in self.lines.items()}
        self.identical = self._identical_seeds()

    def by_speaker(
        self, row: str, metric: str, choice: str = "chosen", unit: str = "utterance"
    ) -> Any:
        """The score of every test speaker in a row, mean over seeds; None without a training."""
        scores = self.scores[choice, unit][metric]
        if row not in scores.index.get_level_values("row"):
            return None
        return scores.loc[row].groupby(["fold", "speaker"]).mean()

    def _identical_seeds(self) -> set[str]:
        """Rows in which two seeds of a fold gave equal probabilities: the seed has no effect."""
        columns = [f"p_{name}" for name in self.classes]
        keys = ["utterance", "segment", "choice"]
        found = set()
        for (row, _), own in self.predictions.groupby(["row", "fold"]):
            seeds = [
                one.sort_values(keys)[columns].to_numpy().tobytes()
                for _, one in own.groupby("seed")
            ]
            if len(set(seeds)) < len(seeds):
                found.add(str(row))
        return found

    def paired(self, row: str, other: str) -> Any:
        """UA of a row minus another's by fold, speaker and seed that both have; None if none."""
        scores = self.scores["chosen", "utterance"].ua
        here = set(scores.index.get_level_values("row"))
        if not {row, other} <= here:
            return None
        both = (scores.loc[row] - scores.loc[other]).dropna()
        return both if len(both) else None


def _interval(by_speaker: Any, ratio: float) -> dict[str, Number]:
    if by_speaker is None:
        return {"mean": None, "low": None, "high": None}
    low, high, _ = corrected_t(by_speaker, ratio)
    return {"mean": float(by_speaker.mean()), "low": low, "high": high}


def row_of(bundle: Bundle, name: str) -> dict[str, Any]:
    """All numbers of a row but its difference to the reference, by their keys in `table.json`."""
    found: dict[str, Any] = {}
    trained = bundle.predictions[bundle.predictions.row == name]
    asked = [trial for trial in bundle.asked["trials"] if trial["row"] == name]
    found["n"] = len(trained[["fold", "seed"]].drop_duplicates())
    found["missing"] = len(asked) - found["n"]
    found["speakers"] = trained.speaker.nunique()
    for metric in ("wa", "ua"):
        found[metric] = _interval(bundle.by_speaker(name, metric), bundle.ratio)
    for part, choice, unit in (
        ("segment", "chosen", "segment"),
        ("last_epoch", "last_epoch", "utterance"),
        ("best_on_test", "best_on_test", "utterance"),
    ):
        each = {m: bundle.by_speaker(name, m, choice, unit) for m in ("wa", "ua")}
        found[part] = {m: None if one is None else float(one.mean()) for m, one in each.items()}
    nothing = {"mean": None, "low": None, "high": None}
    found |= {"pooled_wa": nothing, "pooled_ua": nothing, "pooled_confusion": None}
    lines = bundle.lines["chosen", "utterance"]
    lines = lines[lines.row == name]
    if len(lines):
        ends = bootstrapped(lines, bundle.classes)
        for part, metric, (low, high, _) in (
            ("pooled_wa", accuracy_score, ends[0]),
            ("pooled_ua", balanced_accuracy_score, ends[1]),
        ):
            found[part] = {
                "mean": float(metric(lines.emotion, lines.taken)),
                "low": low,
                "high": high,
            }
        counts = confusion_matrix(lines.emotion, lines.taken, labels=bundle.classes)
        found["pooled_confusion"] = counts.tolist()
    return found


SEQUENTIAL = ("seeds", "looks", "p_holm", "verdict")
"""Keys of a row's interim analyses (looks) in an adaptive study."""
DIFFERENCE = ("ua", "low", "high", "p", "p_holm", "p_sign_flip", "effect", "detectable", "groups")
"""Keys of a row's difference in UA to another row, for new speakers."""
SEEDS = ("ua", "low", "high", "p", "seeds")
"""Keys of a row's difference in UA to another row, for the same speakers and new seeds."""


def difference_of(bundle: Bundle, name: str, other: str, comparisons: int) -> dict[str, Any]:
    """UA of a row minus another's for new speakers, by ``DIFFERENCE`` keys; `p_holm` is None."""
    both = bundle.paired(name, other)
    if both is None:
        return dict.fromkeys(DIFFERENCE)
    by_speaker = both.groupby(["fold", "speaker"]).mean()
    groups = by_speaker.groupby("fold").mean().to_numpy()
    low, high, p = corrected_t(by_speaker, bundle.ratio)
    return {
        "ua": float(by_speaker.mean()),
        "low": low,
        "high": high,
        "p": p,
        "p_holm": None,
        "p_sign_flip": sign_flip(groups),
        "effect": effect_size(groups),
        "detectable": detectable(groups, bundle.ratio, comparisons),
        "groups": len(groups),
    }


def by_seed(bundle: Bundle, name: str, other: str) -> dict[int, float]:
    """Seed -> UA of a row minus another's, mean over speakers; only seeds with all speakers."""
    both = bundle.paired(name, other)
    if both is None:
        return {}
    speakers = sum(len(f["a"]) + len(f["b"]) for f in bundle.folds)
    return {
        int(seed): float(own.mean())
        for seed, own in both.groupby("seed")
        if own.index.get_level_values("speaker").nunique() == speakers
    }


def new_seeds_of(bundle: Bundle, name: str, other: str) -> dict[str, Any]:
    """UA of a row minus another's for the same speakers and new seeds, by ``SEEDS`` keys."""
    whole = list(by_seed(bundle, name, other).values())
    if not whole or {name, other} & bundle.identical:
        return dict.fromkeys(SEEDS)
    low, high, p = paired_t(whole)
    return {"ua": float(np.mean(whole)), "low": low, "high": high, "p": p, "seeds": len(whole)}


def interims_of(cap: int) -> dict[int, float]:
    """Seeds at each interim analysis -> its share of the level, 1 in all; `cap`: most seeds."""
    at, seeds = list[int](), 3
    while seeds <= cap * 5 / 6:
        at.append(seeds)
        seeds = math.ceil(seeds * 4 / 3)
    at.append(cap)
    spent = np.diff([0.0, *((seeds / cap) ** 3 for seeds in at)])
    return dict(zip(at, map(float, spent), strict=True))


def settled(bundle: Bundle, found: dict[str, dict[str, Any]]) -> None:
    """Put the results of an adaptive study's interim analyses into ``found`` (row -> numbers).

    Such a study adds seeds until comparisons are settled. An interim analysis counts if none of
    its rows lacks a seed; `study.json` has trials of all seeds that a row was to have.
    """
    share_of = interims_of(bundle.asked["seeds"])
    rows = [name for name in bundle.names if name != bundle.reference]
    wanted = dict.fromkeys(rows, 0)
    for trial in bundle.asked["trials"]:
        if trial["row"] in wanted:
            wanted[trial["row"]] = max(wanted[trial["row"]], trial["seed"] + 1)
    values = {name: by_seed(bundle, name, bundle.reference) for name in rows}
    made = []
    for seeds in share_of:
        asked = [name for name in rows if wanted[name] >= seeds]
        if not asked or any(not set(range(seeds)) <= set(values[name]) for name in asked):
            break
        made.append(seeds)
    corrected: dict[str, float] = {}
    for name in rows:
        own = [seeds for seeds in made if seeds <= wanted[name]]
        found[name]["sequential"] = {**dict.fromkeys(SEQUENTIAL), "seeds": 0, "looks": len(own)}
        found[name]["new_seeds"] = new = dict.fromkeys(SEEDS)
        tests = [
            (paired_t([values[name][k] for k in range(n)], 1 - 0.05 * share_of[n]), share_of[n])
            for n in own
        ]
        known = [p / share for (_, _, p), share in tests if p is not None]
        corrected[name] = min([1.0, *known])
        if own:
            (low, high, _), _ = tests[-1]
            ua = float(np.mean([values[name][k] for k in range(own[-1])]))
            p = corrected[name] if known else None
            new |= {"ua": ua, "low": low, "high": high, "p": p, "seeds": own[-1]}
            found[name]["sequential"]["seeds"] = own[-1]
    adjusted = holm(corrected)
    for name in rows:
        if {name, bundle.reference} & bundle.identical:
            found[name]["sequential"] = dict.fromkeys(SEQUENTIAL)
            found[name]["new_seeds"] = dict.fromkeys(SEEDS)
        elif found[name]["sequential"]["seeds"]:
            p = None if found[name]["new_seeds"]["p"] is None else adjusted[name]
            verdict = "yes" if p is not None and p < 0.05 else "cannot tell"
            found[name]["sequential"] |= {"p_holm": p, "verdict": verdict}


def recomputed(bundle: Bundle) -> dict[str, dict[str, Any]]:
    """Name of a row -> all numbers that the tables print of it, by their keys in `table.json`."""
    found = {name: row_of(bundle, name) for name in bundle.names}
    alone: dict[str, float] = {}
    for name in bundle.names:
        against = bundle.reference is not None and name != bundle.reference
        difference: dict[str, Any] = dict.fromkeys(DIFFERENCE)
        seeds: dict[str, Any] = dict.fromkeys(SEEDS)
        if against:
            difference = difference_of(bundle, name, bundle.reference, len(bundle.names) - 1)
            seeds = new_seeds_of(bundle, name, bundle.reference)
            if difference["p"] is not None:
                alone[name] = difference["p"]
        found[name] |= {"difference": difference, "new_seeds": seeds, "verdict": None}
        found[name] |= {"sequential": dict.fromkeys(SEQUENTIAL)}
    if bundle.asked["replicates"] == "adaptive":
        settled(bundle, found)
    adjusted = holm(alone)
    for name in bundle.names:
        difference = found[name]["difference"]
        difference["p_holm"] = p = adjusted.get(name)
        if difference["ua"] is not None:
            found[name]["verdict"] = "yes" if p is not None and p < 0.05 else "cannot tell"
    return found
