"""Every number of a comparison, once more from the stored predictions: pandas and scikit-learn.

By the arithmetic that a bundle brings (`orchestrator/report/export/recompute_statistics.py`),
which is none of the product's own; `test_export.py` asks it for every number of the tables.
"""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from orchestrator.cli.app import app
from orchestrator.report.export.recompute_statistics import corrected_t, decided, scored
from orchestrator.store.ledger import Ledger
from orchestrator.store.snapshot import Snapshot


def output(*words: str | Path) -> str:
    done = CliRunner().invoke(app, [str(word) for word in words], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


@pytest.fixture
def snapshot(trained_store: Path) -> Snapshot:
    (found,) = Ledger.open(str(trained_store)).studies.snapshots("smoke")
    return found


def lines(store: Path, snapshot: Snapshot, row: str) -> pd.DataFrame:
    """What each utterance of a row was taken for."""
    parts = []
    for trial in snapshot.trials:
        if trial.row == row:
            (path,) = (store / "trials" / trial.id).glob("*/predictions.parquet")
            part = pd.read_parquet(path)
            parts.append(part.assign(row=row, fold=trial.fold, seed=trial.seed))
    return decided(pd.concat(parts), snapshot.classes, snapshot.score, "utterance")


def by_speaker(taken: pd.DataFrame, metric: str) -> pd.Series:
    return scored(taken)[metric].groupby(["fold", "speaker"]).mean()


def test_every_number_of_a_comparison_follows_from_the_stored_predictions(
    trained_store: Path, snapshot: Snapshot
) -> None:
    a, b = (row.name for row in snapshot.rows)
    words = ("compare", "smoke", a, b, "--store", trained_store, "--limit", "1000", "--json")
    found = json.loads(output(*words))
    first, second = (lines(trained_store, snapshot, row) for row in (a, b))
    joined = first.merge(second, on=["fold", "seed", "speaker", "emotion", "utterance"])
    right_a, right_b = joined.taken_x == joined.emotion, joined.taken_y == joined.emotion
    assert found["decisions"] == len(joined) == snapshot.utterances
    assert found["gained"] == int((~right_a & right_b).sum())
    assert found["lost"] == int((right_a & ~right_b).sum())
    assert {f["utterance"] for f in found["flips"]} == set(joined.utterance[right_a != right_b])
    wa = by_speaker(second, "wa") - by_speaker(first, "wa")
    balance = found["balance"]
    seen = (balance["mean"], balance["low"], balance["high"])
    tested = [(len(f.a) + len(f.b)) / f.train for f in snapshot.folds]
    low, high, _ = corrected_t(wa, float(np.mean(tested)))
    assert seen == pytest.approx((wa.mean(), low, high), abs=1e-9)
    for key, taken in (("a", first), ("b", second)):
        uas = by_speaker(taken, "ua").groupby("fold").mean()
        assert [one[key] for one in found["folds"]] == pytest.approx(list(uas), abs=1e-9)
        hits = (taken.taken == taken.emotion).groupby([taken.emotion, taken.speaker]).mean()
        recalls = hits.groupby("emotion").mean()
        for one in found["emotions"]:
            assert one[key] == pytest.approx(recalls[one["name"]], abs=1e-9)


def test_a_comparison_is_of_shared_trainings_and_fits_80_columns(store: Path) -> None:
    (snapshot,) = Ledger.open(str(store)).studies.snapshots("smoke")
    a, b = (row.name for row in snapshot.rows)
    whole = output("compare", "smoke", a, b, "--store", store, "--limit", "2")
    assert "2 of 2 trainings" in " ".join(whole.split()) and "utterances flip" in whole
    assert max(map(len, whole.splitlines())) <= 80
    (store / "trials" / snapshot.trials[0].id / "outcome.json").unlink()
    part = " ".join(output("compare", "smoke", a, b, "--store", store).split())
    assert "1 of 2 trainings" in part and "`ablate run studies/smoke.yaml` trains them" in part
    none = CliRunner().invoke(app, ["compare", "smoke", a, a, "--store", str(store)])
    assert none.exit_code != 0
