"""Recordings whose headers lie about their length take no more memory than their bytes fill."""

import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from features.audio import check_recording
from features.decoding import decoder

RATE = 16_000
MOST_MIB = 1_500
LIES: dict[str, tuple[bytes, int, bytes]] = {
    "a.wav": (b"data", 4, struct.pack("<I", 0xF0000000)),
    "a.au": (b".snd", 8, struct.pack(">I", 0xF0000000)),
    "a.caf": (b"data", 4, struct.pack(">Q", 1 << 60)),
    "a.w64": (b"data", 16, struct.pack("<Q", 1 << 60)),
    "a.aiff": (b"COMM", 10, struct.pack(">I", 0xF0000000)),
    "a.flac": (b"fLaC", 21, b"\xff\xff\xff\xff\xff"),
    "a.mp3": (b"\xff\xfb", 0, b""),
}
"""Name of a file -> mark, offset from it, and the number that stands there instead."""


@pytest.mark.parametrize("name", LIES)
def test_a_header_that_lies_about_the_length_takes_no_memory(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    noise = np.random.default_rng(1).standard_normal(RATE) * 0.1
    soundfile.write(path, noise, RATE)
    data = bytearray(path.read_bytes())
    mark, offset, number = LIES[name]
    if name == "a.mp3":  # the number of frames in its first one
        mark, offset, number = b"Xing" if b"Xing" in data else b"Info", 8, b"\x7f\xff\xff\xff"
    at = data.index(mark) + offset
    data[at : at + len(number)] = number
    path.write_bytes(data)
    code = (
        "import resource, sys; from pathlib import Path\n"
        "from features.audio import check_recording\n"
        f"resource.setrlimit(resource.RLIMIT_AS, ({MOST_MIB} << 20, {MOST_MIB} << 20))\n"
        "found = check_recording(Path(sys.argv[1])); print(bool(found.bad or found.doubts))\n"
        "from features.audio import read_mono; from features.errors import ShardDamageError\n"
        "try: print(len(read_mono(Path(sys.argv[1]))))\n"
        "except ShardDamageError: print('refused')"
    )
    ended = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True)
    assert (ended.returncode, ended.stderr) == (0, ""), ended.stderr
    noticed, samples = ended.stdout.split()
    assert noticed == "True" or name == "a.aiff"  # whose other number counts
    assert samples == "refused" or RATE <= int(samples) < 1.1 * RATE


def test_what_unpacks_to_days_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "silence.flac"
    soundfile.write(path, np.zeros(120 * RATE, np.int16), RATE)
    assert check_recording(path).bad == "" and path.stat().st_size < 20_000
    monkeypatch.setattr(decoder, "LONGEST_S", 60)
    assert check_recording(path).bad.endswith("or its header is broken")
