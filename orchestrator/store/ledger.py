"""The store: `Ledger`, by which all records of studies, trials and attempts are read and written.

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
"""The version of the store's format, as ``store.json`` holds it."""

_SHORTEST = 6
"""The fewest hex digits by which a user may abbreviate a trial's id."""


class Ledger:
    """A store: its paths, and the objects that read and write its records.

    Records that belong to no trial and no study (corpora, selections of speech, probes) are read
    and written here; the others by ``outcomes``, ``attempts`` and ``studies``.
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
        """The same store with trials in another folder: a rehearsal's, which are thrown away."""
        return Ledger(StorePaths(self.root, folder / TRIALS))

    # --- opening ---------------------------------------------------------------------------

    @classmethod
    def open_unchecked(cls, where: str) -> "Ledger":
        """The store at ``where``, without any check: for workers, whose driver has checked it."""
        return cls(StorePaths.below(parse_location(where)))

    @classmethod
    def open(cls, where: str) -> "Ledger":
        """Open the store at ``where`` for writing; create it where there is none.

        Args:
            where: a folder or ``s3://BUCKET/PATH``.

        Raises:
            RequestError: a URI of another form than ``s3://BUCKET/PATH``.
            LackError: it cannot be reached or written, or lets one record overwrite another.
            DamageError: it is a store of another format.
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
        """Open the store at ``where``, which must exist.

        Raises:
            RequestError, DamageError: as ``open``.
            LackError: it cannot be reached or does not exist.
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
        """Open the store at ``where`` for reading; one that does not exist reads as empty.

        Raises:
            RequestError, DamageError: as ``open``.
            LackError: it cannot be reached.
        """
        ledger = cls.open_unchecked(where)
        ledger._exists()
        return ledger

    def _exists(self) -> bool:
        """Whether the store has its marker file; if so, its format is checked."""
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
        """Name -> record of each registered corpus: its recordings and labels, as JSON values."""
        paths = files.files_in(self.paths.corpora, "*.json")
        return {path.stem: files.read_record(path) for path in paths}

    def corpus(self, name: str) -> dict[str, Any] | None:
        """The record of a registered corpus, as JSON values; None if no corpus has that name.

        Raises:
            DamageError: the record is damaged.
        """
        paths = files.files_in(self.paths.corpora, "*.json")
        return next((files.read_record(path) for path in paths if path.stem == name), None)

    def write_corpus(self, name: str, record: Mapping[str, Any]) -> None:
        """Write the record of a corpus; an earlier record of that name is replaced."""
        replace_file(self.paths.corpus_file(name), canonical(record).encode())

    def remove_corpus(self, name: str) -> None:
        """Remove the record of a corpus, and nothing else; do nothing if there is none."""
        self.paths.corpus_file(name).unlink(missing_ok=True)

    def selection(self, digest: str) -> Any:
        """The record of a selection (utterances and labels) by its digest, as JSON values.

        Raises:
            DamageError: it is missing or damaged.
        """
        return files.read_record(self.paths.selection_file(digest))

    def write_selection(self, digest: str, record: Mapping[str, Any]) -> None:
        """Write the record of a selection once: workers then need no registered corpus."""
        create_once(self.paths.selection_file(digest), canonical(record).encode())

    def probe(self, key: str) -> Any:
        """The record of a probe (measured time of an epoch); None if missing or damaged."""
        try:
            return files.read_json(self.paths.probe_file(key))
        except (OSError, ValueError):
            return None

    def write_probe(self, key: str, record: Mapping[str, Any]) -> None:
        """Write the record of a probe; an earlier one of the same key is replaced."""
        replace_file(self.paths.probe_file(key), canonical(record).encode())

    @property
    def has_probes(self) -> bool:
        """Whether the store holds at least one probe."""
        return bool(files.files_in(self.paths.probes, "*.json"))

    # --- trials ------------------------------------------------------------------------------

    def files_of(self, ids: Iterable[str]) -> dict[str, set[str]]:
        """Id of a trial -> names of the files in its folder; empty where it has no folder."""
        return files.names_in(self.paths.trials, ids)

    def find_trial(self, prefix: str) -> str:
        """The whole id of the one trial whose id begins with ``prefix``, 6 to 64 hex digits.

        Trials with a folder come first; if none of them matches, the trials of all snapshots.

        Raises:
            RequestError: the prefix is too short or not hexadecimal, or no trial or several match.
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
    """A LackError that says what the file system or object store refused; other errors as they are.

    Args:
        root: the store.
        error: the error that was caught.
        what: what failed, such as ``cannot be written``.
    """
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
