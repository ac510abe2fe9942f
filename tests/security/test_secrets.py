"""What a person's environment holds of secrets stays there."""

import shutil
from pathlib import Path

import pytest

from orchestrator.execution.cluster.inline import InlineCluster
from orchestrator.execution.run import run
from orchestrator.store.ledger import Ledger
from orchestrator.study.reader import read_study
from tests.tiny_study import Tiny

SECRETS = ("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "RAY_AUTH_TOKEN", "HF_TOKEN")
WORD = "a-secret-of-a-person"


def test_no_secret_of_the_environment_is_in_a_record_a_log_or_a_failure(
    tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = shutil.copytree(tiny.store, tmp_path / "store")
    for name in SECRETS:
        monkeypatch.setenv(name, WORD)
    trained, failed = sorted((store / "trials").iterdir())[:2]
    for trial in (trained, failed):
        (trial / "outcome.json").unlink()
    monkeypatch.setattr(
        "orchestrator.execution.worker.attempt.Attempt._report_epoch", _raise_in(failed.name)
    )
    study = read_study(tiny.study)
    result = run(study, Ledger.open(str(store)), InlineCluster(), lambda event: None)
    assert result.failed == (failed.name,) and (failed / "failure-1.json").exists()
    assert (trained / "outcome.json").exists()
    for path in store.rglob("*"):
        if path.is_file():
            assert WORD.encode() not in path.read_bytes(), path


def _raise_in(id: str) -> object:
    """An epoch that is told fails in one trial, with a traceback."""

    def tell(attempt: object, state: object) -> None:
        if attempt._task.id == id:  # type: ignore[attr-defined]
            raise RuntimeError("no")

    return tell
