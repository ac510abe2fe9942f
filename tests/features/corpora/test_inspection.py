from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from features.audio import check_recording
from features.corpora.inspection import inspect


@pytest.fixture
def bad_files(write_wav: Any, make: Any, tmp_path: Path) -> dict[str, str]:
    """Every kind of unusable file, by name, with what is said of it."""
    (tmp_path / "empty.wav").write_bytes(b"")
    (tmp_path / "text.wav").write_text("no audio")
    write_wav(tmp_path / "zero.wav", np.zeros(0))
    soundfile.write(
        tmp_path / "nan.wav", np.array([0.0, np.nan], np.float32), 16_000, subtype="FLOAT"
    )
    (tmp_path / "loop.wav").symlink_to(tmp_path / "loop.wav")
    (tmp_path / "gone.wav").symlink_to(tmp_path / "nothing.wav")
    (tmp_path / "folder.wav").mkdir()
    soundfile.write(tmp_path / "cut.flac", make.tone(1.0, 16_000), 16_000)
    (tmp_path / "cut.flac").write_bytes((tmp_path / "cut.flac").read_bytes()[:-4000])
    return {
        "empty.wav": "empty",
        "text.wav": "text, not audio",
        "zero.wav": "without a sample",
        "nan.wav": "holds values that are no numbers",
        "loop.wav": "a link that leads back to itself",
        "gone.wav": "a link to nothing",
        "folder.wav": "a folder",
        "cut.flac": "damaged or truncated: it cannot be decoded to its end",
        "none.wav": "missing",
    }


def test_what_cannot_be_used_is_named(bad_files: dict[str, str], tmp_path: Path) -> None:
    assert {name: check_recording(tmp_path / name).bad for name in bad_files} == bad_files


@pytest.mark.parametrize(
    ("samples", "doubts"),
    [
        (np.zeros(4000), ("silent",)),
        (np.concatenate([np.full(5, 1.0), np.zeros(4000)]), ("clipped",)),
        (np.tile([1.0, 0.0], 2000), ()),
        (np.full(100, 0.5), ("shorter than 50 ms",)),
        (np.zeros(100), ("silent", "shorter than 50 ms")),
    ],
)
def test_what_looks_wrong_is_doubted(
    write_wav: Any, tmp_path: Path, samples: Any, doubts: tuple[str, ...]
) -> None:
    sound = check_recording(write_wav(tmp_path / "a.wav", samples))
    assert (sound.bad, sound.doubts) == ("", doubts)


def test_a_name_that_promises_another_format_is_doubted(make: Any, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", make.tone(0.2, 8_000), 8_000, format="FLAC")
    assert check_recording(tmp_path / "a.wav").doubts == ("named .wav, but FLAC inside",)


@pytest.mark.parametrize(("rate", "channels"), [(8_000, 1), (96_000, 1), (16_000, 8)])
def test_any_rate_and_channel_count_is_fine(
    write_wav: Any, make: Any, tmp_path: Path, rate: int, channels: int
) -> None:
    samples = np.stack([make.tone(0.5, rate)] * channels, axis=1)
    sound = check_recording(write_wav(tmp_path / "a.wav", samples, rate))
    assert (sound.rate, sound.channels, sound.seconds) == (rate, channels, 0.5)
    assert (sound.bad, sound.doubts) == ("", ())


def test_a_corpus_is_heard_as_a_whole(write_wav: Any, make: Any, tmp_path: Path) -> None:
    for name, seconds, rate in (("a", 0.5, 16_000), ("b", 1.0, 48_000), ("c", 2.0, 16_000)):
        write_wav(tmp_path / f"{name}.wav", make.tone(seconds, rate), rate)
    write_wav(tmp_path / "d.wav", np.zeros(32_000))
    (tmp_path / "e.wav").write_bytes(b"")
    corpus = make.corpus(
        *(make.utterance(name, "ann", "sad", mtime_ns=1) for name in "abcde"), root=str(tmp_path)
    )
    told: list[tuple[int, int]] = []
    heard = inspect(corpus, lambda done, total: told.append((done, total)))
    assert (heard.usable, heard.shortest, heard.median, heard.longest) == (4, 0.5, 1.5, 2.0)
    assert heard.total == 5.5
    assert (heard.rates, heard.channels) == ({16_000: 3, 48_000: 1}, {1: 4})
    assert [(item.path, item.reason) for item in heard.bad] == [("e", "empty")]
    assert [(item.path, item.reason) for item in heard.doubts] == [("d", "silent")]
    assert told[-1] == (5, 5)


def test_speech_that_is_not_synthesised_yet_is_not_heard(make: Any, tmp_path: Path) -> None:
    heard = inspect(make.corpus(make.utterance("a", "ann", "sad"), root=str(tmp_path)))
    assert (heard.usable, heard.total, heard.bad) == (0, 0.0, ())
