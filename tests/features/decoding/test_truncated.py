"""Downloads and copies that broke off, by what their containers say, on synthesised speech."""

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from features.audio import RecordingCheck, check_recording, read_mono
from features.decoding.mp3 import seconds_in_frames

COUNTED: dict[str, dict[str, str]] = {
    "a.wav": {},
    "24.wav": {"subtype": "PCM_24"},
    "float.wav": {"subtype": "FLOAT"},
    "ima.wav": {"subtype": "IMA_ADPCM"},
    "gsm.wav": {"subtype": "GSM610"},
    "ulaw.wav": {"subtype": "ULAW"},
    "big.wav": {"endian": "BIG"},
    "x.wav": {"format": "WAVEX"},
    "rf64.wav": {"format": "RF64"},
    "a.w64": {"format": "W64"},
    "a.aiff": {"format": "AIFF"},
    "sowt.aiff": {"format": "AIFF", "endian": "LITTLE"},
    "ima.aiff": {"format": "AIFF", "subtype": "IMA_ADPCM"},
    "a.au": {"format": "AU"},
    "little.au": {"format": "AU", "endian": "LITTLE"},
    "a.caf": {"format": "CAF"},
    "a.sph": {"format": "NIST"},
}
"""Name of a file -> how it is written; each has a header that counts its sound."""


def seconds_cut(path: Path, seconds: float) -> RecordingCheck:
    """Cut the end of a file off, so many seconds of its sound, and check it."""
    size = path.stat().st_size
    path.write_bytes(path.read_bytes()[: -round(size * seconds / 3) or None])
    return check_recording(path)


@pytest.mark.parametrize("name", COUNTED)
def test_a_file_that_breaks_off_is_refused_with_how_much_is_there(write: Any, name: str) -> None:
    path = write(name, **COUNTED[name])
    assert check_recording(path).bad == ""
    found = seconds_cut(path, 1.2)
    kind, _, rest = found.bad.partition(": ")
    assert kind == "truncated", found
    there, promised = (float(word) for word in rest.split() if word[0].isdigit())
    assert abs(there - 1.8) < 0.06 and abs(promised - 3) < 0.07, found.bad


@pytest.mark.parametrize("name", COUNTED)
def test_a_twentieth_of_a_second_may_be_missing_and_nothing_is_padded(
    write: Any, name: str
) -> None:
    path = write(name, **COUNTED[name])
    whole = read_mono(path)
    found = seconds_cut(path, 0.05)
    assert (found.bad, found.doubts) == ("", ())
    heard = read_mono(path)
    assert 0.01 < (len(whole) - len(heard)) / 16_000 < 0.1
    assert np.array_equal(heard[:-400], whole[: len(heard) - 400])


@pytest.mark.parametrize(("cut", "bad"), [(0.9, ""), (1.5, "truncated")])
def test_of_a_long_file_half_a_percent_may_be_missing(
    tmp_path: Path, make: Any, cut: float, bad: str
) -> None:
    path = tmp_path / "long.wav"
    soundfile.write(path, np.tile(make.tone(1.0, 4_000), 240), 4_000)
    path.write_bytes(path.read_bytes()[: -round(cut * 8_000)])
    assert check_recording(path).bad.partition(":")[0] == bad


@pytest.mark.parametrize("at_a_frame", [False, True])
def test_a_flac_that_breaks_off_is_refused_between_frames_too(write: Any, at_a_frame: bool) -> None:
    path = write("a.flac")
    data = path.read_bytes()
    end = data.rindex(b"\xff\xf8", 0, len(data) * 6 // 10) if at_a_frame else len(data) * 6 // 10
    path.write_bytes(data[:end])
    kind = check_recording(path).bad.partition(":")[0]
    assert kind == ("truncated" if at_a_frame else "damaged or truncated")


@pytest.mark.parametrize("codec", ["VORBIS", "OPUS"])
@pytest.mark.parametrize("filled", [False, True])
def test_an_ogg_without_its_end_page_is_doubted(write: Any, codec: str, filled: bool) -> None:
    path = write("a.ogg", subtype=codec)
    assert check_recording(path).doubts == ()
    data = path.read_bytes()
    cut = data[: len(data) * 6 // 10]
    path.write_bytes(cut + bytes(len(data) - len(cut)) if filled else cut)
    found = check_recording(path)
    assert (found.bad, found.doubts) == ("", ("no end page: is the end lost?",))


def test_an_mp3_with_fewer_frames_than_its_header_counts_is_doubted(write: Any) -> None:
    path = write("a.mp3")
    assert check_recording(path).doubts == ()
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 6 // 10])
    found = check_recording(path)
    assert found.bad == "" and len(found.doubts) == 1
    assert found.doubts[0].startswith("fewer frames than its header counts: 1.")
    assert found.doubts[0].endswith(" s of 3.00 s are there")


@pytest.mark.parametrize("rate", [8_000, 16_000, 22_050, 32_000, 44_100, 48_000])
@pytest.mark.parametrize("mode", ["CONSTANT", "VARIABLE"])
def test_the_frames_of_an_mp3_hold_its_length(
    speech: Any, tmp_path: Path, rate: int, mode: str
) -> None:
    path = tmp_path / "a.mp3"
    with soundfile.SoundFile(path, "w", rate, 2, bitrate_mode=mode, compression_level=0.3) as file:
        file.write(np.stack([speech, speech / 2], axis=1))
    assert 0 <= seconds_in_frames(path) - 48_000 / rate < 0.4
    found = check_recording(path)
    assert (found.bad, found.doubts) == ("", ())


def test_an_mp3_of_which_less_is_read_than_it_holds_is_doubted(
    speech: Any, write: Any, tmp_path: Path
) -> None:
    joined = write("a.mp3")
    joined.write_bytes(joined.read_bytes() * 2)
    (doubt,) = check_recording(joined).doubts
    assert doubt.startswith("read in part: 3.00 s of 6.")
    path = tmp_path / "b.mp3"
    quiet = np.tile(speech / 300, 2)
    with soundfile.SoundFile(
        path, "w", 16_000, 1, bitrate_mode="VARIABLE", compression_level=0.2
    ) as file:
        file.write(np.concatenate([speech, quiet]))
    assert check_recording(path).doubts == ()
    data = path.read_bytes()
    path.write_bytes(data[data.index(b"\xff\xf3", data.index(b"Xing")) :])
    found = check_recording(path)
    assert found.seconds < 8
    assert found.doubts[-1].startswith("read in part: ")


@pytest.mark.parametrize("name", ["a.wav", "a.aiff", "a.w64", "a.au", "float.wav", "ulaw.wav"])
def test_a_copy_that_was_filled_up_is_doubted(write: Any, name: str) -> None:
    path = write(name, **COUNTED[name])
    data = path.read_bytes()
    cut = data[: len(data) * 6 // 10]
    path.write_bytes(cut + bytes(len(data) - len(cut)))
    what = "one value" if name == "ulaw.wav" else "zeros"
    found = check_recording(path)
    assert found.bad == ""
    assert any(doubt.startswith(f"ends in {what}: its last 1.2") for doubt in found.doubts), (
        found.doubts
    )


def test_speech_that_ends_in_half_a_second_of_silence_is_not_doubted(
    speech: Any, tmp_path: Path
) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, np.concatenate([speech, np.zeros(8_000, np.float32)]), 16_000)
    assert check_recording(path).doubts == ()


@pytest.mark.parametrize("name", COUNTED)
def test_bytes_behind_the_sound_are_left_alone(write: Any, name: str) -> None:
    path = write(name, **COUNTED[name])
    whole = read_mono(path)
    path.write_bytes(path.read_bytes() + b"TAG" + bytes(125))
    found = check_recording(path)
    assert (found.bad, found.doubts) == ("", ())
    assert np.array_equal(read_mono(path)[: len(whole)], whole)


def test_a_tag_in_front_hides_no_break(write: Any) -> None:
    path = write("a.wav")
    tag = b"ID3\x04\0\0\0\0\x02\0" + bytes(256)
    path.write_bytes(tag + path.read_bytes())
    found = check_recording(path)
    assert (found.seconds, found.bad, found.doubts) == (3.0, "", ())
    path.write_bytes(path.read_bytes()[:50_000])
    assert check_recording(path).bad == "truncated: 1.55 s of 3.00 s are there"


def test_of_ogg_streams_one_after_the_other_it_is_said_that_the_first_is_read(write: Any) -> None:
    path = write("a.ogg")
    path.write_bytes(path.read_bytes() * 2)
    found = check_recording(path)
    assert found.seconds == 3.0
    assert found.doubts == ("streams one after the other: 2, of which the first is read",)


def test_a_part_before_the_break_can_be_used_and_is_doubted(write: Any) -> None:
    path = write("a.wav")
    seconds_cut(path, 1.2)
    inside, across = (check_recording(path, 0.5, end) for end in (1.5, 2.5))
    assert inside.bad == "" and inside.seconds == 1.0
    assert inside.doubts == ("its file is truncated: 1.80 s of 3.00 s are there",)
    assert across.bad == "ends after 1.80 s, but its part at 2.5 s"


def test_a_part_that_an_mp3_only_counts_is_refused(write: Any) -> None:
    path = write("a.mp3")
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    assert check_recording(path, 0.2, 0.8).bad == ""
    assert check_recording(path, 2.0, 2.8).bad.endswith("but its part at 2.8 s")


# --- headers that writers leave which cannot seek -------------------------------------------


def replaced(path: Path, mark: bytes, offset: int, number: bytes) -> Path:
    """Replace bytes that lie at an offset from the first place of a mark."""
    data = bytearray(path.read_bytes())
    at = data.index(mark) + offset
    data[at : at + len(number)] = number
    path.write_bytes(data)
    return path


L, B = (lambda n: struct.pack("<I", n)), (lambda n: struct.pack(">I", n))
STREAMED: dict[str, tuple[str, bytes, int, bytes]] = {
    "SoX, WAV": ("a.wav", b"data", 4, L(0x7FFFF000)),
    "SoX, WAV of three bytes": ("24.wav", b"data", 4, L(0x7FFFF000 - 0x7FFFF000 % 3)),
    "ALSA, WAV": ("a.wav", b"data", 4, L(0x80000000)),
    "FFmpeg, WAV": ("a.wav", b"data", 4, L(0xFFFFFFFF)),
    "big-endian WAV": ("big.wav", b"data", 4, B(0xFFFFFFFF)),
    "less its header, WAV": ("a.wav", b"data", 4, L(0xFFFFFFFF - 36)),
    "RF64": ("rf64.wav", b"ds64", 16, b"\xff" * 8),
    "FFmpeg, W64": ("a.w64", b"data", 16, struct.pack("<Q", (1 << 63) - 1)),
    "AU": ("a.au", b".snd", 8, B(0xFFFFFFFF)),
    "SoX, AIFF": ("a.aiff", b"SSND", 4, B(0x7F000008)),
    "CAF": ("a.caf", b"data", 4, b"\xff" * 8),
}
"""Who writes it -> file, and where which number stands that says nothing of the length."""
ZERO: dict[str, tuple[str, bytes, int, bytes]] = {
    "WAV": ("a.wav", b"data", 4, L(0)),
    "WAV of GSM": ("gsm.wav", b"data", 4, L(0)),
    "RF64": ("rf64.wav", b"ds64", 16, bytes(8)),
    "W64": ("a.w64", b"data", 16, struct.pack("<Q", 24)),
    "AU": ("a.au", b".snd", 8, B(0)),
    "CAF": ("a.caf", b"data", 4, struct.pack(">Q", 4)),
    "CAF of nothing": ("a.caf", b"data", 4, bytes(8)),
}
"""Format -> file, and where a 0 stands instead of the length."""


@pytest.mark.parametrize("writer", STREAMED)
def test_a_placeholder_of_a_streaming_writer_is_read_to_the_end(write: Any, writer: str) -> None:
    name, mark, offset, number = STREAMED[writer]
    path = write(name, **COUNTED[name])
    whole = read_mono(path)
    replaced(path, mark, offset, number)
    found = check_recording(path)
    assert (found.bad, found.doubts) == ("", ())
    assert np.array_equal(read_mono(path), whole)


def test_a_streamed_flac_counts_no_samples_and_is_read_to_the_end(write: Any) -> None:
    path = write("a.flac")
    whole = read_mono(path)
    data = bytearray(path.read_bytes())
    data[21] &= 0xF0  # the highest four of 36 bits
    data[22:26] = bytes(4)
    path.write_bytes(data)
    found = check_recording(path)
    assert (found.bad, found.doubts, found.seconds) == ("", (), 3.0)
    assert np.array_equal(read_mono(path), whole)
    assert np.array_equal(read_mono(path, start=1.0, end=2.0), whole[16_000:32_000])


@pytest.mark.parametrize("form", ZERO)
def test_a_header_that_says_nothing_is_mended_on_demand(write: Any, form: str) -> None:
    name, mark, offset, number = ZERO[form]
    path = write(name, **COUNTED[name])
    whole = read_mono(path)
    replaced(path, mark, offset, number)
    refused, mended = check_recording(path), check_recording(path, mend=True)
    assert refused.bad.startswith("its header says 0 samples, but 3.0")
    assert refused.bad.endswith("`--mend-headers` reads them")
    assert (mended.bad, mended.doubts) == ("", ())
    assert np.array_equal(read_mono(path, mend=True), whole)
    part = read_mono(path, mend=True, start=0.5, end=1.5)
    assert np.array_equal(part, whole[len(whole) // 6 : len(whole) // 2])


def test_an_aiff_that_was_never_closed_is_mended_on_demand(write: Any) -> None:
    path = write("a.aiff", format="AIFF")
    whole = read_mono(path)
    for mark, offset, number in ((b"SSND", 4, B(8)), (b"COMM", 10, B(0)), (b"FORM", 4, B(0))):
        replaced(path, mark, offset, number)
    assert check_recording(path).bad.startswith("its header says 0 samples, but 3.00 s")
    assert np.array_equal(read_mono(path, mend=True), whole)


@pytest.mark.parametrize("mend", [False, True])
def test_a_header_that_rightly_says_0_stays_empty(tmp_path: Path, mend: bool) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, np.zeros(0), 16_000)
    note = b"hello" * 2_000
    path.write_bytes(path.read_bytes() + b"LIST" + L(len(note)) + note)
    assert check_recording(path, mend=mend).bad == "without a sample"


def test_a_header_that_counts_less_than_follows_is_doubted(write: Any) -> None:
    path = replaced(write("a.wav"), b"data", 4, L(40_000))
    found = check_recording(path)
    assert found.seconds == 1.25
    assert found.doubts == ("its header counts 1.25 s, but 1.75 s follow",)
