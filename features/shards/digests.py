"""The sha256 of a file's bytes, read once per machine and version of the file.

A digest takes as long as reading the whole file, and a trial that maps its shards reads little. So
what one process has computed is cached for the others of this machine, by path, size, times and
inode of the file, until the machine starts again. The cache may be deleted at any time; where it
cannot be written, each process computes for itself. `verify` always reads the bytes.
"""

import hashlib
import os
import secrets
import shutil
from contextlib import suppress
from pathlib import Path

_known: dict[str, str] = {}
"""Version of a file -> sha256, computed or read from the cache by this process."""


def sha256_of(path: Path, *, reread: bool = False) -> str:
    """Compute the sha256 of a file's bytes, as 64 hexadecimal digits.

    Args:
        path: the file.
        reread: read the bytes even where this version of the file was read before.

    Raises:
        OSError: the file cannot be read.
    """
    version = _version(path)
    if reread or version not in _known:
        _known[version] = (not reread and _recall(version)) or _read(path, version)
    return _known[version]


def _read(path: Path, version: str) -> str:
    with open(path, "rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    with suppress(OSError):
        _remember(version, digest)
    return digest


def _version(path: Path) -> str:
    """Name this version of a file; any write to it, and any touch, gives another name."""
    s = path.stat()
    identity = (str(path.absolute()), s.st_size, s.st_mtime_ns, s.st_ctime_ns, s.st_ino, s.st_dev)
    return hashlib.sha256(repr(identity).encode()).hexdigest()


def _recall(version: str) -> str:
    try:
        return (_folder() / version).read_text("ascii")
    except (OSError, ValueError):
        return ""


def _remember(version: str, digest: str) -> None:
    folder = _folder()
    if not folder.exists():
        shutil.rmtree(folder.parent, ignore_errors=True)  # digests from before the last start
        folder.mkdir(parents=True, mode=0o700)
    temporary = folder / f".{secrets.token_hex(8)}"
    temporary.write_text(digest, "ascii")
    os.replace(temporary, folder / version)


def _folder() -> Path:
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return cache / "ablate" / "proven" / _start()


def _start() -> str:
    """Name the time since the machine started, where the system has a name for it."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
    except OSError:
        return "always"
