"""Adding and forgetting a table of one's own, and a map for labels that are numbers.

The speech is synthesised.
"""

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from orchestrator.store.leases import acquire
from orchestrator.store.ledger import Ledger
from tests.commands import execute

NUMBERS = {"angry": "0", "happy": "1", "neutral": "2", "sad": "10"}
STUDY = """\
study: mine
question: Does a layer help?
corpus: mine
protocol: {folds: 2, seeds: 1}
EMOTIONS
training: {epochs: 2}
baseline: {layers: 1, hidden: 8, fa_layer: none}
rows:
  - {name: Alone}
"""


@pytest.fixture
def numbered(demo_speech: Path, tmp_path: Path) -> Path:
    """A table of 16 recordings whose labels are numbers."""
    rows = []
    for speaker in ("female-1", "female-2", "male-1", "male-2"):
        for emotion, number in NUMBERS.items():
            (found,) = demo_speech.rglob(f"{speaker}-{emotion}-1-*.wav")
            file = shutil.copy(found, tmp_path / f"{speaker}-{emotion}.wav")
            rows.append((Path(file).name, speaker, number))
    with open(tmp_path / "labels.csv", "w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("file", "speaker", "emotion"), *rows])
    return tmp_path / "labels.csv"


def flat(text: str) -> str:
    return " ".join(text.split())


def test_a_table_that_is_added_by_its_name_alone_is_explained(
    numbered: Path, tmp_path: Path
) -> None:
    store = ("--store", tmp_path / "store")
    for words in (("mine", numbered), (numbered, "mine")):
        said = execute("corpus", "add", *words, *store, code=2).stderr
        command = f"ablate corpus add table {numbered} --name mine"
        assert f"A table of your own is added by `{command}`." in flat(said)
    assert "--name NAME" in execute("corpus", "add", "Mine", numbered, *store, code=2).stderr
    said = execute("corpus", "add", "mine", tmp_path / "none", *store, code=2).stderr
    assert "`corpus` must be one of" in said


def test_numbers_as_labels_ask_for_a_map(numbered: Path, tmp_path: Path) -> None:
    store = ("--store", tmp_path / "store")
    line = 'emotions: {NAME: "0", NAME: "1", NAME: "2", NAME: "10"}'
    words = ("corpus", "add", "table", numbered, "--name", "mine")
    (question,) = json.loads(execute(*words, *store, "--json").stdout)["questions"]
    assert question["about"] == "label"
    assert question["answers"] == [{"meaning": "in a study", "write": line}]
    said = execute(*words, *store).stdout
    assert "Labels are numbers, of which nobody knows the emotion: `0` (4)," in flat(said)
    assert "No label is one of the four classes" not in said
    study = tmp_path / "mine.yaml"
    study.write_text(STUDY.replace("EMOTIONS\n", ""))
    refused = execute("plan", study, *store, code=2).stderr
    assert f"name what they mean, `{line}`" in flat(refused)
    for name, number in NUMBERS.items():
        line = line.replace(f'NAME: "{number}"', f'{name}: "{number}"')
    study.write_text(STUDY.replace("EMOTIONS", line))
    assert "Alone 0 2" in flat(execute("plan", study, *store).stdout)


def test_many_numbers_are_ratings(numbered: Path, tmp_path: Path) -> None:
    rows = numbered.read_text().splitlines()
    rated = [f"{row.rpartition(',')[0]},{n / 7:.2f}" for n, row in enumerate(rows[1:] * 2)]
    frames = [f"{row},{n}" for n, row in enumerate(rated)]
    parts = [f"{row.rpartition(',')[0]},{0.01 * (n >= 16)}" for n, row in enumerate(frames)]
    numbered.write_text("\n".join([f"{rows[0]},start", *parts]) + "\n")
    words = ("corpus", "add", "table", numbered, "--name", "mine", "--store", tmp_path / "store")
    (question,) = json.loads(execute(*words, "--json").stdout)["questions"]
    assert question["sentence"] == "Labels are 32 numbers, which are ratings rather than classes"


def test_a_corpus_is_forgotten_and_nothing_else(numbered: Path, tmp_path: Path) -> None:
    store = ("--store", tmp_path / "store")
    add: tuple[Any, ...] = ("corpus", "add", "table", numbered, "--name", "mine", *store)
    execute(*add)
    study = tmp_path / "mine.yaml"
    line = "emotions: {angry: '0', happy: '1', neutral: '2', sad: '10'}"
    study.write_text(STUDY.replace("EMOTIONS", line))
    execute("run", study, "--inline", *store)
    before = {path for path in tmp_path.rglob("*") if path.is_file()}
    report = execute("report", "mine", *store).stdout

    ledger = Ledger.open(str(tmp_path / "store"))
    (snapshot,) = ledger.studies.snapshots()
    lease = acquire(ledger.paths.lease_file(snapshot.all_trials[0].id))
    assert lease is not None
    held = execute("corpus", "remove", "mine", *store, code=2).stderr
    assert "`mine` must not be in use, but study `mine` trains on it on" in flat(held)
    assert ledger.corpus("mine") is not None
    lease.release()

    said = execute("corpus", "remove", "mine", *store).stdout
    assert flat(said) == (
        f"Corpus `mine` is forgotten. Its recordings in {tmp_path} stay. "
        f"`ablate corpus add table {numbered} --name mine` registers it again."
    )
    gone = before - {path for path in tmp_path.rglob("*") if path.is_file()}
    assert {path.name for path in gone} == {"mine.json"}
    assert execute("report", "mine", *store).stdout == report
    assert "is not registered" in execute("corpus", "remove", "mine", *store, code=3).stderr
    assert "is not registered" in execute("plan", study, *store, code=3).stderr
    execute(*add)
    assert "Alone 2 0" in flat(execute("plan", study, *store).stdout)
    removed = execute("corpus", "remove", "mine", *store, "--json").stdout
    assert json.loads(removed)["removed"] == "mine"


def test_synthesised_speech_is_not_forgotten(tmp_path: Path) -> None:
    said = execute("corpus", "remove", "demo", "--store", tmp_path / "store", code=2).stderr
    assert "synthesised: there is nothing to forget" in flat(said)
