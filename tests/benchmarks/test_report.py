"""How long a report and a status take on a store of ten thousand finished trials.

The store is made by the ledger's own writers; only the numbers in it are made up.
"""

import subprocess
import time
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.store.ledger import Ledger
from orchestrator.store.records import CHOICES, Outcome, Scores
from orchestrator.store.snapshot import Snapshot, SnapshotFold, SnapshotRow, SnapshotTrial
from orchestrator.study.canonical import digest
from orchestrator.study.trials import SEMANTICS
from tests.commands import ABLATE

pytestmark = pytest.mark.bench

ROWS, FOLDS, SEEDS = 20, 5, 100


@pytest.fixture(scope="module")
def full_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    where = tmp_path_factory.mktemp("full") / "store"
    ledger = Ledger.open(str(where))
    names = [f"row {n}" for n in range(ROWS)]
    trials = tuple(
        SnapshotTrial(name, fold, seed, digest(_identity(name, fold, seed)))
        for name in names
        for fold in range(FOLDS)
        for seed in range(SEEDS)
    )
    snapshot = Snapshot(
        study="full",
        question="?",
        table=98,
        figure=None,
        corpus="drawn",
        profile="quick",
        reading="as-written",
        classes=("angry", "happy", "neutral", "sad"),
        utterances=280,
        rows=tuple(SnapshotRow(name=name, reading="as-written", paper={}) for name in names),
        folds=tuple(
            SnapshotFold(index=n, a=(f"s{2 * n}",), b=(f"s{2 * n + 1}",), train=8)
            for n in range(FOLDS)
        ),
        seeds=SEEDS,
        trials=trials,
        comparable=False,
        reference=names[0],
        claim=None,
    )
    ledger.studies.write_snapshot(snapshot.study, snapshot.to_json())
    for number, trial in enumerate(trials):
        ledger.outcomes.commit(_outcome(trial, number))
    return where


def _identity(row: str, fold: int, seed: int) -> dict[str, str | int]:
    return {"semantics": SEMANTICS, "row": row, "fold": fold, "seed": seed}


def _outcome(trial: SnapshotTrial, number: int) -> Outcome:
    hits = [3 + (number * k) % 5 for k in (3, 5, 7, 11)]
    confusion = tuple(
        tuple(hits[i] if i == j else (7 - hits[i]) * (j == (i + 1) % 4) for j in range(4))
        for i in range(4)
    )
    one = Scores(speaker="", choice="chosen", unit="utterance", epoch=3, confusion=confusion)
    scores = tuple(
        replace(one, speaker=f"s{2 * trial.fold + half}", choice=choice, unit=unit)
        for half in (0, 1)
        for choice in CHOICES
        for unit in ("utterance", "segment")
    )
    return Outcome(
        id=trial.id,
        identity=_identity(trial.row, trial.fold, trial.seed),
        attempt="attempt-0",
        epochs=3,
        scores=scores,
        digests={"predictions": trial.id},
        files={},
        environment={"device": "cpu"},
    )


@pytest.mark.parametrize(("words", "most"), [(("report", "full"), 3.0), (("status",), 1.0)])
def test_ten_thousand_trials_are_answered_at_once(
    full_store: Path, words: tuple[str, ...], most: float
) -> None:
    seconds = []
    for _ in range(3):
        began = time.monotonic()
        line = [str(ABLATE), *words, "--store", str(full_store)]
        subprocess.run(line, check=True, capture_output=True, timeout=120)
        seconds.append(time.monotonic() - began)
    print(f"\n`ablate {words[0]}` on {ROWS * FOLDS * SEEDS:,} trials: {min(seconds):.2f} s")
    assert min(seconds) < most
