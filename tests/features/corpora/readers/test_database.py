import os
import re
import sys
from pathlib import Path
from typing import Any

import pytest

from features.corpora.readers.table import read
from features.corpora.readers.tables.options import TableOptions
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


Tables = dict[str, dict[str, list[str | None]]]
"""Table -> column -> labels of a.wav and b.wav."""


def database(
    root: Path, tables: Tables, labels: Any = ("anger", "joy"), files: tuple[str, ...] = ("a", "b")
) -> Path:
    """A database with columns of the scheme `emotion`, and the speakers in a table of their own."""
    db = audformat.Database("toy")
    db.schemes["emotion"] = audformat.Scheme(
        labels=labels if isinstance(labels, dict) else [*labels]
    )
    db.schemes["speaker"] = audformat.Scheme("str")
    index = audformat.filewise_index([f"{name}.wav" for name in files])
    every: Tables = {**tables, "files": {"speaker": ["ann", "bob"]}}
    for table, columns in every.items():
        db[table] = audformat.Table(index)
        for column, cells in columns.items():
            scheme = "speaker" if table == "files" else "emotion"
            db[table][column] = audformat.Column(scheme_id=scheme)
            db[table][column].set(cells)
    db.save(str(root), storage_format="csv")
    return root


@pytest.fixture
def two(write_wav: Any, tmp_path: Path) -> Path:
    for name in "ab":
        write_wav(tmp_path / f"{name}.wav")
    return tmp_path


def labels_of(folder: Path, **options: Any) -> list[str]:
    return [u.emotion for u in read(folder, options=TableOptions(**options)).utterances]


RIGHT, WRONG = ["anger", "joy"], ["joy", "anger"]


@pytest.mark.parametrize(
    "tables",
    [
        {"ratings": {"r1": WRONG, "r2": RIGHT}, "emotion": {"emotion": RIGHT}},
        {"emotion": {"r1": WRONG, "emotion": RIGHT}},
        {"ratings": {"r1": WRONG, "emotion.gold_standard": RIGHT}},
        {"emotion.categories.train.gold_standard": {"emotion": RIGHT}, "raw": {"emotion": WRONG}},
        {"r.gold_standard": {"label": RIGHT}, "r": {"emotion": WRONG}, "s": {"r1": WRONG}},
        {"one": {"emotion": ["anger", None]}, "two": {"emotion": [None, "joy"]}},
        {"one": {"r1": RIGHT}, "two": {"r1": RIGHT}},
    ],
)
def test_the_gold_standard_is_taken_before_the_raters(two: Path, tables: Tables) -> None:
    assert labels_of(database(two, tables)) == RIGHT


@pytest.mark.parametrize(
    ("tables", "fault"),
    [
        (
            {"ratings": {"r1": WRONG, "r2": RIGHT}},
            "`ratings: r1`, `ratings: r2`, of which several stand in one table",
        ),
        (
            {"r1": {"emotion": WRONG}, "r2": {"emotion": RIGHT}},
            "`r1: emotion`, `r2: emotion`, which disagree about a.wav (`joy` and `anger`)",
        ),
    ],
)
def test_several_columns_are_listed_and_chosen_among(two: Path, tables: Tables, fault: str) -> None:
    folder = database(two, tables)
    expected = (
        f"Database {two} must have one column of emotions, but has {fault}: choose with "
        "`--table NAME` and `--column NAME`."
    )
    with pytest.raises(CorpusError, match=f"^{re.escape(expected)}$"):
        read(folder)
    table, columns = list(tables.items())[-1]
    assert labels_of(folder, tables=[table], column=list(columns)[-1]) == RIGHT
    corpus = read(folder, options=TableOptions(tables=[table], column=list(columns)[-1]))
    assert corpus.options == ("--table", table, "--column", list(columns)[-1])
    with pytest.raises(
        CorpusError, match=r"^`--table` must name a table of database .*, but is `x`"
    ):
        labels_of(folder, tables=["x"])
    with pytest.raises(CorpusError, match=r"`--column` must name a column of .*, but is `x`; its"):
        labels_of(folder, column="x")


def test_a_column_of_another_scheme_can_be_chosen(two: Path) -> None:
    db = audformat.Database("toy")
    db.schemes["category"] = audformat.Scheme(labels=["anger", "joy"])
    db["labels"] = audformat.Table(audformat.filewise_index(["a.wav", "b.wav"]))
    db["labels"]["category"] = audformat.Column(scheme_id="category")
    db["labels"]["category"].set(RIGHT)
    db["labels"]["speaker"] = audformat.Column()
    db["labels"]["speaker"].set(["ann", "bob"])
    db.save(str(two), storage_format="parquet")
    with pytest.raises(
        CorpusError, match=r"columns \(`labels: category`, `labels: speaker`\) with"
    ):
        read(two)
    assert labels_of(two, column="category") == RIGHT


@pytest.mark.parametrize("say", [lambda name: {"name": name}, lambda name: name])
def test_codes_are_read_by_the_names_of_the_scheme(two: Path, say: Any) -> None:
    labels = {"A": say("anger"), "J": say("joy")}
    assert labels_of(database(two, {"emotion": {"emotion": ["A", "J"]}}, labels)) == RIGHT


def test_numbers_are_read_by_the_names_of_a_table(two: Path) -> None:
    import pandas as pd

    db = audformat.Database("toy")
    db["classes"] = audformat.MiscTable(pd.Index([0, 1], name="code", dtype="Int64"))
    db["classes"]["name"] = audformat.Column()
    db["classes"]["name"].set(RIGHT)
    db.schemes["emotion"] = audformat.Scheme(labels="classes", dtype="int")
    db["emotion"] = audformat.Table(audformat.filewise_index(["a.wav", "b.wav"]))
    db["emotion"]["emotion"] = audformat.Column(scheme_id="emotion")
    db["emotion"]["emotion"].set([0, 1])
    db["emotion"]["speaker"] = audformat.Column()
    db["emotion"]["speaker"].set(["ann", "bob"])
    db.save(str(two), storage_format="csv")
    assert labels_of(two) == RIGHT


def test_tables_that_disagree_about_a_speaker_are_named(two: Path) -> None:
    database(two, {"emotion": {"emotion": RIGHT}})
    db = audformat.Database.load(str(two))
    db["people"] = audformat.Table(audformat.filewise_index(["a.wav", "b.wav"]))
    db["people"]["speaker"] = audformat.Column(scheme_id="speaker")
    db["people"]["speaker"].set(["eve", "bob"])
    db.save(str(two), storage_format="csv")
    expected = (
        "The speaker of a.wav must be one, but tables of the database disagree: `ann` (table "
        "`files`) and `eve` (table `people`)."
    )
    with pytest.raises(CorpusError, match=f"^{re.escape(expected)}$"):
        read(two)


def test_the_options_belong_to_a_database(two: Path) -> None:
    database(two, {"emotion": {"emotion": RIGHT}})
    with pytest.raises(CorpusError, match="must belong to a CSV or Parquet file, but"):
        labels_of(two, columns=["emotion=x"])
    (two / "labels.csv").write_text("file,speaker,emotion\na.wav,ann,joy\n")
    with pytest.raises(CorpusError, match="^`--column` must belong to an audformat folder, but"):
        labels_of(two / "labels.csv", column="x")
