"""Copies of an object store's shards on this machine: fetched when needed, published when built.

Shards are mapped into memory, so each machine keeps files of its own, in a cache that may be
deleted at any time. A shard's name holds its key and the digest of its bytes, so a copy is never
out of date; its bytes are checked when it is opened, like those of any shard. For a store that is
a folder, every function here does nothing.

The files of a shard begin with its key and a dot. The one that ends in `.json` is the manifest:
it makes the others valid, so it is copied last.
"""

import fcntl
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from orchestrator.store.files import files_in, replace_file
from orchestrator.store.ledger import Ledger
from orchestrator.store.paths import Location, is_remote


def fetch(ledger: Ledger, keys: Iterable[str]) -> None:
    """Copy the shards that this machine's cache lacks from the object store.

    One worker of a machine copies at a time; the others wait for it.

    Args:
        ledger: the store.
        keys: keys of the shards that are needed.
    """
    if not is_remote(ledger.root):
        return
    lacking = [key for key in keys if not (ledger.paths.local_shards / _manifest(key)).exists()]
    if not lacking:
        return
    with _alone(ledger.paths.local_shards):
        shared = _by_key(ledger.paths.shards)
        for key in lacking:
            if not (ledger.paths.local_shards / _manifest(key)).exists():
                _copy(shared.get(key, []), ledger.paths.local_shards)


def publish(ledger: Ledger, keys: Iterable[str]) -> None:
    """Copy shards from this machine's cache to the object store, where that lacks them.

    Args:
        ledger: the store.
        keys: keys of the shards that were built here.
    """
    if not is_remote(ledger.root):
        return
    local, shared = _by_key(ledger.paths.local_shards), _by_key(ledger.paths.shards)
    for key in keys:
        if _manifest(key) not in {path.name for path in shared.get(key, [])}:
            _copy(local.get(key, []), ledger.paths.shards)


def fetch_all_anew(ledger: Ledger) -> None:
    """Empty this machine's cache and copy all shards of the object store into it."""
    if not is_remote(ledger.root):
        return
    with _alone(ledger.paths.local_shards):
        for paths in _by_key(ledger.paths.local_shards).values():
            for path in paths:
                path.unlink()
        for paths in _by_key(ledger.paths.shards).values():
            _copy(paths, ledger.paths.local_shards)


def remove(ledger: Ledger, names: Iterable[str]) -> None:
    """Delete files of shards from the object store.

    Args:
        ledger: the store.
        names: file names of shards that were deleted from this machine's cache.
    """
    if is_remote(ledger.root):
        for name in names:
            (ledger.paths.shards / name).unlink(missing_ok=True)


def _manifest(key: str) -> str:
    return f"{key}.json"


def _copy(paths: list[Location], folder: Location) -> None:
    for path in sorted(paths, key=lambda p: (p.suffix == ".json", p.name)):
        replace_file(folder / path.name, path.read_bytes())


def _by_key(folder: Location) -> dict[str, list[Location]]:
    """Key of a shard -> its files; a hidden file is left out, since it is still being written."""
    found: dict[str, list[Location]] = {}
    for path in files_in(folder, "*"):
        if not path.name.startswith("."):
            found.setdefault(path.name.partition(".")[0], []).append(path)
    return found


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Hold a lock on the folder: one process of this machine at a time; a dead process frees it."""
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / ".lock", "wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
