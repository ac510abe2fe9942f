"""``ablate gc``: what of a store nobody needs, and its removal.

Needed is what a snapshot names: its trials, and the speech and features that they read. By
default every snapshot counts, also the earlier forms of a study, so that nothing that was ever
asked for goes unasked; with ``newest_only`` the newest form of each study. What a live claim holds
is left alone, and so is everything whose name is not one that we give: a link is never followed.

A run plans, writes its snapshot, then looks at ``gc.json``; a removal writes ``gc.json``, then
looks at the snapshots. Whichever came first, one of them sees the other, so a record that a run
counts as done is not removed behind its back (``run`` waits, and plans again).
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
"""Younger files that belong to nothing yet may be on their way into a record: they stay."""
RUN_S = 30 * 86400.0
"""A run on a cluster keeps a nonce in the store for as long as it lasts: hardly a month."""

WasteKind = Literal[
    "trial", "attempt", "checkpoint", "claim", "shard", "selection", "snapshot", "temporary"
]


@dataclass(frozen=True, kw_only=True, slots=True)
class Waste:
    """Something that nobody needs."""

    kind: WasteKind
    name: str
    """Where it lies, below the store."""
    why: str
    files: tuple[FileEntry, ...]

    @property
    def size(self) -> int:
        """Bytes."""
        return sum(file.size for file in self.files)


@dataclass(frozen=True, kw_only=True, slots=True)
class Scan:
    """What a look through the store found."""

    waste: tuple[Waste, ...]
    left: tuple[str, ...]
    """What is left alone though it may be unneeded, and why: one sentence each."""


def scan(ledger: Ledger, *, newest_only: bool = False) -> Scan:
    """Look through a store; removes nothing.

    Raises:
        DamageError: a snapshot or a needed record is damaged, so what is needed cannot be told.
    """
    return _Look(ledger, newest_only).result()


def remove(ledger: Ledger, shown: Scan, *, newest_only: bool = False) -> Scan:
    """Remove what was shown and is still unneeded; what was removed.

    Raises:
        RequestError: another removal is at work.
        DamageError: as ``look``.
    """
    claim = leases.acquire(ledger.paths.gc_lease)
    if claim is None:
        raise RequestError(f"Another `ablate gc` is at work in `{ledger.root}`.")
    try:
        agreed = {(waste.kind, waste.name) for waste in shown.waste}
        now = scan(ledger, newest_only=newest_only)
        gone = tuple(waste for waste in now.waste if (waste.kind, waste.name) in agreed)
        for waste in gone:
            _remove(waste)
        return Scan(waste=gone, left=now.left)
    finally:
        claim.release()


def _remove(waste: Waste) -> None:
    """The record first: whatever stops this, none is left whose files are gone."""
    for file in sorted(waste.files, key=lambda f: (f.path.name != OUTCOME, f.name)):
        file.path.unlink(missing_ok=True)
    folders = {folder for file in waste.files for folder in _folders(waste, file)}
    for folder in sorted(folders, key=str, reverse=True):
        files.remove_empty(folder)


def _folders(waste: Waste, file: FileEntry) -> Iterator[Location]:
    """The folders of a trial or an attempt that its file lies in."""
    if waste.kind in ("trial", "attempt"):
        folder: Location = file.path.parent
        for _ in range(file.name.count("/") - waste.name.count("/")):
            yield folder
            folder = folder.parent


class _Look:
    """One look: the snapshots, then every file once."""

    def __init__(self, ledger: Ledger, newest_only: bool) -> None:
        self._ledger = ledger
        self._old: dict[str, str] = {}
        """Name of a snapshot that does not count -> its study."""
        self._asked = self._read_snapshots(newest_only)
        self._ids = {trial.id for snapshot in self._asked for trial in snapshot.all_trials}
        self._files = [
            file
            for file in files.every_file(ledger.root)
            if not file.name.startswith(f"{CORPORA}/")
        ]
        self._now = time.time()
        self._left: list[str] = []

    def result(self) -> Scan:
        waste = [*self._trials(), *self._speech(), *self._snapshots(), *self._temporary()]
        if isinstance(self._ledger.root, Path):
            for name in (TRIALS, SHARDS, SELECTIONS, STUDIES):
                if (self._ledger.root / name).is_symlink():
                    self._left.append(f"`{name}` is a link: it is not looked into.")
        return Scan(waste=tuple(waste), left=tuple(self._left))

    def _read_snapshots(self, newest_only: bool) -> list[Snapshot]:
        found, seen = list[Snapshot](), set[str]()
        for path in self._ledger.studies.snapshot_files():
            snapshot = read_snapshot(path)
            if newest_only and snapshot.study in seen:
                self._old[f"{STUDIES}/{path.name}"] = snapshot.study
            else:
                found.append(snapshot)
            seen.add(snapshot.study)
        return found

    def _below(self, folder: str) -> list[FileEntry]:
        return [file for file in self._files if file.name.startswith(folder + "/")]

    def _settled(self, found: Collection[FileEntry]) -> bool:
        return all(self._age_s(file) > GRACE_S for file in found)

    def _age_s(self, file: FileEntry) -> float:
        return self._now - file.modified

    # --- trials ----------------------------------------------------------------------------

    def _trials(self) -> Iterator[Waste]:
        by_id: dict[str, list[FileEntry]] = {}
        for file in self._below(TRIALS):
            _, id, *rest = file.name.split("/")
            if TRIAL_ID.fullmatch(id) and rest:
                by_id.setdefault(id, []).append(file)
        for id, own in by_id.items():
            claim = None
            if any(file.path.name == LEASE for file in own):
                claim = leases.read_lease(self._ledger.paths.lease_file(id))
            held = claim is not None and not leases.is_gone(claim)
            if id not in self._ids:
                if held:
                    host = claim.get("host", "?") if claim else "?"
                    self._left.append(f"Trial {id[:12]} is held by a process on {host}.")
                    continue
                yield Waste(
                    kind="trial",
                    name=f"{TRIALS}/{id}",
                    why="no study asks for it",
                    files=tuple(own),
                )
            elif not held:
                yield from self._inside(id, own, dead=claim is not None)

    def _inside(self, id: str, own: list[FileEntry], *, dead: bool) -> Iterator[Waste]:
        """What lies unneeded in the folder of a trial that is needed and that nobody holds."""
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
                yield Waste(
                    kind="attempt",
                    name=f"{TRIALS}/{id}/{attempt}",
                    why="no record names it",
                    files=tuple(written),
                )

    def _current_checkpoint(self, id: str, direct: Mapping[str, FileEntry]) -> set[str]:
        if CHECKPOINT not in direct:
            return set()
        try:
            record = files.read_json(self._ledger.paths.checkpoint_file(id))
            return {CHECKPOINT, str(record["checkpoint"]["file"])}
        except (OSError, ValueError, KeyError, TypeError):
            return set()  # damaged: it serves nobody

    # --- speech and features ----------------------------------------------------------------

    def _speech(self) -> Iterator[Waste]:
        try:
            speech = self._needed_speech()
            keys = {key for each in speech for key in self._keys(each)}
        except _UntoldError as untold:
            self._left.append(f"Shards and selections: {untold}")
            return
        selections = {each.corpus for each in speech}
        by_key: dict[str, list[FileEntry]] = {}
        for file in self._below(SHARDS):
            if match := SHARD_FILE.fullmatch(file.path.name):
                by_key.setdefault(match[1], []).append(file)
        for key, own in by_key.items():
            if key not in keys and self._settled(own):
                why = "no study reads it"
                yield Waste(kind="shard", name=f"{SHARDS}/{key}", why=why, files=tuple(own))
        for file in self._below(SELECTIONS):
            match = SELECTION_FILE.fullmatch(file.path.name)
            if match and match[1] not in selections and self._settled([file]):
                yield _one("selection", file, "no study reads it")

    def _needed_speech(self) -> set[SnapshotSpeech]:
        speech: set[SnapshotSpeech] = set()
        for snapshot in self._asked:
            speech |= set(snapshot.speech) or set(self._by_records(snapshot))
        return speech

    def _by_records(self, snapshot: Snapshot) -> Iterator[SnapshotSpeech]:
        """What a snapshot's trials read, where it does not say so itself: by their records."""
        ids = {trial.id for trial in snapshot.all_trials}
        outcomes = self._ledger.outcomes.read_all(sorted(ids))
        if len(outcomes) < len(ids):
            raise _UntoldError(
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
        try:
            record = self._ledger.selection(speech.corpus)
            chosen = Corpus.from_json(record["corpus"]).select(record["emotions"])
        except (DamageError, FeatureError, KeyError, TypeError, AttributeError):
            chosen = None
        if chosen is None or chosen.digest != speech.corpus:
            raise _UntoldError(
                f"the selection {speech.corpus[:12]} is not here or not what was written, so what "
                "it reads cannot be told. `ablate run` writes it."
            )
        config = FeatureConfig(features=speech.features, node_step=speech.node_step)
        yield from shards.keys(chosen, config, speech.extractor).values()

    # --- the rest --------------------------------------------------------------------------

    def _snapshots(self) -> Iterator[Waste]:
        for file in self._below(STUDIES):
            if study := self._old.get(file.name):
                yield _one("snapshot", file, f"an earlier form of `{study}`")

    def _temporary(self) -> Iterator[Waste]:
        for file in self._files:
            if TEMPORARY.fullmatch(file.path.name) and self._settled([file]):
                yield _one("temporary", file, "its writing ended before it was whole")
            elif NONCE.fullmatch(file.path.name) and self._age_s(file) > RUN_S:
                yield _one("temporary", file, "the run that looked for it is long over")


class _UntoldError(Exception):
    """What is needed cannot be told: nothing of it is removed."""


def _one(kind: WasteKind, file: FileEntry, why: str) -> Waste:
    return Waste(kind=kind, name=file.name, why=why, files=(file,))
