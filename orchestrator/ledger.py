"""The store: one record per finished trial, and every file name in it.

    store.json                         the store's format
    corpora/<name>.json                a registered corpus; corpora/demo/ holds synthesised speech
    shards/                            frame features (named by the features room)
    selections/<digest>.json           the speech and labels that a trial's id names
    studies/<name>@<digest>.json       what was asked for, resolved; never overwritten
    trials/<id>/outcome.json           written last, once, for finished trials only
    trials/<id>/failure-<n>.json       one failed attempt
    trials/<id>/claim.json             who trains it now
    trials/<id>/checkpoint*            where a trial in flight goes on
    trials/<id>/<attempt>/             predictions.parquet weights.safetensors history.json log.txt

The store is a folder, or `s3://BUCKET/PATH`; of an object store, shards and synthesised speech
are kept in a cache of each machine as well (`mirror.py`).
A record is committed by creating it once (`files.py`).
Everything in the store is data: nothing in it executes when it is read.
"""

import hashlib
import json
import os
import re
import secrets
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from orchestrator import files
from orchestrator.errors import DamageError, LackError, RequestError
from orchestrator.files import Place, create_once, replace_file
from orchestrator.snapshot import Asked
from orchestrator.trials import canonical, digest

FORMAT = 1

OUTCOME = "outcome.json"
AT_ONCE = 16
"""Requests to an object store that wait together."""
FAILURE = re.compile(r"failure-([0-9]+)\.json")

Choice = Literal["chosen", "last_epoch", "best_on_test"]
CHOICES: tuple[Choice, ...] = ("chosen", "last_epoch", "best_on_test")
Unit = Literal["utterance", "segment"]
Cause = Literal["infrastructure", "data", "code", "diverged"]
Committed = Literal["committed", "same", "different"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Scores:
    """What one test speaker's speech was taken for, under one choice of epoch."""

    speaker: str
    choice: Choice
    unit: Unit
    epoch: int
    confusion: tuple[tuple[int, ...], ...]
    """Counts; rows are the truth, columns the prediction, both in the order of the classes."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """What a finished trial gave."""

    id: str
    identity: Mapping[str, Any]
    attempt: str
    epochs: int
    scores: tuple[Scores, ...]
    digests: Mapping[str, str]
    """sha256 of what was computed: ``predictions``, ``history``, ``weights``."""
    files: Mapping[str, str]
    """File name in the attempt's folder -> sha256 of its bytes."""
    environment: Mapping[str, str]
    """The determinism class: bits are promised within it."""
    host: str = ""
    seconds: float = 0.0
    finished: float = 0.0
    resumed: int = 0
    """Epochs that an earlier, interrupted attempt had already trained."""
    parameters: int = 0
    """How many numbers the system learnt; 0 where it has no such count, or the record is old."""

    @property
    def scored_part(self) -> dict[str, Any]:
        """The part that is bit-identical whenever this trial is trained in the same class."""
        scores = [asdict(s) for s in self.scores]
        return {"id": self.id, "epochs": self.epochs, "scores": scores, "digests": self.digests}


@dataclass(frozen=True, kw_only=True, slots=True)
class Failure:
    """Why an attempt ended without an outcome."""

    id: str
    cause: Cause
    sentence: str
    traceback: str
    epoch: int
    attempt: str
    host: str
    finished: float = field(default_factory=time.time)


class Ledger:
    """A store. Every path of the project's own making is made here."""

    def __init__(self, root: Place) -> None:
        self.root = root

    # --- opening ---------------------------------------------------------------------------

    @classmethod
    def at(cls, where: str) -> "Ledger":
        """The store at ``where``, unasked whether it is there: for workers, who were told so."""
        return cls(files.place(where))

    @classmethod
    def open(cls, where: str) -> "Ledger":
        """Open the store at ``where``, or make it.

        Raises:
            RequestError: for a URI of something else than an object store we know.
            LackError: when it cannot be reached or written, or does not keep what is written.
            DamageError: when it is a store of another format.
        """
        ledger = cls.at(where)
        marker = ledger.root / "store.json"
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
    def look(cls, where: str, *, needed: bool = False) -> "Ledger":
        """Open the store at ``where`` for reading; one that is not there is empty.

        Raises:
            RequestError, DamageError: as ``open``.
            LackError: when it cannot be reached, or is ``needed`` and is not there.
        """
        ledger = cls.at(where)
        try:
            there = (ledger.root / "store.json").exists()
        except Exception as error:
            raise _refused(ledger.root, error, "cannot be read") from None
        if there:
            ledger._check_format()
        elif needed:
            made = " where its bucket exists" if files.is_remote(ledger.root) else ""
            raise LackError(
                f"There is no store at `{ledger.root}`. `ablate run STUDY` makes one{made}; "
                "`--store` or ABLATE_STORE names another."
            )
        return ledger

    def _check_format(self) -> None:
        marker = self.root / "store.json"
        try:
            found = json.loads(marker.read_bytes())["format"]
        except (OSError, ValueError, KeyError, TypeError):
            raise DamageError(f'`{marker}` is damaged: it must say {{"format":1}}.') from None
        if found != FORMAT:
            raise DamageError(
                f"The store `{self.root}` has format {found}, this program reads format {FORMAT}."
            )

    # --- names -----------------------------------------------------------------------------

    @property
    def shards(self) -> Path:
        """Where the features room keeps its shards: in the store, or in this machine's cache."""
        return files.here(self.root) / "shards"

    @property
    def kept_shards(self) -> Place:
        """Where shards are kept for all machines."""
        return self.root / "shards"

    @property
    def trials(self) -> Place:
        """One folder a trial."""
        return self.root / "trials"

    def corpus_folder(self, name: str) -> Path:
        """Where a corpus that we make ourselves lies: its audio is made anew on each machine."""
        return files.here(self.root) / "corpora" / name

    def trial_folder(self, id: str) -> Place:
        """All of one trial."""
        if not re.fullmatch(r"[0-9a-f]{64}", id):
            raise RequestError(f"A trial's id must be 64 hex digits, but is `{id[:80]}` instead.")
        return self.trials / id

    def attempt_folder(self, id: str, attempt: str) -> Place:
        """What one attempt wrote."""
        return self.trial_folder(id) / attempt

    def claim_file(self, id: str) -> Place:
        """Who trains the trial now."""
        return self.trial_folder(id) / "claim.json"

    def checkpoint_file(self, id: str) -> Place:
        """The record of the newest checkpoint; it names the file with the tensors."""
        return self.trial_folder(id) / "checkpoint.json"

    # --- corpora ---------------------------------------------------------------------------

    def corpora(self) -> dict[str, dict[str, Any]]:
        """The registered corpora, by name."""
        found = {}
        for path in files.files_in(self.root / "corpora", "*.json"):
            found[path.stem] = _read_json(path)
        return found

    def write_corpus(self, name: str, record: Mapping[str, Any]) -> None:
        """Register a corpus, or register it anew."""
        replace_file(self.root / "corpora" / f"{name}.json", canonical(record).encode())

    def write_selection(self, digest: str, record: Mapping[str, Any]) -> None:
        """Keep which speech a digest stands for: workers read it, no registration needed."""
        create_once(self.root / "selections" / f"{digest}.json", canonical(record).encode())

    def selection(self, digest: str) -> Any:
        """What ``write_selection`` kept."""
        return _read_json(self.root / "selections" / f"{digest}.json")

    # --- studies ---------------------------------------------------------------------------

    def write_snapshot(self, name: str, record: Mapping[str, Any]) -> Place:
        """Keep what a run was asked for. The same study again renews its time stamp."""
        path = self.root / "studies" / f"{name}@{digest(record)[:12]}.json"
        if not create_once(path, canonical(record).encode()):
            files.renew(path)
        return path

    def snapshots(self, name: str = "*") -> list[Asked]:
        """All snapshots, or those of one study, newest first.

        Raises:
            DamageError: when one is not what was written.
        """
        paths = files.files_in(self.root / "studies", f"{name}@*.json")
        paths.sort(key=lambda p: (p.stat().st_mtime_ns, p.name), reverse=True)
        return [_read_snapshot(path) for path in paths]

    # --- outcomes --------------------------------------------------------------------------

    def outcome(self, id: str) -> Outcome | None:
        """The effective record of a trial, or None.

        Raises:
            DamageError: when there is a record, but not the one that was written.
        """
        path = self.trial_folder(id) / OUTCOME
        try:
            blob = path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise DamageError(f"`{path}` cannot be read: {error.strerror}.") from None
        remedy = f"Nothing else is affected. Move `{path.parent}` away and run again to train it."
        try:
            record = json.loads(blob)
            body = record["outcome"]
            whole = record["sha256"] == digest(body) and body["id"] == id
            if not whole or digest(body["identity"]) != id:
                raise DamageError(f"The outcome `{path}` is not what was written. {remedy}")
            scores = tuple(
                Scores(**{**s, "confusion": tuple(tuple(row) for row in s["confusion"])})
                for s in body["scores"]
            )
            return Outcome(**{**body, "scores": scores})
        except (ValueError, KeyError, TypeError):
            raise DamageError(f"The outcome `{path}` is damaged. {remedy}") from None

    def outcomes(self, ids: Iterable[str]) -> dict[str, Outcome]:
        """The effective records of those trials that have one, in the order of the ids.

        Raises:
            DamageError: as ``outcome``.
        """
        wanted = list(dict.fromkeys(ids))
        found = zip(wanted, _each(self.outcome, wanted, self.root), strict=True)
        return {id: outcome for id, outcome in found if outcome is not None}

    def files_of(self, ids: Iterable[str]) -> dict[str, set[str]]:
        """Trial -> names of the files in its folder, checkpoints and records alike."""
        return files.names_in(self.trials, ids)

    def is_done(self, id: str) -> bool:
        """Whether there is a record; it is not read."""
        return (self.trial_folder(id) / OUTCOME).exists()

    def commit(self, outcome: Outcome) -> Committed:
        """Write a finished trial's record, once.

        Returns:
            ``committed``; ``same`` when an equal record (or one of another determinism class)
            was there; ``different`` when the one there has other numbers of the same class:
            the late one is then kept beside it as evidence.
        """
        body = asdict(outcome)
        blob = canonical({"outcome": body, "sha256": digest(body)}).encode()
        folder = self.trial_folder(outcome.id)
        if create_once(folder / OUTCOME, blob):
            return "committed"
        earlier = self.outcome(outcome.id)
        if earlier is None or earlier.environment != outcome.environment:
            return "same"
        if _as_json(earlier.scored_part) == _as_json(outcome.scored_part):
            return "same"
        create_once(folder / f"outcome-late-{outcome.attempt}.json", blob)
        return "different"

    def alarms(self, ids: Iterable[str]) -> list[str]:
        """Where records lie that differ from the effective one of their trial."""
        return [
            str(self.trial_folder(id) / name)
            for id, names in self.files_of(ids).items()
            for name in sorted(names)
            if re.fullmatch(r"outcome-late-.*\.json", name)
        ]

    # --- failures --------------------------------------------------------------------------

    def fail(self, failure: Failure) -> Place:
        """Keep why an attempt failed, as ``failure-<n>.json``."""
        folder = self.trial_folder(failure.id)
        blob = json.dumps(asdict(failure), indent=1, sort_keys=True).encode()
        n = len(files.files_in(folder, "failure-*.json")) + 1
        while not create_once(path := folder / f"failure-{n}.json", blob):
            n += 1
        return path

    def failures(self, id: str) -> list[Place]:
        """The failed attempts of a trial, oldest first."""
        found = {}
        for path in files.files_in(self.trial_folder(id), "failure-*.json"):
            if match := FAILURE.fullmatch(path.name):
                found[int(match[1])] = path
        return [found[n] for n in sorted(found)]

    def read_failure(self, path: Place) -> Failure:
        """One failed attempt."""
        return Failure(**_read_json(path))

    # --- files of an attempt ----------------------------------------------------------------

    def write_attempt(self, id: str, attempt: str, files: Mapping[str, bytes]) -> dict[str, str]:
        """Write an attempt's files durably; returns their sha256 by name."""
        folder = self.attempt_folder(id, attempt)
        for name, blob in files.items():
            replace_file(folder / name, blob)
        return {name: hashlib.sha256(blob).hexdigest() for name, blob in files.items()}


def _refused(root: Place, error: Exception, what: str) -> Exception:
    """The error as a sentence, where it is the system's or the object store's."""
    if not files.is_refusal(error):
        return error
    reason = getattr(error, "strerror", None) or str(error)
    remedy = "`--store` or ABLATE_STORE names another."
    if files.is_remote(root):
        remedy = (
            "The bucket must exist; keys, region and endpoint are read from the environment "
            "(AWS_PROFILE, AWS_ENDPOINT_URL, ...)."
        )
    return LackError(f"The store `{root}` {what}: {reason.rstrip('.')}. {remedy}")


def _each(work: Callable[[str], Any], ids: Sequence[str], root: Place) -> list[Any]:
    """The work of every id; an object store is asked for several at once."""
    if not files.is_remote(root) or not ids:
        return [work(id) for id in ids]
    with ThreadPoolExecutor(AT_ONCE) as threads:
        return list(threads.map(work, ids))


def new_attempt() -> str:
    """A name for an attempt that no other attempt has."""
    return "attempt-" + secrets.token_hex(6)


def predictions_parquet(
    columns: Mapping[str, Sequence[Any]], probabilities: Mapping[str, Iterable[float]]
) -> bytes:
    """A Parquet table of predictions, one row a segment and choice, with page checksums.

    Args:
        columns: utterance, segment, speaker, emotion, choice, epoch.
        probabilities: class name -> float32 probability, stored as ``p_<class>``.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    arrays = {name: pa.array(list(values)) for name, values in columns.items()}
    arrays |= {
        f"p_{name}": pa.array(list(values), type=pa.float32())
        for name, values in probabilities.items()
    }
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table(arrays), sink, compression="zstd", write_page_checksum=True)
    return bytes(sink.getvalue())


def _read_snapshot(path: Place) -> Asked:
    record = _read_json(path)
    try:
        if digest(record)[:12] == path.stem.rpartition("@")[2]:
            return Asked.from_json(record)
    except (KeyError, TypeError, ValueError):
        pass  # told below, like any other damage
    raise DamageError(f"The snapshot `{path}` is not what was written: move it away.")


def _read_json(path: Place) -> Any:
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError):
        raise DamageError(
            f"`{path}` is damaged: it must be a JSON text. Move it away and run again."
        ) from None


def _as_json(value: Any) -> Any:
    """The value as it comes back from a JSON text (tuples become lists)."""
    return json.loads(canonical(value))
