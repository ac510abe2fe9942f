import re
import shutil
from itertools import count, product
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from features.config import DEFAULT_EMOTIONS
from features.corpora.folds import deal
from features.corpora.readers.ravdess import read
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
    write_wav(tmp_path / "03-01-01-01-01-01-00.wav")
    write_wav(tmp_path / "03-01-01-01-01-01-25.wav")
    (tmp_path / "02-01-01-01-01-01-01.mp4").write_bytes(b"video")
    (tmp_path / "01-01-01-01-01-01-01.mp4").write_bytes(b"video")
    (tmp_path / "README.txt").write_text("not audio")
    (tmp_path / "._03-01-01-01-01-01-01.wav").write_bytes(b"metadata of a Mac")
    corpus = read(tmp_path)
    assert len(corpus.utterances) == 1
    assert {left.path: left.reason for left in corpus.left_out} == {
        "01-01-01-01-01-01-01.mp4": "audio with video",
        "02-01-01-01-01-01-01.mp4": "video without sound",
        "03-01-01-01-01-01-00.wav": "unknown actor 00",
        "03-01-01-01-01-01-25.wav": "unknown actor 25",
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
        f"3 of the 4 recordings of corpus `ravdess` in {tmp_path} cannot be used: mend or remove "
        "them, or leave them out with `--skip-bad`.\n"
        "  03-01-01-01-01-01-02.wav: empty\n"
        "  03-01-01-01-01-01-03.flac: text, not audio\n"
        "  03-01-01-01-01-01-04.wav: without a sample"
    )
    with pytest.raises(CorpusError, match=sentence(expected)):
        read(tmp_path)
    corpus = read(tmp_path, skip_bad=True)
    assert [u.speaker for u in corpus.utterances] == ["actor-01"]
    assert [left.reason for left in corpus.left_out if left.bad] == [
        "empty",
        "text, not audio",
        "without a sample",
    ]


def test_nothing_usable_is_refused_even_when_bad_is_skipped(tmp_path: Path) -> None:
    (tmp_path / "03-01-01-01-01-01-02.wav").write_bytes(b"")
    with pytest.raises(CorpusError, match=r"^1 of the 1 recordings of corpus `ravdess`"):
        read(tmp_path, skip_bad=True)


def test_the_complete_corpus_has_24_actors_and_calm_joins_neutral_when_asked(
    write_wav: Any, tmp_path: Path
) -> None:
    loudness = count(1000)
    for actor, emotion, intensity, statement, repetition in product(
        range(1, 25), range(1, 9), (1, 2), (1, 2), (1, 2)
    ):
        if (emotion, intensity) != (1, 2):  # there is no strong neutral
            folder = tmp_path / f"Actor_{actor:02}"
            folder.mkdir(exist_ok=True)
            name = f"03-01-{emotion:02}-{intensity:02}-{statement:02}-{repetition:02}-{actor:02}"
            write_wav(folder / f"{name}.wav", np.array([1, -1] * 800) * next(loudness) / 32767)
    corpus = read(tmp_path)
    assert (len(corpus.utterances), corpus.notes) == (1440, ())
    four = corpus.select(DEFAULT_EMOTIONS)
    assert four.left_out == {"calm": 192, "disgust": 192, "fearful": 192, "surprised": 192}
    joined = corpus.select(DEFAULT_EMOTIONS | {"neutral": ("neutral", "calm")})
    assert sum(joined.classes[label] == "neutral" for _, label in joined.items) == 96 + 192
    assert [len((*fold.a, *fold.b)) for fold in deal(four, 5)] == [5, 5, 5, 5, 4]


def test_a_link_that_leads_back_is_left_out_and_other_links_are_followed(
    write_wav: Any, tmp_path: Path
) -> None:
    corpus, elsewhere = tmp_path / "corpus", tmp_path / "elsewhere"
    write_wav(corpus / "Actor_01" / "03-01-01-01-01-01-01.wav")
    write_wav(elsewhere / "03-01-01-01-01-01-02.wav")
    (corpus / "Actor_02").symlink_to(elsewhere)
    (corpus / "Actor_01" / "again").symlink_to(corpus)
    found = read(corpus)
    assert [u.speaker for u in found.utterances] == ["actor-01", "actor-02"]
    assert [(left.path, left.reason) for left in found.left_out] == [
        ("Actor_01/again", "a link that leads back to a folder above it")
    ]


def test_an_archive_is_no_folder(tmp_path: Path) -> None:
    file = tmp_path / "Audio_Speech_Actors_01-24.zip"
    file.write_bytes(b"PK")
    expected = (
        f"Corpus `ravdess` must be a folder, but {file} is an archive instead: unpack it and name "
        "the folder."
    )
    with pytest.raises(CorpusError, match=sentence(expected)):
        read(file)


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


def test_recordings_in_formats_that_are_not_read_are_named(write_wav: Any, tmp_path: Path) -> None:
    write_wav(tmp_path / "03-01-01-01-01-01-01.wav")
    for name in ("02-01-01-01-01-01-01.m4a", "03-01-02-01-01-01-01.MP3", "README.md", "a.csv"):
        (tmp_path / name).touch()
    assert {left.path: left.reason for left in read(tmp_path).left_out} == {
        "02-01-01-01-01-01-01.m4a": ".m4a is not read, but .wav and .flac",
        "03-01-02-01-01-01-01.MP3": ".mp3 is not read, but .wav and .flac",
    }


def test_a_folder_of_another_format_says_that_it_must_be_converted(tmp_path: Path) -> None:
    for number in range(1, 4):
        (tmp_path / f"03-01-01-01-01-01-0{number}.mp3").touch()
    with pytest.raises(CorpusError) as refusal:
        read(tmp_path)
    assert str(refusal.value).endswith(
        "convert its 3 recordings (03-01-01-01-01-01-01.mp3: .mp3 is not read, but .wav and .flac)."
    )
