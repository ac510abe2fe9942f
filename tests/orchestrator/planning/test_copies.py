"""Corpora of earlier versions are compared once, by the next plan or run; until then it is said."""

import json
import shutil
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from features.corpora import catalogue, inspection
from features.corpora.corpus import Corpus, no_progress
from features.errors import CorpusError
from orchestrator.execution.cluster.inline import InlineCluster
from orchestrator.execution.prepare import build
from orchestrator.execution.run import run
from orchestrator.planning.copies import compare_recordings
from orchestrator.store.ledger import Ledger
from orchestrator.study.reader import read_study
from orchestrator.study.study import Study
from tests.commands import execute
from tests.tiny_study import Tiny, write_tones

SINCE = ("compared", "source", "options", "speaker_answers", "session_answers")
"""What a registration of an earlier version has not."""
NOT_CHECKED = "Corpus `tones` is not checked for copies"


def registered(ledger: Ledger, name: str = "tones") -> Corpus:
    return Corpus.from_json(ledger.corpora()[name])


def forget(ledger: Ledger, name: str = "tones") -> None:
    """Make a registration one of an earlier version."""
    record = ledger.corpora()[name]
    ledger.write_corpus(name, {key: record[key] for key in record if key not in SINCE})


@pytest.fixture
def earlier(tiny: Tiny, tmp_path: Path) -> Tiny:
    """The smallest study with a corpus that an earlier version registered and reported."""
    shutil.copytree(tiny.store, tmp_path / "store")
    ledger = Ledger.open(str(tmp_path / "store"))
    forget(ledger)
    snapshot = next(ledger.studies.iter_snapshots("tiny")).to_json()
    del snapshot["copies_checked"]
    ledger.studies.write_snapshot("tiny", snapshot)
    return Tiny(tiny.study, tmp_path / "store")


def compare(study: Study, ledger: Ledger) -> None:
    compare_recordings(study, ledger, lambda: nullcontext(no_progress))


@pytest.mark.parametrize("form", ["rich", "latex", "html", "json"])
def test_a_report_of_before_says_that_two_of_its_speakers_may_be_one(
    earlier: Tiny, form: str
) -> None:
    ledger = Ledger.open(str(earlier.store))
    record = ledger.corpora()["tones"]
    for row in record["utterances"]:
        row["speaker"] = {"3": "02"}.get(row["speaker"], row["speaker"])
    ledger.write_corpus("tones", record)
    words = ("report", "tiny", "--store", earlier.store, "--format", form)
    text = " ".join(execute(*words).stdout.split())
    assert "may be one, spelled two ways" in text and "02" in text


@pytest.mark.parametrize("form", ["rich", "latex", "html", "json"])
def test_every_report_says_that_copies_were_not_looked_for(earlier: Tiny, form: str) -> None:
    words = ("report", "tiny", "--store", earlier.store, "--format", form)
    assert "not checked for copies" in " ".join(execute(*words).stdout.split())


def test_what_takes_a_snapshot_elsewhere_says_so_too(earlier: Tiny, tmp_path: Path) -> None:
    execute("export", "tiny", "--output", tmp_path / "bundle", "--store", earlier.store)
    texts = [path.read_text() for path in (tmp_path / "bundle").rglob("*.md")]
    assert any(NOT_CHECKED in " ".join(text.split()) for text in texts)


def test_a_plan_compares_once_and_then_nothing_is_said(
    earlier: Tiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "comparing" not in execute("plan", earlier.study, "--store", earlier.store).stdout
    assert registered(Ledger.open(str(earlier.store))).compared
    assert NOT_CHECKED not in execute("report", "tiny", "--store", earlier.store).stdout

    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("compared a second time")

    monkeypatch.setattr(inspection, "inspect", refuse)
    compare(read_study(earlier.study), Ledger.open(str(earlier.store)))


def copied(tmp_path: Path) -> tuple[Study, Ledger]:
    """A study of four speakers of tones; an earlier version registered a copy with them."""
    table = write_tones(tmp_path, 4)
    ledger = Ledger.open(str(tmp_path / "store"))
    corpus = catalogue.read("table", table, own_name="tones")
    one = corpus.utterances[0]
    shutil.copy(tmp_path / one.path, tmp_path / "z.wav")
    table.write_text(f"{table.read_text().rstrip()}\nz.wav,somebody else,sad\n")
    again = catalogue.READERS["table"].read(table)
    record = again.to_json() | {"name": "tones"}
    ledger.write_corpus("tones", record)
    forget(ledger)
    text = (tmp_path / "tiny.yaml", STUDY)
    text[0].write_text(text[1])
    return read_study(text[0]), ledger


STUDY = """\
study: tiny
question: Is speech that stands there twice noticed?
corpus: tones
protocol: {folds: 2, seeds: 1}
training: {epochs: 2, batch: 8}
baseline: {layers: 1, hidden: 8}
rows:
  - {name: No FA, set: {fa_layer: none}}
"""


def train(study: Study, ledger: Ledger) -> None:
    run(study, ledger, InlineCluster(), lambda event: None)


def extract(study: Study, ledger: Ledger) -> None:
    build(study, ledger, lambda event: None, threads=1)


@pytest.mark.parametrize("act", [compare, train, extract])
def test_a_copy_in_an_earlier_registration_stops_all_that_would_use_it(
    tmp_path: Path, act: Callable[[Study, Ledger], None]
) -> None:
    study, ledger = copied(tmp_path)
    with pytest.raises(CorpusError) as error:
        act(study, ledger)
    assert "z.wav and " in str(error.value) and "the same bytes" in str(error.value)
    assert "`ablate corpus add table FILE_OR_FOLDER --name tones --skip-bad`" in str(error.value)
    assert not registered(ledger).compared
    assert not list(Path(str(ledger.paths.local_shards)).glob("*"))


def test_check_names_the_copies_of_an_earlier_registration(tmp_path: Path) -> None:
    copied(tmp_path)
    words = ("corpus", "check", "tones", "--deep", "--store", tmp_path / "store")
    done = execute(*words, "--json", code=2)
    assert "must be there once, but stands under two speakers" in done.stderr
    assert json.loads(done.stdout)["utterances"] == 33
    execute(
        *("corpus", "add", "table", tmp_path / "labels.csv", "--name", "tones", "--skip-bad"),
        *("--store", tmp_path / "store"),
    )
    assert json.loads(execute(*words, "--json").stdout)["left_out"] == {
        "a copy of another recording": 1
    }


def test_an_edited_recording_is_compared_again(tmp_path: Path) -> None:
    table = write_tones(tmp_path, 4)
    ledger = Ledger.open(str(tmp_path / "store"))
    ledger.write_corpus("tones", catalogue.read("table", table, own_name="tones").to_json())
    (tmp_path / "tiny.yaml").write_text(STUDY)
    study = read_study(tmp_path / "tiny.yaml")
    before = registered(ledger)
    compare(study, ledger)
    assert registered(ledger) == before
    first, last = before.utterances[0], before.utterances[-1]
    shutil.copy(tmp_path / first.path, tmp_path / last.path)
    with pytest.raises(CorpusError, match="under two speakers"):
        compare(study, ledger)


def test_a_study_of_a_part_leaves_the_whole_corpus_registered(tmp_path: Path) -> None:
    table = write_tones(tmp_path, 4)
    ledger = Ledger.open(str(tmp_path / "store"))
    corpus = catalogue.read("table", table, own_name="tones")
    kinds = ("improvised", "scripted")
    parts = tuple(replace(u, kind=kinds[n // 4 % 2]) for n, u in enumerate(corpus.utterances))
    ledger.write_corpus("tones", replace(corpus, utterances=parts).to_json())
    (tmp_path / "part.yaml").write_text(f"{STUDY}corpus_part: improvised\n")
    extract(read_study(tmp_path / "part.yaml"), ledger)
    assert registered(ledger).utterances == parts
