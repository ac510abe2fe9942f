"""A folder and an object store keep the same promises; the object store is a real S3 server."""

import json
import shutil
import threading
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from orchestrator.errors import DamageError, LackError, RequestError
from orchestrator.planning.plan import plan_study
from orchestrator.store import checkpoints, files, gc
from orchestrator.store.checkpoints import Checkpoint
from orchestrator.store.leases import LeaseObserver, acquire, break_lease, read_lease
from orchestrator.store.ledger import Ledger
from orchestrator.store.paths import Location
from orchestrator.store.records import Failure, Outcome
from orchestrator.study.reader import read_study
from tests.buckets import copied_to
from tests.commands import ablate

SMOKE = Path(__file__).parents[2] / "studies" / "smoke.yaml"


@pytest.fixture(params=["folder", "s3"])
def where(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "folder":
        return str(tmp_path / "store")
    uri: str = request.getfixturevalue("s3")
    return uri


@pytest.fixture
def ledger(where: str) -> Ledger:
    return Ledger.open(where)


@pytest.fixture
def outcome(trained_store: Path) -> Outcome:
    trained = Ledger.open(str(trained_store))
    (found, *_) = trained.outcomes.read_all(
        path.name for path in trained.paths.trials.iterdir()
    ).values()
    return found


# --- files ----------------------------------------------------------------------------------


def test_a_file_is_created_once(ledger: Ledger) -> None:
    path = ledger.root / "a" / "b.json"
    assert files.create_once(path, b"first") and not files.create_once(path, b"second")
    assert path.read_bytes() == b"first"


def test_of_many_who_create_at_once_one_succeeds(ledger: Ledger) -> None:
    path = ledger.root / "contended"
    won: list[bytes] = []
    gate = threading.Barrier(8)

    def create(word: bytes) -> None:
        gate.wait()
        if files.create_once(path, word):
            won.append(word)

    threads = [threading.Thread(target=create, args=(b"%d" % n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [path.read_bytes()] == won


def test_a_write_whose_answer_was_lost_meets_itself(s3: str) -> None:
    path = Ledger.open(s3).root / "once"
    assert files.create_once(path, b"mine")
    assert files._put_once(path, b"mine")  # the client repeats what the service has done
    assert not files._put_once(path, b"other")


def test_a_file_is_replaced_and_taken_and_listed(ledger: Ledger) -> None:
    folder = ledger.root / "listed"
    for name in ("b.json", "a.json", "c.txt"):
        files.replace_file(folder / name, name.encode())
    files.replace_file(folder / "a.json", b"new")
    assert [p.name for p in files.files_in(folder, "*.json")] == ["a.json", "b.json"]
    assert files.take(folder / "a.json") == b"new" and files.take(folder / "a.json") is None
    assert files.files_in(ledger.root / "none", "*") == []
    assert files.names_in(ledger.root, ["listed", "none"]) == {
        "listed": {"b.json", "c.txt"},
        "none": set(),
    }


# --- records --------------------------------------------------------------------------------


def test_a_record_is_effective_once_and_a_late_other_one_is_evidence(
    ledger: Ledger, outcome: Outcome
) -> None:
    assert ledger.outcomes.read(outcome.id) is None and not ledger.outcomes.has(outcome.id)
    assert ledger.outcomes.commit(outcome) == "committed" and ledger.outcomes.has(outcome.id)
    assert ledger.outcomes.commit(replace(outcome, attempt="attempt-2", host="else")) == "same"
    late = replace(outcome, attempt="attempt-3", epochs=outcome.epochs + 1)
    assert ledger.outcomes.commit(late) == "different"
    assert ledger.outcomes.read_all([outcome.id]) == {outcome.id: outcome}
    assert ledger.outcomes.alarms([outcome.id])[0].endswith("/outcome-late-attempt-3.json")
    assert ledger.files_of([outcome.id])[outcome.id] >= {"outcome.json"}


def test_a_damaged_record_is_named(ledger: Ledger, outcome: Outcome) -> None:
    ledger.outcomes.commit(outcome)
    path = ledger.paths.trial_folder(outcome.id) / "outcome.json"
    path.write_bytes(path.read_bytes().replace(b'"epochs":2', b'"epochs":3'))
    with pytest.raises(DamageError, match="is not what was written") as raised:
        ledger.outcomes.read_all([outcome.id])
    assert str(path) in str(raised.value)


def test_failures_are_numbered(ledger: Ledger, outcome: Outcome) -> None:
    failure = Failure(
        id=outcome.id,
        cause="code",
        sentence="No.",
        traceback="",
        epoch=1,
        attempt="attempt-1",
        host="here",
    )
    assert [ledger.attempts.write_failure(failure).name for _ in range(2)] == [
        "failure-1.json",
        "failure-2.json",
    ]
    assert [ledger.attempts.read_failure(p) for p in ledger.attempts.failure_files(outcome.id)] == [
        failure,
        failure,
    ]


def test_a_snapshot_that_is_asked_for_again_is_the_newest(
    ledger: Ledger, trained_store: Path
) -> None:
    snapshot = plan_study(read_study(SMOKE), Ledger.open(str(trained_store))).snapshot
    first = ledger.studies.write_snapshot("smoke", snapshot.to_json())
    assert ledger.studies.write_snapshot("smoke", snapshot.to_json()) == first
    assert ledger.studies.snapshots() == ledger.studies.snapshots("smoke") == [snapshot]


def test_a_checkpoint_comes_back_and_goes(ledger: Ledger, outcome: Outcome) -> None:
    for epoch in (1, 2):
        kept = Checkpoint({"x": torch.full((3,), float(epoch))}, {"epoch": epoch})
        checkpoints.write(ledger, outcome.id, epoch, kept)
    found = checkpoints.read(ledger, outcome.id)
    assert found is not None and found.numbers == {"epoch": 2}
    assert torch.equal(found.tensors["x"], torch.full((3,), 2.0))
    checkpoints.remove(ledger, outcome.id)
    assert checkpoints.read(ledger, outcome.id) is None
    assert not [n for n in ledger.files_of([outcome.id])[outcome.id] if "checkpoint" in n]


# --- claims ---------------------------------------------------------------------------------


def test_a_claim_is_held_by_one_and_free_when_released(ledger: Ledger, outcome: Outcome) -> None:
    path = ledger.paths.lease_file(outcome.id)
    claim = acquire(path)
    assert claim is not None and claim.still_mine() and acquire(path) is None
    claim.release()
    assert read_lease(path) is None


def test_a_claim_that_stands_still_is_broken(ledger: Ledger, outcome: Outcome) -> None:
    path = ledger.paths.lease_file(outcome.id)
    files.create_once(path, json.dumps({"owner": "x", "host": "elsewhere", "beat": 3}).encode())
    assert acquire(path) is None
    watch = LeaseObserver(lease_s=0.5)
    assert not watch.is_stale(path)
    time.sleep(0.6)
    assert watch.is_stale(path)
    assert read_lease(path) is None


def test_a_claim_that_changed_since_it_was_seen_dead_stands(
    ledger: Ledger, outcome: Outcome
) -> None:
    path = ledger.paths.lease_file(outcome.id)
    files.create_once(path, json.dumps({"owner": "new"}).encode())
    break_lease(path, {"owner": "old"})
    assert read_lease(path) == {"owner": "new"}


# --- what is refused ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "uri",
    [
        "gs://bucket/x",
        "s3://",
        "s3:///x",
        "s3:/b/x",
        "s3://key:secret@bucket/x",
        "s3://b/x?region=y",
    ],
)
def test_other_uris_are_refused_and_no_secret_is_repeated(uri: str) -> None:
    with pytest.raises(RequestError, match="^`--store` must be a folder or `s3://BUCK") as raised:
        Ledger.open(uri)
    assert "secret" not in str(raised.value)


def test_a_bucket_that_is_not_there_is_named(s3: str) -> None:
    with pytest.raises(LackError, match="^The store `s3://no-such-bucket/x` cannot be written: "):
        Ledger.open("s3://no-such-bucket/x")


def test_a_service_that_does_not_answer_is_named(s3: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    said = ablate("plan", SMOKE, "--store", s3, code=3)
    assert said.startswith(f"The store `{s3}` cannot be read: Could not connect")


def test_a_service_that_overwrites_is_refused(s3: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def overwrite(path: Location, blob: bytes) -> bool:
        path.write_bytes(blob)
        return True

    monkeypatch.setattr(files, "_put_once", overwrite)
    with pytest.raises(LackError, match="does not honour conditional writes"):
        Ledger.open(s3)


# --- the whole chain, from two machines -----------------------------------------------------


@pytest.fixture
def trained_bucket(s3: str, trained_store: Path) -> str:
    """A store that has trained ``smoke``, copied to the object store file by file."""
    copied_to(s3, trained_store)
    return s3


def another_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache: nothing of the store is here but what is fetched."""
    cache = tmp_path / "another"
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache))
    return cache


def spoken(demo_speech: Path, uri: str) -> None:
    """This machine has synthesised the demo corpus before: that is not the subject here."""
    shutil.copytree(demo_speech, Ledger.open(uri).paths.corpus_audio("demo"), dirs_exist_ok=True)


def test_a_study_trains_into_a_bucket_and_any_machine_sees_it(
    s3: str,
    trained_store: Path,
    demo_speech: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    spoken(demo_speech, s3)
    said = ablate("run", SMOKE, "--store", s3, "--inline")
    assert "Done: 4 trained." in said
    here, there = Ledger.open(str(trained_store)), Ledger.open(s3)
    ids = [path.name for path in here.paths.trials.iterdir()]
    ours, theirs = here.outcomes.read_all(ids), there.outcomes.read_all(ids)
    assert len(ours) == 4
    assert {i: o.scored_part for i, o in ours.items()} == {
        i: o.scored_part for i, o in theirs.items()
    }
    assert not [n for names in there.files_of(ids).values() for n in names if "claim" in n]
    another_machine(tmp_path, monkeypatch)
    table = ablate("report", "smoke", "--store", s3)
    assert table == ablate("report", "smoke", "--store", trained_store)
    assert "Done. " in ablate("run", SMOKE, "--store", s3, "--inline")
    assert json.loads(ablate("plan", SMOKE, "--store", s3, "--json"))["done"] == 4


def test_a_lost_trial_is_trained_on_a_machine_that_must_fetch_its_features(
    trained_bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = Ledger.open(trained_bucket)
    lost = sorted(path.name for path in ledger.paths.trials.iterdir())[0]
    before = ledger.outcomes.read(lost)
    (ledger.paths.trial_folder(lost) / "outcome.json").unlink()
    cache = another_machine(tmp_path, monkeypatch)
    assert "Done: 1 trained." in ablate("run", SMOKE, "--store", trained_bucket, "--inline")
    after = ledger.outcomes.read(lost)
    assert before is not None and after is not None and before.scored_part == after.scored_part
    fetched = {p.name for p in cache.rglob("*.arrow")}
    assert fetched == {p.name for p in files.files_in(ledger.paths.shards, "*.arrow")}


def test_damage_in_the_bucket_is_named_and_repaired_for_all(
    trained_bucket: str, demo_speech: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = Ledger.open(trained_bucket)
    assert "10 shards, 10 whole." in ablate("features", "verify", "--store", trained_bucket)
    whole = {p.name: p.read_bytes() for p in files.files_in(ledger.paths.shards, "*.arrow")}
    flipped, gone = sorted(whole)[:2]
    data = bytearray(whole[flipped])
    data[1000] ^= 4
    (ledger.paths.shards / flipped).write_bytes(bytes(data))
    (ledger.paths.shards / gone).unlink()
    another_machine(tmp_path, monkeypatch)
    spoken(demo_speech, trained_bucket)
    said = ablate("features", "verify", SMOKE, "--store", trained_bucket, code=4)
    assert f"damaged: {flipped}" in said and f"missing: {gone}" in said
    lost = sorted(path.name for path in ledger.paths.trials.iterdir())[0]
    (ledger.paths.trial_folder(lost) / "outcome.json").unlink()
    failed = ablate("run", SMOKE, "--store", trained_bucket, "--inline", code=1)
    assert flipped in failed.replace("\n", "")  # nothing is trained on it
    assert "Repaired." in ablate("features", "verify", SMOKE, "--store", trained_bucket, "--repair")
    again = {p.name: p.read_bytes() for p in files.files_in(ledger.paths.shards, "*.arrow")}
    assert again == whole
    assert "Done: 1 trained." in ablate("run", SMOKE, "--store", trained_bucket, "--inline")


def test_what_a_bucket_tells_of_its_trials_and_what_nobody_needs_of_it(
    trained_bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = Ledger.open(trained_bucket)
    id, held, *_ = sorted(files.folders_in(ledger.paths.trials))
    assert ledger.find_trial(id[:8]) == id
    shown = json.loads(ablate("show", id[:8], "--store", trained_bucket, "--json"))
    assert shown["state"] == "done" and {f["damage"] for f in shown["files"]} == {""}
    assert "finished after 2 epochs" in ablate("logs", id[:8], "--store", trained_bucket)
    (ledger.paths.trial_folder(held) / "outcome.json").unlink()
    claim = acquire(ledger.paths.lease_file(held))
    assert claim is not None
    (told,) = json.loads(ablate("status", "--store", trained_bucket, "--json"))
    assert (told["done"], told["in_flight"], told["to_do"]) == (3, 1, 0)
    monkeypatch.setattr(gc, "GRACE_S", -3600.0)
    assert {item.kind for item in gc.scan(ledger).unneeded} == set()
    for path in ledger.studies.snapshot_files():
        path.unlink()
    shown = gc.scan(ledger)
    assert Counter(w.kind for w in shown.unneeded) == {"trial": 3, "shard": 10, "selection": 1}
    assert len(shown.left_alone) == 1 and held[:12] in shown.left_alone[0]
    assert len(gc.remove(ledger, shown).unneeded) == 14
    claim.release()
    assert files.folders_in(ledger.paths.trials) == [held]
    assert files.files_in(ledger.paths.shards, "*") == []
