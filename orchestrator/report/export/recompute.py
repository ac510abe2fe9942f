"""Computes every printed number of a bundle once more, from `predictions.parquet` alone.

    pip install pandas pyarrow scikit-learn scipy
    python recompute.py [--each]

Nothing of the program that made the tables is used. What was asked (rows, folds, seeds, reference)
is read from `study.json`; what was printed from `table.json`, in full, and from `table.md`, as
rounded there. Says which numbers agree, to 1e-9; leaves with 1 where one does not.

Probabilities are kept in single precision: an utterance whose two best classes are no further apart
than that can be counted otherwise here than where it was trained, and is then told.
"""

import hashlib
import json
import math
import sys
import warnings
from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy import optimize, special, stats
from sklearn.metrics import accuracy_score, balanced_accuracy_score, confusion_matrix

TOLERANCE = 1e-9
HERE = Path(__file__).resolve().parent
FLAT = 1e-13
"""Scores are ratios of counts: a spread below this is none."""

Number = float | int | None
Ends = tuple[Number, Number, Number]


# --- from segments to scores ----------------------------------------------------------------


def decided(predictions: pd.DataFrame, classes: Sequence[str], choice: str, unit: str) -> Any:
    """One line an utterance or segment of one choice of epoch: what it was taken for.

    An utterance is taken for the class of the highest mean probability of its segments.
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
    """WA and UA by row, fold, speaker and seed; UA is the mean recall of the classes spoken."""
    keys = ["row", "fold", "speaker", "seed"]
    right = lines.assign(right=(lines.emotion == lines.taken).astype(float))
    wa = right.groupby(keys).right.mean()
    ua = right.groupby([*keys, "emotion"]).right.mean().groupby(keys).mean()
    return pd.DataFrame({"wa": wa, "ua": ua})


# --- statistics -----------------------------------------------------------------------------


def deviation(values: Any) -> float:
    """Sample deviation; equal values have none."""
    return 0.0 if np.ptp(values) < FLAT else float(np.std(values, ddof=1))


def corrected_t(by_speaker: Any, ratio: float) -> Ends:
    """Nadeau and Bengio's corrected t over held-out groups: low, high, p; nothing of equal ones."""
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
    """Student's t over seeds; nothing below three, or where seeds change nothing."""
    if len(differences) < 3 or deviation(differences) == 0:
        return None, None, None
    test = stats.ttest_1samp(differences, 0.0)
    ends = test.confidence_interval(confidence)
    return float(ends.low), float(ends.high), float(test.pvalue)


def sign_flip(groups: Any) -> Number:
    """Share of all patterns of signs whose sum is at least as far from 0."""
    if not 0 < len(groups) <= 20:
        return None
    sums = np.zeros(1)
    for value in groups:
        sums = np.add.outer(sums, [value, -value]).ravel()
    slack = 1e-12 * float(np.abs(groups).sum())
    return float(np.mean(np.abs(sums) >= abs(float(np.sum(groups))) - slack))


def effect_size(groups: Any) -> Number:
    """Cohen's d_z over groups with Hedges's correction."""
    spread = deviation(groups) if len(groups) > 2 else 0.0
    if spread == 0:
        return None
    half = (len(groups) - 1) / 2
    correction = math.exp(special.gammaln(half) - special.gammaln(half - 0.5)) / math.sqrt(half)
    return correction * float(np.mean(groups)) / spread


def detectable(groups: Any, ratio: float, comparisons: int) -> Number:
    """The smallest difference shown with 80 % power at 0.05 over the number of comparisons.

    Noncentral T is a normal over a chi; its tails are a mean over 4,000 quantiles of the chi.
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
    """Holm's step-down adjustment."""
    ordered = sorted(p_values, key=lambda name: p_values[name])
    steps = [(len(ordered) - rank) * p_values[name] for rank, name in enumerate(ordered)]
    capped = np.minimum(1.0, np.maximum.accumulate(steps)) if steps else np.zeros(0)
    return {name: float(p) for name, p in zip(ordered, capped, strict=True)}


def bootstrapped(lines: Any, classes: Sequence[str]) -> tuple[Ends, Ends]:
    """95 % intervals of pooled WA and UA, speakers drawn whole: always the same 2,000 draws."""
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


class Study:
    """What was asked, and the scores that the predictions give."""

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
        self.scores = {key: scored(lines) for key, lines in self.lines.items()}
        self.identical = self._identical_seeds()

    def by_speaker(
        self, row: str, metric: str, choice: str = "chosen", unit: str = "utterance"
    ) -> Any:
        """Seeds averaged within a speaker."""
        scores = self.scores[choice, unit][metric]
        if row not in scores.index.get_level_values("row"):
            return None
        return scores.loc[row].groupby(["fold", "speaker"]).mean()

    def _identical_seeds(self) -> set[str]:
        """Rows in which two seeds of a fold gave the same probabilities: they say nothing."""
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
        """Differences in UA by fold, speaker and seed, where both have one; None where none."""
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


def row_of(study: Study, name: str) -> dict[str, Any]:
    """Everything of a row but its difference to the reference."""
    found: dict[str, Any] = {}
    trained = study.predictions[study.predictions.row == name]
    asked = [trial for trial in study.asked["trials"] if trial["row"] == name]
    found["n"] = len(trained[["fold", "seed"]].drop_duplicates())
    found["missing"] = len(asked) - found["n"]
    found["speakers"] = trained.speaker.nunique()
    for metric in ("wa", "ua"):
        found[metric] = _interval(study.by_speaker(name, metric), study.ratio)
    for part, choice, unit in (
        ("segment", "chosen", "segment"),
        ("last_epoch", "last_epoch", "utterance"),
        ("best_on_test", "best_on_test", "utterance"),
    ):
        each = {m: study.by_speaker(name, m, choice, unit) for m in ("wa", "ua")}
        found[part] = {m: None if one is None else float(one.mean()) for m, one in each.items()}
    nothing = {"mean": None, "low": None, "high": None}
    found |= {"pooled_wa": nothing, "pooled_ua": nothing, "pooled_confusion": None}
    lines = study.lines["chosen", "utterance"]
    lines = lines[lines.row == name]
    if len(lines):
        ends = bootstrapped(lines, study.classes)
        for part, metric, (low, high, _) in (
            ("pooled_wa", accuracy_score, ends[0]),
            ("pooled_ua", balanced_accuracy_score, ends[1]),
        ):
            found[part] = {
                "mean": float(metric(lines.emotion, lines.taken)),
                "low": low,
                "high": high,
            }
        counts = confusion_matrix(lines.emotion, lines.taken, labels=study.classes)
        found["pooled_confusion"] = counts.tolist()
    return found


SEQUENTIAL = ("seeds", "looks", "p_holm", "verdict")
DIFFERENCE = ("ua", "low", "high", "p", "p_holm", "p_sign_flip", "effect", "detectable", "groups")
SEEDS = ("ua", "low", "high", "p", "seeds")


def difference_of(study: Study, name: str, other: str, comparisons: int) -> dict[str, Any]:
    """A row less another, for new speakers; p before Holm."""
    both = study.paired(name, other)
    if both is None:
        return dict.fromkeys(DIFFERENCE)
    by_speaker = both.groupby(["fold", "speaker"]).mean()
    groups = by_speaker.groupby("fold").mean().to_numpy()
    low, high, p = corrected_t(by_speaker, study.ratio)
    return {
        "ua": float(by_speaker.mean()), "low": low, "high": high, "p": p, "p_holm": None,
        "p_sign_flip": sign_flip(groups), "effect": effect_size(groups),
        "detectable": detectable(groups, study.ratio, comparisons), "groups": len(groups),
    }  # fmt: skip


def by_seed(study: Study, name: str, other: str) -> dict[int, float]:
    """A row less another: one value a seed that lacks no speaker."""
    both = study.paired(name, other)
    if both is None:
        return {}
    speakers = sum(len(f["a"]) + len(f["b"]) for f in study.folds)
    return {
        int(seed): float(own.mean())
        for seed, own in both.groupby("seed")
        if own.index.get_level_values("speaker").nunique() == speakers
    }


def new_seeds_of(study: Study, name: str, other: str) -> dict[str, Any]:
    """A row less another, for the same speakers trained again."""
    whole = list(by_seed(study, name, other).values())
    if not whole or {name, other} & study.identical:
        return dict.fromkeys(SEEDS)
    low, high, p = paired_t(whole)
    return {"ua": float(np.mean(whole)), "low": low, "high": high, "p": p, "seeds": len(whole)}


def looks_of(cap: int) -> dict[int, float]:
    """Of a sequential design: seeds at each look -> what it spends of the level, 1 in all."""
    at, seeds = list[int](), 3
    while seeds <= cap * 5 / 6:
        at.append(seeds)
        seeds = math.ceil(seeds * 4 / 3)
    at.append(cap)
    spent = np.diff([0.0, *((seeds / cap) ** 3 for seeds in at)])
    return dict(zip(at, map(float, spent), strict=True))


def settled(study: Study, found: dict[str, dict[str, Any]]) -> None:
    """What the seeds of an adaptive study bear, corrected for looking; put into ``found``.

    A look counts when no row that it asked for lacks a seed. A row was asked for as many seeds as
    `study.json` has trials of it.
    """
    shares = looks_of(study.asked["seeds"])
    rows = [name for name in study.names if name != study.reference]
    wanted = dict.fromkeys(rows, 0)
    for trial in study.asked["trials"]:
        if trial["row"] in wanted:
            wanted[trial["row"]] = max(wanted[trial["row"]], trial["seed"] + 1)
    values = {name: by_seed(study, name, study.reference) for name in rows}
    made = []
    for seeds in shares:
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
            (paired_t([values[name][k] for k in range(n)], 1 - 0.05 * shares[n]), shares[n])
            for n in own
        ]
        told = [p / share for (_, _, p), share in tests if p is not None]
        corrected[name] = min([1.0, *told])
        if own:
            (low, high, _), _ = tests[-1]
            ua = float(np.mean([values[name][k] for k in range(own[-1])]))
            p = corrected[name] if told else None
            new |= {"ua": ua, "low": low, "high": high, "p": p, "seeds": own[-1]}
            found[name]["sequential"]["seeds"] = own[-1]
    adjusted = holm(corrected)
    for name in rows:
        if {name, study.reference} & study.identical:
            found[name]["sequential"] = dict.fromkeys(SEQUENTIAL)
            found[name]["new_seeds"] = dict.fromkeys(SEEDS)
        elif found[name]["sequential"]["seeds"]:
            p = None if found[name]["new_seeds"]["p"] is None else adjusted[name]
            verdict = "yes" if p is not None and p < 0.05 else "cannot tell"
            found[name]["sequential"] |= {"p_holm": p, "verdict": verdict}


def recomputed(study: Study) -> dict[str, dict[str, Any]]:
    """Row -> everything that a table says of it."""
    found = {name: row_of(study, name) for name in study.names}
    alone: dict[str, float] = {}
    for name in study.names:
        against = study.reference is not None and name != study.reference
        difference: dict[str, Any] = dict.fromkeys(DIFFERENCE)
        seeds: dict[str, Any] = dict.fromkeys(SEEDS)
        if against:
            difference = difference_of(study, name, study.reference, len(study.names) - 1)
            seeds = new_seeds_of(study, name, study.reference)
            if difference["p"] is not None:
                alone[name] = difference["p"]
        found[name] |= {"difference": difference, "new_seeds": seeds, "verdict": None}
        found[name] |= {"sequential": dict.fromkeys(SEQUENTIAL)}
    if study.asked["replicates"] == "adaptive":
        settled(study, found)
    adjusted = holm(alone)
    for name in study.names:
        difference = found[name]["difference"]
        difference["p_holm"] = p = adjusted.get(name)
        if difference["ua"] is not None:
            found[name]["verdict"] = "yes" if p is not None and p < 0.05 else "cannot tell"
    return found


def claim_of(study: Study) -> tuple[str | None, set[str | None]]:
    """What the rows bear of the study's claim, and how the reason may read.

    Nothing where published figures may not be compared with these.
    """
    claim = study.asked["claim"]
    if not claim or not study.asked["comparable"] or claim["on"] != "ua":
        return None, {None}
    against = {}
    for other in claim["than"]:
        found = difference_of(study, claim["better"], other, len(claim["than"]))
        if found["ua"] is None or found["groups"] < len(study.folds):
            return "cannot tell", {f"trainings of it or of `{other}` are missing"}
        if found["p"] is None:
            return "cannot tell", {"one held-out group has no spread"}
        against[other] = found
    adjusted = holm({name: found["p"] for name, found in against.items()})
    gaps = {name: found["ua"] for name, found in against.items()}
    shown = {name for name, p in adjusted.items() if p < 0.05}
    higher = [name for name in shown if gaps[name] < 0]
    if higher:
        name = min(higher, key=lambda name: gaps[name])
        said = {f"`{name}` is higher by {points} points" for points in rounded(-gaps[name])}
        return "contradicts", {*said}
    if len(shown) == len(against):
        least = rounded(min(gaps.values()))
        return "supports", {f"higher by {x} points or more than each other row" for x in least}
    name = max(adjusted, key=lambda name: adjusted[name])
    reach = against[name]["detectable"]
    ends = {f"; {points} would have shown" for points in rounded(reach)} if reach else {""}
    gap, p = rounded(gaps[name], sign="+"), rounded(adjusted[name], 2, scale=1)
    begun = {f"{one} points to `{name}`, p = {other}" for one, other in product(gap, p)}
    return "cannot tell", {*joined(begun, "", ends)}


# --- beside what was printed ----------------------------------------------------------------

Check = tuple[str, str, Any, Any, bool, float]
"""Row, what, printed, computed, whether they agree, how far they are apart."""


def checked(row: str, what: str, printed: Any, computed: Any) -> Check:
    """Compare one number, or one word."""
    if isinstance(printed, int | float) and isinstance(computed, int | float):
        apart = abs(printed - computed)
        return row, what, printed, computed, apart <= TOLERANCE, apart
    return row, what, printed, computed, printed == computed, 0.0


def against_json(
    printed: Mapping[str, Any], study: Study, found: Mapping[str, Any]
) -> Iterator[Check]:
    """Every number of `table.json`, which has them in full."""
    for row in printed["rows"]:
        computed = found[row["name"]]
        for key, value in computed.items():
            if isinstance(value, dict):
                for inner, item in value.items():
                    yield checked(row["name"], f"{key} {inner}", row[key][inner], item)
            elif isinstance(value, list):
                for i, j in product(range(len(value)), repeat=2):
                    what = f"{study.classes[i]} taken for {study.classes[j]}"
                    yield checked(row["name"], what, row[key][i][j], value[i][j])
            else:
                yield checked(row["name"], key, row[key], value)
    claim, reasons = claim_of(study)
    yield checked("the claim", "verdict", printed["claim"], claim)
    why = printed["reason"]
    yield "the claim", "why", why, " or ".join(map(str, reasons)), why in reasons, 0.0


def against_records(provenance: Mapping[str, Any], study: Study) -> Iterator[Check]:
    """The counts of every trial, as its record has them, and what its id stands for."""
    columns = ["row", "fold", "seed", "trial"]
    trained = set(study.predictions[columns].itertuples(index=False, name=None))
    recorded = {tuple(trial[name] for name in columns) for trial in provenance["trials"]}
    yield checked("all rows", "trials", sorted(recorded), sorted(trained))
    recounted: dict[tuple[Any, ...], Any] = {}
    for (choice, unit), lines in study.lines.items():
        for key, own in lines.groupby(["row", "fold", "seed", "speaker"]):
            counts = confusion_matrix(own.emotion, own.taken, labels=study.classes)
            recounted[(*key, choice, unit)] = counts.tolist()
    for trial in provenance["trials"]:
        named = json.dumps(trial["identity"], sort_keys=True, separators=(",", ":"))
        id = hashlib.sha256(named.encode()).hexdigest()
        yield checked(trial["row"], "the id, of what it stands for", trial["trial"], id)
        for s in trial["scores"]:
            key = (trial["row"], trial["fold"], trial["seed"], s["speaker"], s["choice"], s["unit"])
            what = f"counts of {s['speaker']}, {s['choice']}, by {s['unit']}, {trial['trial'][:12]}"
            yield checked(trial["row"], what, s["confusion"], recounted.get(key))


def against_markdown(
    text: str, printed: Mapping[str, Any], study: Study, found: Mapping[str, Any]
) -> Iterator[Check]:
    """Every number of `table.md`, as it is rounded there."""
    for head, lines in tables_of(text):
        if "spoken" in head:
            yield from against_pooled(head, lines, printed, study, found)
            continue
        if head[0] == "axis":  # of a search: rests on trials that no table is made of
            continue
        if head[0] == "group: configuration":
            yield from against_groups(head, lines, study)
            continue
        names = rows_in_order(printed, head, len(lines), study)
        for name, cells in zip(names, lines, strict=True):
            if name is None:  # published, and not trained here
                continue
            for column, cell in zip(head[1:], cells[1:], strict=True):
                expected = as_printed(column, found[name], name, study)
                if expected:
                    yield read(name, column, cell, expected)


def against_groups(
    head: Sequence[str], lines: Sequence[Sequence[str]], study: Study
) -> Iterator[Check]:
    """The test of what a search chose for each held-out group; what it went by is not here."""
    (name,) = study.names
    by_group = study.by_speaker(name, "ua").groupby("fold").mean()
    for cells, ua in zip(lines, by_group, strict=True):
        yield read(cells[0], "UA", cells[head.index("UA")], rounded(float(ua)))


def against_pooled(
    head: Sequence[str],
    lines: Sequence[Sequence[str]],
    printed: Mapping[str, Any],
    study: Study,
    found: Mapping[str, Any],
) -> Iterator[Check]:
    """Pooled scores, and percent of each class that was taken for each."""
    names = [row["name"] for row in printed["rows"] if row["n"]]
    size = len(study.classes)
    for index, cells in enumerate(lines):
        name = names[index // size]
        if index % size == 0:
            for column, cell, key in (("WA", cells[1], "pooled_wa"), ("UA", cells[2], "pooled_ua")):
                yield read(name, f"pooled {column}", cell, within(found[name][key]))
        counts = found[name]["pooled_confusion"][index % size]
        for column, cell, count in zip(head[4:], cells[4:], counts, strict=True):
            share = rounded(count / sum(counts), 0) if sum(counts) else {"–"}
            yield read(name, f"{cells[3]} taken for {column}", cell, share)


def read(name: str, column: str, cell: str, expected: set[str]) -> Check:
    """Whether a cell reads as what was computed."""
    plain = cell.replace("\\[", "[").replace("\\]", "]").replace("&lt;", "<")
    return (
        name,
        f"printed under {column}",
        plain,
        " or ".join(sorted(expected)),
        plain in expected,
        0.0,
    )


def tables_of(text: str) -> Iterator[tuple[list[str], list[list[str]]]]:
    """Head and lines of every table, without the headings of blocks."""
    head: list[str] = []
    lines: list[list[str]] = []
    for line in [*text.splitlines(), ""]:
        if line.startswith("| "):
            cells = [cell.strip() for cell in line.replace("\\|", "\0").strip("|").split("|")]
            if not head:
                head = cells
            elif not set("".join(cells)) <= set(":-") and not is_heading(cells):
                lines.append(cells)
        elif head:
            yield head, lines
            head, lines = [], []


def is_heading(cells: Sequence[str]) -> bool:
    """Whether a line is the heading of a block."""
    return cells[0].startswith("**") and not any(cells[1:])


def rows_in_order(
    printed: Mapping[str, Any], head: Sequence[str], lines: int, study: Study
) -> list[str | None]:
    """Whose number stands in which line of a table."""
    names = [row["name"] for row in printed["rows"]]
    blocks = list(dict.fromkeys(block for row in printed["rows"] for block in row["blocks"]))
    laid = [row["name"] for b in blocks for row in printed["rows"] if b in row["blocks"]] or names
    if "settled" in head:
        return [None if name == study.reference else name for name in names]
    if "p Holm" in head:
        return [name for name in names if name != study.reference]
    if "parameters" in head:
        return [None] * lines  # counted on networks, not on predictions
    return [*[None] * len(printed["published"]), *laid]


def rounded(value: Number, digits: int = 1, sign: str = "", scale: float = 100) -> set[str]:
    """What a number may read as: one on the edge between two may be rounded to either."""
    if value is None:
        return {"–"}
    return {f"{scale * (value + nudge):{sign}.{digits}f}" for nudge in (-TOLERANCE, 0, TOLERANCE)}


def joined(first: set[str], between: str, second: set[str]) -> set[str]:
    """Two numbers of one cell."""
    return {f"{one}{between}{other}" for one, other in product(first, second)}


def plus_minus(middle: Number, low: Number, sign: str = "") -> set[str]:
    """A mean and half of its interval."""
    if middle is None:
        return {"–"}
    half = None if low is None else middle - low
    return joined(rounded(middle, sign=sign), " ± ", rounded(half))


def within(interval: Mapping[str, Number]) -> set[str]:
    """A mean and its interval."""
    if interval["low"] is None:
        return rounded(interval["mean"])
    ends = joined(rounded(interval["low"]), ", ", rounded(interval["high"]))
    return {f"{one} [{both}]" for one, both in product(rounded(interval["mean"]), ends)}


def probability(p: Number) -> set[str]:
    """A p as a table prints it."""
    return {"<0.001"} if p is not None and p < 0.001 else rounded(p, 3, scale=1)


def as_printed(column: str, row: Mapping[str, Any], name: str, study: Study) -> set[str]:
    """What a cell may read; nothing for one that is no number of ours."""
    difference, seeds, sequential = row["difference"], row["new_seeds"], row["sequential"]
    known = sequential["seeds"] is not None
    reference = name == study.reference
    pairs = {"segment WA/UA": "segment", "last epoch": "last_epoch", "best on test": "best_on_test"}
    if column in pairs:
        wa, ua = (row[pairs[column]][metric] for metric in ("wa", "ua"))
        return {"–"} if ua is None else joined(rounded(wa), "/", rounded(ua))
    n, wanted = row["n"], row["n"] + row["missing"]
    cells = {
        "n": {f"{n}/{wanted}" if row["missing"] else str(n)},
        "UA ± 95 %": plus_minus(row["ua"]["mean"], row["ua"]["low"]),
        "WA ± 95 %": plus_minus(row["wa"]["mean"], row["wa"]["low"]),
        "WA": rounded(row["wa"]["mean"]),
        "ΔUA ± 95 %": {"reference"}
        if reference
        else plus_minus(difference["ua"], difference["low"], "+"),
        "differs": {row["verdict"] or ("missing" if row["missing"] and not reference else "")},
        "p": probability(difference["p"]),
        "p Holm": probability(difference["p_holm"]),
        "p sign-flip": probability(difference["p_sign_flip"]),
        "g_z": rounded(difference["effect"], 2, "+", scale=1),
        "would show": rounded(difference["detectable"]),
        "new seeds ΔUA ± 95 %": plus_minus(seeds["ua"], seeds["low"], "+"),
        "seeds": {str(sequential["seeds"]) if known else "–"},
        "looks": {str(sequential["looks"]) if known else "–"},
        "new seeds p Holm": probability(sequential["p_holm"]),
        "new seeds differs": {sequential["verdict"] or ""},
    }
    return cells.get(column, set())


def main() -> int:
    """Compare everything; say what agrees."""
    warnings.filterwarnings("ignore", "y_pred contains classes not in y_true")
    asked, printed, provenance = (
        json.loads((HERE / name).read_text(encoding="utf-8"))
        for name in ("study.json", "table.json", "provenance.json")
    )
    predictions = pd.read_parquet(HERE / "predictions.parquet")
    study = Study(asked, predictions)
    found = recomputed(study)
    text = (HERE / "table.md").read_text(encoding="utf-8")
    checks = [
        *against_json(printed, study, found),
        *against_records(provenance, study),
        *against_markdown(text, printed, study, found),
    ]
    for row, what, shown, computed, agrees, _ in checks:
        if "--each" in sys.argv[1:] or not agrees:
            print(f"{'agrees ' if agrees else 'DIFFERS'}  {row}: {what}: {shown} / {computed}")
    wrong = sum(not agrees for *_, agrees, _ in checks)
    apart = max((apart for *_, apart in checks), default=0.0)
    print(
        f"{len(checks) - wrong} of {len(checks)} agree, computed from {len(predictions)} "
        f"predictions; the largest difference of a number is {apart:.1e}."
    )
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
