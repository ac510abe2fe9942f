"""Digests are proven once per machine and version of a file, and never believed for another."""

import hashlib
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from features.shards import digests
from features.shards.digests import sha256_of


@pytest.fixture(autouse=True)
def fresh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(digests, "_known", {})
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


def forget(monkeypatch: pytest.MonkeyPatch) -> None:
    """As another process of this machine, which knows nothing yet."""
    monkeypatch.setattr(digests, "_known", {})


def refuse(path: Path, version: str) -> str:
    raise AssertionError(f"{path} was read again")


def digest(blob: bytes) -> str:
    return hashlib.sha256(blob).hexdigest()


def test_what_one_process_proved_another_believes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "shard"
    file.write_bytes(b"data")
    code = (
        "import sys, pathlib, features.shards.digests as p; p.sha256_of(pathlib.Path(sys.argv[1]))"
    )
    subprocess.run([sys.executable, "-c", code, str(file)], check=True)
    monkeypatch.setattr(digests, "_read", refuse)
    assert sha256_of(file) == digest(b"data")


def test_changed_bytes_are_read_again_even_under_the_old_size_and_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "shard"
    file.write_bytes(b"data")
    before = file.stat()
    assert sha256_of(file) == digest(b"data")
    with file.open("r+b") as opened:
        opened.write(b"dat4")
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    forget(monkeypatch)
    assert sha256_of(file) == digest(b"dat4")


def test_asked_again_it_reads_whatever_it_knows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "shard"
    file.write_bytes(b"data")
    sha256_of(file)
    monkeypatch.setattr(digests, "_known", dict.fromkeys(digests._known, "wrong"))
    assert sha256_of(file) == "wrong" and sha256_of(file, reread=True) == digest(b"data")


def test_proofs_end_with_the_run_of_the_machine(
    tmp_path: Path, fresh: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "shard"
    file.write_bytes(b"data")
    sha256_of(file)
    (old,) = (fresh / "ablate" / "proven").iterdir()
    assert stat.S_IMODE(old.stat().st_mode) == 0o700
    monkeypatch.setattr(digests, "_start", lambda: "the-next-start")
    forget(monkeypatch)
    sha256_of(file)
    assert not old.exists()


def test_without_a_cache_each_process_proves_for_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "in-the-way").write_bytes(b"")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "in-the-way"))
    file = tmp_path / "shard"
    file.write_bytes(b"data")
    assert sha256_of(file) == digest(b"data")
