"""A study that had verdicts, and is asked for again with more seeds, says so."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.analysis.progress.earlier_verdicts import with_earlier_verdicts
from orchestrator.analysis.summary import summarise
from orchestrator.report.tables.headline import table
from orchestrator.report.tables.plain_values import as_json
from orchestrator.store.ledger import Ledger
from orchestrator.store.snapshot import Snapshot
from tests import stores

ROWS = {"full": {"hidden": 64}, "small": {"hidden": 32}}


def asked(ledger: Ledger, whole: Snapshot, seeds: int) -> Snapshot:
    """Ask for the study with so many seeds, as a run does, and read back what the store keeps."""
    trials = tuple(trial for trial in whole.trials if trial.seed < seeds)
    found = with_earlier_verdicts(
        replace(whole, seeds=seeds, trials=trials, judged_before=()), ledger
    )
    path = ledger.studies.write_snapshot(found.study, found.to_json())
    last = max(other.stat().st_mtime_ns for other in ledger.studies.snapshot_files("made"))
    os.utime(str(path), ns=(last + 10**9, last + 10**9))  # one second after the other
    newest = next(ledger.studies.iter_snapshots(found.study))
    assert newest == found
    return newest


def made(root: Path, *, missing: int = 0, **changes: object) -> tuple[Ledger, Snapshot]:
    """Six seeds of a study; the last trainings of the third seed are missing."""
    gone = [("small", fold, 2) for fold in range(5 - missing, 5)]
    ledger, snapshot = stores.made(root, ROWS, seeds=6, missing=gone, **changes)
    (path,) = ledger.studies.snapshot_files("made")
    Path(str(path)).unlink()
    return ledger, snapshot


def test_every_number_of_seeds_that_gave_verdicts_is_told(tmp_path: Path) -> None:
    ledger, whole = made(tmp_path / "store")
    assert asked(ledger, whole, 2).judged_before == ()
    assert asked(ledger, whole, 3).judged_before == (2,)
    last = asked(ledger, whole, 6)
    assert last.judged_before == (2, 3)
    assert asked(ledger, whole, 6).judged_before == (2, 3), "asked for again, it stays so"
    assert asked(ledger, whole, 2).judged_before == (), "the first judgement stays the first"
    summary = summarise(last, ledger.outcomes.read_all(trial.id for trial in last.trials))
    note = next(n for n in table(summary).footnotes if n.startswith("Asked again"))
    assert "judged before, with 2 and 3 seeds, and got more since" in note
    assert note in as_json(summary)["notes"]


def test_a_study_that_was_stopped_before_its_verdicts_is_not_judged_twice(tmp_path: Path) -> None:
    ledger, whole = made(tmp_path / "store", missing=1)
    asked(ledger, whole, 3)
    assert asked(ledger, whole, 6).judged_before == ()
    # What the stopped study lacked is trained now, as part of the larger one.
    gone = next(trial for trial in whole.trials if not ledger.outcomes.has(trial.id))
    other, _ = stores.made(tmp_path / "other", ROWS, seeds=6)
    outcome = other.outcomes.read(gone.id)
    assert outcome is not None
    ledger.outcomes.commit(outcome)
    assert asked(ledger, whole, 6).judged_before == ()
    asked(ledger, whole, 3)  # but whoever asks for the smaller one again sees its verdicts
    assert asked(ledger, whole, 6).judged_before == (3,)


@pytest.mark.parametrize("reference", [None, "full"])
def test_a_study_without_comparisons_has_no_verdicts(tmp_path: Path, reference: str | None) -> None:
    ledger, whole = made(tmp_path / "store", reference=reference)
    asked(ledger, whole, 3)
    assert asked(ledger, whole, 6).judged_before == (() if reference is None else (3,))


def test_a_study_that_was_judged_before_it_was_dealt_anew_says_so(tmp_path: Path) -> None:
    ledger, dealt = stores.made(tmp_path / "store", ROWS, deals=3)
    once = replace(
        dealt,
        folds=tuple(replace(fold, deal=None) for fold in dealt.folds if fold.deal == 0),
        trials=tuple(replace(trial, deal=None) for trial in dealt.trials if trial.deal == 0),
    )
    for path in ledger.studies.snapshot_files("made"):
        Path(str(path)).unlink()
    assert asked(ledger, once, 1).judged_before == ()
    last = asked(ledger, dealt, 1)
    assert last.judged_before == (1,)
    summary = summarise(last, ledger.outcomes.read_all(trial.id for trial in last.trials))
    note = next(n for n in table(summary).footnotes if n.startswith("Asked again"))
    assert "judged before, with 1 training of each row and speaker, and got more since" in note
    assert "adaptive" not in note
