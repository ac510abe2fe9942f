"""Tables that two people filled in: what is asked, how it is answered, and where it is said.

The speech is synthesised, or that of RAVDESS.
"""

import csv
import json
import os
import shlex
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.commands import execute

SPEAKERS = ("female-1", "female-2", "male-1", "male-2")
EMOTIONS = ("angry", "happy", "neutral", "sad")
STUDY = """\
study: mine
question: Does it matter how a name is spelled?
corpus: mine
protocol: {protocol}
{emotions}
training: {{epochs: 2}}
baseline: {{layers: 1, hidden: 8, fa_layer: none}}
rows:
  - {{name: Alone}}
"""
Row = dict[str, str]
Change = Callable[[int, Row], Mapping[str, str]]


@pytest.fixture
def speech(demo_speech: Path, tmp_path: Path) -> Path:
    """Two sentences of four emotions by four synthesised voices."""
    folder = tmp_path / "speech"
    folder.mkdir()
    for speaker in SPEAKERS:
        for emotion in EMOTIONS:
            for number in (1, 2):
                (found,) = demo_speech.rglob(f"{speaker}-{emotion}-{number}-*.wav")
                shutil.copy(found, folder / f"{speaker}-{emotion}-{number}.wav")
    return folder


def rows_of(folder: Path, change: Change) -> list[Row]:
    rows = []
    for number, file in enumerate(sorted(folder.glob("*.wav"))):
        sex, voice, emotion, _ = file.stem.split("-")
        row = {"file": file.name, "speaker": f"{sex}-{voice}", "emotion": emotion, "sex": sex}
        rows.append({**row, **change(number, row)})
    return rows


def table_of(folder: Path, change: Change) -> Path:
    """A table of the speech; ``change`` gives other cells of a row."""
    rows = rows_of(folder, change)
    with open(folder / "labels.csv", "w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return folder / "labels.csv"


def spelled(who: str, first: str, second: str) -> Change:
    """One speaker under two names, in turn."""
    return lambda n, row: {"speaker": (first, second)[n % 2]} if row["speaker"] == who else {}


def study_of(folder: Path, protocol: str = "{folds: 2, seeds: 1}", emotions: str = "") -> Path:
    (folder / "mine.yaml").write_text(STUDY.format(protocol=protocol, emotions=emotions))
    return folder / "mine.yaml"


def add(file: Path, store: Path, *options: str, code: int = 0) -> Any:
    words = ("corpus", "add", "table", file, "--name", "mine", "--store", store, "--json")
    done = execute(*words, *options, code=code)
    return json.loads(done.stdout) if code == 0 else done.stderr


def flat(text: str) -> str:
    return " ".join(text.split())


PAIRS = [
    ("01", "1"),
    ("1", "1.0"),
    ("s1", "S1"),
    ("J\u00f6rg", "Jo\u0308rg"),
    ("Ann Lee", "Ann  Lee"),
    ("s1", "s1\u200b"),
    ("spk_07", "SPK 7"),
]


@pytest.mark.parametrize(("first", "second"), PAIRS)
def test_the_option_that_is_printed_answers(
    speech: Path, tmp_path: Path, first: str, second: str
) -> None:
    file, store = table_of(speech, spelled("female-1", first, second)), tmp_path / "store"
    found = add(file, store)
    assert len(found["speakers"]) == 5
    (question,) = found["questions"]
    assert {*question["names"]} == {first, second}
    assert found["doubts"][0]["reason"] == question["sentence"]
    same, distinct = (answer["write"] for answer in question["answers"])
    joined = add(file, store, *shlex.split(same))
    assert [s["utterances"] for s in joined["speakers"]] == [8, 8, 8, 8]
    assert joined["questions"] == [] and joined["doubts"] == []
    assert "by its registration" in joined["notes"][0]
    checked = json.loads(execute("corpus", "check", "mine", "--json", "--store", store).stdout)
    assert (checked["questions"], checked["notes"]) == ([], joined["notes"])
    apart = add(file, store, *shlex.split(distinct))
    assert len(apart["speakers"]) == 5 and apart["questions"] == []


def test_a_doubt_is_asked_in_the_terminal_with_both_answers(speech: Path, tmp_path: Path) -> None:
    file, store = table_of(speech, spelled("male-1", "NA", "na")), tmp_path / "store"
    text = execute("corpus", "add", "table", file, "--name", "mine", "--store", store).stdout
    assert max(map(len, text.splitlines())) <= 80
    assert (
        "Speakers `NA` (4) and `na` (4) may be one, spelled two ways:\n"
        "  one speaker  --same-speaker NA=na\n"
        "  2 speakers   --distinct-speakers NA,na\n"
    ) in text
    assert (
        "Speaker `NA` (4) may mean that the speaker is not known:\n"
        "  a speaker of that name  --keep-speaker NA\n"
        "  not known               empty its cells in the table\n"
    ) in text
    answer = f"Answer with `ablate corpus add table {file} --name mine`"
    assert "".join(answer.split()) in "".join(text.split()), "a long path is broken anywhere"
    text = execute("corpus", "folds", "mine", "--folds", "2", "--store", store).stdout
    assert "Speakers `NA` (4) and `na` (4) may be one, spelled two ways.\n" in text
    assert text.endswith("`ablate corpus check mine` says how to answer.\n")


def test_a_doubt_and_an_answer_stand_in_the_plan_and_in_every_form_of_the_report(
    speech: Path, tmp_path: Path
) -> None:
    file, store = table_of(speech, spelled("female-1", "01", "1")), tmp_path / "store"
    study = study_of(tmp_path)
    add(file, store)
    doubt = (
        "Speakers `01` (4) and `1` (4) may be one, spelled two ways, and count as 2 until `ablate "
        "corpus add` is told: `--same-speaker 01=1` (one speaker) or `--distinct-speakers 01,1` "
        "(2 speakers)."
    )
    assert doubt in flat(execute("plan", study, "--store", store).stdout)
    assert json.loads(execute("plan", study, "--json", "--store", store).stdout)["notices"] == [
        "Profile: quick, the default for `mine`, and so score averaged.",
        doubt,
    ]
    execute("run", study, "--inline", "--store", store)
    for form in ("markdown", "csv", "json", "latex", "html"):
        shown = execute("report", "mine", "--store", store, "--format", form).stdout
        assert "may be one, spelled two ways" in flat(shown), form
    assert doubt in flat(execute("report", "mine", "--store", store).stdout)

    add(file, store, "--distinct-speakers", "01,1")
    answer = "Speakers of corpus `mine`, by its registration: `01` and `1` are two"
    done = execute("run", study, "--inline", "--store", store)
    assert "nothing to train" in done.stdout  # the same speech, so the same trials
    text = flat(execute("report", "mine", "--store", store).stdout)
    assert answer in text and "may be one" not in text

    add(file, store, "--same-speaker", "01=1")
    planned = json.loads(execute("plan", study, "--json", "--store", store).stdout)
    assert planned["done"] == 0


def test_copies_under_two_spellings_are_refused_until_the_spellings_are_joined(
    speech: Path, tmp_path: Path
) -> None:
    for file in [*speech.glob("female-1-*.wav")]:
        shutil.copy(file, speech / f"again-1-{file.name[9:]}")
    names = {"again-1": "S1", "female-1": "s1"}
    file = table_of(
        speech, lambda n, row: {"speaker": names.get(row["speaker"], row["speaker"]), "sex": ""}
    )
    store = tmp_path / "store"
    refused = add(file, store, code=2)
    assert "again-1-angry-1.wav" in refused
    assert "If `S1` and `s1` are one speaker, add `--same-speaker S1=s1`." in refused
    assert "again-1-angry-1.wav" in add(file, store, "--distinct-speakers", "s1,S1", code=2)
    joined = add(file, store, "--same-speaker", "s1=S1")
    assert sum(doubt["copy"] for doubt in joined["doubts"]) == 8
    assert [s["utterances"] for s in joined["speakers"]] == [8, 8, 8, 16]


def test_a_published_split_waits_for_the_answer(speech: Path, tmp_path: Path) -> None:
    sides = {"female-2": "dev", "male-2": "test", "male-1": "train"}

    def change(number: int, row: Row) -> Mapping[str, str]:
        two = spelled("female-1", "s1", "S1")(number, row)
        return {**two, "split": sides.get(row["speaker"], ("train", "test")[number % 2])}

    file, store = table_of(speech, change), tmp_path / "store"
    study = study_of(tmp_path, "{folds: published, seeds: 1}")
    assert add(file, store)["folds"]["published"] is False
    for command in (("plan", study), ("run", study, "--inline")):
        refused = execute(*command, "--store", store, code=2).stderr
        assert "speakers `S1` (4) and `s1` (4) may be one, spelled two ways" in refused
        assert "`--same-speaker S1=s1` (one speaker)" in refused
    refused = execute(
        "corpus", "folds", "mine", "--folds", "published", "--store", store, code=2
    ).stderr
    assert "may be one" in refused
    add(file, store, "--same-speaker", "S1=s1")
    refused = execute("plan", study, "--store", store, code=2).stderr
    assert "these stand on several: `S1` (test, train)" in refused
    add(file, store, "--distinct-speakers", "S1,s1")
    execute("plan", study, "--store", store)


def test_csv_and_parquet_of_one_table_give_the_same_speakers(speech: Path, tmp_path: Path) -> None:
    """As pandas writes them: whole numbers with a gap are floats."""
    import pandas as pd

    names = {"female-1": 1, "female-2": 2, "male-1": 3, "male-2": None}
    frame = pd.DataFrame(rows_of(speech, lambda n, row: {}))
    frame["speaker"] = frame["speaker"].map(names)
    frame["session"] = frame["speaker"] + 10
    frame.to_csv(speech / "labels.csv", index=False)
    pq.write_table(pa.Table.from_pandas(frame), speech / "labels.parquet")
    assert ",1.0," in (speech / "labels.csv").read_text()
    store = tmp_path / "store"
    found = [add(speech / f"labels.{end}", store, "--skip-bad") for end in ("csv", "parquet")]
    told = [[(s["speaker"], s["session"]) for s in one["speakers"]] for one in found]
    assert told[0] == told[1] == [("1", "11"), ("2", "12"), ("3", "13")]
    assert all(one["questions"] == [] for one in found)


def test_bytes_in_a_parquet_file_are_the_text_of_the_csv_file(speech: Path, tmp_path: Path) -> None:
    rows = rows_of(speech, lambda n, row: {"speaker": f"J\u00f6rg-{row['speaker']}"})
    columns = {key: [row[key].encode() for row in rows] for key in rows[0]}
    pq.write_table(pa.table(columns), speech / "labels.parquet")
    found = add(speech / "labels.parquet", tmp_path / "store")
    assert found["speakers"][0]["speaker"] == "J\u00f6rg-female-1"


def test_a_label_in_another_case_is_asked_about_and_then_refused(
    speech: Path, tmp_path: Path
) -> None:
    def change(number: int, row: Row) -> Mapping[str, str]:
        if row["emotion"] == "angry" and number % 2:
            return {"emotion": "Angry"}
        whole = row["emotion"] == "sad" and row["speaker"] == "male-2"
        return {"emotion": "Sad"} if whole else {}

    file, store = table_of(speech, change), tmp_path / "store"
    line = "emotions: {angry: [angry, Angry], happy: happy, neutral: neutral, sad: [sad, Sad]}"
    (question,) = add(file, store)["questions"]
    assert question["about"] == "label" and question["answers"][0]["write"] == line
    refused = execute("plan", study_of(tmp_path), "--store", store, code=2).stderr
    assert "`Angry` (4) from `angry`, `Sad` (2) from `sad`" in flat(refused)
    assert line in flat(refused)
    assert "corpus: mine\n" in refused  # where it stands in the study
    execute("run", study_of(tmp_path), "--inline", "--store", store, code=2)
    execute("run", study_of(tmp_path, emotions=line), "--inline", "--store", store)
    text = flat(execute("report", "mine", "--store", store).stdout)
    assert "32 utterances" in text
    assert "male-2" not in text and "Left out" not in text


def test_a_slip_is_asked_about_and_what_is_left_out_is_counted_in_every_report(
    speech: Path, tmp_path: Path
) -> None:
    def change(number: int, row: Row) -> Mapping[str, str]:
        if row["file"] == "male-2-happy-1.wav":
            return {"emotion": "hapy"}
        if row["file"] == "male-2-happy-2.wav":
            return {"emotion": "disgust"}
        return {}

    file, store = table_of(speech, change), tmp_path / "store"
    found = add(file, store)
    (question,) = found["questions"]
    outside = [(item["path"], item["reason"]) for item in found["in_no_class"]]
    assert outside == [
        ("male-2-happy-1.wav", "label `hapy`"),
        ("male-2-happy-2.wav", "label `disgust`"),
    ]
    listed = execute("corpus", "check", "mine", "--store", store).stdout
    assert (
        "2 in no default class:\n"
        "  1  label `hapy`: male-2-happy-1.wav\n"
        "  1  label `disgust`: male-2-happy-2.wav\n"
    ) in listed
    slip = "Label `hapy` (1: male-2-happy-1.wav) may be a slip of `happy`"
    assert question["sentence"] == slip
    study = study_of(tmp_path)
    left_out = "Left out: 2 utterances, whose labels are in no class (1 `disgust`, 1 `hapy`)."
    planned = execute("plan", study, "--store", store).stdout
    assert slip in flat(planned) and left_out in flat(planned)
    record = json.loads(execute("plan", study, "--json", "--store", store).stdout)
    assert [(item["path"], item["reason"]) for item in record["in_no_class"]] == outside
    execute("run", study, "--inline", "--store", store)
    for form in ("text", "markdown", "csv", "json"):
        words = ["--format", form] if form != "text" else []
        text = flat(execute("report", "mine", "--store", store, *words).stdout)
        assert left_out in text and "may be a slip of" in text, form
        assert "never speaks" not in text  # he does
    assert "Classes without an utterance of a test speaker in this study" in flat(
        execute("report", "mine", "--store", store).stdout
    )


def test_what_is_left_out_is_listed_with_its_reason(speech: Path, tmp_path: Path) -> None:
    (speech / "male-2-sad-1.wav").write_bytes(b"")
    file = table_of(speech, lambda n, row: {"speaker": ""} if n == 3 else {})
    store = tmp_path / "store"
    found = add(file, store, "--skip-bad")
    assert found["left_out_files"] == [
        {"path": "labels.csv:5", "reason": "`speaker` is empty", "bad": True, "copy": False},
        {"path": "labels.csv:32: male-2-sad-1.wav", "reason": "empty", "bad": True, "copy": False},
    ]
    for command in ("add table {} --skip-bad --name", "check"):
        words = [word.format(file) for word in command.split()]
        text = execute("corpus", *words, "mine", "--store", store).stdout
        assert (
            "2 left out:\n"
            "  1  `speaker` is empty: labels.csv:5\n"
            "  1  empty: labels.csv:32: male-2-sad-1.wav\n"
        ) in text


def test_many_that_are_left_out_are_named_by_reason(demo_speech: Path, tmp_path: Path) -> None:
    folder = tmp_path / "emodb"
    folder.mkdir()
    (sample, *_) = sorted(demo_speech.rglob("*.wav"))
    shutil.copy(sample, folder / "03a01Fa.wav")
    for number in range(30):
        shutil.copy(sample, folder / f"other-{number:02}.wav")
    words = ("corpus", "add", "emodb", folder, "--store", tmp_path / "store")
    text = execute(*words).stdout
    assert "30 left out:" in text
    assert "other-00.wav, other-01.wav, other-02.wav and 27 more" in flat(text)
    assert "`--json` lists all." in text
    assert len(json.loads(execute(*words, "--json").stdout)["left_out_files"]) == 30


@pytest.mark.ravdess
def test_real_actors_spelled_two_ways_are_asked_about(tmp_path: Path) -> None:
    root = os.environ.get("ABLATE_RAVDESS")
    if not root:
        pytest.skip("ABLATE_RAVDESS names no folder of real speech")
    folder = tmp_path / "speech"
    folder.mkdir()
    emotions = {"03": "happy", "04": "sad", "05": "angry"}
    lines = ["file,speaker,emotion"]
    for file in sorted(Path(root).rglob("*.flac")):
        _, _, code, _, sentence, take, actor = file.stem.split("-")
        if actor in ("01", "02", "03", "04") and code in emotions:
            shutil.copy(file, folder / file.name)
            name = str(int(actor)) if (sentence, take) == ("01", "01") else actor
            lines.append(f"{file.name},{name},{emotions[code]}")
    (folder / "labels.csv").write_text("\n".join(lines) + "\n")
    found = add(folder / "labels.csv", tmp_path / "store")
    assert [question["names"] for question in found["questions"]] == [
        ["01", "1"],
        ["02", "2"],
        ["03", "3"],
        ["04", "4"],
    ]
    options = [w for n in range(1, 5) for w in ("--same-speaker", f"0{n}={n}")]
    joined = add(folder / "labels.csv", tmp_path / "store", *options)
    assert [s["speaker"] for s in joined["speakers"]] == ["01", "02", "03", "04"]
