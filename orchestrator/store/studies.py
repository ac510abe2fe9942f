"""Snapshots of studies in the store, and records of which searches' test scores were opened."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, replace
from typing import Any

from orchestrator.errors import DamageError
from orchestrator.store import files
from orchestrator.store.files import create_once
from orchestrator.store.paths import Location, StorePaths
from orchestrator.store.records import Opening
from orchestrator.store.snapshot import Snapshot
from orchestrator.study.canonical import canonical, digest


class Studies:
    """Reads and writes the snapshots and openings of one store."""

    def __init__(self, paths: StorePaths) -> None:
        self._paths = paths

    # --- snapshots -------------------------------------------------------------------------

    def write_snapshot(self, name: str, record: Mapping[str, Any]) -> Location:
        """Write the snapshot of a study; if an equal one exists, only set its time to now.

        Args:
            name: name of the study.
            record: the snapshot as ``Snapshot.to_json`` gives it.

        Returns:
            The path of the snapshot.
        """
        path = self._paths.snapshot_file(name, digest(record))
        if not create_once(path, canonical(record).encode()):
            files.touch(path)
        return path

    def snapshots(self, name: str = "*") -> list[Snapshot]:
        """All snapshots, or those of one study, the last written first.

        Args:
            name: name of the study; ``*`` stands for all.

        Raises:
            DamageError: one is not what was written.
        """
        return list(self.iter_snapshots(name))

    def iter_snapshots(self, name: str) -> Iterator[Snapshot]:
        """The snapshots of one study, the last written first, each read when it is its turn.

        A search has many: one a generation of configurations.

        Raises:
            DamageError: one is not what was written.
        """
        return map(read_snapshot, self.snapshot_files(name))

    def snapshot_files(self, name: str = "*") -> list[Location]:
        """Paths of all snapshots, or of one study's, the last written first (by file times)."""
        paths = files.files_in(self._paths.studies, f"{name}@*.json")
        return sorted(paths, key=lambda p: (p.stat().st_mtime_ns, p.name), reverse=True)

    # --- openings of test scores -----------------------------------------------------------

    def write_opening(self, opening: Opening) -> bool:
        """Record that the test scores of a search were opened (from now on shown).

        Returns:
            True when this is new; False when the same opening was recorded before.
        """
        path = self._paths.opening_file(opening.key, opening.configurations)
        return create_once(path, canonical(asdict(opening)).encode())

    def openings(self) -> list[Opening]:
        """Every opening of the test scores of a search, the oldest first.

        Raises:
            DamageError: one is not what was written.
        """
        found = []
        for path in files.files_in(self._paths.searches, "*@*.json"):
            try:
                record = files.read_json(path)
                opening = Opening(**{"key": path.name.partition("@")[0], **record})
                found.append(replace(opening, opened=float(opening.opened)))
            except (OSError, KeyError, TypeError, ValueError) as error:
                if files.is_refusal(error) and not isinstance(error, FileNotFoundError):
                    raise
                raise DamageError(
                    f"`{path}`, which says that the test scores of a search were opened, is not "
                    "what was written: mend it from a copy. Without it nobody can tell who looked."
                ) from None
        return sorted(found, key=lambda one: (one.opened, one.key))


def read_snapshot(path: Location) -> Snapshot:
    """Read a snapshot and check it against the digest in its file name.

    Raises:
        DamageError: it is not what was written.
    """
    record = files.read_record(path)
    try:
        if digest(record)[:12] == path.stem.rpartition("@")[2]:
            return Snapshot.from_json(record)
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError):
        pass  # as any other damage, below
    raise DamageError(f"The snapshot `{path}` is not what was written: move it away.")
