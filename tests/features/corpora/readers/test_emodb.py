import re
from itertools import count, islice, product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from features.config import DEFAULT_EMOTIONS
from features.corpora.folds import deal
from features.corpora.readers.emodb import SPEAKERS, read
from features.errors import CorpusError

SEVEN = ("angry", "bored", "disgust", "fearful", "happy", "neutral", "sad")
REAL = {"W": 127, "L": 81, "E": 46, "A": 69, "F": 71, "T": 62, "N": 79}
"""Utterances of the complete corpus by letter: 535."""


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """535 files with the real names' form and the real counts, a short tone each."""
    root = tmp_path_factory.mktemp("emodb")
    (root / "wav").mkdir()
    loudness = count(1000)
    texts = ("a01", "a02", "a04", "a05", "a07", "b01", "b02", "b03", "b09", "b10")
    for letter, number in REAL.items():
        names = product("abc", texts, SPEAKERS)
        for version, text, speaker in islice(names, number):
            tone = np.array([1, -1] * 800, np.int16) * next(loudness)
            soundfile.write(root / "wav" / f"{speaker}{text}{letter}{version}.wav", tone, 16_000)
    return root


def test_names_give_emotion_speaker_and_sex(write_wav: Any, tmp_path: Path) -> None:
    for name in ("03a01Fa", "08a02Wb", "16b10Lc", "11a04N"):
        write_wav(tmp_path / "wav" / f"{name}.wav")
    found = {u.id: (u.speaker, u.sex, u.emotion) for u in read(tmp_path).utterances}
    assert found == {
        "03a01Fa": ("speaker-03", "male", "happy"),
        "08a02Wb": ("speaker-08", "female", "angry"),
        "11a04N": ("speaker-11", "male", "neutral"),
        "16b10Lc": ("speaker-16", "female", "bored"),
    }


def test_the_complete_corpus_gives_seven_classes_and_ten_speakers(tree: Path) -> None:
    corpus = read(tree)
    assert corpus.notes == ()
    assert corpus.emotions() == {
        "angry": 127,
        "bored": 81,
        "disgust": 46,
        "fearful": 69,
        "happy": 71,
        "neutral": 79,
        "sad": 62,
    }
    seven = corpus.select({name: (name,) for name in SEVEN})
    assert seven.classes == SEVEN
    assert len(seven.items) == 535
    assert seven.left_out == {}
    assert corpus.select(DEFAULT_EMOTIONS).left_out == {"bored": 81, "disgust": 46, "fearful": 69}
    folds = deal(seven, 5)
    sexes = {u.speaker: u.sex for u in corpus.utterances}
    assert [[sexes[fold.a[0]], sexes[fold.b[0]]] for fold in folds] == [["female", "male"]] * 5


def test_strangers_are_left_out_with_the_reason(write_wav: Any, tmp_path: Path) -> None:
    for name in ("03a01Fa", "99a01Fa", "03a01Xa", "silence"):
        write_wav(tmp_path / f"{name}.wav")
    corpus = read(tmp_path)
    assert {left.path: left.reason for left in corpus.left_out} == {
        "99a01Fa.wav": "unknown speaker 99",
        "03a01Xa.wav": "unknown emotion X",
        "silence.wav": "its name is none of EMO-DB",
    }
    assert corpus.notes == ("not the complete corpus: 1 of 535 utterances",)


def test_a_folder_of_archives_says_to_unpack(tmp_path: Path) -> None:
    (tmp_path / "download.zip").write_bytes(b"PK")
    expected = (
        f"Nothing in {tmp_path} looks like corpus `emodb` (expected names like "
        "`wav/03a01Fa.wav`): unpack download.zip first."
    )
    with pytest.raises(CorpusError, match=f"^{re.escape(expected)}$"):
        read(tmp_path)


@pytest.mark.emodb
def test_seven_real_files_are_one_of_each(emodb_root: Path) -> None:
    assert set(read(emodb_root).emotions()) == set(SEVEN)
