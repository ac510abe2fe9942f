"""``ablate gc``: finds the files of a store that no study needs, and removes them.

A study needs what its snapshot names: its trials, and the speech and features that they read. By
default every snapshot counts, also the earlier forms of a study, so that every table that was ever
printed can be printed again; with ``newest_only`` the newest form of each study counts. What a
living process holds by a lease is left alone, and so is every file whose name this program does
not give. A link is never followed.

A run plans, writes its snapshot, then reads the lease of `ablate gc`; a removal takes that lease,
then reads the snapshots. Whichever comes first, one of them sees the other, so no record that a
run counts as done is removed (the run waits, and plans again).
"""

import time
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from features.config import FeatureConfig
from features.corpora.corpus import Corpus
from features.errors import FeatureError
from features.shards import shards
from orchestrator.errors import DamageError, RequestError
from orchestrator.store import files, leases
from orchestrator.store.files import FileEntry
from orchestrator.store.ledger import Ledger
from orchestrator.store.paths import (
    ATTEMPT,
    CHECKPOINT,
    CHECKPOINT_FILE,
    CORPORA,
    LATE_OUTCOME,
    LEASE,
    NONCE,
    OUTCOME,
    RERUN,
    SELECTION_FILE,
    SELECTIONS,
    SHARD_FILE,
    SHARDS,
    STUDIES,
    TEMPORARY,
    TRIAL_ID,
    TRIALS,
    Location,
)
from orchestrator.store.snapshot import Snapshot, SnapshotSpeech
from orchestrator.store.studies import read_snapshot

GRACE_S = 3600.0
"""Seconds. A file younger than this stays though no record names it: its record may be written
soon."""
RUN_S = 30 * 86400.0
"""Seconds. A nonce (see ``paths.NONCE``) older than this is left over from a run that has ended."""

UnneededKind = Literal[
    "trial", "attempt", "checkpoint", "claim", "shard", "selection", "snapshot", "temporary"
]
"""What an item is; ``claim`` is a lease whose process is gone, ``snapshot`` an earlier form of a
study."""


@dataclass(frozen=True, kw_only=True, slots=True)
class UnneededItem:
    """One thing that no study needs, and its files, which are removed together."""

    kind: UnneededKind
    """What it is, such as ``checkpoint``."""
    name: str
    """Its path relative to the store, such as ``trials/<id>``."""
    why: str
    """Why it is unneeded, such as ``no study asks for it``."""
    files: tuple[FileEntry, ...]
    """All its files."""

    @property
    def size(self) -> int:
        """Sum of the sizes of its files, in bytes."""
        return sum(file.size for file in self.files)


@dataclass(frozen=True, kw_only=True, slots=True)
class GcScan:
    """The result of a scan: what may be removed, and what stays in doubt."""

    unneeded: tuple[UnneededItem, ...]
    """What no study needs; of ``remove``, what was removed."""
    left_alone: tuple[str, ...]
    """One sentence for each thing that stays though it may be unneeded: what it is, and why it
    stays."""


def scan(ledger: Ledger, *, newest_only: bool = False) -> GcScan:
    """Find the files of a store that no study needs; removes nothing.

    Args:
        ledger: the store.
        newest_only: whether only the newest snapshot of each study counts, and not the earlier
            ones.

    Raises:
        DamageError: a snapshot or a needed record is damaged, so its needs are unknown.
    """
    return _Scanner(ledger, newest_only).scan()


def remove(ledger: Ledger, shown: GcScan, *, newest_only: bool = False) -> GcScan:
    """Remove the items that an earlier scan showed and that a new scan still finds unneeded.

    Args:
        ledger: the store.
        shown: the scan that the user has seen and agreed to.
        newest_only: as for ``scan``.

    Returns:
        The removed items.

    Raises:
        RequestError: another `ablate gc` removes files of this store now.
        DamageError: as ``scan``.
    """
    lease = leases.acquire(ledger.paths.gc_lease)
    if lease is None:
        raise RequestError(f"Another `ablate gc` is at work in `{ledger.root}`.")
    try:
        agreed = {(item.kind, item.name) for item in shown.unneeded}
        now = scan(ledger, newest_only=newest_only)
        removed = tuple(item for item in now.unneeded if (item.kind, item.name) in agreed)
        for item in removed:
            _remove(item)
        return GcScan(unneeded=removed, left_alone=now.left_alone)
    finally:
        lease.release()


def _remove(item: UnneededItem) -> None:
    """Remove an item's files and emptied folders, the outcome first.

    Whatever stops this, no outcome is left whose files are gone.
    """
    for file in sorted(item.files, key=lambda f: (f.path.name != OUTCOME, f.name)):
        file.path.unlink(missing_ok=True)
    folders = {folder for file in item.files for folder in _folders(item, file)}
    for folder in sorted(folders, key=str, reverse=True):
        files.remove_empty(folder)


def _folders(item: UnneededItem, file: FileEntry) -> Iterator[Location]:
    """The file's folder and those above it, up to the trial's or attempt's own folder."""
    if item.kind in ("trial", "attempt"):
        folder: Location = file.path.parent
        for _ in range(file.name.count("/") - item.name.count("/")):
            yield folder
            folder = folder.parent


class _Scanner:
    """One scan of a store: reads the snapshots, lists every file, and sorts the files by need."""

    def __init__(self, ledger: Ledger, newest_only: bool) -> None:
        self._ledger = ledger
        self._earlier_forms: dict[str, str] = {}
        """Path below the store of a snapshot that may go -> name of its study."""
        self._snapshots = self._read_snapshots(newest_only)
        self._ids = {trial.id for snapshot in self._snapshots for trial in snapshot.all_trials}
        self._files = [
            file
            for file in files.every_file(ledger.root)
            if not file.name.startswith(f"{CORPORA}/")
        ]
        self._now = time.time()
        self._left_alone: list[str] = []

    def scan(self) -> GcScan:
        """All unneeded items: trials, then shards, selections, snapshots, temporary files."""
        unneeded = [*self._trials(), *self._speech(), *self._forms(), *self._temporary()]
        if isinstance(self._ledger.root, Path):
            for name in (TRIALS, SHARDS, SELECTIONS, STUDIES):
                if (self._ledger.root / name).is_symlink():
                    self._left_alone.append(f"`{name}` is a link: it is not looked into.")
        return GcScan(unneeded=tuple(unneeded), left_alone=tuple(self._left_alone))

    def _read_snapshots(self, newest_only: bool) -> list[Snapshot]:
        found, seen = list[Snapshot](), set[str]()
        for path in self._ledger.studies.snapshot_files():
            snapshot = read_snapshot(path)
            if newest_only and snapshot.study in seen:
                self._earlier_forms[f"{STUDIES}/{path.name}"] = snapshot.study
            else:
                found.append(snapshot)
            seen.add(snapshot.study)
        return found

    def _below(self, folder: str) -> list[FileEntry]:
        return [file for file in self._files if file.name.startswith(folder + "/")]

    def _settled(self, found: Collection[FileEntry]) -> bool:
        """Whether all these files are older than ``GRACE_S``: no record will name them soon."""
        return all(self._age_s(file) > GRACE_S for file in found)

    def _age_s(self, file: FileEntry) -> float:
        return self._now - file.modified

    # --- trials ----------------------------------------------------------------------------

    def _trials(self) -> Iterator[UnneededItem]:
        by_id: dict[str, list[FileEntry]] = {}
        for file in self._below(TRIALS):
            _, id, *rest = file.name.split("/")
            if TRIAL_ID.fullmatch(id) and rest:
                by_id.setdefault(id, []).append(file)
        for id, own in by_id.items():
            lease = None
            if any(file.path.name == LEASE for file in own):
                lease = leases.read_lease(self._ledger.paths.lease_file(id))
            held = lease is not None and not leases.is_gone(lease)
            if id not in self._ids:
                if held:
                    host = lease.get("host", "?") if lease else "?"
                    self._left_alone.append(f"Trial {id[:12]} is held by a process on {host}.")
                    continue
                yield UnneededItem(
                    kind="trial",
                    name=f"{TRIALS}/{id}",
                    why="no study asks for it",
                    files=tuple(own),
                )
            elif not held:
                yield from self._in_trial_folder(id, own, dead=lease is not None)

    def _in_trial_folder(
        self, id: str, own: list[FileEntry], *, dead: bool
    ) -> Iterator[UnneededItem]:
        """Unneeded files of a trial that a study needs and that no process holds.

        Args:
            id: the trial.
            own: all files of its folder.
            dead: whether a lease is there whose process is gone.
        """
        direct = {file.path.name: file for file in own if file.name.count("/") == 2}
        if dead:
            yield _one("claim", direct[LEASE], "its process is gone")
        current = self._current_checkpoint(id, direct)
        for name, file in direct.items():
            if not CHECKPOINT_FILE.fullmatch(name):
                continue
            if OUTCOME in direct:
                yield _one("checkpoint", file, "its trial is done")
            elif name not in current and self._settled([file]):
                yield _one("checkpoint", file, "a newer one took its place")
        named = {m[1] for name in direct if (m := LATE_OUTCOME.fullmatch(name))}
        if OUTCOME in direct and (outcome := self._ledger.outcomes.read(id)) is not None:
            named.add(outcome.attempt)
        attempts: dict[str, list[FileEntry]] = {}
        for file in own:
            parts = file.name.split("/")
            if len(parts) == 4 and ATTEMPT.fullmatch(parts[2]):
                attempts.setdefault(parts[2], []).append(file)
        for attempt, written in attempts.items():
            kept = attempt in named or any(file.path.name == RERUN for file in written)
            if not kept and self._settled(written):
                yield UnneededItem(
                    kind="attempt",
                    name=f"{TRIALS}/{id}/{attempt}",
                    why="no record names it",
                    files=tuple(written),
                )

    def _current_checkpoint(self, id: str, direct: Mapping[str, FileEntry]) -> set[str]:
        """Names of both files of the newest checkpoint; empty where there is no whole one."""
        if CHECKPOINT not in direct:
            return set()
        try:
            record = files.read_json(self._ledger.paths.checkpoint_file(id))
            return {CHECKPOINT, str(record["checkpoint"]["file"])}
        except (OSError, ValueError, KeyError, TypeError):
            return set()  # damaged: no attempt can go on from it

    # --- speech and features ----------------------------------------------------------------

    def _speech(self) -> Iterator[UnneededItem]:
        try:
            speech = self._needed_speech()
            keys = {key for each in speech for key in self._keys(each)}
        except _UnknownNeedsError as error:
            self._left_alone.append(f"Shards and selections: {error}")
            return
        selections = {each.corpus for each in speech}
        by_key: dict[str, list[FileEntry]] = {}
        for file in self._below(SHARDS):
            if match := SHARD_FILE.fullmatch(file.path.name):
                by_key.setdefault(match[1], []).append(file)
        for key, own in by_key.items():
            if key not in keys and self._settled(own):
                why = "no study reads it"
                yield UnneededItem(kind="shard", name=f"{SHARDS}/{key}", why=why, files=tuple(own))
        for file in self._below(SELECTIONS):
            match = SELECTION_FILE.fullmatch(file.path.name)
            if match and match[1] not in selections and self._settled([file]):
                yield _one("selection", file, "no study reads it")

    def _needed_speech(self) -> set[SnapshotSpeech]:
        speech: set[SnapshotSpeech] = set()
        for snapshot in self._snapshots:
            speech |= set(snapshot.speech) or set(self._by_records(snapshot))
        return speech

    def _by_records(self, snapshot: Snapshot) -> Iterator[SnapshotSpeech]:
        """The speech that the trials of an old snapshot read, from their outcomes.

        Raises:
            _UnknownNeedsError: a trial of it is not finished.
        """
        ids = {trial.id for trial in snapshot.all_trials}
        outcomes = self._ledger.outcomes.read_all(sorted(ids))
        if len(outcomes) < len(ids):
            raise _UnknownNeedsError(
                f"an earlier version wrote the snapshot of `{snapshot.study}`, which does not tell "
                "what its unfinished trials read. `ablate run` or `--keep-newest` helps."
            )
        for outcome in outcomes.values():
            identity = outcome.identity
            yield SnapshotSpeech(
                corpus=identity["corpus"],
                features=identity["features"]["features"],
                node_step=identity["features"]["node_step"],
                extractor=identity["extractor"],
            )

    def _keys(self, speech: SnapshotSpeech) -> Iterator[str]:
        """The keys of the shards that hold this speech with these features.

        Raises:
            _UnknownNeedsError: the selection is missing or damaged.
        """
        try:
            record = self._ledger.selection(speech.corpus)
            chosen = Corpus.from_json(record["corpus"]).select(record["emotions"])
        except (DamageError, FeatureError, KeyError, TypeError, AttributeError):
            chosen = None
        if chosen is None or chosen.digest != speech.corpus:
            raise _UnknownNeedsError(
                f"the selection {speech.corpus[:12]} is not here or not what was written, so what "
                "it reads cannot be told. `ablate run` writes it."
            )
        config = FeatureConfig(features=speech.features, node_step=speech.node_step)
        yield from shards.keys(chosen, config, speech.extractor).values()

    # --- the rest --------------------------------------------------------------------------

    def _forms(self) -> Iterator[UnneededItem]:
        for file in self._below(STUDIES):
            if study := self._earlier_forms.get(file.name):
                yield _one("snapshot", file, f"an earlier form of `{study}`")

    def _temporary(self) -> Iterator[UnneededItem]:
        for file in self._files:
            if TEMPORARY.fullmatch(file.path.name) and self._settled([file]):
                yield _one("temporary", file, "its writing ended before it was whole")
            elif NONCE.fullmatch(file.path.name) and self._age_s(file) > RUN_S:
                yield _one("temporary", file, "the run that looked for it is long over")


class _UnknownNeedsError(Exception):
    """It is unknown which speech a study needs: then no shard and no selection is removed."""


def _one(kind: UnneededKind, file: FileEntry, why: str) -> UnneededItem:
    return UnneededItem(kind=kind, name=file.name, why=why, files=(file,))
