"""Codecs that cannot seek, codecs without a decoder, and what is no audio at all."""

import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from features.audio import check_recording, read_mono
from features.errors import ShardDamageError

FORWARD: dict[str, dict[str, str]] = {
    "gsm.wav": {"subtype": "GSM610"},
    "gsm.aiff": {"format": "AIFF", "subtype": "GSM610"},
    "gsm.w64": {"format": "W64", "subtype": "GSM610"},
    "g721.wav": {"subtype": "G721_32"},
    "nms.wav": {"subtype": "NMS_ADPCM_24"},
    "g723.au": {"format": "AU", "subtype": "G723_40"},
    "dwvw.aiff": {"format": "AIFF", "subtype": "DWVW_16"},
}
"""Name of a file -> its codec, which libsndfile decodes but cannot seek in."""


@pytest.mark.parametrize("name", FORWARD)
def test_a_codec_that_cannot_seek_is_read_from_the_front(
    write: Any, speech: Any, name: str
) -> None:
    path = write(name, **FORWARD[name])
    found = check_recording(path)
    assert (found.bad, found.doubts) == ("", ())
    assert abs(found.seconds - 3) < 0.03
    whole = read_mono(path)
    assert np.corrcoef(whole[: len(speech)], speech[: len(whole)])[0, 1] > 0.8
    part = read_mono(path, start=1.0, end=2.0)
    assert np.array_equal(part, whole[16_000:32_000])
    assert check_recording(path, 1.0, 2.0).seconds == 1.0


@pytest.mark.parametrize("name", ["a.mp3", "a.ogg", "a.flac", "a.wav"])
def test_other_codecs_give_the_samples_that_libsndfile_gives(write: Any, name: str) -> None:
    path = write(name)
    samples, _ = soundfile.read(path, dtype="float32")
    assert np.array_equal(read_mono(path), samples)
    with soundfile.SoundFile(path) as file:
        file.seek(16_000)
        assert np.array_equal(read_mono(path, start=1.0, end=2.0), file.read(16_000, "float32"))


PAD = bytes(range(256)) * 40


def riff(tag: int) -> bytes:
    form = struct.pack("<IHHIIHHH", 18, tag, 1, 16_000, 2_000, 1, 0, 0)
    return b"RIFF" + bytes(4) + b"WAVEfmt " + form + b"data" + struct.pack("<I", len(PAD)) + PAD


def mp4(brand: bytes, code: bytes = b"") -> bytes:
    box = b"stsd" + bytes(4) + struct.pack(">II", 1, 36) + code if code else b""
    return struct.pack(">I", 20) + b"ftyp" + brand + bytes(8) + PAD + box + PAD


UNDECODED = {
    "a.m4a": (mp4(b"M4A "), "AAC in MP4"),
    "b.m4a": (mp4(b"M4A ", b"alac"), "Apple Lossless in MP4"),
    "a.mp4": (mp4(b"isom", b"mp4a"), "AAC in MP4"),
    "b.mp4": (mp4(b"isom"), "MP4"),
    "a.3gp": (mp4(b"3gp4", b"samr"), "AMR in 3GP"),
    "a.mov": (mp4(b"qt  ", b"mp4a"), "AAC in QuickTime"),
    "a.aac": (b"\xff\xf1\x50\x80" + PAD, "AAC"),
    "a.webm": (b"\x1aE\xdf\xa3" + PAD, "WebM or Matroska"),
    "a.amr": (b"#!AMR\n" + PAD, "AMR"),
    "a.awb": (b"#!AMR-WB\n" + PAD, "AMR-WB"),
    "a.wma": (bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c") + PAD, "WMA"),
    "a.spx": (b"OggS\0\x02" + bytes(22) + b"Speex   1.2" + PAD, "Speex in OGG"),
    "g729.wav": (riff(0x83), "G.729 in WAV"),
    "aac.wav": (riff(0xFF), "AAC in WAV"),
    "strange.wav": (riff(0x1234), "codec 0x1234 in WAV"),
    "named.wav": (b"#!AMR\n" + PAD, "AMR"),
}
"""Name of a file -> its bytes, and what it is said to hold."""


@pytest.mark.parametrize("name", UNDECODED)
def test_what_has_no_decoder_is_named_with_the_command_that_converts_it(
    tmp_path: Path, name: str
) -> None:
    data, codec = UNDECODED[name]
    path = tmp_path / name
    path.write_bytes(data)
    made = "NEW" if path.suffix == ".wav" else "NAME"
    expected = (
        f"{codec}, which cannot be decoded here: `ffmpeg -i NAME{path.suffix} {made}.wav` "
        "converts it"
    )
    assert check_recording(path).bad == expected
    with pytest.raises(ShardDamageError, match=codec):
        read_mono(path)


@pytest.mark.parametrize(
    ("data", "bad"),
    [
        (b"<html>404</html>\n", "text, not audio"),
        ("Größe: 12\n".encode() * 900, "text, not audio"),
        (b"%PDF-1.7" + PAD, "a PDF, not audio"),
        (b"PK\x03\x04" + PAD, "a ZIP archive, not audio"),
        (PAD, "not audio, or truncated"),
        (b"RIFF", "not audio, or truncated"),
        (bytes(9_000), "zeros where its header should be"),
    ],
)
@pytest.mark.parametrize("ending", [".wav", ".raw"])
def test_what_is_no_audio_is_called_so(tmp_path: Path, data: bytes, bad: str, ending: str) -> None:
    path = tmp_path / f"a{ending}"
    path.write_bytes(data)
    assert check_recording(path).bad == bad


@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.ogg", "a.caf", "a.w64", "a.aiff"])
def test_text_in_front_of_a_header_is_named(write: Any, name: str) -> None:
    path = write(name)
    path.write_bytes(b"<html>404</html>\n" + path.read_bytes())
    bad = check_recording(path).bad
    if name == "a.w64":
        assert bad == "not audio, or truncated"
    else:
        assert bad == "text in front of its header: cut its first 17 bytes off"


def test_text_in_front_of_an_au_is_doubted_since_it_reads_as_noise(write: Any) -> None:
    path = write("a.au")
    path.write_bytes(b"<html>404</html>\n" + path.read_bytes())
    found = check_recording(path)
    assert found.bad == ""
    assert "text before its header: 17 bytes, and so all of it reads as noise" in found.doubts


def test_a_text_that_is_named_au_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.au"
    path.write_bytes(b"<html>404</html>\n" * 400)
    assert check_recording(path).bad == "text, not audio"


def test_an_au_without_a_header_is_doubted(write: Any) -> None:
    path = write("a.au", subtype="ULAW")
    path.write_bytes(path.read_bytes()[24:])
    found = check_recording(path)
    assert (found.bad, found.doubts) == ("", ("no header: read as mu-law at 8,000 Hz",))


@pytest.mark.parametrize(
    ("scale", "doubts"),
    [
        (0.5, ()),
        (20_000, ("far above full scale: its peak is 20,000 instead of 1, divide by 32,768?",)),
        (5e6, ("far above full scale: its peak is 5,000,000 instead of 1, divide by 8,388,608?",)),
        (2**40, ("far above full scale: its peak is 1,099,511,627,776 instead of 1",)),
    ],
)
@pytest.mark.parametrize("subtype", ["FLOAT", "DOUBLE"])
def test_floats_far_above_full_scale_are_a_doubt_of_their_own(
    speech: Any, tmp_path: Path, subtype: str, scale: float, doubts: tuple[str, ...]
) -> None:
    path = tmp_path / "a.wav"
    samples = speech.astype(np.float64)
    soundfile.write(path, samples / np.abs(samples).max() * scale, 16_000, subtype=subtype)
    assert check_recording(path).doubts == doubts


def test_decoders_write_nothing_to_the_terminal(write: Any) -> None:
    mp3, sds = write("a.mp3"), write("a.sds", format="SDS", subtype="PCM_16")
    data = mp3.read_bytes()
    mp3.write_bytes(data[:4_000] + bytes(3_000) + data[7_000:])
    data = sds.read_bytes()
    sds.write_bytes(data[:9_000] + bytes(300) + data[9_300:])
    code = (
        "import sys, soundfile; from pathlib import Path\n"
        "from features.audio import check_recording\n"
        "for path in sys.argv[1:]: check_recording(Path(path))\n"
        "print('end'); print('end', file=sys.stderr)"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code, mp3, sds], capture_output=True, text=True, check=True
    )
    assert (ended.stdout, ended.stderr) == ("end\n", "end\n")
    chatter = code.replace("check_recording(Path(path))", "soundfile.SoundFile(path).read()")
    chatter = chatter.replace("for path", "import contextlib\nfor path").replace(
        ": soundfile", ":\n  with contextlib.suppress(Exception): soundfile"
    )
    ended = subprocess.run(
        [sys.executable, "-c", chatter, mp3, sds], capture_output=True, text=True, check=True
    )
    assert "Note:" in ended.stderr and "Error" in ended.stdout  # as they do by themselves
