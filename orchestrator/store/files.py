"""Files that are either whole or not there, in a folder or in an object store.

In a folder a file is written beside its target and synced, then renamed or linked, then the folder
is synced. In an object store an object is always whole; it is created once by a conditional write
(`If-None-Match: *`), which not every service honours: `refuse_overwriting` tests that.

Light to import.
"""

import errno
import json
import os
import secrets
import stat
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from orchestrator.errors import DamageError, LackError
from orchestrator.store.paths import Location, is_remote

AT_ONCE = 16
"""The number of requests to an object store that run at the same time."""

FEW = 8
"""Up to so many folders of an object store are listed one by one; more, by one listing of all."""

MOST_BYTES = 64 * 1024**2
"""The largest JSON text that is read: 64 MiB, in bytes.

An outcome has a few KiB, a corpus of ten thousand files 4 MiB.
"""

MOST_TENSORS = 4 * 1024**3
"""The largest file of tensors or predictions that is read: 4 GiB, in bytes."""

_T = TypeVar("_T")
_K = TypeVar("_K")


@dataclass(frozen=True, slots=True)
class FileEntry:
    """A file in the listing of a folder."""

    path: Location
    """The whole path, to read or remove the file by."""
    name: str
    """The path relative to the listed folder, with forward slashes."""
    size: int
    """Size in bytes."""
    modified: float
    """When it was last written, in seconds since 1970, by the clock of the store."""


def is_refusal(error: BaseException) -> bool:
    """Whether the file system or the object store raised it (refused, full, out of reach)."""
    return isinstance(error, OSError) or any(
        kind.__module__ == "botocore.exceptions" for kind in type(error).__mro__
    )


NOT_OURS = (errno.ELOOP, errno.EINVAL, errno.EFBIG)
"""Error numbers of `read` for a link, for no regular file, and for a file that is too large.

This program writes none of these.
"""


def read(path: Location, most: int = MOST_BYTES) -> bytes:
    """Read a file of the store, which somebody else may have made.

    Args:
        path: the file.
        most: the largest size that is read, in bytes.

    Raises:
        FileNotFoundError: there is no such file.
        OSError: it is a link (which could lead anywhere), no regular file (a pipe would wait for
            ever) or larger than `most` bytes.
    """
    if not isinstance(path, Path):
        blob = path.read_bytes()
        _refuse_large(len(blob), most)
        return blob
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    with open(handle, "rb") as file:
        found = os.fstat(handle)
        if not stat.S_ISREG(found.st_mode):
            raise OSError(errno.EINVAL, "it is no regular file")
        _refuse_large(found.st_size, most)
        return file.read()


def read_json(path: Location, most: int = MOST_BYTES) -> Any:
    """Read a JSON file of at most ``most`` bytes.

    Raises:
        OSError: as ``read``.
        ValueError: as ``parse``.
    """
    return parse(read(path, most))


def read_record(path: Location) -> Any:
    """Read a JSON file that must exist, since this program wrote it.

    Raises:
        DamageError: it is missing, no regular file or no JSON text.
        OSError: the system refuses to read it.
    """
    try:
        return read_json(path)
    except OSError as error:
        if not isinstance(error, FileNotFoundError) and error.errno not in NOT_OURS:
            raise
        reason = error.strerror or "it is gone"
        raise DamageError(f"`{path}` cannot be read: {reason}. Move it away.") from None
    except ValueError:
        raise DamageError(
            f"`{path}` is damaged: it must be a JSON text. Move it away and run again."
        ) from None


def parse(blob: bytes) -> Any:
    """Parse a JSON text as ``json.loads`` does, but refuse NaN and infinities.

    Raises:
        ValueError: it is no JSON text, holds NaN or an infinity, or is nested too deeply.
    """
    try:
        return json.loads(blob, parse_constant=_refuse_constant)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no number of JSON")


def _refuse_large(size: int, most: int) -> None:
    if size > most:
        raise OSError(errno.EFBIG, f"it has {size} bytes, more than the {most} that are read")


def replace_file(path: Location, blob: bytes) -> None:
    """Write a file in one step: readers see the old bytes or the new ones, never a part."""
    if not isinstance(path, Path):
        path.write_bytes(blob)
        return
    temporary = _write_temporary(path, blob)
    os.replace(temporary, path)
    _sync_folder(path.parent)


def create_once(path: Location, blob: bytes) -> bool:
    """Create a file in one step, unless it exists; of two writers at once, one succeeds.

    Returns:
        True when this call created the file; False when it exists already, and then stays as it is.
    """
    if path.exists():
        return False
    if not isinstance(path, Path):
        return _put_once(path, blob)
    temporary = _write_temporary(path, blob)
    try:
        os.link(temporary, path)
    except FileExistsError:
        return False
    finally:
        temporary.unlink(missing_ok=True)
    _sync_folder(path.parent)
    return True


def take(path: Location) -> bytes | None:
    """Remove a file and return its bytes; None when there is no such file.

    Of two processes that take it at once, one gets the bytes; in an object store both may.
    """
    try:
        if not isinstance(path, Path):
            blob = path.read_bytes()
            path.unlink()
            return blob
        aside = path.with_name(f".{path.name}.{secrets.token_hex(6)}.taken")
        os.rename(path, aside)
    except FileNotFoundError:
        return None
    try:
        return read(aside)
    finally:
        aside.unlink()


def touch(path: Location) -> None:
    """Set a file's time of last change to now."""
    if isinstance(path, Path):
        os.utime(path)
    else:
        path.write_bytes(path.read_bytes())


def files_in(folder: Location, pattern: str) -> list[Location]:
    """The files and folders right in a folder whose names match, sorted by name.

    Args:
        folder: the folder; one that does not exist gives an empty list.
        pattern: a glob pattern of the name, with `*` and `?`.
    """
    found: Iterable[Location] = folder.glob(pattern)
    return sorted(found, key=lambda path: path.name)


def names_in(folder: Location, below: Iterable[str]) -> dict[str, set[str]]:
    """The names of the files right in each of some subfolders.

    Args:
        folder: the folder with the subfolders.
        below: names of the subfolders.

    Returns:
        Name of the subfolder -> names in it; an empty set for a subfolder that does not exist.
    """
    found: dict[str, set[str]] = {name: set() for name in below}
    if isinstance(folder, Path):
        for name in found:
            found[name] = _names(folder / name)
        return found
    if len(found) <= FEW:
        for name in found:
            found[name] = {path.name for path in files_in(folder / name, "*")}
        return found
    prefix = folder.path.rstrip("/") + "/"
    for key in folder.fs.find(folder.path):
        name, _, file = key.removeprefix(prefix).partition("/")
        if name in found and file and "/" not in file:
            found[name].add(file)
    return found


def folders_in(folder: Location) -> list[str]:
    """Names of the folders right in a folder, sorted, without links; empty if it does not exist."""
    if isinstance(folder, Path):
        try:
            with os.scandir(folder) as entries:
                return sorted(e.name for e in entries if e.is_dir(follow_symlinks=False))
        except (FileNotFoundError, NotADirectoryError):
            return []
    try:
        listed = folder.fs.ls(folder.path, detail=True)
    except FileNotFoundError:
        return []
    return sorted(e["name"].rpartition("/")[2] for e in listed if e["type"] == "directory")


def every_file(folder: Location) -> list[FileEntry]:
    """All files below a folder at any depth, sorted by name; links are listed but not followed."""
    if not isinstance(folder, Path):
        prefix = folder.path.rstrip("/") + "/"
        kept = folder.fs.find(folder.path, detail=True)
        return [
            FileEntry(folder / name, name, int(about["size"]), about["LastModified"].timestamp())
            for key, about in sorted(kept.items())
            if (name := key.removeprefix(prefix))
        ]
    found = []
    for where, folders, names in os.walk(folder):
        links = [name for name in folders if os.path.islink(os.path.join(where, name))]
        for path in (Path(where, name) for name in (*names, *links)):
            with suppress(FileNotFoundError):
                about = path.lstat()
                name = path.relative_to(folder).as_posix()
                found.append(FileEntry(path, name, about.st_size, about.st_mtime))
    return sorted(found, key=lambda file: file.name)


def in_parallel(store: Location, work: Callable[[_K], _T], items: Sequence[_K]) -> list[_T]:
    """Apply ``work`` to each item; the results have the order of the items.

    Args:
        store: an object store is asked by ``AT_ONCE`` threads; for a folder it is a plain loop.
        work: a function of one item, safe to call from several threads.
        items: the arguments.
    """
    if not is_remote(store) or not items:
        return [work(item) for item in items]
    with ThreadPoolExecutor(AT_ONCE) as threads:
        return list(threads.map(work, items))


def remove_empty(folder: Location) -> None:
    """Remove a folder if it is empty, else do nothing; an object store has no folders."""
    if isinstance(folder, Path):
        with suppress(OSError):
            folder.rmdir()


def refuse_overwriting(marker: Location) -> None:
    """Test that an object store refuses to create an object that exists (conditional writes).

    Does nothing for a store that is a folder.

    Args:
        marker: a file of the store that exists.

    Raises:
        LackError: it does not refuse, so a second record could overwrite the first.
    """
    if not isinstance(marker, Path) and _put_once(marker, marker.read_bytes() + b"\n"):
        raise LackError(
            f"The object store of `{marker.parent}` does not honour conditional writes "
            "(If-None-Match), so two runs could overwrite each other's records: use a folder, or "
            "a newer service."
        )


def _put_once(path: Location, blob: bytes) -> bool:
    try:
        with path.open("xb") as file:
            file.write(blob)
    except FileExistsError:
        # A write whose answer was lost is repeated, and then meets itself.
        return bool(path.read_bytes() == blob)
    return True


def _names(folder: Path) -> set[str]:
    try:
        return set(os.listdir(folder))
    except (FileNotFoundError, NotADirectoryError):
        return set()


def _write_temporary(path: Path, blob: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(6)}.tmp")
    try:
        with temporary.open("xb") as file:
            file.write(blob)
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    return temporary


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
