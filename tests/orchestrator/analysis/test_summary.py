import math
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from orchestrator.analysis.row_scores import score_interval
from orchestrator.analysis.statistics import corrected_t, mean
from orchestrator.analysis.summary import summarise
from orchestrator.report.tables.cells import plus_minus
from orchestrator.store.records import EpochChoice, Outcome, Scores
from orchestrator.store.snapshot import (
    Snapshot,
    SnapshotFold,
    SnapshotRow,
    SnapshotTrial,
)
from orchestrator.study.study import PaperClaim

SPEAKERS = [f"s{n}" for n in range(10)]
CHOICES: tuple[EpochChoice, ...] = ("chosen", "last_epoch", "best_on_test")


def snapshot(rows: tuple[str, ...], seeds: int = 1, **changes: object) -> Snapshot:
    folds = tuple(
        SnapshotFold(index=f, a=(SPEAKERS[2 * f],), b=(SPEAKERS[2 * f + 1],), train=8)
        for f in range(5)
    )
    trials = tuple(
        SnapshotTrial(row, f, seed, f"{row}-{f}-{seed}")
        for seed in range(seeds)
        for f in range(5)
        for row in rows
    )
    plain = Snapshot(
        study="s",
        question="?",
        table=1,
        figure=None,
        corpus="iemocap",
        profile="paper",
        reading="as-written",
        classes=("angry", "sad"),
        utterances=100,
        rows=tuple(SnapshotRow(name=r, reading="as-written", paper={"ua": 50.0}) for r in rows),
        folds=folds,
        seeds=seeds,
        trials=trials,
        comparable=True,
        reference=rows[-1],
        claim=None,
    )
    return replace(plain, **changes)  # type: ignore[arg-type]


def outcome(id: str, fold: int, ua_by_half: tuple[float, float]) -> Outcome:
    """Ten utterances a class; the UA is reached by the recall of the first class."""
    scores = []
    for half, ua in enumerate(ua_by_half):
        hits = round(10 * (2 * ua - 0.5))
        confusion = ((hits, 10 - hits), (5, 5))
        for choice in CHOICES:
            scores.append(
                Scores(
                    speaker=SPEAKERS[2 * fold + half],
                    choice=choice,
                    unit="utterance",
                    epoch=1,
                    confusion=confusion,
                )
            )
            scores.append(
                Scores(
                    speaker=SPEAKERS[2 * fold + half],
                    choice=choice,
                    unit="segment",
                    epoch=1,
                    confusion=confusion,
                )
            )
    return Outcome(
        id=id,
        identity={},
        attempt="a",
        epochs=1,
        scores=tuple(scores),
        digests={"predictions": id},
        files={},
        environment={"device": "cpu"},
    )


UA = {
    "x": [(0.50, 0.60), (0.55, 0.65), (0.45, 0.70), (0.60, 0.60), (0.50, 0.55)],
    "ref": [(0.45, 0.50), (0.50, 0.60), (0.50, 0.60), (0.55, 0.50), (0.45, 0.50)],
}


def outcomes(ua: dict[str, list[tuple[float, float]]] = UA) -> dict[str, Outcome]:
    found = {}
    for row, folds in ua.items():
        for fold, halves in enumerate(folds):
            found[f"{row}-{fold}-0"] = outcome(f"{row}-{fold}-0", fold, halves)
    return found


def test_a_row_is_the_mean_over_held_out_speakers() -> None:
    row = summarise(snapshot(("x", "ref")), outcomes()).rows[0]
    assert row.ua is not None
    assert row.ua.mean == pytest.approx(np.mean(UA["x"]), abs=1e-12)
    assert (row.n, row.missing, row.speakers) == (5, 0, 10)


def test_the_interval_is_the_corrected_t_over_groups_computed_independently() -> None:
    row = summarise(snapshot(("x", "ref")), outcomes()).rows[0]
    groups = np.mean(UA["x"], axis=1)
    error = math.sqrt((1 / 5 + 2 / 8) * np.var(groups, ddof=1))
    low, high = stats.t.interval(0.95, 4, loc=np.mean(groups), scale=error)
    assert row.ua is not None
    assert (row.ua.low, row.ua.high) == pytest.approx((low, high), abs=1e-9)


def test_the_interval_of_a_score_is_cut_where_no_score_lies() -> None:
    """Below and above by the same amounts, which says that nothing else is moved."""
    high = [(1.0, 0.95), (0.6, 0.7), (1.0, 0.95), (0.75, 0.75), (0.95, 1.0)]
    whole = snapshot(("x", "ref"))
    row = summarise(whole, outcomes({"x": [(b, a) for a, b in high], "ref": UA["ref"]})).rows[0]
    raw = corrected_t([(a + b) / 2 for a, b in high], 0.25, np.mean(high))
    assert row.ua is not None and raw[0] is not None and raw[1] is not None and raw[1] > 1
    assert (row.ua.mean, row.ua.low, row.ua.high) == pytest.approx((np.mean(high), raw[0], 1.0))
    assert plus_minus(row.ua) == f"{100 * np.mean(high):.1f} ± {100 * (raw[1] - np.mean(high)):.1f}"
    by_speaker = {name: 1 - ua for name, ua in zip(SPEAKERS, np.ravel(high), strict=True)}
    low = score_interval(whole, by_speaker)
    assert (low.low, low.high) == pytest.approx((0.0, 1 - raw[0]))
    assert low.half == pytest.approx(row.ua.half)


def test_the_difference_is_paired_by_group() -> None:
    difference = summarise(snapshot(("x", "ref")), outcomes()).rows[0].difference
    groups = np.mean(UA["x"], axis=1) - np.mean(UA["ref"], axis=1)
    error = math.sqrt((1 / 5 + 2 / 8) * np.var(groups, ddof=1))
    assert difference is not None and difference.p is not None
    assert difference.ua == pytest.approx(np.mean(groups), abs=1e-12)
    assert difference.p == pytest.approx(2 * stats.t.sf(abs(np.mean(groups)) / error, 4), abs=1e-9)
    assert difference.groups == 5


def test_seeds_are_averaged_within_a_speaker_and_add_no_units() -> None:
    doubled = outcomes()
    for id, one in outcomes().items():
        doubled[id[:-1] + "1"] = replace(one, digests={"predictions": id + "other"})
    once = summarise(snapshot(("x", "ref")), outcomes()).rows[0]
    twice = summarise(snapshot(("x", "ref"), seeds=2), doubled).rows[0]
    assert once.difference is not None and twice.difference is not None
    assert once.ua == twice.ua
    assert replace(once.difference, over_seeds=None) == replace(twice.difference, over_seeds=None)
    assert (once.n, twice.n) == (5, 10)


def test_a_missing_trial_is_missing_and_never_zero() -> None:
    found = outcomes()
    del found["x-3-0"]
    row = summarise(snapshot(("x", "ref")), found).rows[0]
    assert (row.n, row.missing, row.speakers) == (4, 1, 8)
    assert row.difference is not None and row.difference.groups == 4


def test_a_row_without_trials_is_empty() -> None:
    row = summarise(snapshot(("x", "ref")), {}).rows[0]
    assert (row.n, row.missing, row.ua, row.difference) == (0, 5, None, None)


def test_the_spread_of_one_group_is_none() -> None:
    whole = snapshot(("x", "ref"))
    one = replace(whole, trials=tuple(trial for trial in whole.trials if trial.fold == 0))
    row = summarise(one, outcomes()).rows[0]
    assert row.ua is not None and row.ua.low is None and row.verdict == "cannot tell"
    assert corrected_t([0.5], 0.25, 0.5) == (None, None, None)


def test_a_clear_difference_is_told_and_a_small_one_is_not() -> None:
    better = [(a + 0.2, b + 0.2 + 0.05 * (n == 0)) for n, (a, b) in enumerate(UA["ref"])]
    rows = summarise(snapshot(("x", "ref")), outcomes({"x": better, "ref": UA["ref"]})).rows
    assert rows[0].verdict == "yes" and rows[1].difference is None and rows[1].verdict == ""
    mixed = [(a + d, b + d) for (a, b), d in zip(UA["ref"], (0.1, -0.1, 0.1, 0, 0), strict=True)]
    rows = summarise(snapshot(("x", "ref")), outcomes({"x": mixed, "ref": UA["ref"]})).rows
    assert rows[0].verdict == "cannot tell"


CLAIM = PaperClaim(better="x", than=("ref",), on="ua")


@pytest.mark.parametrize(
    ("shift", "verdict"), [(0.2, "supports"), (-0.1, "contradicts"), (0.0, "cannot tell")]
)
def test_a_claim_is_judged_where_the_paper_may_be_compared(shift: float, verdict: str) -> None:
    moved = [(a + shift, b + shift + 0.05 * (n == 0)) for n, (a, b) in enumerate(UA["ref"])]
    found = outcomes({"x": moved, "ref": UA["ref"]})
    assert summarise(snapshot(("x", "ref"), claim=CLAIM), found).claim == verdict
    elsewhere = snapshot(("x", "ref"), claim=CLAIM, comparable=False)
    judged = summarise(snapshot(("x", "ref"), claim=CLAIM), found)
    assert judged.reason and judged.reason.count("\n") == 0
    assert (summarise(elsewhere, found).claim, summarise(elsewhere, found).reason) == ("", "")


def test_identical_seeds_and_mixed_machines_are_told() -> None:
    found = outcomes()
    for id, one in outcomes().items():
        found[id[:-1] + "1"] = replace(one, environment={"device": "cuda"})
    summary = summarise(snapshot(("x", "ref"), seeds=2), found)
    assert summary.identical_seeds == ("ref", "x")
    assert summary.classes_of_determinism == 2


def test_absent_classes_are_named() -> None:
    found = outcomes()
    one = found["x-0-0"]
    scores = tuple(replace(s, confusion=((5, 5), (0, 0))) for s in one.scores)
    found["x-0-0"] = replace(one, scores=scores)
    assert summarise(snapshot(("x", "ref")), found).absent == ("s0: sad", "s1: sad")


def test_the_mean_does_not_depend_on_the_order() -> None:
    values = [0.1 * n for n in range(50)]
    assert mean(values) == mean(values[::-1])


def with_seeds(shifts: tuple[float, ...]) -> dict[str, Outcome]:
    """The row `x` moved by a shift a seed; the reference as it was."""
    found = {}
    for seed, shift in enumerate(shifts):
        moved = [(a + shift, b + shift) for a, b in UA["x"]]
        for id, one in outcomes({"x": moved, "ref": UA["ref"]}).items():
            name = f"{id[:-1]}{seed}"
            found[name] = replace(one, id=name, digests={"predictions": name})
    return found


def test_new_seeds_are_a_question_of_their_own() -> None:
    difference = (
        summarise(snapshot(("x", "ref"), 3), with_seeds((0.0, 0.1, 0.05))).rows[0].difference
    )
    assert difference is not None and difference.over_seeds is not None
    base = np.mean(UA["x"]) - np.mean(UA["ref"])
    theirs = stats.ttest_1samp([base, base + 0.1, base + 0.05], 0.0)
    low, high = theirs.confidence_interval(0.95)
    over_seeds = difference.over_seeds
    assert (over_seeds.low, over_seeds.high, over_seeds.p) == pytest.approx(
        (low, high, theirs.pvalue), abs=1e-9
    )
    assert (over_seeds.seeds, difference.groups) == (3, 5)


def test_two_seeds_bear_no_spread_and_equal_seeds_no_answer() -> None:
    two = summarise(snapshot(("x", "ref"), 2), with_seeds((0.0, 0.1))).rows[0].difference
    assert two is not None and two.over_seeds is not None and two.over_seeds.low is None
    same = with_seeds((0.0, 0.0, 0.0))
    copies = {id: replace(o, digests={"predictions": id[:-1]}) for id, o in same.items()}
    equal = summarise(snapshot(("x", "ref"), 3), copies)
    assert equal.identical_seeds == ("ref", "x")
    assert equal.rows[0].difference is not None and equal.rows[0].difference.over_seeds is None


def test_a_seed_that_lacks_a_fold_is_no_unit() -> None:
    found = with_seeds((0.0, 0.1, 0.05, 0.02))
    del found["x-2-1"]
    difference = summarise(snapshot(("x", "ref"), 4), found).rows[0].difference
    assert difference is not None and difference.over_seeds is not None
    assert difference.over_seeds.seeds == 3 and difference.groups == 5


def test_outcomes_of_older_semantics_are_stale_and_not_in_the_row() -> None:
    found = outcomes()
    found["x-3-0"] = replace(found["x-3-0"], identity={"semantics": 0})
    row = summarise(snapshot(("x", "ref")), found).rows[0]
    assert (row.n, row.missing, row.stale) == (4, 1, 1)
    assert (
        row.ua
        == summarise(
            snapshot(("x", "ref")), {id: one for id, one in found.items() if id != "x-3-0"}
        )
        .rows[0]
        .ua
    )


def test_the_pooled_matrix_holds_every_utterance_once_a_seed() -> None:
    pooled = summarise(snapshot(("x", "ref"), 2), with_seeds((0.0, 0.1))).rows[0].pooled
    assert pooled is not None
    assert sum(map(sum, pooled.confusion)) == 2 * 10 * 20
    counts = np.array(pooled.confusion)
    assert pooled.ua == pytest.approx(np.mean(np.diag(counts) / counts.sum(axis=1)))
    assert pooled.wa == pytest.approx(np.trace(counts) / counts.sum())
