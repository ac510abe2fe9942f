import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from features.corpora.ravdess import read
from features.errors import CorpusError


def sentence(text: str) -> str:
    return f"^{re.escape(text)}$"


def test_names_give_emotion_speaker_and_sex(write_wav: Any, tmp_path: Path) -> None:
    write_wav(tmp_path / "Actor_12" / "03-01-05-01-02-01-12.wav")
    write_wav(tmp_path / "Actor_07" / "03-01-08-02-01-02-07.WAV")
    seven, twelve = sorted(read(tmp_path).utterances, key=lambda u: u.speaker)
    assert (seven.speaker, seven.sex, seven.emotion) == ("actor-07", "male", "surprised")
    assert (twelve.speaker, twelve.sex, twelve.emotion) == ("actor-12", "female", "angry")
    assert twelve.path == "Actor_12/03-01-05-01-02-01-12.wav"
    assert twelve.id == "03-01-05-01-02-01-12"


def test_song_video_and_strangers_are_left_out_with_the_reason(
    write_wav: Any, tmp_path: Path
) -> None:
    write_wav(tmp_path / "03-01-01-01-01-01-01.wav")
    write_wav(tmp_path / "03-02-01-01-01-01-01.wav")
    write_wav(tmp_path / "take two.wav")
    write_wav(tmp_path / "03-01-09-01-01-01-01.wav")
    (tmp_path / "02-01-01-01-01-01-01.mp4").write_bytes(b"video")
    (tmp_path / "01-01-01-01-01-01-01.mp4").write_bytes(b"video")
    (tmp_path / "README.txt").write_text("not audio")
    (tmp_path / "._03-01-01-01-01-01-01.wav").write_bytes(b"metadata of a Mac")
    corpus = read(tmp_path)
    assert len(corpus.utterances) == 1
    assert {left.path: left.reason for left in corpus.left_out} == {
        "01-01-01-01-01-01-01.mp4": "audio with video",
        "02-01-01-01-01-01-01.mp4": "video without sound",
        "03-01-09-01-01-01-01.wav": "unknown emotion 09",
        "03-02-01-01-01-01-01.wav": "song",
        "take two.wav": "its name is none of RAVDESS",
    }


def test_a_copy_in_a_second_folder_is_counted_once(write_wav: Any, tmp_path: Path) -> None:
    name = "03-01-01-01-01-01-01.wav"
    write_wav(tmp_path / "Actor_01" / name)
    (tmp_path / "mirror").mkdir()
    shutil.copy(tmp_path / "Actor_01" / name, tmp_path / "mirror" / name)
    corpus = read(tmp_path)
    assert [u.path for u in corpus.utterances] == [f"Actor_01/{name}"]
    assert [(left.path, left.reason) for left in corpus.left_out] == [
        (f"mirror/{name}", f"a copy of Actor_01/{name}")
    ]


def test_two_recordings_of_one_name_are_refused(write_wav: Any, make: Any, tmp_path: Path) -> None:
    name = "03-01-01-01-01-01-01"
    write_wav(tmp_path / "a" / f"{name}.wav")
    write_wav(tmp_path / "b" / f"{name}.wav", make.tone(0.4, 16_000))
    expected = (
        f"Utterance `{name}` of corpus `ravdess` must be one recording, but a/{name}.wav and "
        f"b/{name}.wav in {tmp_path} differ: remove one of them."
    )
    with pytest.raises(CorpusError, match=sentence(expected)):
        read(tmp_path)


def test_a_missing_folder_is_refused(tmp_path: Path) -> None:
    expected = (
        f"The folder of corpus `ravdess` must exist, but {tmp_path}/none is missing: "
        "name the folder that holds its audio."
    )
    with pytest.raises(CorpusError, match=sentence(expected)):
        read(tmp_path / "none")


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    expected = f"The folder of corpus `ravdess` must hold its audio, but {tmp_path} is empty."
    with pytest.raises(CorpusError, match=sentence(expected)):
        read(tmp_path)


def test_a_folder_of_other_audio_is_refused(write_wav: Any, tmp_path: Path) -> None:
    write_wav(tmp_path / "song.wav")
    expected = (
        f"Nothing in {tmp_path} looks like corpus `ravdess` (expected names like "
        "`03-01-05-01-02-01-12.wav`): is it the right folder?"
    )
    with pytest.raises(CorpusError, match=sentence(expected)):
        read(tmp_path)


def test_unreadable_audio_is_named_all_at_once(write_wav: Any, tmp_path: Path) -> None:
    write_wav(tmp_path / "03-01-01-01-01-01-01.wav")
    (tmp_path / "03-01-01-01-01-01-02.wav").write_bytes(b"")
    (tmp_path / "03-01-01-01-01-01-03.flac").write_bytes(b"no audio at all")
    write_wav(tmp_path / "03-01-01-01-01-01-04.wav", np.zeros(0))
    expected = (
        f"3 of the 4 audio files of corpus `ravdess` in {tmp_path} cannot be read: "
        "03-01-01-01-01-01-02.wav (empty), 03-01-01-01-01-01-03.flac (not audio, or truncated), "
        "03-01-01-01-01-01-04.wav (without a sample); restore or remove them."
    )
    with pytest.raises(CorpusError, match=sentence(expected)):
        read(tmp_path)


def test_progress_counts_every_file(write_wav: Any, tmp_path: Path) -> None:
    for actor in (1, 2, 3):
        write_wav(tmp_path / f"03-01-01-01-01-01-0{actor}.wav")
    told: list[tuple[int, int]] = []
    read(tmp_path, lambda done, total: told.append((done, total)))
    assert told == [(1, 3), (2, 3), (3, 3)]


@pytest.mark.ravdess
def test_the_real_corpus_has_ten_actors_and_five_emotions(ravdess_root: Path) -> None:
    corpus = read(ravdess_root)
    assert corpus.emotions() == {"angry": 80, "calm": 80, "happy": 80, "neutral": 40, "sad": 80}
    assert len({u.speaker for u in corpus.utterances}) == 10
