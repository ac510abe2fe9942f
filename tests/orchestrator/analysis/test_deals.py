"""Speakers who are dealt several times: what is averaged, what is a unit, what is compared."""

from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from orchestrator.analysis.comparison import compare_rows
from orchestrator.analysis.differences import compare_with_reference
from orchestrator.analysis.grid.effects import estimate_effects
from orchestrator.analysis.progress.completeness import completeness
from orchestrator.analysis.row_scores import row_uas, unit_means
from orchestrator.analysis.summary import Summary, summarise
from orchestrator.store.ledger import Ledger
from orchestrator.store.snapshot import Snapshot
from tests import stores

ROWS = {"full": {"hidden": 64}, "small": {"hidden": 32}, "smaller": {"hidden": 16}}
"""Name of a drawn row -> what it sets."""
SKILL = {"full": 1.4, "small": 1.1, "smaller": 0.9}


def study(
    root: Path, missing: tuple[tuple[str, int, int, int], ...] = (), *, seeds: int = 2
) -> tuple[Ledger, Snapshot]:
    """Ten speakers in five pairs, dealt three times."""
    return stores.made(root, ROWS, seeds=seeds, deals=3, skill=SKILL, missing=missing)


def summary_of(ledger: Ledger, snapshot: Snapshot) -> Summary:
    return summarise(snapshot, ledger.outcomes.read_all([t.id for t in snapshot.trials]))


def test_a_speaker_is_the_mean_of_his_deals_and_seeds_and_a_unit_of_the_test(
    tmp_path: Path,
) -> None:
    ledger, snapshot = study(tmp_path)
    outcomes = ledger.outcomes.read_all([t.id for t in snapshot.trials])
    scores = {name: row for name, row in row_uas(snapshot, outcomes).items() if name != "smaller"}
    assert {len(tests) for row in scores.values() for tests in row.values()} == {6}
    pair = {name: scores[name] for name in ("full", "small")}  # one comparison shares no variance
    found = compare_with_reference(snapshot, pair)["small"]
    speakers = sorted(scores["full"])
    units = [
        np.mean([scores["small"][s][n] - scores["full"][s][n] for n in range(6)]) for s in speakers
    ]
    error = np.std(units, ddof=1) * np.sqrt(1 / 10 + 2 / 8)  # the pair's ratio, not 1 / 9
    assert found.groups == 10
    assert found.ua == pytest.approx(np.mean(units))
    assert found.p_alone == pytest.approx(2 * stats.t.sf(abs(found.ua) / error, 9))
    assert found.low is not None
    assert found.ua - found.low == pytest.approx(stats.t.isf(0.025, 9) * error)
    assert found.p_sign_flip is None  # speakers who share trainings do not flip alone
    assert found.luck == pytest.approx(np.std(units, ddof=1) / np.sqrt(2 * 8))  # 8 train


def test_each_score_of_a_speaker_has_its_deal_and_seed(tmp_path: Path) -> None:
    """Keyed by the seed alone, a later deal would take the place of an earlier one."""
    ledger, snapshot = study(tmp_path)
    outcomes = ledger.outcomes.read_all([t.id for t in snapshot.trials])
    scores = row_uas(snapshot, outcomes)
    for trial in snapshot.trials:
        for one in outcomes[trial.id].scores:
            if (one.choice, one.unit) == ("chosen", "utterance"):
                number = 2 * (trial.deal or 0) + trial.seed
                recalls = [row[i] / sum(row) for i, row in enumerate(one.confusion)]
                assert scores[trial.row][one.speaker][number] == pytest.approx(np.mean(recalls))


def test_these_speakers_trained_again_are_tested_over_deals(tmp_path: Path) -> None:
    """The seeds of a deal share its pairs: they are averaged, and the deals are the units."""
    ledger, snapshot = study(tmp_path)
    scores = row_uas(snapshot, ledger.outcomes.read_all([t.id for t in snapshot.trials]))
    again = compare_with_reference(snapshot, scores)["small"].over_seeds
    assert again is not None and (again.seeds, again.deals) == (2, 3)
    ours, theirs = (
        np.array([[scores[row][s][n] for n in range(6)] for s in sorted(scores[row])])
        for row in ("small", "full")
    )
    by_deal = (ours - theirs).mean(axis=0).reshape(3, 2).mean(axis=1)
    assert again.ua == pytest.approx(by_deal.mean())
    assert again.p == pytest.approx(stats.ttest_1samp(by_deal, 0.0).pvalue)


def test_a_table_waits_for_the_last_training_of_the_last_deal(tmp_path: Path) -> None:
    ledger, snapshot = study(tmp_path, missing=(("small", 4, 1, 2),))
    found = summary_of(ledger, snapshot)
    small = {row.name: row for row in found.rows}["small"]
    assert small.verdict == "open, 29 of 30"
    assert all(row.difference is None or row.difference.p is None for row in found.rows)
    assert small.speakers == small.groups == 10  # earlier deals have tested all of them
    assert small.difference is not None and small.difference.over_seeds is not None
    assert small.difference.over_seeds.deals == 2
    state = completeness(snapshot, ledger.outcomes.read_all([t.id for t in snapshot.trials]))
    assert (state.all_rows.asked, state.all_rows.finished) == (90, 89)


def test_intervals_of_scores_rest_on_speakers_too(tmp_path: Path) -> None:
    ledger, snapshot = study(tmp_path, seeds=1)
    row = summary_of(ledger, snapshot).rows[0]
    scores = row_uas(snapshot, ledger.outcomes.read_all([t.id for t in snapshot.trials]))["full"]
    units = [np.mean(list(scores[s].values())) for s in snapshot.test_speakers]
    assert unit_means(snapshot, dict(zip(snapshot.test_speakers, units, strict=True))) == units
    assert row.ua is not None and row.ua.half is not None
    half = stats.t.isf(0.025, 9) * np.std(units, ddof=1) * np.sqrt(1 / 10 + 2 / 8)
    assert row.ua.half == pytest.approx(half)


def test_two_rows_are_compared_fold_by_fold_of_each_deal(tmp_path: Path) -> None:
    ledger, snapshot = study(tmp_path, missing=(("small", 0, 0, 1), ("small", 0, 1, 1)))
    found = compare_rows(snapshot, ledger, "full", ["small"])[0]
    assert (found.shared, found.wanted) == (28, 30)
    assert [one.name for one in found.folds] == [
        f"{fold} of deal {deal}"
        for deal in (1, 2, 3)
        for fold in range(1, 6)
        if (fold, deal) != (1, 2)
    ]
    scores = row_uas(snapshot, ledger.outcomes.read_all([t.id for t in snapshot.trials]))["full"]
    last = snapshot.folds[-1]
    pair = [scores[s][n] for s in (*last.a, *last.b) for n in (4, 5)]  # the seeds of deal 3
    assert found.folds[-1].a == pytest.approx(np.mean(pair))
    assert found.difference is not None and found.difference.groups == 10


def test_a_grid_is_judged_over_speakers(tmp_path: Path) -> None:
    rows = {f"{a} {b}": {"layers": a, "hidden": b} for a in (2, 3) for b in (32, 64)}
    ledger, snapshot = stores.made(tmp_path, rows, deals=3, axes=("layers", "hidden"))
    outcomes = ledger.outcomes.read_all([t.id for t in snapshot.trials])
    effects = estimate_effects(snapshot, outcomes)
    (one,) = effects.interactions
    scores = row_uas(snapshot, outcomes)
    at = [
        np.array([np.mean(list(scores[r][s].values())) for s in snapshot.test_speakers])
        for r in rows
    ]
    units = at[3] - at[2] - at[1] + at[0]
    main = effects.main[0].difference
    assert main is not None and main.groups == 10 and main.p_sign_flip is None
    assert main.ua == pytest.approx((at[2] + at[3] - at[0] - at[1]).mean() / 2)
    (only,) = one.dependences
    error = np.std(units, ddof=1) * np.sqrt(1 / 10 + 2 / 8)
    assert only.difference is not None
    assert only.difference.p == pytest.approx(2 * stats.t.sf(abs(units.mean()) / error, 9))


def test_a_snapshot_keeps_its_deals_and_one_of_before_has_none(tmp_path: Path) -> None:
    _, snapshot = study(tmp_path, seeds=1)
    assert (snapshot.deals, snapshot.folds_a_deal, len(snapshot.folds)) == (3, 5, 15)
    assert Snapshot.from_json(snapshot.to_json()) == snapshot
    last = snapshot.trials[-1]
    assert last.fold_name == "fold 5 of deal 3"
    assert last.slot == {"row": "smaller", "deal": 3, "fold": 5, "seed": 0}
    record = snapshot.to_json()
    record["folds"] = [{k: v for k, v in f.items() if k != "deal"} for f in record["folds"][:5]]
    record["trials"] = [
        {k: v for k, v in t.items() if k != "deal"} for t in record["trials"] if t["deal"] == 0
    ]
    before = Snapshot.from_json(record)
    assert (before.deals, before.trials[0].fold_name) == (1, "fold 1")
    assert before.trials[0].slot == {"row": "full", "fold": 1, "seed": 0}
