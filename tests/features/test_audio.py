import os
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from features.audio import check_recording, read_mono
from features.errors import ShardDamageError


def refused(path: Path, words: str) -> Any:
    expected = f"Audio file {path} {words}: restore it from the original."
    return pytest.raises(ShardDamageError, match=f"^{re.escape(expected)}$")


def test_sixteen_kilohertz_mono_is_read_bit_for_bit(
    write_wav: Any, make: Any, tmp_path: Path
) -> None:
    tone = make.tone(0.2, 16_000)
    path = write_wav(tmp_path / "a.wav", tone)
    assert np.array_equal(read_mono(path) * 32768, np.round(tone * 32767))


@pytest.mark.parametrize("rate", [8_000, 22_050, 44_100, 48_000])
def test_any_rate_becomes_sixteen_kilohertz(
    write_wav: Any, make: Any, tmp_path: Path, rate: int
) -> None:
    path = write_wav(tmp_path / "a.wav", make.tone(0.5, rate), rate)
    samples = read_mono(path)
    assert samples.dtype == np.float32
    assert abs(len(samples) - 8_000) <= 1
    inner = slice(800, -800)
    assert np.abs(samples[inner] - make.tone(0.5, 16_000)[: len(samples)][inner]).max() < 2e-3


def test_what_sixteen_kilohertz_cannot_hold_is_filtered_not_folded(
    write_wav: Any, make: Any, tmp_path: Path
) -> None:
    path = write_wav(tmp_path / "a.wav", make.tone(0.5, 48_000, 12_000.0), 48_000)
    assert np.abs(read_mono(path)[800:-800]).max() < 1e-3


def test_channels_are_averaged(write_wav: Any, make: Any, tmp_path: Path) -> None:
    tone = make.tone(0.2, 16_000)
    path = write_wav(tmp_path / "a.wav", np.stack([tone, np.zeros_like(tone)], axis=1))
    assert np.abs(read_mono(path) - tone / 2).max() < 1e-4


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with refused(tmp_path / "a.wav", "cannot be read (No such file or directory)"):
        read_mono(tmp_path / "a.wav")


def test_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    path.write_text("no audio")
    with refused(path, "cannot be read (text, not audio)"):
        read_mono(path)
    assert check_recording(path).bad == "text, not audio"


def test_a_file_without_samples_is_refused(write_wav: Any, tmp_path: Path) -> None:
    path = write_wav(tmp_path / "a.wav", np.zeros(0))
    with refused(path, "holds no sample"):
        read_mono(path)
    assert check_recording(path).bad == "without a sample"


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_samples_that_are_no_numbers_are_refused(tmp_path: Path, value: float) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, np.array([0.0, value, 0.0], np.float32), 16_000, subtype="FLOAT")
    with refused(path, "holds values that are no numbers"):
        read_mono(path)


def test_a_truncated_flac_is_refused(make: Any, tmp_path: Path) -> None:
    path = tmp_path / "a.flac"
    soundfile.write(path, make.tone(1.0, 16_000), 16_000)
    path.write_bytes(path.read_bytes()[:-4000])
    with pytest.raises(ShardDamageError, match=r"restore it from the original\.$"):
        read_mono(path)


def test_a_name_that_is_no_text_is_read(write_wav: Any, tmp_path: Path) -> None:
    path = tmp_path / "a\udcff.wav"
    write_wav(tmp_path / "a.wav").rename(path)
    assert check_recording(path).bad == ""
    assert len(read_mono(path)) == 4_800


def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.wav")
    assert check_recording(tmp_path / "a.wav").bad == "a pipe or a device, not a file"


def test_a_whole_file_has_no_fault(write_wav: Any, tmp_path: Path) -> None:
    assert check_recording(write_wav(tmp_path / "a.wav")).bad == ""
