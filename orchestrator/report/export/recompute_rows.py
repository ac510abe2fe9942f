"""Computes the numbers and verdicts of every row of a study's tables from its predictions.

`recompute_statistics.py` has the formulas; `recompute.py` compares the numbers with the printed
ones, and its docstring explains the files and the words. Nothing of the program that made the
tables is used. Scores and differences are fractions, 0 to 1.

Names: those of `recompute_statistics.py`; `name`, `other` are the names of two rows, of which the
second is subtracted.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from recompute_statistics import (
    DIFFERENCE,
    SEEDS,
    SEQUENTIAL,
    Number,
    corrected_t,
    decided,
    deviation,
    family_tests,
    holm,
    interims_of,
    never_judged,
    paired_t,
    published_test,
    scored,
    sign_flip,
    speakers_t,
    units,
    verdict_of,
)
from sklearn.metrics import accuracy_score, balanced_accuracy_score, confusion_matrix


class Bundle:
    """A study (`asked`, from `study.json`), its predictions and the scores that they give.

    `given_up` has the trials of `provenance.json` that diverged: their loss was not a number.
    """

    def __init__(
        self,
        asked: Mapping[str, Any],
        predictions: pd.DataFrame,
        given_up: Sequence[Mapping[str, Any]],
    ) -> None:
        self.asked = asked
        self.classes = list(asked["classes"])
        self.names = [row["name"] for row in asked["rows"]]
        self.reference = asked["reference"]
        self.choice = {"last": "last_epoch"}.get(asked["score"], asked["score"])
        """The choice of the network by which the study is scored, as in the predictions."""
        self.folds = asked["folds"]
        self.deals = 1 + max(fold.get("deal") or 0 for fold in self.folds)
        """How often the speakers were dealt into held-out groups."""
        self.is_published = len(self.folds) == 1
        """Whether the one fold is the corpus's own split: half a its dev, half b its test side."""
        self.dev = set(self.folds[0]["a"]) if self.is_published else set[str]()
        held_out = {name for f in self.folds for name in (*f["a"], *f["b"])}
        self.test_speakers = len(held_out - self.dev)
        self.never = never_judged(self.test_speakers, asked["seeds"]) if self.is_published else ""
        predictions = self._numbered_over_deals(predictions)
        tested = [(len(f["a"]) + len(f["b"])) / f["train"] for f in self.folds]
        self.ratio = float(np.mean(tested))
        self.predictions = predictions
        self.lines = {
            (choice, unit): decided(predictions, self.classes, choice, unit)
            for choice in ("chosen", "last_epoch", "best_on_test", "averaged")
            for unit in ("utterance", "segment")
        }
        """(choice, unit) -> the predicted classes; `scores` has their WA and UA."""
        self.scores = {
            key: scored(lines[~lines.speaker.isin(self.dev)]) for key, lines in self.lines.items()
        }
        utterances = self.lines[self.choice, "utterance"]
        self.dev_scores = scored(utterances[utterances.speaker.isin(self.dev)])
        """WA and UA of the dev side, by the study's score: no result."""
        self.identical = self._identical_seeds()
        self.given_up = given_up
        self.counts = {
            name: {
                "asked": sum(trial["row"] == name for trial in asked["trials"]),
                "n": len(trained[["fold", "seed"]].drop_duplicates()),
                "given_up": sum(trial["row"] == name for trial in given_up),
            }
            for name in self.names
            for trained in [predictions[predictions.row == name]]
        }
        """Name of a row -> trainings that the study asks for, that are finished, that diverged."""

    def _numbered_over_deals(self, predictions: pd.DataFrame) -> pd.DataFrame:
        """The predictions with `fold` and `seed` counted over all deals, if there are several.

        Seeds of the second deal follow those of the first, and so on: a speaker is tested once for
        each number.
        """
        if self.deals == 1:
            return predictions
        before = predictions.deal - 1
        return predictions.assign(
            fold=predictions.fold + before * (len(self.folds) // self.deals),
            seed=predictions.seed + before * int(self.asked["seeds"]),
        )

    def slot(self, trial: Mapping[str, Any]) -> tuple[str, int, int]:
        """Row, fold and seed of a trial in `provenance.json`, counted over all deals."""
        before = trial.get("deal", 1) - 1
        fold = trial["fold"] + before * (len(self.folds) // self.deals)
        return trial["row"], fold, trial["seed"] + before * int(self.asked["seeds"])

    def averaged(self, scores: Any) -> Any:
        """The mean of every test speaker over seeds; with deals over these, too, without folds."""
        return scores.groupby(["fold", "speaker"] if self.deals == 1 else ["speaker"]).mean()

    def missing(self, row: str) -> int:
        """How many trainings of a row are neither finished nor given up."""
        counts = self.counts[row]
        return int(counts["asked"] - counts["n"] - counts["given_up"])

    def open_verdict(self, row: str, *others: str) -> str:
        """What stands in place of a row's verdict, such as ``open, 7 of 15``; empty if it has one.

        Nothing is judged while a training of any row is missing, and a row with a training that
        diverged is not judged beside the others. A published split needs five test speakers and
        three seeds.
        """
        diverged = any(self.counts[name]["given_up"] for name in (row, *others))
        return self.never or self._open_text([row], diverged=diverged)

    def open_together(self, rows: Sequence[str]) -> str:
        """What stands in place of a verdict on rows that are averaged; empty if there is one."""
        diverged = any(self.counts[name]["given_up"] for name in rows)
        return self.never or self._open_text(rows, diverged=diverged)

    def _open_text(self, rows: Sequence[str], *, diverged: bool) -> str:
        if not diverged and not any(map(self.missing, self.names)):
            return ""
        keys = ("n", "asked", "given_up")
        n, asked, given_up = (sum(self.counts[name][key] for name in rows) for key in keys)
        return f"open, {n} of {asked}" + (f" ({given_up} diverged)" if given_up else "")

    def by_speaker(
        self, row: str, metric: str, choice: str | None = None, unit: str = "utterance"
    ) -> Any:
        """The score of every test speaker in a row, mean over seeds; by the study's own choice.

        None without a training, and where one of them has no score by this choice.
        """
        choice = choice or self.choice
        scores = self.scores[choice, unit][metric]
        if row not in scores.index.get_level_values("row") or self.unscored(row, choice):
            return None
        return self.averaged(scores.loc[row])

    def unscored(self, row: str, choice: str | None = None) -> int:
        """How many finished trainings of a row have no score by a choice, or by the study's own."""
        lines = self.predictions[self.predictions.choice == (choice or self.choice)]
        scored = lines[lines.row == row][["fold", "seed"]].drop_duplicates()
        return int(self.counts[row]["n"] - len(scored))

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

    def uas(self, row: str) -> Any:
        """UA of a row by fold, speaker and seed; None without a training, or without the score."""
        scores = self.scores[self.choice, "utterance"].ua
        has = row in scores.index.get_level_values("row") and not self.unscored(row)
        return scores.loc[row] if has else None

    def paired(self, row: str, other: str) -> Any:
        """UA of a row minus another's by fold, speaker and seed that both have; None if none."""
        ours, theirs = self.uas(row), self.uas(other)
        if ours is None or theirs is None:
            return None
        both = (ours - theirs).dropna()
        return both if len(both) else None


def interval_of(by_speaker: Any, bundle: Bundle) -> dict[str, Number]:
    """A mean score and its 95 % interval, which ends at 0 and 1."""
    if by_speaker is None:
        return {"mean": None, "low": None, "high": None}
    test = speakers_t(by_speaker) if bundle.is_published else corrected_t(by_speaker, bundle.ratio)
    low, high, _ = test
    low, high = None if low is None else max(0.0, low), None if high is None else min(1.0, high)
    return {"mean": float(by_speaker.mean()), "low": low, "high": high}


def row_of(bundle: Bundle, name: str) -> dict[str, Any]:
    """All numbers of a row but its difference to the reference, by their keys in `table.json`."""
    found: dict[str, Any] = {}
    trained = bundle.predictions[bundle.predictions.row == name]
    found |= {key: bundle.counts[name][key] for key in ("n", "given_up")}
    found["missing"] = bundle.missing(name)
    found["unscored"] = bundle.unscored(name)
    tested = trained[~trained.speaker.isin(bundle.dev)].speaker.nunique()
    found["speakers"] = 0 if bundle.unscored(name) else tested
    for metric in ("wa", "ua"):
        found[metric] = interval_of(bundle.by_speaker(name, metric), bundle)
    for part, choice, unit in (
        ("segment", bundle.choice, "segment"),
        ("averaged", "averaged", "utterance"),
        ("chosen", "chosen", "utterance"),
        ("last_epoch", "last_epoch", "utterance"),
        ("best_on_test", "best_on_test", "utterance"),
    ):
        each = {m: bundle.by_speaker(name, m, choice, unit) for m in ("wa", "ua")}
        found[part] = {m: None if one is None else float(one.mean()) for m, one in each.items()}
    if bundle.is_published:
        own = bundle.dev_scores[bundle.dev_scores.index.get_level_values("row") == name]
        if len(own) and not bundle.unscored(name):
            by_speaker = own.groupby("speaker").mean()
            found["dev"] = {m: float(by_speaker[m].mean()) for m in ("wa", "ua")}
    found |= {"pooled": {"wa": None, "ua": None}, "pooled_confusion": None}
    lines = bundle.lines[bundle.choice, "utterance"]
    lines = lines[(lines.row == name) & ~lines.speaker.isin(bundle.dev)]
    if len(lines) and not bundle.unscored(name):
        found["pooled"] = {
            "wa": float(accuracy_score(lines.emotion, lines.taken)),
            "ua": float(balanced_accuracy_score(lines.emotion, lines.taken)),
        }
        counts = confusion_matrix(lines.emotion, lines.taken, labels=bundle.classes)
        found["pooled_confusion"] = counts.tolist()
    return found


def family_of(
    bundle: Bundle, pairs: Mapping[Any, Any], unjudged: Collection[Any] = ()
) -> dict[Any, dict[str, Any]]:
    """Differences in UA for new speakers, judged as one family: name -> its ``DIFFERENCE`` keys.

    `pairs` has differences by fold, speaker and seed (see `paired`), or None, of all comparisons
    that were asked for. Those of `unjudged` have no p, and count as p = 1 in that of the others.
    The judged ones share their variances; while none is judged, all do.
    """
    found = {name: dict.fromkeys(DIFFERENCE) for name in pairs}
    tested: dict[Any, Any] = {}
    for name, both in pairs.items():
        if both is None:
            continue
        by_speaker = bundle.averaged(both)
        groups = units(by_speaker).to_numpy()
        flips = bundle.deals == 1 and name not in unjudged and not bundle.is_published
        found[name] |= {
            "ua": float(by_speaker.mean()),
            "p_sign_flip": sign_flip(groups) if flips else None,
            "groups": len(groups),
        }
        if bundle.is_published:
            found[name] |= published_test(both, by_speaker.to_numpy(), len(pairs))
            found[name]["p"] = None if name in unjudged else found[name]["p"]
        elif len(groups) > 1 and deviation(groups) > 0:
            tested[name] = groups
    centres = {name: found[name]["ua"] for name in tested}
    asked, dealt = len(pairs), bundle.deals > 1
    for name, test in family_tests(
        tested, centres, bundle.ratio, unjudged, asked, are_speakers=dealt
    ).items():
        found[name] |= test
    adjusted = holm({name: 1.0 if d["p"] is None else d["p"] for name, d in found.items()})
    for name, difference in found.items():
        if difference["p"] is not None:
            difference["p_holm"] = adjusted[name]
    return found


def by_seed(bundle: Bundle, both: Any) -> dict[int, float]:
    """Seed -> difference in UA, mean over speakers; only seeds with all speakers.

    `both` has differences by fold, speaker and seed, or is None.
    """
    if both is None:
        return {}
    return {
        int(seed): float(own.mean())
        for seed, own in both.groupby("seed")
        if own.index.get_level_values("speaker").nunique() == bundle.test_speakers
    }


def new_seeds_of(bundle: Bundle, both: Any, rows: Collection[str]) -> dict[str, Any]:
    """A difference in UA for the same speakers and new seeds, by ``SEEDS`` keys.

    `both` has it by fold, speaker and seed; `rows` are the names of all rows that take part in it.
    Where the speakers were dealt several times, each deal gives one value, the mean of its seeds.
    """
    if bundle.deals > 1:
        return new_deals_of(bundle, both)
    whole = list(by_seed(bundle, both).values())
    if not whole or set(rows) & bundle.identical:
        return dict.fromkeys(SEEDS)
    low, high, p = paired_t(whole)
    return {"ua": float(np.mean(whole)), "low": low, "high": high, "p": p, "seeds": len(whole)}


def new_deals_of(bundle: Bundle, both: Any) -> dict[str, Any]:
    """A difference in UA for the same speakers and new deals, by ``SEEDS`` keys."""
    found, seeds = by_seed(bundle, both), int(bundle.asked["seeds"])
    deals = [range(deal * seeds, (deal + 1) * seeds) for deal in range(bundle.deals)]
    whole = [float(np.mean([found[n] for n in own])) for own in deals if set(own) <= set(found)]
    if not whole:
        return dict.fromkeys((*SEEDS, "deals"))
    low, high, p = paired_t(whole)
    ua = float(np.mean(whole))
    return {"ua": ua, "low": low, "high": high, "p": p, "seeds": seeds, "deals": len(whole)}


def settled(bundle: Bundle, found: dict[str, dict[str, Any]]) -> None:
    """Put the results of an adaptive study's interim analyses into ``found`` (row -> numbers).

    Such a study adds seeds until comparisons are settled. An interim analysis counts if none of
    its rows lacks a seed; `study.json` has trials of all seeds that a row was to have. A row needs
    no seed from the first on at which a training of it or of the reference diverged.
    """
    share_of = interims_of(bundle.asked["seeds"])
    rows = [name for name in bundle.names if name != bundle.reference]
    wanted = dict.fromkeys(rows, 0)
    for trial in bundle.asked["trials"]:
        if trial["row"] in wanted:
            wanted[trial["row"]] = max(wanted[trial["row"]], trial["seed"] + 1)
    for trial in bundle.given_up:
        for name in rows if trial["row"] == bundle.reference else [trial["row"]]:
            wanted[name] = min(wanted[name], trial["seed"])
    values = {name: by_seed(bundle, bundle.paired(name, bundle.reference)) for name in rows}
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
    others = [name for name in bundle.names if bundle.reference not in (None, name)]
    pairs = {name: bundle.paired(name, bundle.reference) for name in others}
    verdicts = {name: bundle.open_verdict(name, bundle.reference) for name in others}
    for name in others:
        if bundle.unscored(name) or bundle.unscored(bundle.reference):
            verdicts[name] = verdicts[name] or "no score"
    judged = family_of(bundle, pairs, [name for name in others if verdicts[name]])
    for name in bundle.names:
        found[name] |= {
            "difference": judged.get(name, dict.fromkeys(DIFFERENCE)),
            "new_seeds": dict.fromkeys(SEEDS),
            "verdict": None,
            "sequential": dict.fromkeys(SEQUENTIAL),
        }
        if name in judged:
            seeds = new_seeds_of(bundle, pairs[name], (name, bundle.reference))
            seeds["p"] = None if verdicts[name] else seeds["p"]
            found[name]["new_seeds"] = seeds
            found[name]["verdict"] = verdicts[name] or verdict_of(judged[name])
    if bundle.asked["replicates"] == "adaptive":
        settled(bundle, found)
    return found
