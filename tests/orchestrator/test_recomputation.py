"""Every number that is printed, once more from the stored predictions: pandas and scikit-learn.

Nothing of the product's arithmetic is used: predictions are read by pandas, scored by scikit-learn
and tested by SciPy.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.metrics import accuracy_score, balanced_accuracy_score, confusion_matrix
from typer.testing import CliRunner

from orchestrator.cli.main import app
from orchestrator.ledger import Ledger
from orchestrator.snapshot import Asked


def output(*words: str | Path) -> str:
    done = CliRunner().invoke(app, [str(word) for word in words], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


@pytest.fixture
def asked(trained_store: Path) -> Asked:
    (found,) = Ledger.open(str(trained_store)).snapshots("smoke")
    return found


def predictions(store: Path, asked: Asked, row: str) -> pd.DataFrame:
    """All stored segments of a row, with fold and seed."""
    parts = []
    for trial in asked.trials:
        if trial.row == row:
            (path,) = (store / "trials" / trial.id).glob("*/predictions.parquet")
            parts.append(pd.read_parquet(path).assign(fold=trial.fold, seed=trial.seed))
    return pd.concat(parts)


def decided(frame: pd.DataFrame, choice: str, unit: str) -> pd.DataFrame:
    """One line an utterance (or segment): speaker, emotion, taken."""
    frame = frame[frame.choice == choice]
    keys = ["fold", "seed", "speaker", "emotion", "utterance"]
    keys += ["segment"] if unit == "segment" else []
    columns = [name for name in frame if name.startswith("p_")]
    means = frame.groupby(keys)[columns].mean()
    return means.idxmax(axis=1).str.removeprefix("p_").rename("taken").reset_index()


def by_speaker(lines: pd.DataFrame, metric: Any) -> pd.Series:
    each = lines.groupby(["fold", "speaker", "seed"]).apply(
        lambda one: metric(one.emotion, one.taken), include_groups=False
    )
    return each.groupby(["fold", "speaker"]).mean()


def corrected_error(scores: pd.Series) -> float:
    """Whoever is not tested in a fold trains in it."""
    tested = scores.groupby("fold").size()
    ratio = (tested / (len(scores) - tested)).mean()
    groups = scores.groupby("fold").mean()
    return float(np.sqrt((1 / len(groups) + ratio) * groups.var(ddof=1)))


def interval(scores: pd.Series) -> tuple[float, float, float]:
    groups = scores.groupby("fold").mean()
    error = corrected_error(scores)
    low, high = stats.t.interval(0.95, len(groups) - 1, loc=scores.mean(), scale=error)
    return float(scores.mean()), float(low), float(high)


METRICS = {"wa": accuracy_score, "ua": balanced_accuracy_score}


def test_every_number_of_a_report_follows_from_the_stored_predictions(
    trained_store: Path, asked: Asked
) -> None:
    text = output("report", "smoke", "--store", trained_store, "--format", "json")
    for row in json.loads(text)["rows"]:
        frame = predictions(trained_store, asked, row["name"])
        chosen = decided(frame, "chosen", "utterance")
        for name, metric in METRICS.items():
            found = row[name]
            seen = (found["mean"], found["low"], found["high"])
            assert seen == pytest.approx(interval(by_speaker(chosen, metric)), abs=1e-9)
            for part, choice, unit in (
                ("segment", "chosen", "segment"),
                ("last_epoch", "last_epoch", "utterance"),
                ("best_on_test", "best_on_test", "utterance"),
            ):
                scores = by_speaker(decided(frame, choice, unit), metric)
                assert row[part][name] == pytest.approx(scores.mean(), abs=1e-9), (part, name)
            pooled = metric(chosen.emotion, chosen.taken)
            assert row[f"pooled_{name}"]["mean"] == pytest.approx(pooled, abs=1e-9)


def test_every_difference_follows_from_the_stored_predictions(
    trained_store: Path, asked: Asked
) -> None:
    text = output("report", "smoke", "--store", trained_store, "--format", "json")
    reference, other = asked.reference, asked.rows[1].name
    ours, theirs = (
        by_speaker(
            decided(predictions(trained_store, asked, str(row)), "chosen", "utterance"),
            balanced_accuracy_score,
        )
        for row in (other, reference)
    )
    mean, low, high = interval(ours - theirs)
    found = json.loads(text)["rows"][1]["difference"]
    assert (found["ua"], found["low"], found["high"]) == pytest.approx((mean, low, high), abs=1e-9)
    groups = (ours - theirs).groupby("fold").mean()
    error = corrected_error(ours - theirs)
    p = 2 * stats.t.sf(abs(mean) / error, len(groups) - 1)
    assert (found["p"], found["p_holm"]) == pytest.approx((p, p), abs=1e-9)
    flips = [abs(sum(s * g for s, g in zip(signs, groups, strict=True)))
             for signs in ((1, 1), (1, -1), (-1, 1), (-1, -1))]  # fmt: skip
    share = np.mean(np.array(flips) >= abs(groups.sum()) - 1e-12)
    assert found["p_sign_flip"] == pytest.approx(share, abs=1e-9)


def test_every_number_of_a_comparison_follows_from_the_stored_predictions(
    trained_store: Path, asked: Asked
) -> None:
    a, b = (row.name for row in asked.rows)
    words = ("compare", "smoke", a, b, "--store", trained_store, "--limit", "1000", "--json")
    found = json.loads(output(*words))
    first, second = (
        decided(predictions(trained_store, asked, row), "chosen", "utterance") for row in (a, b)
    )
    joined = first.merge(second, on=["fold", "seed", "speaker", "emotion", "utterance"])
    right_a, right_b = joined.taken_x == joined.emotion, joined.taken_y == joined.emotion
    assert found["decisions"] == len(joined) == asked.utterances
    assert found["gained"] == int((~right_a & right_b).sum())
    assert found["lost"] == int((right_a & ~right_b).sum())
    assert {f["utterance"] for f in found["flips"]} == set(joined.utterance[right_a != right_b])
    wa = by_speaker(second, accuracy_score) - by_speaker(first, accuracy_score)
    balance = found["balance"]
    seen = (balance["mean"], balance["low"], balance["high"])
    assert seen == pytest.approx(interval(wa), abs=1e-9)
    for key, lines in (("a", first), ("b", second)):
        uas = by_speaker(lines, balanced_accuracy_score).groupby("fold").mean()
        assert [one[key] for one in found["folds"]] == pytest.approx(list(uas), abs=1e-9)
        hits = (lines.taken == lines.emotion).groupby([lines.emotion, lines.speaker]).mean()
        recalls = hits.groupby("emotion").mean()
        for one in found["emotions"]:
            assert one[key] == pytest.approx(recalls[one["name"]], abs=1e-9)


def test_the_pooled_matrix_is_that_of_scikit_learn(trained_store: Path, asked: Asked) -> None:
    from orchestrator.summary import summarise

    ledger = Ledger.open(str(trained_store))
    summary = summarise(asked, ledger.outcomes([t.id for t in asked.trials]))
    for row in summary.rows:
        lines = decided(predictions(trained_store, asked, row.name), "chosen", "utterance")
        theirs = confusion_matrix(lines.emotion, lines.taken, labels=list(asked.classes))
        assert row.pooled is not None and np.array_equal(row.pooled.confusion, theirs)


def test_a_comparison_is_of_shared_trainings_and_fits_80_columns(store: Path) -> None:
    (asked,) = Ledger.open(str(store)).snapshots("smoke")
    a, b = (row.name for row in asked.rows)
    whole = output("compare", "smoke", a, b, "--store", store, "--limit", "2")
    assert "2 of 2 trainings" in " ".join(whole.split()) and "utterances flip" in whole
    assert max(map(len, whole.splitlines())) <= 80
    (store / "trials" / asked.trials[0].id / "outcome.json").unlink()
    part = " ".join(output("compare", "smoke", a, b, "--store", store).split())
    assert "1 of 2 trainings" in part and "`ablate run` trains them" in part
    none = CliRunner().invoke(app, ["compare", "smoke", a, a, "--store", str(store)])
    assert none.exit_code != 0
