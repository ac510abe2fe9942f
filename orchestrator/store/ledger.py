"""The store: what every study, trial and attempt leaves, behind one door.

A record is committed by creating it once (`files.py`); all names stand in `paths.py`; of an
object store, shards and synthesised speech are kept in a cache of each machine as well
(`shard_cache.py`). Everything in the store is data: nothing in it executes when it is read.
"""

import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from orchestrator.errors import DamageError, LackError, RequestError
from orchestrator.store import files
from orchestrator.store.attempts import Attempts
from orchestrator.store.files import create_once, replace_file
from orchestrator.store.outcomes import Outcomes
from orchestrator.store.paths import (
    TRIAL_ID,
    TRIALS,
    Location,
    StorePaths,
    is_remote,
    parse_location,
)
from orchestrator.store.studies import Studies
from orchestrator.study.canonical import canonical

FORMAT = 1

_SHORTEST = 6
"""Digits of the shortest prefix that stands for a trial's id."""


class Ledger:
    """A store: its paths, and the parts that read and write what lies there.

    Records that belong to no trial and no study (corpora, selections of speech, measurements) are
    read and written here.
    """

    def __init__(self, paths: StorePaths) -> None:
        self.paths = paths
        self.outcomes = Outcomes(paths)
        self.attempts = Attempts(paths)
        self.studies = Studies(paths)

    @property
    def root(self) -> Location:
        """The store's own folder."""
        return self.paths.root

    def with_trials_in(self, folder: Path) -> "Ledger":
        """This store with its trials in another folder: what a rehearsal writes is thrown away."""
        return Ledger(StorePaths(self.root, folder / TRIALS))

    # --- opening ---------------------------------------------------------------------------

    @classmethod
    def open_unchecked(cls, where: str) -> "Ledger":
        """The store at ``where``, unchecked: for workers, whose driver has opened it."""
        return cls(StorePaths.below(parse_location(where)))

    @classmethod
    def open(cls, where: str) -> "Ledger":
        """Open the store at ``where``, or make it.

        Raises:
            RequestError: for a URI of something else than an object store we know.
            LackError: when it cannot be reached or written, or does not keep what is written.
            DamageError: when it is a store of another format.
        """
        ledger = cls.open_unchecked(where)
        marker = ledger.paths.marker
        try:
            if isinstance(ledger.root, Path):
                ledger.root.mkdir(parents=True, exist_ok=True, mode=0o700)
                if not os.access(ledger.root, os.W_OK):
                    raise PermissionError(13, "Permission denied")
            create_once(marker, canonical({"format": FORMAT}).encode())
            files.refuse_overwriting(marker)
        except Exception as error:
            raise _refused(ledger.root, error, "cannot be written") from None
        ledger._check_format()
        return ledger

    @classmethod
    def open_existing(cls, where: str) -> "Ledger":
        """Open the store at ``where``; never makes one.

        Raises:
            RequestError, DamageError: as ``open``.
            LackError: when it cannot be reached or is not there.
        """
        ledger = cls.open_unchecked(where)
        if not ledger._exists():
            made = " where its bucket exists" if is_remote(ledger.root) else ""
            raise LackError(
                f"There is no store at `{ledger.root}`. `ablate run STUDY` makes one{made}; "
                "`--store` or ABLATE_STORE names another."
            )
        return ledger

    @classmethod
    def open_readonly(cls, where: str) -> "Ledger":
        """Open the store at ``where`` for reading; one that is not there reads as empty.

        Raises:
            RequestError, DamageError: as ``open``.
            LackError: when it cannot be reached.
        """
        ledger = cls.open_unchecked(where)
        ledger._exists()
        return ledger

    def _exists(self) -> bool:
        """Whether the store is there; its format is checked if it is."""
        try:
            exists = self.paths.marker.exists()
        except Exception as error:
            raise _refused(self.root, error, "cannot be read") from None
        if exists:
            self._check_format()
        return exists

    def _check_format(self) -> None:
        marker = self.paths.marker
        try:
            found = files.read_json(marker)["format"]
        except (OSError, ValueError, KeyError, TypeError):
            raise DamageError(f'`{marker}` is damaged: it must say {{"format":1}}.') from None
        if found != FORMAT:
            raise DamageError(
                f"The store `{self.root}` has format {found}, this program reads format {FORMAT}."
            )

    # --- corpora and measurements ------------------------------------------------------------

    def corpora(self) -> dict[str, dict[str, Any]]:
        """The records of the registered corpora, by name."""
        paths = files.files_in(self.paths.corpora, "*.json")
        return {path.stem: files.read_record(path) for path in paths}

    def write_corpus(self, name: str, record: Mapping[str, Any]) -> None:
        """Register a corpus, or register it anew."""
        replace_file(self.paths.corpus_file(name), canonical(record).encode())

    def selection(self, digest: str) -> Any:
        """The record of the speech and labels that a digest stands for."""
        return files.read_record(self.paths.selection_file(digest))

    def write_selection(self, digest: str, record: Mapping[str, Any]) -> None:
        """Write that record, so that workers need no registered corpus."""
        create_once(self.paths.selection_file(digest), canonical(record).encode())

    def probe(self, key: str) -> Any:
        """A measurement; None where there is none, or a damaged one."""
        try:
            return files.read_json(self.paths.probe_file(key))
        except (OSError, ValueError):
            return None

    def write_probe(self, key: str, record: Mapping[str, Any]) -> None:
        """Write a measurement in the place of an earlier one of the same key."""
        replace_file(self.paths.probe_file(key), canonical(record).encode())

    @property
    def has_probes(self) -> bool:
        """Whether anything was ever measured."""
        return bool(files.files_in(self.paths.probes, "*.json"))

    # --- trials ------------------------------------------------------------------------------

    def files_of(self, ids: Iterable[str]) -> dict[str, set[str]]:
        """Trial -> names of the files in its folder; empty where there is no folder."""
        return files.names_in(self.paths.trials, ids)

    def find_trial(self, prefix: str) -> str:
        """The id of the one trial that begins so, among those with a folder or in a snapshot.

        Raises:
            RequestError: it is too short, or no trial or several begin so.
        """
        if not re.fullmatch(rf"[0-9a-f]{{{_SHORTEST},64}}", prefix):
            raise RequestError(
                f"A trial's ID must be {_SHORTEST} to 64 hex digits, but is `{prefix[:80]}` "
                "instead. `ablate status STUDY --json` lists them."
            )
        known = {id for id in files.folders_in(self.paths.trials) if TRIAL_ID.fullmatch(id)}
        found = sorted(id for id in known if id.startswith(prefix))
        if not found:
            planned = {t.id for study in self.studies.snapshots() for t in study.all_trials}
            found = sorted(id for id in planned if id.startswith(prefix))
        if len(found) == 1:
            return found[0]
        if not found:
            raise RequestError(
                f"No trial in `{self.root}` begins with `{prefix}`. "
                "`ablate status STUDY --json` lists them."
            )
        shown = ", ".join(f"`{id[:16]}`" for id in found[:4])
        more = f" and {len(found) - 4} more" if len(found) > 4 else ""
        raise RequestError(
            f"`{prefix}` must be the beginning of one trial's ID, but {len(found)} begin so: "
            f"{shown}{more}."
        )


def _refused(root: Location, error: Exception, what: str) -> Exception:
    """The error as a sentence, where it is the system's or the object store's."""
    if not files.is_refusal(error):
        return error
    reason = getattr(error, "strerror", None) or str(error)
    remedy = "`--store` or ABLATE_STORE names another."
    if is_remote(root):
        remedy = (
            "The bucket must exist; keys, region and endpoint are read from the environment "
            "(AWS_PROFILE, AWS_ENDPOINT_URL, ...)."
        )
    return LackError(f"The store `{root}` {what}: {reason.rstrip('.')}. {remedy}")
