"""What stands behind a row is what its trials' records and files hold."""

import json
from pathlib import Path
from typing import Any

import pytest

from orchestrator.report.row_details import row_details
from orchestrator.store.attempts import Attempts
from orchestrator.store.ledger import Ledger
from orchestrator.store.snapshot import Snapshot
from tests import stores

ROWS = {"without": {"fa_layer": "none"}, "with": {"fa_layer": "2"}}


@pytest.fixture
def made(tmp_path: Path) -> tuple[Ledger, Snapshot]:
    return stores.made(tmp_path / "store", ROWS, folds=3, seeds=2, missing=[("with", 1, 1)])


def test_a_row_has_its_trials_by_fold_and_seed_and_names_what_is_missing(
    made: tuple[Ledger, Snapshot],
) -> None:
    ledger, snapshot = made
    outcomes = ledger.outcomes.read_all(trial.id for trial in snapshot.trials)
    first, second = row_details(ledger, snapshot, outcomes)
    assert [(t.fold.index, t.seed) for t in first.trials] == [
        (f, s) for f in range(3) for s in range(2)
    ]
    assert first.missing == () and [(t.fold, t.seed) for t in second.missing] == [(1, 1)]
    assert second.fill == "ablate run studies/made.yaml"
    assert second.configuration["model"]["fa_layer"] == "2"
    assert not {"fold", "seed"} & second.configuration.keys()
    assert row_details(ledger, snapshot, outcomes, names=["with"]) == (second,)


def test_each_half_is_scored_at_the_epoch_that_the_other_chose(
    made: tuple[Ledger, Snapshot],
) -> None:
    ledger, snapshot = made
    outcomes = ledger.outcomes.read_all(trial.id for trial in snapshot.trials)
    for row in row_details(ledger, snapshot, outcomes):
        for trial in row.trials:
            assert [e.number for e in trial.history] == list(range(1, stores.EPOCHS + 1))
            assert not trial.damage and trial.rerun_command == f"ablate rerun {trial.id[:12]}"
            best_a = max(trial.history, key=lambda e: (e.a.ua, -e.a.loss)).number
            best_b = max(trial.history, key=lambda e: (e.b.ua, -e.b.loss)).number
            assert (trial.chosen_on_a, trial.chosen_on_b) == (best_a, best_b)
            epochs = {s.speaker: s.epoch for s in trial.scores}
            assert epochs == {trial.fold.a[0]: best_b, trial.fold.b[0]: best_a}
            assert sum(map(sum, trial.confusion)) == 32


def test_a_damaged_curve_is_told_and_nothing_else_is_lost(made: tuple[Ledger, Snapshot]) -> None:
    ledger, snapshot = made
    stores.spoilt(ledger, snapshot.trials[0].id, "history.json")
    outcomes = ledger.outcomes.read_all(trial.id for trial in snapshot.trials)
    row = row_details(ledger, snapshot, outcomes)[0]
    assert "is not what was written" in row.trials[0].damage
    assert row.trials[0].history == () and len(row.trials[0].scores) == 2
    assert all(trial.history and not trial.damage for trial in row.trials[1:])
    unread = row_details(ledger, snapshot, outcomes, histories=False)[0]
    assert not any(trial.history or trial.damage for trial in unread.trials)


def test_trials_of_an_earlier_meaning_are_missing_and_a_row_may_have_none(
    made: tuple[Ledger, Snapshot],
) -> None:
    ledger, snapshot = made
    id = snapshot.trials[0].id
    row = row_details(ledger, snapshot, {id: stores.as_older(ledger, id)})[0]
    assert row.trials == () and len(row.missing) == 6 and row.configuration == {}


@pytest.mark.parametrize(
    "entry",
    [
        {"number": 1, "loss": 1.0, "a": {"ua": 2.0, "wa": 0.5, "loss": 1.0}},
        {"number": 1, "loss": float("inf"), "a": {"ua": 0.5, "wa": 0.5, "loss": 1.0}},
        {"number": 1, "loss": 10**400, "a": {"ua": 0.5, "wa": 0.5, "loss": 1.0}},
        {"number": 1, "loss": "high"},
        [],
    ],
)
def test_a_strangers_curve_that_no_training_gives_is_damage(
    tmp_path: Path, entry: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger, snapshot = stores.made(tmp_path / "store", {"a": {}}, folds=2)
    whole = {**entry, "b": entry.get("a")} if isinstance(entry, dict) else entry
    blob = json.dumps([whole]).encode()
    monkeypatch.setattr(Attempts, "read_file", lambda self, outcome, name: blob)
    outcomes = ledger.outcomes.read_all(trial.id for trial in snapshot.trials)
    (row,) = row_details(ledger, snapshot, outcomes)
    assert all("not one that this program writes" in t.damage for t in row.trials)


def test_a_strangers_snapshot_is_what_this_program_writes_or_damage(tmp_path: Path) -> None:
    _, snapshot = stores.made(tmp_path / "store", {"a": {"hidden": 8}, "b": {"hidden": 9}}, folds=2)
    record = json.loads(json.dumps(snapshot.to_json()))
    assert Snapshot.from_json(record) == snapshot
    for spoil in (
        lambda r: r["rows"][0].update(settings=5),
        lambda r: r["trials"][0].update(fold=7),
        lambda r: r.update(axes=5),
    ):
        spoilt = json.loads(json.dumps(record))
        spoil(spoilt)
        with pytest.raises((KeyError, TypeError, ValueError)):
            Snapshot.from_json(spoilt)
