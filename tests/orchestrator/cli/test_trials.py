"""``ablate status``, ``show``, ``logs``, ``rerun``: what a store tells of its trials."""

import hashlib
import io
import json
import os
import re
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from orchestrator.errors import RequestError
from orchestrator.store.files import create_once
from orchestrator.store.leases import LEASE_S
from orchestrator.store.ledger import Ledger
from orchestrator.store.records import Failure
from orchestrator.study.canonical import canonical, digest
from tests.commands import Command, ablate
from tests.tiny_study import Tiny


@pytest.fixture
def ledger(store: Path) -> Ledger:
    return Ledger.open(str(store))


@pytest.fixture
def id(ledger: Ledger) -> str:
    return sorted(path.name for path in ledger.paths.trials.iterdir())[0]


def rewrite(ledger: Ledger, id: str, **changes: Any) -> None:
    """The record of a trial with other values, whole by its own digest: not damage."""
    path = ledger.paths.trial_folder(id) / "outcome.json"
    body = {**json.loads(path.read_bytes())["outcome"], **changes}
    path.write_text(canonical({"outcome": body, "sha256": digest(body)}))


def unfinish(ledger: Ledger, id: str) -> None:
    (ledger.paths.trial_folder(id) / "outcome.json").unlink()


# --- status ---------------------------------------------------------------------------------


def test_a_finished_study_is_told_from_any_folder_in_80_columns(
    store: Path, tmp_path: Path
) -> None:
    text = ablate("status", "--store", store, cwd=tmp_path)
    assert "smoke: Table 99." in text and "corpus demo, profile quick" in text
    assert text.split("all")[1].split()[:4] == ["4", "0", "0", "0"]
    assert max(map(len, text.splitlines())) <= 80
    (told,) = json.loads(ablate("status", "smoke", "--store", store, "--json"))
    assert (told["trials"], told["done"], told["failed"], told["to_do"]) == (4, 4, 0, 0)
    assert {trial["state"] for trial in told["each"]} == {"done"}


def test_a_study_file_names_its_study_and_an_unknown_name_is_refused(
    root: Path, store: Path, tmp_path: Path
) -> None:
    assert ablate("status", root / "studies" / "smoke.yaml", "--store", store).startswith("smoke:")
    said = ablate("status", "smoek", "--store", store, code=2)
    assert said == "No study `smoek` has run in this store. Did you mean `smoke`?\n"
    assert "There is no store at" in ablate("status", "--store", tmp_path / "no", code=3)


LONG = """\
study: long
table: 97
corpus: demo
protocol: {folds: 2, seeds: 1}
training: {epochs: 200}
baseline: {layers: 2, hidden: 64, fa_layer: none}
rows: [{name: Alone}]
"""


@contextmanager
def running(store: Path, study: Path) -> Iterator[Command]:
    """A run of a long trial that has finished an epoch."""
    study.write_text(LONG)
    ledger = Ledger.open_unchecked(str(store))
    with Command("run", study, "--inline", "--store", store) as command:
        for _ in range(600):
            if any(Path(str(ledger.paths.trials)).glob("*/checkpoint.json")):
                break
            time.sleep(0.1)
        yield command


def test_a_trial_in_flight_is_seen_from_another_process_and_after_its_death(
    store: Path, tmp_path: Path
) -> None:
    began = time.time()
    with running(store, tmp_path / "long.yaml") as command:
        (told,) = json.loads(ablate("status", "long", "--store", store, "--json"))
        (flying,) = [t for t in told["each"] if t["state"] == "in flight"]
        assert (told["in_flight"], told["to_do"]) == (1, 1)
        assert flying["epoch"] >= 1 and flying["holder"]["host"] == os.uname().nodename
        assert began <= flying["holder"]["since"] <= time.time() and not flying["holder"]["lost"]
        text = ablate("status", "long", "--store", store)
        assert "in flight:" in text and "last sign of life" in text
        assert max(map(len, text.splitlines())) <= 80
        said = ablate("logs", flying["id"][:12], "--store", store)
        assert f"in flight on {os.uname().nodename} since" in said
        assert "epoch 1: loss " in said
        assert "a claim" not in ablate("show", flying["id"][:8], "--store", store)
        command.kill()
    (told,) = json.loads(ablate("status", "long", "--store", store, "--json"))
    assert (told["in_flight"], told["to_do"]) == (0, 2)
    (left,) = [t for t in told["each"] if t["holder"]]
    assert left["holder"]["gone"] and left["epoch"] >= flying["epoch"]
    text = ablate("status", "long", "--store", store)
    assert "left by a process on" in text and "`ablate run` takes it over" in text
    assert "epoch 1: loss " in ablate("logs", flying["id"][:12], "--store", store)


def test_a_resumed_trials_log_begins_at_its_first_epoch(store: Path, tmp_path: Path) -> None:
    with running(store, tmp_path / "long.yaml") as command:
        command.kill()
    ledger = Ledger.open(str(store))
    (id,) = [t.trial.id for s in _status(ledger, "long") for t in s.trials if t.epoch]
    before = ledger.attempts.progress(id)
    with running(store, tmp_path / "long.yaml"):
        for _ in range(300):
            if (after := ledger.attempts.progress(id)).epoch > before.epoch:
                break
            time.sleep(0.1)
    assert after.log[: len(before.log)] == before.log
    assert f"resumed after epoch {before.epoch}" in "\n".join(after.log)


def _status(ledger: Ledger, name: str) -> Any:
    from orchestrator.planning.status import study_statuses

    return study_statuses(ledger, name)


def test_a_claim_of_another_machine_that_is_silent_for_a_lease_may_be_dead(
    ledger: Ledger, id: str
) -> None:
    unfinish(ledger, id)
    path = ledger.paths.lease_file(id)
    create_once(path, json.dumps({"owner": "x", "host": "elsewhere", "beat": 3}).encode())
    assert "in flight:" in (text := ablate("status", "--store", ledger.root))
    assert "perhaps dead" not in text
    past = time.time() - 2 * LEASE_S
    os.utime(path, (past, past))
    assert "perhaps dead" in ablate("status", "--store", ledger.root)


def test_a_failed_trial_says_why(ledger: Ledger, id: str) -> None:
    outcome = ledger.outcomes.read(id)
    assert outcome is not None
    unfinish(ledger, id)
    failure = Failure(
        id=id,
        cause="diverged",
        sentence="The loss is NaN in epoch 7.",
        traceback="Trace\n  line",
        epoch=6,
        attempt="attempt-1",
        host="there",
        identity=outcome.identity,
    )
    ledger.attempts.write_failure(failure)
    assert "diverged: The loss is NaN in epoch 7." in ablate("status", "--store", ledger.root)
    said = ablate("logs", id[:6], "--store", ledger.root)
    assert "failed attempt 1 of 1: diverged, after epoch 6, on there" in said
    assert "The loss is NaN in epoch 7.\nTrace\n  line\n" in said
    shown = ablate("show", id[:6], "--store", ledger.root)
    assert f"trial  {id}\n" in shown and "state  failed" in shown and "hidden 64" in shown
    assert "last failure: diverged: The loss is NaN in epoch 7." in shown


# --- ids ------------------------------------------------------------------------------------


def test_the_beginning_of_an_id_must_name_one_trial(ledger: Ledger, id: str) -> None:
    (ledger.paths.trials / (id[:10] + "0" * 54)).mkdir()
    for beginning, sentence in {
        id[:5]: "A trial's ID must be 6 to 64 hex digits",
        "../../../etc": "A trial's ID must be 6 to 64 hex digits",
        "0123456789": "No trial in `",
        id[:10]: "must be the beginning of one trial's ID, but 2 begin so:",
    }.items():
        with pytest.raises(RequestError, match=re.escape(sentence)):
            ledger.find_trial(beginning)
    assert ledger.find_trial(id[:12]) == ledger.find_trial(id) == id
    for command in ("show", "logs", "rerun"):
        assert "but 2 begin so:" in ablate(command, id[:10], "--store", ledger.root, code=2)


def test_a_trial_that_never_began_is_named_by_its_study(
    root: Path, store: Path, tmp_path: Path
) -> None:
    ledger = Ledger.open(str(store))
    (snapshot,) = ledger.studies.snapshots("smoke")
    id = snapshot.trials[0].id
    ledger.paths.trial_folder(id).rename(tmp_path / "away")
    said = ablate("logs", id[:8], "--store", store)
    assert said == "It has not been trained yet: `ablate run studies/smoke.yaml` does.\n"
    assert "state  to do" in ablate("show", id[:8], "--store", store)


# --- show -----------------------------------------------------------------------------------


def test_show_tells_what_a_trial_is_and_gave(ledger: Ledger, id: str) -> None:
    text = ablate("show", id[:8], "--store", ledger.root)
    assert max(map(len, text.splitlines())) <= 80
    for words in (
        id,
        "state  done",
        "smoke  ",
        "hidden 64",
        "test speaker",
        "parameters  207,566",
        "cpu ",
        "numpy ",
        "weights.safetensors",
        "ablate rerun " + id[:12],
    ):
        assert words in text, words
    told = json.loads(ablate("show", id[:8], "--store", ledger.root, "--json"))
    outcome = ledger.outcomes.read(id)
    assert outcome is not None and digest(told["identity"]) == id
    assert (
        told["outcome"]["digests"] == outcome.digests and told["outcome"]["parameters"] == 207_566
    )
    assert "finished after 2 epochs" in ablate("logs", id[:8], "--store", ledger.root)


def test_a_file_that_is_not_what_was_written_is_named(ledger: Ledger, id: str) -> None:
    outcome = ledger.outcomes.read(id)
    assert outcome is not None
    folder = ledger.paths.attempt_folder(id, outcome.attempt)
    (folder / "log.txt").write_text("epoch 1: all is well\n")
    (folder / "history.json").unlink()
    shown = " ".join(ablate("show", id[:8], "--store", ledger.root, code=4).split())
    assert shown.count("is not what was written") == 1 and "cannot be read" in shown
    assert "is not what was written" in ablate("logs", id[:8], "--store", ledger.root, code=4)


# --- rerun ----------------------------------------------------------------------------------


@pytest.fixture
def trained(tiny: Tiny, tmp_path: Path) -> Ledger:
    """A store of the tiny study, whose trials are soon trained again."""
    return Ledger.open(str(shutil.copytree(tiny.store, tmp_path / "tiny")))


@pytest.fixture
def again(trained: Ledger) -> str:
    """A trial of it."""
    return sorted(path.name for path in trained.paths.trials.iterdir())[0]


def test_a_trial_trained_again_has_the_same_bits_and_its_record_is_untouched(
    trained: Ledger, again: str
) -> None:
    folder = Path(str(trained.paths.trial_folder(again)))
    before = {p: p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}
    said = ablate("rerun", again[:8], "--store", trained.root)
    assert said.startswith("Equal: predictions, history and weights have the same bits.\n")
    assert "the same class and libraries" in said
    assert {p: p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()} == before
    told = json.loads(ablate("rerun", again[:8], "--keep", "--json", "--store", trained.root))
    assert told["verdict"] == "equal" and told["again"] != told["record"]
    kept = Path(told["kept"])
    assert {p.name for p in kept.iterdir()} == {
        "history.json",
        "log.txt",
        "predictions.parquet",
        "rerun.json",
        "weights.safetensors",
    }
    assert all(p.read_bytes() == blob for p, blob in before.items())


def other_predictions(ledger: Ledger, id: str, by: float) -> dict[str, Any]:
    """Shift a probability in the trial's own file; the fields of a record that says so."""
    outcome = ledger.outcomes.read(id)
    assert outcome is not None
    path = Path(str(ledger.paths.attempt_folder(id, outcome.attempt) / "predictions.parquet"))
    table = pq.read_table(path)
    shifted = [p - by if row == 0 else p for row, p in enumerate(table["p_sad"].to_pylist())]
    at = table.column_names.index("p_sad")
    sink = io.BytesIO()
    pq.write_table(table.set_column(at, "p_sad", pa.array(shifted, pa.float32())), sink)
    path.write_bytes(sink.getvalue())
    sha256 = hashlib.sha256(sink.getvalue()).hexdigest()
    return {
        "digests": {**outcome.digests, "predictions": "0" * 64},
        "files": {**outcome.files, "predictions.parquet": sha256},
    }


def test_other_bits_in_one_class_are_exit_4_kept_and_named_by_every_report(
    trained: Ledger, again: str
) -> None:
    rewrite(trained, again, **other_predictions(trained, again, by=1e-5))
    told = json.loads(ablate("rerun", again[:8], "--json", "--store", trained.root, code=4))
    assert (told["verdict"], told["differ"]) == ("differs", ["predictions"])
    assert 0 < told["closeness"]["largest"] < 2e-5 and told["closeness"]["first_epoch"] is None
    assert Path(told["alarm"]).name.startswith("outcome-late-attempt-")
    assert (Path(told["kept"]) / "weights.safetensors").exists()
    flat = " ".join(ablate("report", "tiny", "--store", trained.root).split())
    assert "WARNING: trials were finished twice with different numbers" in flat


def test_between_classes_a_small_difference_is_close_and_a_large_one_is_not(
    trained: Ledger, again: str
) -> None:
    elsewhere = {"device": "cpu other", "torch": "1.0"}
    rewrite(trained, again, environment=elsewhere, **other_predictions(trained, again, by=1e-5))
    said = " ".join(ablate("rerun", again[:8], "--store", trained.root).split())
    assert "Close: other bits in predictions, which are not promised between determinism" in said
    assert "other class device: cpu other then, cpu " in said and "torch: 1.0 then, " in said
    rewrite(trained, again, **other_predictions(trained, again, by=0.01))
    said = " ".join(ablate("rerun", again[:8], "--store", trained.root, code=4).split())
    assert "DIFFERS in predictions: the largest difference of a probability is 0.01" in said
    assert "Between determinism classes small differences grow from epoch to epoch" in said
    assert "other class arithmetic: none then, " in said  # as of a record that did not ask for it
    assert "kept in" in said and trained.outcomes.alarms([again]) == []


def test_only_a_finished_trial_that_nobody_holds_is_trained_again(ledger: Ledger, id: str) -> None:
    create_once(
        ledger.paths.lease_file(id), json.dumps({"owner": "x", "host": "elsewhere"}).encode()
    )
    assert "is held by another process" in ablate("rerun", id[:8], "--store", ledger.root, code=2)
    ledger.paths.lease_file(id).unlink()
    unfinish(ledger, id)
    assert "is not finished" in ablate("rerun", id[:8], "--store", ledger.root, code=2)


def test_without_its_features_a_trial_is_not_trained_again(ledger: Ledger, id: str) -> None:
    for path in Path(str(ledger.paths.local_shards)).glob("*.json"):
        path.unlink()
    assert "`ablate run` builds them" in ablate("rerun", id[:8], "--store", ledger.root, code=3)
