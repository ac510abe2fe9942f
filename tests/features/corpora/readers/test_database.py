import os
import re
import sys
from pathlib import Path
from typing import Any

import pytest

from features.corpora.readers.table import read
from features.errors import CorpusError, MissingError

audformat = pytest.importorskip("audformat")

# 2026-11, audformat 1.4 under pandas 3.1: it still says `inplace`.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@pytest.fixture
def folder(write_wav: Any, tmp_path: Path) -> Path:
    """A database as audb publishes them: speakers in one table, labels in others, one a split."""
    for name in "abc":
        write_wav(tmp_path / "audio" / f"{name}.wav")
    db = audformat.Database("toy")
    db.schemes["emotion"] = audformat.Scheme(labels=["anger", "joy"])
    people = {"ann": {"gender": "female"}, "bob": {"gender": "male"}}
    db.schemes["speaker"] = audformat.Scheme(labels=people)
    for split in ("train", "dev"):
        db.splits[split] = audformat.Split(split)
    db["files"] = audformat.Table(audformat.filewise_index([f"audio/{n}.wav" for n in "abc"]))
    db["files"]["speaker"] = audformat.Column(scheme_id="speaker")
    db["files"]["speaker"].set(["ann", "bob", "bob"])
    db["emotion.train"] = audformat.Table(
        audformat.filewise_index(["audio/a.wav", "audio/b.wav"]), split_id="train"
    )
    db["emotion.train"]["emotion"] = audformat.Column(scheme_id="emotion")
    db["emotion.train"]["emotion"].set(["joy", "anger"])
    parts = audformat.segmented_index(["audio/c.wav"] * 2, ["0s", "0.1s"], ["0.1s", None])
    db["emotion.dev"] = audformat.Table(parts, split_id="dev")
    db["emotion.dev"]["emotion"] = audformat.Column(scheme_id="emotion")
    db["emotion.dev"]["emotion"].set(["joy", "anger"])
    db.save(str(tmp_path), storage_format="csv")
    return tmp_path


def test_a_database_folder_is_a_corpus(folder: Path) -> None:
    corpus = read(folder, name="toy")
    assert corpus.root == str(folder)
    assert [
        (u.path, u.speaker, u.sex, u.emotion, u.split, u.start, u.end) for u in corpus.utterances
    ] == [
        ("audio/a.wav", "ann", "female", "joy", "train", None, None),
        ("audio/b.wav", "bob", "male", "anger", "train", None, None),
        ("audio/c.wav", "bob", "male", "joy", "dev", None, 0.1),
        ("audio/c.wav", "bob", "male", "anger", "dev", 0.1, None),
    ]


def test_a_pickled_table_is_not_read(folder: Path) -> None:
    """A pickle runs code when it is loaded; audformat prefers one that is newer."""
    hostile = b"cos\nsystem\n(S'touch " + str(folder / "owned").encode() + b"'\ntR."
    for name in ("db.files.pkl", "db.emotion.train.pkl"):
        (folder / name).write_bytes(hostile)
        os.utime(folder / name, (2**31, 2**31))
    assert len(read(folder).utterances) == 4
    assert not (folder / "owned").exists()


def test_a_header_that_names_python_objects_is_refused(folder: Path) -> None:
    with open(folder / "db.yaml", "a", encoding="utf-8") as file:
        file.write(f"author: !!python/object/apply:os.mkdir ['{folder}/owned']\n")
    with pytest.raises(CorpusError, match=r"db\.yaml must be plain YAML, but is not \("):
        read(folder)
    assert not (folder / "owned").exists()


def test_a_database_without_emotions_is_refused(tmp_path: Path) -> None:
    db = audformat.Database("toy")
    db.schemes["valence"] = audformat.Scheme("float")
    db.save(str(tmp_path))
    expected = (
        f"Database {tmp_path} must have labels of the scheme `emotion`, but has none; its schemes "
        "are `valence`: write a CSV file from what it has."
    )
    with pytest.raises(CorpusError, match=f"^{re.escape(expected)}$"):
        read(tmp_path)


def test_a_database_with_a_table_gone_is_refused(folder: Path) -> None:
    (folder / "db.emotion.train.csv").unlink()
    with pytest.raises(CorpusError, match=rf"^Database {re.escape(str(folder))} cannot be read: "):
        read(folder)


def test_without_the_package_the_remedy_is_named(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "audformat", None)
    expected = (
        "An audformat database needs the package `audformat`, which is not installed: "
        'run `pip install "ablate-ser[audformat]"`.'
    )
    with pytest.raises(MissingError, match=f"^{re.escape(expected)}$"):
        read(folder)
