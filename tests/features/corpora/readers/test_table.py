import re
import shutil
import unicodedata
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.audio import read_mono
from features.config import FeatureConfig
from features.corpora import catalogue
from features.corpora.corpus import Corpus
from features.corpora.inspection import inspect
from features.corpora.readers.table import read
from features.corpora.readers.tables.options import TableOptions
from features.corpora.recordings import refresh
from features.errors import CorpusError
from features.shards.shard_file import open_shard
from features.shards.shards import build, keys


def table(root: Path, *lines: str, name: str = "labels.csv") -> Path:
    (root / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
    return root / name


def refused(text: str) -> Any:
    return pytest.raises(CorpusError, match=f"^{re.escape(text)}$")


@pytest.fixture
def wavs(write_wav: Any, tmp_path: Path) -> Path:
    for name in "abcd":
        write_wav(tmp_path / "wav" / f"{name}.wav")
    return tmp_path


@pytest.mark.parametrize("comma", [",", ";", "\t"])
def test_a_csv_file_is_a_corpus(wavs: Path, comma: str) -> None:
    lines = (
        "\ufeffFile,speaker,sex,emotion,note",
        "wav/a.wav,ann,F,joy,x",
        "",
        "wav/b.wav,bob,male,anger,y",
    )
    corpus = read(table(wavs, *(line.replace(",", comma) for line in lines)), name="mine")
    assert (corpus.name, corpus.reader, corpus.root) == ("mine", "table", str(wavs))
    assert [(u.id, u.speaker, u.sex, u.emotion) for u in corpus.utterances] == [
        ("wav/a.wav", "ann", "female", "joy"),
        ("wav/b.wav", "bob", "male", "anger"),
    ]
    assert refresh(corpus, deep=True) == corpus


def test_a_parquet_file_says_the_same_as_a_csv_file(wavs: Path) -> None:
    csv = table(
        wavs,
        "file,speaker,emotion,split,start,end",
        "wav/a.wav,3,joy,train,,0.1",
        "wav/b.wav,4,anger,validation,0.1,",
    )
    columns = {
        "file": ["wav/a.wav", "wav/b.wav"],
        "speaker": [3.0, 4.0],
        "emotion": ["joy", "anger"],
        "split": ["train", "dev"],
        "start": [None, 0.1],
        "end": [0.1, None],
    }
    pq.write_table(pa.table(columns), wavs / "labels.parquet")
    assert read(csv).utterances == read(wavs / "labels.parquet").utterances
    assert [u.split for u in read(csv).utterances] == ["train", "dev"]


@pytest.mark.parametrize(
    ("cells", "names"),
    [
        ([1.0, 2.0, 0.0], ["1", "2", "0"]),
        ([1.0, None, -0.0], ["1", "0"]),
        ([7, 2**53 + 1, 3], ["7", "9007199254740993", "3"]),
        ([1e17, 1.5, 2.0], ["1e+17", "1.5", "2.0"]),
        (["1.0", "2.0", "NA"], ["1", "2", "NA"]),
        (["01.0", "2.0", "3.0"], ["01.0", "2.0", "3.0"]),
        (["1", "1.0", "01"], ["1", "1.0", "01"]),
        ([True, False, None], ["True", "False"]),
        (["None", "nan", None], ["None", "nan"]),
        ([datetime(2020, 1, 2), datetime(2020, 1, 3), None], ["2020-01-02", "2020-01-03"]),
        ([" a ", "a\u00a0b", ""], ["a", "a\u00a0b"]),
    ],
)
def test_names_are_those_of_the_csv_file_that_pandas_writes(
    wavs: Path, cells: list[object], names: list[str]
) -> None:
    import pandas as pd

    files = [f"wav/{name}.wav" for name in "abc"]
    frame = pd.DataFrame({"file": files, "speaker": cells, "emotion": "joy"})
    frame.to_csv(wavs / "labels.csv", index=False)
    frame.to_parquet(wavs / "labels.parquet", index=False)
    for end in ("csv", "parquet"):
        corpus = read(wavs / f"labels.{end}", skip_bad=True)
        assert [u.speaker for u in corpus.utterances] == names, end


def test_a_side_of_the_split_in_two_words_is_noted(wavs: Path) -> None:
    rows = ("wav/a.wav,ann,joy,Train", "wav/b.wav,bob,joy,val", "wav/c.wav,cid,joy,dev\u200b")
    corpus = read(table(wavs, "file,speaker,emotion,split", *rows, "wav/d.wav,dan,joy,\uff54est"))
    assert [u.split for u in corpus.utterances] == ["train", "dev", "dev", "test"]
    assert corpus.notes == (
        "column `split` has `dev\\u200b` and `val`, which count as one side, dev",
    )


@pytest.mark.parametrize("cell", ["NA", "nan", "None", "trainn"])
def test_a_split_that_is_none_is_refused(wavs: Path, cell: str) -> None:
    with pytest.raises(CorpusError, match=f"must be train, dev, test or empty, but is `{cell}`"):
        read(table(wavs, "file,speaker,emotion,split", f"wav/a.wav,ann,joy,{cell}"))


def test_all_problems_are_listed_at_once_with_their_lines(wavs: Path, tmp_path: Path) -> None:
    (wavs / "wav" / "empty.wav").write_bytes(b"")
    (wavs / "wav" / "out.wav").symlink_to("/etc/hostname")
    file = table(
        wavs,
        "file,speaker,emotion,split,start,end",
        "wav/a.wav,ann,joy,train,,",
        "wav/a.wav,ann,joy,train,,",
        "wav/b.wav,,joy,train,,",
        "../b.wav,bob,joy,train,,",
        "/etc/passwd,bob,joy,train,,",
        "wav/out.wav,bob,joy,train,,",
        "wav/c.wav,bob,joy,trian,,",
        "wav/c.wav,bob,joy,train,0.2,0.1",
        "wav/c.wav,bob,joy,train,x,",
        "wav/none.wav,bob,joy,train,,",
        "wav/empty.wav,bob,joy,train,,",
        "wav/d.wav,bob,joy,train,,99",
    )
    with refused(
        f"11 of the 12 recordings of corpus `table` in {wavs} cannot be used: mend or remove "
        "them, or leave them out with `--skip-bad`.\n"
        "  labels.csv:3: wav/a.wav stands at labels.csv:2 already\n"
        "  labels.csv:4: `speaker` is empty\n"
        "  labels.csv:5: `file` must lie inside of the table's folder, but ../b.wav does not\n"
        "  labels.csv:6: `file` must be relative to the table's folder, but is /etc/passwd "
        "instead\n"
        "  labels.csv:7: `file` must lie inside of the table's folder, but wav/out.wav does not\n"
        "  labels.csv:8: `split` must be train, dev, test or empty, but is `trian` instead\n"
        "  labels.csv:9: `end` must be after `start`, but is 0.1 instead\n"
        "  labels.csv:10: `start` must be seconds from 0, but is `x` instead\n"
        "  labels.csv:11: wav/none.wav: missing\n"
        "  labels.csv:12: wav/empty.wav: empty\n"
        "  labels.csv:13: wav/d.wav: ends after 0.30 s, but its part at 99 s"
    ):
        read(file)
    corpus = read(file, skip_bad=True)
    assert [u.id for u in corpus.utterances] == ["wav/a.wav"]
    assert corpus.omission == (
        "11 unusable files are left out of corpus `table` (`--skip-bad`): labels.csv:3 "
        "(wav/a.wav stands at labels.csv:2 already), labels.csv:4 (`speaker` is empty), "
        "labels.csv:5 (`file` must lie inside of the table's folder, but ../b.wav does not) and "
        "8 more."
    )


def test_of_many_problems_it_is_said_how_many_have_which_reason(wavs: Path) -> None:
    rows = [f"wav/{n}.wav,ann,joy,,," for n in range(18)]
    rows += [f"wav/a.wav,,joy,{n},x,1" for n in range(10)]
    file = table(wavs, "file,speaker,emotion,sex,start,end", *rows)
    with refused(
        f"28 of the 28 recordings of corpus `table` in {wavs} cannot be used: mend or remove "
        "them, or leave them out with `--skip-bad`.\n"
        "  18 times missing: labels.csv:2: wav/0.wav, labels.csv:3: wav/1.wav, labels.csv:4: "
        "wav/2.wav and 15 more\n"
        "  10 times `speaker` is empty; `sex` must be female, male or empty, but is … instead; "
        "`start` must be seconds from 0, but is … instead: labels.csv:20, labels.csv:21, "
        "labels.csv:22 and 7 more"
    ):
        read(file)


SEPARATORS = {"\x85", "\u2028", "\u2029", "\x0b", "\x0c", "\x1c", "\x1d", "\x1e"}


@pytest.mark.parametrize("mark", sorted(SEPARATORS))
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_a_line_ends_where_csv_ends_it(wavs: Path, mark: str, end: str) -> None:
    rows = ("file,text,speaker,emotion", f"wav/a.wav,I mean{mark}no,ann,joy", "wav/b.wav,,bob,joy")
    (wavs / "labels.csv").write_bytes(end.join([*rows, ""]).encode())
    assert [u.speaker for u in read(wavs / "labels.csv").utterances] == ["ann", "bob"]


def test_a_row_with_a_separator_too_many_is_refused(wavs: Path) -> None:
    rows = ("wav/a.wav,well, yes,ann,joy", 'wav/b.wav,"well, yes",bob,joy', "wav/c.wav,,cid,joy,,")
    file = table(wavs, "file,text,speaker,emotion", *rows)
    with pytest.raises(CorpusError, match=r"labels.csv:2: it has 5 cells in 4 columns: quote the"):
        read(file)
    assert [u.speaker for u in read(file, skip_bad=True).utterances] == ["bob", "cid"]
    last = table(wavs, "emotion,file,speaker,text", "joy,wav/a.wav,ann,well, yes")
    assert [u.speaker for u in read(last).utterances] == ["ann"]


def test_paths_of_windows_are_read(wavs: Path) -> None:
    corpus = read(
        table(wavs, "file,speaker,emotion", "wav\\a.wav,ann,joy", ".\\wav\\b.wav,bob,joy")
    )
    assert [(u.id, u.path) for u in corpus.utterances] == [("wav/a.wav",) * 2, ("wav/b.wav",) * 2]
    file = table(wavs, "file,speaker,emotion", "C:\\wav\\a.wav,ann,joy", "wav\\..\\..\\a.wav,b,joy")
    with pytest.raises(
        CorpusError, match=r":2: `file` must be a path of this machine.*\n.*:3: .* lie inside of"
    ):
        read(file)


@pytest.mark.parametrize("forms", [("NFC", "NFD"), ("NFD", "NFC"), ("NFD", "NFD")])
def test_a_name_in_another_form_of_unicode_is_found(
    write_wav: Any, tmp_path: Path, forms: tuple[str, str]
) -> None:
    name, on_disk = (unicodedata.normalize(form, "Jörg/é.wav") for form in forms)
    write_wav(tmp_path / on_disk)
    corpus = read(table(tmp_path, "file,speaker,emotion", f"{name},ann,joy"))
    assert [(u.id, u.path) for u in corpus.utterances] == [(name, on_disk)]
    assert refresh(corpus, deep=True) == corpus
    both = {unicodedata.normalize(form, "Jörg/é.wav") for form in ("NFC", "NFD")}
    file = table(tmp_path, "file,speaker,emotion", *(f"{name},ann,joy" for name in sorted(both)))
    with pytest.raises(CorpusError, match="stands at labels.csv:2 already"):
        read(file)


def test_other_names_of_columns_are_mapped(wavs: Path) -> None:
    rows = (
        "Path,speaker_id,Label,emotion,set",
        "wav/a.wav,ann,joy,x,dev",
        "wav/b.wav,bob,sad,x,test",
    )
    file = table(wavs, *rows)
    with refused(
        f"Table {file} must have the columns `file`, `speaker` and `emotion`, but `file` is "
        "missing; its columns are `path`, `speaker_id`, `label`, `emotion`, `set`. "
        "`--columns file=path,speaker=speaker_id` says which is which."
    ):
        read(file)
    pairs = ["file=path, speaker=Speaker_ID", "emotion=label,split=set"]
    corpus = read(file, options=TableOptions(columns=pairs), name="mine")
    assert [(u.speaker, u.emotion, u.split) for u in corpus.utterances] == [
        ("ann", "joy", "dev"),
        ("bob", "sad", "test"),
    ]
    assert corpus.registration_command == (
        f"ablate corpus add table {file} --name mine --columns 'file=path, speaker=Speaker_ID' "
        "--columns emotion=label,split=set"
    )
    assert Corpus.from_json(corpus.to_json()).options == corpus.options


@pytest.mark.parametrize(
    ("columns", "sentence"),
    [
        ("file", "must be written `speaker=speaker_id,emotion=label`, but is `file`."),
        ("file=", "must be written `speaker=speaker_id,emotion=label`, but is `file=`."),
        ("who=x", "`sex`, `start`, `end`, but names `who` instead."),
        ("file=a,file=b", "must name `file` once, but has `a` and `b`."),
        ("sex=gender", "and `gender`, but `gender` is missing; its columns are `file`, "),
        ("sex=note", "`emotion` and `note`, but `note` stands there twice; its columns are "),
    ],
)
def test_a_mapping_that_fits_nothing_is_refused(wavs: Path, columns: str, sentence: str) -> None:
    file = table(wavs, "file,speaker,emotion,note,Note", "wav/a.wav,ann,joy,x,y")
    with pytest.raises(CorpusError, match=re.escape(sentence)):
        read(file, options=TableOptions(columns=[columns]))
    with refused("`--columns` must belong to `table`, but corpus `emodb` has no table."):
        catalogue.read("emodb", wavs, table_options=TableOptions(columns=[columns]))


def test_a_missing_column_is_refused_with_those_that_are_there(wavs: Path) -> None:
    file = table(wavs, "file,spaeker,emotion", "wav/a.wav,ann,joy")
    with refused(
        f"Table {file} must have the columns `file`, `speaker` and `emotion`, but `speaker` is "
        "missing; its columns are `file`, `spaeker`, `emotion`. `--columns speaker=spaeker` says "
        "which is which."
    ):
        read(file)


def test_what_is_no_table_is_refused(wavs: Path) -> None:
    (wavs / "a.zip").write_bytes(b"PK\x05\x06" + bytes(18))
    (wavs / "latin.csv").write_bytes("file,speaker,emotion\nä,b,c".encode("latin-1"))
    cases = {
        wavs / "none.csv": "Table {} does not exist: name a CSV or Parquet file.",
        wavs / "a.zip": "A table must be a CSV or Parquet file or an audformat folder, but {} is "
        "an archive instead: unpack it.",
        wavs / "latin.csv": "Table {} must be UTF-8 text, but is not: save it as CSV in UTF-8.",
        table(wavs, "file,speaker,emotion", name="bare.csv"): "Table {} must have at least one "
        "row, but has none.",
        wavs / "wav": "A folder must be an audformat database, but {} has no db.yaml: name that "
        "folder, or a CSV or Parquet file.",
    }
    for file, sentence in cases.items():
        with refused(sentence.format(file)):
            read(file)


def test_a_name_of_ones_own_is_small_and_new(wavs: Path) -> None:
    file = table(wavs, "file,speaker,emotion", "wav/a.wav,ann,joy")
    assert catalogue.read("table", file, own_name="mine").name == "mine"
    for name in ("demo", "auto", "Mine", "../x"):
        with refused(
            "`--name` must be small letters, digits, `_` and `-` and no corpus that `ablate` "
            f"knows, but is `{name}` instead."
        ):
            catalogue.read("table", file, own_name=name)
    with refused("`--name` must belong to `table`, but corpus `demo` has its own name."):
        catalogue.read("demo", file, own_name="mine")


def test_a_part_of_a_file_is_an_utterance_with_a_digest_of_its_own(
    write_wav: Any, make: Any, tmp_path: Path
) -> None:
    low, high = make.tone(0.5, 16_000, 200.0), make.tone(0.5, 16_000, 900.0)
    whole = write_wav(tmp_path / "both.wav", np.concatenate([low, high]))
    write_wav(tmp_path / "high.wav", high)
    file = table(
        tmp_path,
        "file,speaker,emotion,start,end",
        "both.wav,ann,sad,,0.5",
        "both.wav,ann,joy,0.5,",
        "high.wav,bob,joy,,",
    )
    corpus = read(file)
    first, second, alone = corpus.utterances
    assert (first.id, second.id) == ("both.wav#0.0-0.5", "both.wav#0.5-None")
    assert len({first.digest, second.digest, alone.digest}) == 3
    assert first.size == second.size == whole.stat().st_size
    assert refresh(corpus, deep=True) == corpus
    assert np.array_equal(read_mono(whole, start=0.5), read_mono(tmp_path / "high.wav"))

    selection = corpus.select({"joy": ("joy",), "sad": ("sad",)})
    build(tmp_path / "shards", selection, FeatureConfig())
    shards = {
        who: open_shard(tmp_path / "shards", key)
        for who, key in keys(selection, FeatureConfig()).items()
    }
    cut = shards["ann"].values(second.id)
    assert np.array_equal(cut, shards["bob"].values(alone.id))
    assert not np.array_equal(cut, shards["ann"].values(first.id))


def test_two_parts_with_other_borders_are_other_speech(wavs: Path) -> None:
    head = "file,speaker,emotion,start,end"
    digests = [
        read(table(wavs, head, f"wav/a.wav,ann,joy,{start},0.3", "wav/b.wav,ann,sad,,"))
        .select({"joy": ("joy",), "sad": ("sad",)})
        .digest
        for start in (0.1, 0.11)
    ]
    assert digests[0] != digests[1]


@pytest.fixture
def lists(write_wav: Any, tmp_path: Path) -> Path:
    """A folder of tables beside a folder of recordings."""
    for name in "ab":
        write_wav(tmp_path / "audio" / "wav" / f"{name}.wav")
    (tmp_path / "audio" / "link.wav").symlink_to(tmp_path / "audio" / "wav" / "a.wav")
    (tmp_path / "alias").symlink_to(tmp_path / "audio")
    (tmp_path / "lists").mkdir()
    (tmp_path / "lists" / "b.wav").symlink_to(tmp_path / "audio" / "wav" / "b.wav")
    return tmp_path / "lists"


def test_paths_may_lead_into_the_folder_that_a_person_names(lists: Path, tmp_path: Path) -> None:
    audio = tmp_path / "audio"
    file = table(lists, "file,speaker,emotion", f"{audio}/wav/a.wav,ann,joy", "b.wav,bob,joy")
    with pytest.raises(CorpusError) as error:
        read(file)
    assert str(error.value) == (
        f"2 of the 2 recordings of corpus `table` in {lists} cannot be used: mend or remove them, "
        f"or leave them out with `--skip-bad`. `--root {audio}/wav` lets the table name recordings "
        f"in that folder.\n  labels.csv:2: `file` must be relative to the table's folder, but is "
        f"{audio}/wav/a.wav instead\n  labels.csv:3: `file` must lie inside of the table's folder, "
        "but b.wav does not"
    )
    corpus = read(file, name="mine", options=TableOptions(root=str(tmp_path / "alias")))
    assert corpus.root == str(audio)
    assert [(u.id, u.path) for u in corpus.utterances] == [(f"wav/{n}.wav",) * 2 for n in "ab"]
    assert corpus.registration_command == (
        f"ablate corpus add table {file} --name mine --root {audio}"
    )
    assert refresh(Corpus.from_json(corpus.to_json()), deep=True).utterances == corpus.utterances


def test_a_root_on_another_machine_gives_the_same_ids(lists: Path, tmp_path: Path) -> None:
    rows = "{}/wav/a.wav,ann,joy", "{}/wav/b.wav,bob,sad"
    digests = []
    for root in (tmp_path / "audio", tmp_path / "elsewhere" / "data"):
        if not root.exists():
            shutil.copytree(tmp_path / "audio", root)
        file = table(lists, "file,speaker,emotion", *(row.format(root) for row in rows))
        corpus = read(file, options=TableOptions(root=str(root)))
        digests.append(corpus.select({"joy": ("joy",), "sad": ("sad",)}).digest)
    assert digests[0] == digests[1]


@pytest.mark.parametrize(
    ("cell", "path"),
    [
        ("{}/alias/wav/../wav/a.wav", "wav/a.wav"),
        ("{}/audio/link.wav", "link.wav"),
        ("../audio/wav/a.wav", "wav/a.wav"),
        ("wav/a.wav", "wav/a.wav"),
        ("wav\\a.wav", "wav/a.wav"),
    ],
)
def test_every_way_into_the_root_is_read(lists: Path, tmp_path: Path, cell: str, path: str) -> None:
    file = table(lists, "file,speaker,emotion", f"{cell.format(tmp_path)},ann,joy")
    corpus = read(file, options=TableOptions(root=str(tmp_path / "audio")))
    assert [u.id for u in corpus.utterances] == [path]


def test_what_leads_out_of_the_root_is_refused(lists: Path, tmp_path: Path) -> None:
    (tmp_path / "audio" / "out.wav").symlink_to("/etc/hostname")
    cells = (f"{tmp_path}/audio/out.wav", f"{tmp_path}/audio/../x.wav", "/etc/passwd")
    file = table(lists, "file,speaker,emotion", *(f"{cell},ann,joy" for cell in cells))
    with pytest.raises(CorpusError, match="^3 of the 3 recordings") as error:
        read(file, options=TableOptions(root=str(tmp_path / "audio")))
    for cell in cells:
        assert f"`file` must lie inside of {tmp_path}/audio (`--root`), but {cell} does" in str(
            error.value
        )
    for root in ("/", f"{tmp_path}/../../../../../..", "//"):
        with pytest.raises(CorpusError, match=r"^`--root` must be the folder that holds"):
            read(file, options=TableOptions(root=root))
    with refused(f"`--root` must be a folder, but {file} is none."):
        read(file, options=TableOptions(root=str(file)))


def test_a_link_that_leads_out_later_is_not_followed(lists: Path, tmp_path: Path) -> None:
    audio = tmp_path / "audio"
    file = table(lists, "file,speaker,emotion", f"{audio}/link.wav,ann,joy", "wav/b.wav,bob,sad")
    corpus = read(file, options=TableOptions(root=str(audio)))
    outside = shutil.copy2(audio / "wav" / "a.wav", tmp_path / "secret.wav")
    (audio / "link.wav").unlink()
    (audio / "link.wav").symlink_to(outside)
    selection = corpus.select({"joy": ("joy",), "sad": ("sad",)})
    sentence = re.escape(
        f"1 of the 2 files of corpus `table` lead out of {audio} by now (link.wav)"
    )
    for reading in (
        lambda: refresh(corpus),
        lambda: inspect(corpus),
        lambda: build(tmp_path / "shards", selection, FeatureConfig()),
    ):
        with pytest.raises(CorpusError, match=f"^{sentence}"):
            reading()
