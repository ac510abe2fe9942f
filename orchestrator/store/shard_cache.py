"""The shards of an object store on this machine: fetched when needed, published when built.

Shards are mapped into memory, so each machine keeps files of its own, in a cache that may be
deleted at any time. Their names hold what they are (a key, and the digest of the bytes), so a
copy never grows old; it is proven when it is opened, like any other shard. In a store that is a
folder, there is nothing to do here.

A shard's files begin with its key and a dot; the one that ends in `.json` is the manifest, which
makes the others valid and therefore travels last.
"""

import fcntl
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from orchestrator.store.files import files_in, replace_file
from orchestrator.store.ledger import Ledger
from orchestrator.store.paths import Location, is_remote


def fetch(ledger: Ledger, keys: Iterable[str]) -> None:
    """Copy those shards that the store has and this machine lacks.

    Workers of one machine that want the same at the same time wait for the first.
    """
    if not is_remote(ledger.root):
        return
    lacking = [key for key in keys if not (ledger.paths.local_shards / _manifest(key)).exists()]
    if not lacking:
        return
    with _alone(ledger.paths.local_shards):
        kept = _by_key(ledger.paths.shards)
        for key in lacking:
            if not (ledger.paths.local_shards / _manifest(key)).exists():
                _copy(kept.get(key, []), ledger.paths.local_shards)


def publish(ledger: Ledger, keys: Iterable[str]) -> None:
    """Copy those shards that this machine has and the store lacks."""
    if not is_remote(ledger.root):
        return
    here, kept = _by_key(ledger.paths.local_shards), _by_key(ledger.paths.shards)
    for key in keys:
        there = {path.name for path in kept.get(key, [])}
        if _manifest(key) not in there:
            _copy(here.get(key, []), ledger.paths.shards)


def fetch_all_anew(ledger: Ledger) -> None:
    """Make this machine's copies what the store holds, byte for byte."""
    if not is_remote(ledger.root):
        return
    with _alone(ledger.paths.local_shards):
        for paths in _by_key(ledger.paths.local_shards).values():
            for path in paths:
                path.unlink()
        for paths in _by_key(ledger.paths.shards).values():
            _copy(paths, ledger.paths.local_shards)


def remove(ledger: Ledger, names: Iterable[str]) -> None:
    """Delete files from the store that were deleted here."""
    if is_remote(ledger.root):
        for name in names:
            (ledger.paths.shards / name).unlink(missing_ok=True)


def _manifest(key: str) -> str:
    return f"{key}.json"


def _copy(paths: list[Location], folder: Location) -> None:
    for path in sorted(paths, key=lambda p: (p.suffix == ".json", p.name)):
        replace_file(folder / path.name, path.read_bytes())


def _by_key(folder: Location) -> dict[str, list[Location]]:
    """Key -> files; what is hidden is being written."""
    found: dict[str, list[Location]] = {}
    for path in files_in(folder, "*"):
        if not path.name.startswith("."):
            found.setdefault(path.name.partition(".")[0], []).append(path)
    return found


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """One process of this machine at a time; the system frees the lock of one that dies."""
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / ".lock", "wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
