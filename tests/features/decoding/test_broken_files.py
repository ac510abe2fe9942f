"""Files broken at random, of every container, are used or refused by name, with no traceback."""

import subprocess
import sys
from pathlib import Path

import pytest

from features.audio import check_recording, read_mono
from features.errors import ShardDamageError
from tests.features.decoding.broken_files import CODECS, broken, write_whole

MOST_MIB = 1_500
"""Memory that a process may ask for which reads files of some ten thousand bytes, in MiB."""


def read_all(folder: Path, count: int, seed: int) -> int:
    """Check and read broken files, and return how many of them could be used."""
    usable = 0
    for path in broken(write_whole(folder / "whole"), folder / "broken", count, seed):
        before = path.read_bytes()
        found = check_recording(path)
        try:
            samples = read_mono(path)
        except ShardDamageError as error:
            assert found.bad, f"{path.name}: checked as whole, but {error}"
            assert str(path) in str(error)
        else:
            assert len(samples)
        usable += not found.bad
        assert path.read_bytes() == before
    return usable


@pytest.mark.parametrize("codec", CODECS)
def test_every_container_is_read_whole(tmp_path: Path, codec: str) -> None:
    (path,) = [p for p in write_whole(tmp_path) if p.name == f"whole.{codec}"]
    found = check_recording(path)
    assert found.bad == "" and 8_000 <= found.seconds * found.rate < 9_600, found


def limited(folder: Path, count: int, seed: int) -> None:
    """Read broken files in a process whose memory is limited."""
    code = (
        "import resource, sys; from pathlib import Path\n"
        "from tests.features.decoding.test_broken_files import MOST_MIB, read_all\n"
        "resource.setrlimit(resource.RLIMIT_AS, (MOST_MIB << 20, MOST_MIB << 20))\n"
        "print('usable', read_all(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])))"
    )
    root = Path(__file__).parents[3]
    ended = subprocess.run(
        [sys.executable, "-c", code, folder, str(count), str(seed)],
        capture_output=True,
        text=True,
        cwd=root,
    )
    assert ended.returncode == 0, ended.stderr[-4_000:]
    assert ended.stderr == ""
    word, usable = ended.stdout.split()
    assert word == "usable" and 0 < int(usable) < count


def test_some_broken_files_end_in_no_traceback(tmp_path: Path) -> None:
    limited(tmp_path, count=200, seed=16)


@pytest.mark.fuzz
@pytest.mark.parametrize("seed", range(4))
def test_two_thousand_broken_files_end_in_no_traceback(tmp_path: Path, seed: int) -> None:
    limited(tmp_path, count=500, seed=seed)
