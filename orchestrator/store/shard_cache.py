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

from orchestrator.store import files
from orchestrator.store.files import Location, files_in, replace_file
from orchestrator.store.ledger import Ledger


def fetch(ledger: Ledger, keys: Iterable[str]) -> None:
    """Copy those shards that the store has and this machine lacks.

    Workers of one machine that want the same at the same time wait for the first.
    """
    if not files.is_remote(ledger.root):
        return
    lacking = [key for key in keys if not (ledger.shards / f"{key}.json").exists()]
    if not lacking:
        return
    with _alone(ledger.shards):
        kept = _by_key(ledger.kept_shards)
        for key in lacking:
            if not (ledger.shards / f"{key}.json").exists():
                _copy(kept.get(key, []), ledger.shards)


def publish(ledger: Ledger, keys: Iterable[str]) -> None:
    """Copy those shards that this machine has and the store lacks."""
    if not files.is_remote(ledger.root):
        return
    here, kept = _by_key(ledger.shards), _by_key(ledger.kept_shards)
    for key in keys:
        there = {path.name for path in kept.get(key, [])}
        if f"{key}.json" not in there:
            _copy(here.get(key, []), ledger.kept_shards)


def fetch_all_anew(ledger: Ledger) -> None:
    """Make this machine's copies what the store holds, byte for byte."""
    if not files.is_remote(ledger.root):
        return
    with _alone(ledger.shards):
        for paths in _by_key(ledger.shards).values():
            for path in paths:
                path.unlink()
        for paths in _by_key(ledger.kept_shards).values():
            _copy(paths, ledger.shards)


def remove(ledger: Ledger, names: Iterable[str]) -> None:
    """Delete files from the store that were deleted here."""
    if files.is_remote(ledger.root):
        for name in names:
            (ledger.kept_shards / name).unlink(missing_ok=True)


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
