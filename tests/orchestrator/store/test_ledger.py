import json
import os
import stat
from dataclasses import asdict, replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from features.config import FeatureConfig
from model.config import ModelConfig, TrainConfig
from orchestrator.errors import DamageError, LackError, RequestError, first_line
from orchestrator.store.attempts import predictions_parquet
from orchestrator.store.files import create_once, replace_file
from orchestrator.store.ledger import Ledger
from orchestrator.store.records import Failure, Outcome, Scores
from orchestrator.store.snapshot import (
    Snapshot,
    SnapshotFold,
    SnapshotRow,
    SnapshotTrial,
)
from orchestrator.study.canonical import canonical, digest
from orchestrator.study.study import PaperClaim
from orchestrator.study.trials import Trial

TRIAL = Trial(
    corpus="c" * 64,
    classes=("angry", "sad"),
    extractor="x 1",
    features=FeatureConfig(),
    model=ModelConfig(),
    training=TrainConfig(),
    train=("s1", "s2"),
    a=("s3",),
    b=("s4",),
    seed=0,
)

OUTCOME = Outcome(
    id=TRIAL.id,
    identity=TRIAL.identity,
    attempt="attempt-1",
    epochs=3,
    scores=(
        Scores(
            speaker="s3", choice="chosen", unit="utterance", epoch=2, confusion=((3, 1), (0, 4))
        ),
    ),
    digests={"predictions": "p", "history": "h", "weights": "w"},
    files={"log.txt": "0"},
    environment={"device": "cpu", "torch": "2"},
)


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger.open(str(tmp_path / "store"))


def test_an_outcome_comes_back_as_it_was_written(ledger: Ledger) -> None:
    assert ledger.outcomes.commit(OUTCOME) == "committed"
    assert ledger.outcomes.read(TRIAL.id) == OUTCOME
    assert ledger.outcomes.has(TRIAL.id)


def test_an_outcome_older_than_the_count_of_parameters_is_read(ledger: Ledger) -> None:
    body = asdict(OUTCOME)
    del body["parameters"]
    record = canonical({"outcome": body, "sha256": digest(body)}).encode()
    create_once(ledger.paths.trial_folder(TRIAL.id) / "outcome.json", record)
    assert ledger.outcomes.read(TRIAL.id) == OUTCOME
    counted = replace(OUTCOME, attempt="attempt-2", parameters=5)
    assert ledger.outcomes.commit(counted) == "same" and ledger.outcomes.alarms(TRIAL.id) == []


def test_nothing_is_there_before(ledger: Ledger) -> None:
    assert ledger.outcomes.read(TRIAL.id) is None and not ledger.outcomes.has(TRIAL.id)


def test_a_second_equal_outcome_changes_nothing(ledger: Ledger) -> None:
    ledger.outcomes.commit(OUTCOME)
    assert ledger.outcomes.commit(replace(OUTCOME, attempt="attempt-2", seconds=9.0)) == "same"
    assert ledger.outcomes.read(TRIAL.id) == OUTCOME and ledger.outcomes.alarms([TRIAL.id]) == []


def test_a_late_different_outcome_of_the_class_is_kept_as_evidence(ledger: Ledger) -> None:
    ledger.outcomes.commit(OUTCOME)
    late = replace(OUTCOME, attempt="attempt-2", digests={**OUTCOME.digests, "weights": "other"})
    assert ledger.outcomes.commit(late) == "different"
    assert ledger.outcomes.read(TRIAL.id) == OUTCOME
    assert [Path(p).name for p in ledger.outcomes.alarms([TRIAL.id])] == [
        "outcome-late-attempt-2.json"
    ]


def test_another_determinism_class_may_differ(ledger: Ledger) -> None:
    ledger.outcomes.commit(OUTCOME)
    other = replace(OUTCOME, environment={"device": "cuda", "torch": "2"}, epochs=4)
    assert ledger.outcomes.commit(other) == "same" and ledger.outcomes.alarms([TRIAL.id]) == []


@pytest.mark.parametrize("offset", range(0, 400, 23))
def test_a_flipped_bit_is_reported_and_never_read(ledger: Ledger, offset: int) -> None:
    ledger.outcomes.commit(OUTCOME)
    path = ledger.paths.trial_folder(TRIAL.id) / "outcome.json"
    blob = bytearray(path.read_bytes())
    blob[offset % len(blob)] ^= 1
    path.write_bytes(blob)
    with pytest.raises(DamageError, match=r"^The outcome `.*outcome\.json` is"):
        ledger.outcomes.read(TRIAL.id)


@pytest.mark.parametrize("kept", [0, 1, 100])
def test_a_truncated_outcome_is_reported(ledger: Ledger, kept: int) -> None:
    ledger.outcomes.commit(OUTCOME)
    path = ledger.paths.trial_folder(TRIAL.id) / "outcome.json"
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(DamageError, match=r"is damaged\. Nothing else is affected\. Move `"):
        ledger.outcomes.read(TRIAL.id)


def test_an_outcome_of_another_trial_is_refused(ledger: Ledger) -> None:
    ledger.outcomes.commit(OUTCOME)
    other = "0" * 64
    ledger.paths.trial_folder(other).mkdir()
    source = ledger.paths.trial_folder(TRIAL.id) / "outcome.json"
    (ledger.paths.trial_folder(other) / "outcome.json").write_bytes(source.read_bytes())
    with pytest.raises(DamageError, match="is not what was written"):
        ledger.outcomes.read(other)


def test_failures_are_numbered_and_kept(ledger: Ledger) -> None:
    failure = Failure(
        id=TRIAL.id,
        cause="code",
        sentence="no",
        traceback="t",
        epoch=1,
        attempt="a",
        host="h",
        finished=1.0,
    )
    names = [ledger.attempts.write_failure(failure).name for _ in range(3)]
    (ledger.paths.trial_folder(TRIAL.id) / "failure-1 (copy).json").write_text("x")
    assert names == ["failure-1.json", "failure-2.json", "failure-3.json"]
    assert [ledger.attempts.read_failure(p) for p in ledger.attempts.failure_files(TRIAL.id)] == [
        failure
    ] * 3


def test_a_file_is_created_once(tmp_path: Path) -> None:
    assert create_once(tmp_path / "x", b"1") and not create_once(tmp_path / "x", b"2")
    assert (tmp_path / "x").read_bytes() == b"1"
    assert [p.name for p in tmp_path.iterdir()] == ["x"]


def test_a_failed_replacement_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace_file(tmp_path / "x", b"old")

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        replace_file(tmp_path / "x", b"new")
    assert [(p.name, p.read_bytes()) for p in tmp_path.iterdir()] == [("x", b"old")]


ASKED = Snapshot(
    study="s",
    question="",
    table=1,
    figure=None,
    corpus="demo",
    profile="quick",
    reading="as-written",
    classes=("angry", "sad"),
    utterances=4,
    rows=(SnapshotRow(name="r", reading="as-written", paper={"ua": 50.0}),),
    folds=(SnapshotFold(index=0, a=("s3",), b=("s4",), train=2),),
    seeds=1,
    trials=(SnapshotTrial("r", 0, 0, TRIAL.id),),
    comparable=False,
    reference=None,
    claim=PaperClaim(better="r", than=("q",), on="ua"),
)


def test_snapshots_come_newest_first_and_are_kept(ledger: Ledger) -> None:
    two = replace(ASKED, seeds=2)
    for n, snapshot in enumerate((ASKED, two, ASKED)):
        path = ledger.studies.write_snapshot("s", snapshot.to_json())
        os.utime(path, ns=(n, n + 10))
    ledger.studies.write_snapshot("other", replace(ASKED, study="other").to_json())
    assert ledger.studies.snapshots("s") == [ASKED, two]
    assert len(ledger.studies.snapshots()) == 3


@pytest.mark.parametrize("text", ["{", "{}", '{"study": "s"}'])
def test_a_snapshot_that_is_not_what_was_written_is_damage(ledger: Ledger, text: str) -> None:
    ledger.studies.write_snapshot("s", ASKED.to_json()).write_text(text)
    with pytest.raises(DamageError, match=r"s@[0-9a-f]{12}\.json` is"):
        ledger.studies.snapshots("s")


def test_a_store_is_private(ledger: Ledger) -> None:
    assert stat.S_IMODE(ledger.root.stat().st_mode) == 0o700


def test_a_file_in_the_way_is_named(tmp_path: Path) -> None:
    (tmp_path / "f").write_text("")
    with pytest.raises(LackError, match="cannot be written: "):
        Ledger.open(str(tmp_path / "f"))


def test_reading_makes_no_store(tmp_path: Path) -> None:
    assert Ledger.open_readonly(str(tmp_path / "none")).studies.snapshots() == []
    with pytest.raises(LackError, match="^There is no store at `"):
        Ledger.open_existing(str(tmp_path / "none"))
    assert not (tmp_path / "none").exists()


def test_a_store_of_another_format_is_left_alone(ledger: Ledger) -> None:
    (ledger.root / "store.json").write_text('{"format": 99}')
    with pytest.raises(DamageError, match="has format 99, this program reads format 1"):
        Ledger.open(str(ledger.root))


@pytest.mark.parametrize("id", ["../x", "a" * 63, "A" * 64, ""])
def test_only_ids_become_paths(ledger: Ledger, id: str) -> None:
    with pytest.raises(RequestError, match="^A trial's id must be 64 hex digits"):
        ledger.paths.trial_folder(id)


def test_predictions_are_a_table_with_page_checksums(tmp_path: Path) -> None:
    blob = predictions_parquet({"utterance": ["u"], "epoch": [3]}, {"sad": [0.25]})
    (tmp_path / "p.parquet").write_bytes(blob)
    table = pq.read_table(tmp_path / "p.parquet", page_checksum_verification=True)
    assert table.to_pylist() == [{"utterance": "u", "epoch": 3, "p_sad": 0.25}]
    assert json.dumps(str(table.schema.field("p_sad").type)) == '"float"'


def test_trials_in_another_folder_leave_the_store_as_it_is(tmp_path: Path) -> None:
    ledger = Ledger.open(str(tmp_path / "store"))
    ledger.write_selection("0" * 64, {"corpus": "demo"})
    rehearsal = ledger.with_trials_in(tmp_path / "scratch")
    assert rehearsal.outcomes.commit(OUTCOME) == "committed"
    assert rehearsal.selection("0" * 64) == {"corpus": "demo"}
    assert rehearsal.outcomes.has(TRIAL.id) and not ledger.outcomes.has(TRIAL.id)
    assert not (tmp_path / "store" / "trials").exists()


def test_only_open_makes_a_store(tmp_path: Path) -> None:
    where = str(tmp_path / "store")
    with pytest.raises(LackError, match="There is no store"):
        Ledger.open_existing(where)
    assert Ledger.open_readonly(where).studies.snapshots() == []
    assert not Path(where).exists()
    Ledger.open(where)
    assert Ledger.open_existing(where).corpora() == {}


def test_the_first_line_of_an_error_is_its_text_or_its_type() -> None:
    assert first_line("\nIt broke.\nThere.") == "It broke."
    assert first_line(ValueError("so\nand so")) == "so"
    assert (first_line(KeyboardInterrupt()), first_line("")) == ("KeyboardInterrupt", "")
