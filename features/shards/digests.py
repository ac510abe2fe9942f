"""The sha256 of a file's bytes, cached on this machine so that each file is read once.

A digest takes as long as reading the whole file, and a trial that memory-maps its shards reads
little. So a digest that one process has computed is cached for the others of this machine, by path,
size, times and inode of the file, until the machine starts again. The cache may be deleted at any
time; where it cannot be written, each process computes for itself. `verify` always reads the bytes.
"""

import hashlib
import os
import secrets
import shutil
from contextlib import suppress
from pathlib import Path

_known: dict[str, str] = {}
"""Result of `_version` -> sha256, for the files that this process has asked for."""


def sha256_of(path: Path, *, reread: bool = False) -> str:
    """Return the sha256 of a file's bytes, as 64 hexadecimal digits, from the cache if possible.

    Args:
        path: the file.
        reread: read the bytes even if the cache has the digest.

    Raises:
        OSError: the file cannot be read.
    """
    version = _version(path)
    if reread or version not in _known:
        _known[version] = (not reread and _recall(version)) or _read(path, version)
    return _known[version]


def _read(path: Path, version: str) -> str:
    """Hash the bytes of a file and store the digest in the cache, if that can be written."""
    with open(path, "rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    with suppress(OSError):
        _remember(version, digest)
    return digest


def _version(path: Path) -> str:
    """Hash path, size, times and inode of a file: any write to the file changes the result."""
    s = path.stat()
    identity = (str(path.absolute()), s.st_size, s.st_mtime_ns, s.st_ctime_ns, s.st_ino, s.st_dev)
    return hashlib.sha256(repr(identity).encode()).hexdigest()


def _recall(version: str) -> str:
    """Return the cached digest of a version of a file; empty if the cache has none."""
    try:
        return (_folder() / version).read_text("ascii")
    except (OSError, ValueError):
        return ""


def _remember(version: str, digest: str) -> None:
    """Store a digest in the cache; the first one after a restart deletes those from before.

    Raises:
        OSError: the cache cannot be written.
    """
    folder = _folder()
    if not folder.exists():
        shutil.rmtree(folder.parent, ignore_errors=True)  # digests from before the last start
        folder.mkdir(parents=True, mode=0o700)
    temporary = folder / f".{secrets.token_hex(8)}"
    temporary.write_text(digest, "ascii")
    os.replace(temporary, folder / version)


def _folder() -> Path:
    """Return the folder of the cache since the last start of the machine; it may not exist."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return cache / "ablate" / "proven" / _start()


def _start() -> str:
    """Return an id that changes when the machine restarts (Linux); ``always`` on other systems."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
    except OSError:
        return "always"
