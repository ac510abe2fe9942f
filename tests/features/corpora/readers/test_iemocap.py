import re
from pathlib import Path
from typing import Any

import pytest
import soundfile

from features.config import DEFAULT_EMOTIONS
from features.corpora.folds import deal
from features.corpora.readers.iemocap import read
from features.errors import CorpusError

Write = Any
SUMMARY = "[6.2901 - 8.2357]\t{turn}\t{code}\t[2.5000, 2.5000, 2.5000]"
EVALUATORS = ("C-E2:\tNeutral;\t()", "C-E4:\tAnger;\t()", "A-E3:\tval 3; act 2; dom  2;\t()")


def labels(root: Path, dialog: str, codes: dict[str, str], end: str = "\n") -> None:
    """An evaluation file as the release has it, evaluators' lines included."""
    session = f"Session{int(dialog[3:5])}"
    lines = ["% [START_TIME - END_TIME] TURN_NAME EMOTION [V, A, D]", ""]
    for turn, code in codes.items():
        lines += [SUMMARY.format(turn=turn, code=code), *EVALUATORS, ""]
    file = root / session / "dialog" / "EmoEvaluation" / f"{dialog}.txt"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(end.join(lines).encode())


def audio(write_wav: Write, root: Path, *turns: str) -> None:
    for turn in turns:
        dialog = turn.rpartition("_")[0]
        session = f"Session{int(turn[3:5])}"
        write_wav(root / session / "sentences" / "wav" / dialog / f"{turn}.wav")


@pytest.fixture
def tree(write_wav: Write, tmp_path: Path) -> Path:
    """Two sessions, every quirk of the real tree in small."""
    root = tmp_path / "IEMOCAP_full_release"
    codes = {
        "Ses01F_impro01_F000": "neu",
        "Ses01F_impro01_M003": "ang",
        "Ses01F_impro01_M004": "xxx",
        "Ses01F_impro01_F005": "exc",
    }
    labels(root, "Ses01F_impro01", codes)
    audio(write_wav, root, *codes)
    codes = {"Ses02M_script01_1b_M012": "hap", "Ses02M_script01_1b_F013": "fru"}
    labels(root, "Ses02M_script01_1b", codes, end="\r\n")
    audio(write_wav, root, *codes)
    labels(root, "Ses02M_impro02", {"Ses02M_impro02_F001": "sad"}, end="\r")
    audio(write_wav, root, "Ses02M_impro02_F001")
    evaluation = root / "Session1" / "dialog" / "EmoEvaluation"
    (evaluation / "._Ses01F_impro01.txt").write_bytes(b"\x00\x05\x16\x07 metadata of a Mac")
    (evaluation / "Categorical").mkdir()
    (evaluation / "Categorical" / "Ses01F_impro01_e2_cat.txt").write_text(
        SUMMARY.format(turn="Ses01F_impro01_F000", code="sad")
    )
    wavs = root / "Session1" / "sentences" / "wav" / "Ses01F_impro01"
    (wavs / "._Ses01F_impro01_F000.wav").write_bytes(b"metadata of a Mac")
    return root


def test_the_suffix_says_who_speaks(tree: Path) -> None:
    spoken = {u.id: (u.speaker, u.sex, u.session) for u in read(tree).utterances}
    assert spoken["Ses01F_impro01_M003"] == ("Ses01M", "male", "Ses01")
    assert spoken["Ses01F_impro01_F000"] == ("Ses01F", "female", "Ses01")
    assert spoken["Ses02M_impro02_F001"] == ("Ses02F", "female", "Ses02")


def test_labels_are_full_words_read_from_summary_lines_only(tree: Path) -> None:
    assert {u.id: u.emotion for u in read(tree).utterances} == {
        "Ses01F_impro01_F000": "neutral",
        "Ses01F_impro01_F005": "excited",
        "Ses01F_impro01_M003": "angry",
        "Ses01F_impro01_M004": "undecided",
        "Ses02M_impro02_F001": "sad",
        "Ses02M_script01_1b_F013": "frustrated",
        "Ses02M_script01_1b_M012": "happy",
    }


def test_excited_joins_happy_and_the_other_labels_are_left_out(tree: Path) -> None:
    selection = read(tree).select(DEFAULT_EMOTIONS)
    chosen = {u.id: selection.classes[label] for u, label in selection.items}
    assert chosen["Ses01F_impro01_F005"] == chosen["Ses02M_script01_1b_M012"] == "happy"
    assert selection.left_out == {"frustrated": 1, "undecided": 1}


def test_the_folder_above_the_release_will_do(tree: Path) -> None:
    assert read(tree.parent) == read(tree)


def test_macs_metadata_and_evaluators_files_are_not_seen(tree: Path) -> None:
    assert read(tree).left_out == ()


def test_sound_without_label_and_label_without_sound_are_left_out(
    tree: Path, write_wav: Write
) -> None:
    audio(write_wav, tree, "Ses01F_impro01_F099", "Ses03F_impro01_F000", "Ses03F_impro01_M000")
    labels(
        tree,
        "Ses03F_impro01",
        {"Ses03F_impro01_F000": "neu", "Ses03F_impro01_F001": "neu", "Ses03F_impro01_M000": "zzz"},
    )
    labels(tree, "Ses03F_impro02", {"Ses03F_impro01_F000": "sad"})
    wavs = "Session{}/sentences/wav/Ses0{}F_impro01/Ses0{}F_impro01_{}.wav"
    assert {left.path: left.reason for left in read(tree).left_out} == {
        wavs.format(1, 1, 1, "F099"): "no evaluation file labels it",
        wavs.format(3, 3, 3, "F000"): "labelled both neu and sad",
        wavs.format(3, 3, 3, "M000"): "unknown label zzz",
        "Ses03F_impro01_F001": "labelled, but its wav is missing",
    }


def test_another_count_than_the_complete_corpus_is_said(tree: Path) -> None:
    assert read(tree).notes == (
        "not the complete corpus: 5 utterances of the paper's four classes instead of 5,531 "
        "(angry 1 of 1,103, happy 2 of 1,636, neutral 1 of 1,708, sad 1 of 1,084)",
    )


def test_sessions_become_the_folds(tree: Path, write_wav: Write) -> None:
    audio(write_wav, tree, "Ses02M_impro02_M001")
    labels(tree, "Ses02M_impro02", {"Ses02M_impro02_F001": "sad", "Ses02M_impro02_M001": "neu"})
    folds = deal(read(tree).select(DEFAULT_EMOTIONS), 2)
    assert [(fold.a, fold.b) for fold in folds] == [
        (("Ses01F",), ("Ses01M",)),
        (("Ses02F",), ("Ses02M",)),
    ]


@pytest.mark.parametrize("rest", ["sentences", "dialog"])
def test_half_a_tree_is_refused(tree: Path, rest: str) -> None:
    for session in tree.glob("Session*"):
        (session / rest).rename(session / "elsewhere")
    expected = (
        f"Nothing in {tree} looks like corpus `iemocap` (expected names like "
        "`Session1/sentences/wav/Ses01F_impro01/Ses01F_impro01_F000.wav` and "
        "`Session1/dialog/EmoEvaluation/Ses01F_impro01.txt`): is it the right folder?"
    )
    with pytest.raises(CorpusError, match=f"^{re.escape(expected)}$"):
        read(tree)


def test_a_broken_wav_is_named(tree: Path) -> None:
    name = "Session1/sentences/wav/Ses01F_impro01/Ses01F_impro01_F000.wav"
    (tree / name).write_bytes(b"RIFF")
    expected = (
        f"1 of the 7 recordings of corpus `iemocap` in {tree} cannot be used: mend or remove it, "
        f"or leave it out with `--skip-bad`.\n  {name}: not audio, or truncated"
    )
    with pytest.raises(CorpusError, match=f"^{re.escape(expected)}$"):
        read(tree)


def test_a_turn_is_improvised_or_scripted_and_a_part_holds_one_kind(tree: Path) -> None:
    corpus = read(tree)
    improvised, scripted = corpus.part("improvised"), corpus.part("scripted")
    assert {u.id[6:12] for u in improvised.utterances} == {"_impro"}
    assert {u.id for u in scripted.utterances} == {
        "Ses02M_script01_1b_F013",
        "Ses02M_script01_1b_M012",
    }
    assert len(improvised.utterances) + len(scripted.utterances) == len(corpus.utterances)


def test_a_broken_wav_can_be_skipped_and_the_omission_is_a_sentence(tree: Path) -> None:
    name = "Session1/sentences/wav/Ses01F_impro01/Ses01F_impro01_F000.wav"
    (tree / name).write_bytes(b"RIFF")
    corpus = read(tree, skip_bad=True)
    assert len(corpus.utterances) == 6
    assert corpus.omission == (
        "1 unusable file is left out of corpus `iemocap` (`--skip-bad`): "
        f"{name} (not audio, or truncated)."
    )


# --- copies that went through other systems -------------------------------------------------


def evaluation(tree: Path, data: bytes) -> None:
    (tree / "Session1" / "dialog" / "EmoEvaluation" / "Ses01F_impro01.txt").write_bytes(data)


@pytest.mark.parametrize(
    ("mark", "encoding"),
    [
        (b"\xff\xfe", "utf-16-le"),
        (b"\xfe\xff", "utf-16-be"),
        (b"", "utf-16-le"),
        (b"", "utf-16-be"),
        (b"\xef\xbb\xbf", "utf-8"),
    ],
)
def test_an_evaluation_file_of_another_encoding_is_read(
    tree: Path, mark: bytes, encoding: str
) -> None:
    path = tree / "Session1" / "dialog" / "EmoEvaluation" / "Ses01F_impro01.txt"
    whole = read(tree)
    lines = path.read_text().splitlines()[2:]  # its first line is a summary line
    evaluation(tree, mark + "\r\n".join(lines).encode(encoding))
    assert read(tree) == whole


def test_recordings_in_capitals_and_in_flac_are_found(tree: Path, write_wav: Write) -> None:
    wavs = tree / "Session1" / "sentences" / "wav" / "Ses01F_impro01"
    whole = {u.id for u in read(tree).utterances}
    (wavs / "Ses01F_impro01_F000.wav").rename(wavs / "Ses01F_impro01_F000.WAV")
    soundfile.write(wavs / "Ses01F_impro01_M003.flac", [0.1, -0.1] * 4000, 16_000)
    (wavs / "Ses01F_impro01_M003.wav").unlink()
    corpus = read(tree)
    assert {u.id for u in corpus.utterances} == whole and corpus.left_out == ()


def test_a_second_recording_of_a_turn_and_one_in_another_format_are_named(
    tree: Path, write_wav: Write
) -> None:
    wavs = tree / "Session1" / "sentences" / "wav" / "Ses01F_impro01"
    write_wav(wavs / "Ses01F_impro01_F000.WAV")
    (wavs / "Ses01F_impro01_M003.mp3").touch()
    folder = "Session1/sentences/wav/Ses01F_impro01/Ses01F_impro01_"
    assert {left.path: left.reason for left in read(tree).left_out} == {
        f"{folder}F000.wav": f"its turn has a recording already, {folder}F000.WAV",
        f"{folder}M003.mp3": ".mp3 is not read, but .wav and .flac",
    }


@pytest.mark.parametrize(
    "line",
    [
        "[6.2901 - 8.2357]\t{turn}\tang",
        "[6.2901-8.2357] {turn} ang [2.5, 2.5, 2.5]",
        "  [6,29 \N{EN DASH} 8,23]\t{turn}\tANG\t[2.5000; 2.5000; 2.5000]\t",
        "[1e-05 - 8.2357]\t{turn}\tAng\t[nan, nan, nan]",
        "[06:29.01 - 08:23.57]\t{turn}\tang\t[]",
    ],
)
def test_odd_summary_lines_are_read(tree: Path, line: str) -> None:
    lines = [line.format(turn="Ses01F_impro01_M003"), *EVALUATORS]
    evaluation(tree, "\n".join(lines).encode())
    corpus = read(tree)
    spoken = {u.id: u.emotion for u in corpus.utterances}
    assert spoken["Ses01F_impro01_M003"] == "angry"
    assert {left.reason for left in corpus.left_out} == {"no evaluation file labels it"}


@pytest.mark.parametrize(
    "line",
    ["{turn}\tang\t[2.5, 2.5, 2.5]", "[6.2901 - 8.2357]\t{turn}", "[6.2901 - 8.2357 {turn} ang"],
)
def test_a_line_that_cannot_be_read_is_named_with_its_place(tree: Path, line: str) -> None:
    evaluation(tree, f"% head\n{line.format(turn='Ses01F_impro01_M003')}\n".encode())
    reasons = {left.path.rpartition("_")[2]: left.reason for left in read(tree).left_out}
    assert reasons["M003.wav"] == "no summary line: Ses01F_impro01.txt:2"
    assert reasons["F000.wav"] == "no evaluation file labels it"
