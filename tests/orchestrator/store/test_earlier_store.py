"""A store of an earlier version is readable, called stale, and counted in no table of this one.

``tests/fixtures/earlier_store`` holds a small store that commit a29bc7c trained, of SEMANTICS 1: an
ordinary study, an adaptive one, a search, and a study with a failed training; weights, shards and
audio are left out. ``expected/`` holds what commands printed of it before SEMANTICS was raised.
"""

import json
import shutil
import tarfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from orchestrator.planning.status import newest_snapshots
from orchestrator.store.ledger import Ledger
from orchestrator.study.canonical import digest
from orchestrator.study.trials import SEMANTICS
from tests.commands import Command

ROOT = Path(__file__).parents[3]
FIXTURE = Path(__file__).parents[2] / "fixtures" / "earlier_store"

REPORTS = {
    "report_smoke": "smoke",
    "report_adaptive": "old_adaptive",
    "report_search": "old_search",
    "report_failed": "old_failed",
}
"""File in ``expected/`` -> the study that it reports."""

UNCHANGED = {
    "status": ("status", "--json"),
    "gc": ("gc", "--json"),
}
"""File in ``expected/`` -> a command that prints the same as then."""

DONE = "1a64063f"
"""A finished trial of `smoke`."""


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("earlier")
    with tarfile.open(FIXTURE / "store.tar.xz") as tar:
        tar.extractall(folder, filter="data")
    return folder / "store"


def printed(store: Path, *words: str) -> Any:
    with Command(*words, "--store", store, cwd=store.parent) as command:
        result = command.finished()
    assert result.stdout, result.stderr
    return json.loads(result.stdout.replace(str(store), "STORE"))


def expected(name: str) -> Any:
    return json.loads((FIXTURE / "expected" / f"{name}.json").read_text(encoding="utf-8"))


def numbers(value: Any) -> list[Any]:
    """All values at the leaves of a JSON value."""
    if isinstance(value, dict | list):
        parts = value.values() if isinstance(value, dict) else value
        return [leaf for part in parts for leaf in numbers(part)]
    return [value]


@pytest.mark.parametrize("name", UNCHANGED)
def test_what_rests_on_no_number_reads_as_before(name: str, store: Path) -> None:
    assert printed(store, *UNCHANGED[name]) == expected(name)


def test_a_trial_reads_as_before_and_is_called_stale(store: Path) -> None:
    assert printed(store, "show", DONE, "--json") == {**expected("show_done"), "stale": True}
    failed = printed(store, "show", "6664522a", "--json")
    assert failed == {**expected("show_failed"), "stale": False}
    with Command("show", DONE, "--store", store, cwd=store.parent) as command:
        assert "done, but stale: an earlier version" in command.finished().stdout


@pytest.mark.parametrize("name", REPORTS)
def test_a_table_names_its_stale_trainings_and_counts_none(name: str, store: Path) -> None:
    then = expected(name)
    now = printed(store, "report", REPORTS[name], "--format", "json", "--details")
    # A snapshot from before the score was a key was of the chosen epoch.
    assert now["title"] == {**then["title"], "score": "chosen"}
    for key in ("study", "question", "classes", "folds", "seeds", "reference"):
        assert now[key] == then[key]
    for row, before in zip(now["rows"], then["rows"], strict=True):
        assert (row["name"], row["n"], row["stale"]) == (before["name"], 0, before["n"])
        lost = before["n"] + before["missing"] + before["given_up"]  # it may not diverge again
        assert (row["missing"], row["given_up"]) == (lost, 0)
        assert set(numbers(row["difference"])) == {None}
        for part in ("ua", "wa", "segment", "last_epoch", "best_on_test"):
            assert set(numbers(row[part])) == {None}
    count = sum(row["n"] for row in then["rows"])
    (note,) = (note for note in now["notes"] if note.startswith("Stale: "))
    assert note.startswith(f"Stale: {count} trainings of an earlier version of the code, whose")


def test_two_rows_of_stale_trainings_share_nothing_to_compare(store: Path) -> None:
    now = printed(store, "compare", "smoke", "No FA", "FA in layer 2", "--json")
    assert now["wanted"] == expected("compare")["wanted"] == 2
    assert (now["shared"], now["difference"], now["folds"]) == (0, None, [])


def test_a_plan_trains_every_slot_again_and_says_why(store: Path) -> None:
    plan = printed(store, "plan", str(ROOT / "studies" / "smoke.yaml"), "--json")
    assert (plan["done"], plan["to_do"]) == (0, 0)
    assert plan["stale"] == 4


def test_a_stale_trial_is_not_trained_again_for_comparison(store: Path) -> None:
    with Command("rerun", DONE, "--store", store, cwd=store.parent) as command:
        result = command.finished()
    assert result.returncode == 2 and "is stale: an earlier version" in result.stderr


def test_stale_and_present_trainings_of_a_row_are_not_mixed(store: Path, tmp_path: Path) -> None:
    """One slot of `smoke` is trained anew: its row counts that training alone."""
    copy = shutil.copytree(store, tmp_path / "store")
    ledger = Ledger.open_unchecked(str(copy))
    snapshot = newest_snapshots(ledger)["smoke"]
    slot = next(trial for trial in snapshot.trials if trial.id.startswith(DONE))
    outcome = ledger.outcomes.read(slot.id)
    assert outcome is not None
    identity = {**outcome.identity, "semantics": SEMANTICS}
    present = replace(outcome, id=digest(identity), identity=identity)
    ledger.outcomes.commit(present)
    trials = tuple(replace(t, id=present.id) if t == slot else t for t in snapshot.trials)
    ledger.studies.write_snapshot("smoke", replace(snapshot, trials=trials).to_json())
    table = printed(copy, "report", "smoke", "--format", "json", "--details")
    counted = {row["name"]: (row["n"], row["stale"]) for row in table["rows"]}
    assert counted == {"No FA": (0, 2), "FA in layer 2": (1, 1)}
