"""The store: one record per finished trial, and every file name in it.

    store.json                         the store's format
    gc.json                            who removes now what nobody needs
    corpora/<name>.json                a registered corpus; corpora/demo/ holds synthesised speech
    shards/                            frame features (named by the features room)
    selections/<digest>.json           the speech and labels that a trial's id names
    probes/<digest>.json               what an epoch took on a kind of machine; in no trial's id
    studies/<name>@<digest>.json       what was asked for, resolved; never overwritten
    searches/<key>@<n>.json            the test scores of a search were opened, after n tries
    trials/<id>/outcome.json           written last, once, for finished trials only
    trials/<id>/failure-<n>.json       one failed attempt
    trials/<id>/claim.json             who trains it now
    trials/<id>/checkpoint*            where a trial in flight goes on
    trials/<id>/<attempt>/             predictions.parquet weights.safetensors history.json log.txt
                                       (and rerun.json, of a training that was asked for again)
    logs/<system>/                     what `run --log` wrote for other systems, in their own form

The store is a folder, or `s3://BUCKET/PATH`; of an object store, shards and synthesised speech
are kept in a cache of each machine as well (`shard_cache.py`).
A record is committed by creating it once (`files.py`).
Everything in the store is data: nothing in it executes when it is read.
"""

import gc
import hashlib
import json
import os
import re
import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Literal, TypeVar

from orchestrator.errors import DamageError, LackError, RequestError
from orchestrator.store import files
from orchestrator.store.files import Location, create_once, replace_file
from orchestrator.store.records import Failure, Flight, Opening, Outcome, Scores
from orchestrator.store.snapshot import Snapshot
from orchestrator.study.canonical import canonical, digest

FORMAT = 1

OUTCOME = "outcome.json"
RERUN = "rerun.json"
"""In an attempt's folder: what a training that was asked for again gave."""
MOST_TENSORS = 4 * 1024**3
"""Bytes of a file of tensors or predictions that is read."""
AT_ONCE = 16
"""Requests to an object store that wait together."""
FAILURE = re.compile(r"failure-([0-9]+)\.json")
ATTEMPT = re.compile(r"attempt-[0-9a-z-]{1,40}")
_FILE = re.compile(r"[a-z][a-z0-9_-]*\.[a-z0-9]+")
_SHORTEST = 6
"""Digits of the shortest beginning that stands for a trial's id."""

Committed = Literal["committed", "same", "different"]
T = TypeVar("T")


class Ledger:
    """A store. Every path of the project's own making is made here."""

    def __init__(self, root: Location, trials: "Location | None" = None) -> None:
        self.root = root
        self.trials = root / "trials" if trials is None else trials
        """One folder a trial."""

    def with_trials_in(self, folder: Path) -> "Ledger":
        """This store with its trials in another folder: what a rehearsal writes is thrown away."""
        return Ledger(self.root, folder / "trials")

    # --- opening ---------------------------------------------------------------------------

    @classmethod
    def open_unchecked(cls, where: str) -> "Ledger":
        """The store at ``where``, without a look at it: for workers, whose driver opened it."""
        return cls(files.location(where))

    @classmethod
    def open(cls, where: str) -> "Ledger":
        """Open the store at ``where``, or make it.

        Raises:
            RequestError: for a URI of something else than an object store we know.
            LackError: when it cannot be reached or written, or does not keep what is written.
            DamageError: when it is a store of another format.
        """
        ledger = cls.open_unchecked(where)
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
    def open_existing(cls, where: str) -> "Ledger":
        """Open the store at ``where``; never makes one.

        Raises:
            RequestError, DamageError: as ``open``.
            LackError: when it cannot be reached or is not there.
        """
        ledger = cls.open_unchecked(where)
        if not ledger._exists():
            made = " where its bucket exists" if files.is_remote(ledger.root) else ""
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
            exists = bool((self.root / "store.json").exists())
        except Exception as error:
            raise _refused(self.root, error, "cannot be read") from None
        if exists:
            self._check_format()
        return exists

    def _check_format(self) -> None:
        marker = self.root / "store.json"
        try:
            found = files.read_json(marker)["format"]
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
    def kept_shards(self) -> Location:
        """Where shards are kept for all machines."""
        return self.root / "shards"

    def log_folder(self, system: str) -> Location:
        """Where finished trials are kept in the form of another system."""
        return self.root / "logs" / system

    def corpus_folder(self, name: str) -> Path:
        """Where a corpus that we make ourselves lies: its audio is made anew on each machine."""
        return files.here(self.root) / "corpora" / name

    def trial_folder(self, id: str) -> Location:
        """All of one trial."""
        if not re.fullmatch(r"[0-9a-f]{64}", id):
            raise RequestError(f"A trial's id must be 64 hex digits, but is `{id[:80]}` instead.")
        return _no_link(self.trials / id)

    def attempt_folder(self, id: str, attempt: str) -> Location:
        """What one attempt wrote."""
        if not ATTEMPT.fullmatch(attempt):
            raise DamageError(f"An attempt must be named `attempt-...`, but is `{attempt[:80]}`.")
        return _no_link(self.trial_folder(id) / attempt)

    def claim_file(self, id: str) -> Location:
        """Who trains the trial now."""
        return self.trial_folder(id) / "claim.json"

    @property
    def sweep_file(self) -> Location:
        """Who removes what nobody needs, now."""
        return self.root / "gc.json"

    def checkpoint_file(self, id: str) -> Location:
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

    # --- probes ----------------------------------------------------------------------------

    def write_probe(self, key: str, record: Mapping[str, Any]) -> None:
        """Keep a measurement; one of the same key takes its place."""
        replace_file(self._probe_file(key), canonical(record).encode())

    def probe(self, key: str) -> Any:
        """What ``write_probe`` kept; None where nothing is, or what is is damaged."""
        try:
            return files.read_json(self._probe_file(key))
        except (OSError, ValueError):
            return None

    @property
    def has_probes(self) -> bool:
        """Whether anything was ever measured."""
        return bool(files.files_in(self.root / "probes", "*.json"))

    def _probe_file(self, key: str) -> Location:
        return self.root / "probes" / f"{key}.json"

    # --- studies ---------------------------------------------------------------------------

    def write_snapshot(self, name: str, record: Mapping[str, Any]) -> Location:
        """Keep what a run was asked for. The same study again renews its time stamp."""
        path = self.root / "studies" / f"{name}@{digest(record)[:12]}.json"
        if not create_once(path, canonical(record).encode()):
            files.renew(path)
        return path

    def snapshots(self, name: str = "*") -> list[Snapshot]:
        """All snapshots, or those of one study, newest first.

        Raises:
            DamageError: when one is not what was written.
        """
        return list(self.each_snapshot(name))

    def each_snapshot(self, name: str) -> Iterator[Snapshot]:
        """The same one by one, each read when it is asked for: of a search there are many."""
        return map(read_snapshot, self.snapshot_files(name))

    def snapshot_files(self, name: str = "*") -> list[Location]:
        """Where they lie, newest first."""
        paths = files.files_in(self.root / "studies", f"{name}@*.json")
        return sorted(paths, key=lambda p: (p.stat().st_mtime_ns, p.name), reverse=True)

    # --- searches --------------------------------------------------------------------------

    def write_opening(self, opening: Opening) -> bool:
        """Keep that the test scores of a search were opened; whether they were not before."""
        path = self.root / "searches" / f"{opening.key}@{opening.configurations}.json"
        return create_once(path, canonical(asdict(opening)).encode())

    def openings(self) -> list[Opening]:
        """Every opening of the test scores of a search, the first one first.

        Raises:
            DamageError: one is not what was written.
        """
        found = []
        for path in files.files_in(self.root / "searches", "*@*.json"):
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

    # --- outcomes --------------------------------------------------------------------------

    def outcome(self, id: str) -> Outcome | None:
        """The effective record of a trial, or None.

        Raises:
            DamageError: when there is a record, but not the one that was written.
        """
        path = self.trial_folder(id) / OUTCOME
        try:
            blob = files.read(path)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise DamageError(f"`{path}` cannot be read: {error.strerror}.") from None
        remedy = f"Nothing else is affected. Move `{path.parent}` away and run again to train it."
        try:
            record = files.parse(blob)
            body = record["outcome"]
            whole = _is_sealed(blob, record["sha256"]) and body["id"] == id
            named = ATTEMPT.fullmatch(body["attempt"]) and all(map(_FILE.fullmatch, body["files"]))
            if not whole or not named or digest(body["identity"]) != id:
                raise DamageError(f"The outcome `{path}` is not what was written. {remedy}")
            scores = tuple(
                Scores(**{**s, "confusion": tuple(map(tuple, s["confusion"]))})
                for s in body["scores"]
            )
            return Outcome(**{**body, "scores": scores})
        except (ValueError, KeyError, TypeError, RecursionError):
            raise DamageError(f"The outcome `{path}` is damaged. {remedy}") from None

    def outcomes(self, ids: Iterable[str]) -> dict[str, Outcome]:
        """The effective records of those trials that have one, in the order of the ids.

        Raises:
            DamageError: as ``outcome``.
        """
        wanted = list(dict.fromkeys(ids))
        with _no_collection():
            found = zip(wanted, self.each(self.outcome, wanted), strict=True)
            return {id: outcome for id, outcome in found if outcome is not None}

    def find(self, beginning: str) -> str:
        """The id of the one trial that begins so: of those that have a folder or stand in a study.

        Raises:
            RequestError: it is too short, or no trial or several begin so.
        """
        if not re.fullmatch(rf"[0-9a-f]{{{_SHORTEST},64}}", beginning):
            raise RequestError(
                f"A trial's ID must be {_SHORTEST} to 64 hex digits, but is `{beginning[:80]}` "
                "instead. `ablate status STUDY --json` lists them."
            )
        known = {id for id in files.folders_in(self.trials) if re.fullmatch("[0-9a-f]{64}", id)}
        found = sorted(id for id in known if id.startswith(beginning))
        if not found:
            snapshot = {trial.id for study in self.snapshots() for trial in study.every_trial}
            found = sorted(id for id in snapshot if id.startswith(beginning))
        if len(found) == 1:
            return found[0]
        if not found:
            raise RequestError(
                f"No trial in `{self.root}` begins with `{beginning}`. "
                "`ablate status STUDY --json` lists them."
            )
        shown = ", ".join(f"`{id[:16]}`" for id in found[:4])
        more = f" and {len(found) - 4} more" if len(found) > 4 else ""
        raise RequestError(
            f"`{beginning}` must be the beginning of one trial's ID, but {len(found)} begin so: "
            f"{shown}{more}."
        )

    def files_of(self, ids: Iterable[str]) -> dict[str, set[str]]:
        """Trial -> names of the files in its folder, checkpoints and records alike."""
        return files.names_in(self.trials, ids)

    def each(self, work: Callable[[str], T], ids: Sequence[str]) -> list[T]:
        """The work of every id; an object store is asked for several at once."""
        if not files.is_remote(self.root) or not ids:
            return [work(id) for id in ids]
        with ThreadPoolExecutor(AT_ONCE) as threads:
            return list(threads.map(work, ids))

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
        blob = _sealed(body)
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

    def fail(self, failure: Failure) -> Location:
        """Keep why an attempt failed, as ``failure-<n>.json``."""
        folder = self.trial_folder(failure.id)
        blob = json.dumps(asdict(failure), indent=1, sort_keys=True).encode()
        n = len(files.files_in(folder, "failure-*.json")) + 1
        while not create_once(path := folder / f"failure-{n}.json", blob):
            n += 1
        return path

    def failures(self, id: str) -> list[Location]:
        """The failed attempts of a trial, oldest first."""
        found = {}
        for path in files.files_in(self.trial_folder(id), "failure-*.json"):
            if match := FAILURE.fullmatch(path.name):
                found[int(match[1])] = path
        return [found[n] for n in sorted(found)]

    def read_failure(self, path: Location) -> Failure:
        """One failed attempt."""
        try:
            return Failure(**_read_json(path))
        except TypeError:
            raise DamageError(f"`{path}` is not what was written: move it away.") from None

    # --- trials in flight -------------------------------------------------------------------

    def flight(self, id: str) -> Flight:
        """How far a trial in flight has come, by its newest checkpoint; nowhere without one."""
        try:
            numbers = files.read_json(self.checkpoint_file(id))["checkpoint"]["numbers"]
            log = tuple(str(line) for line in numbers.get("log", ()))
            history = numbers["history"]
            dev_ua = tuple((float(e["a"]["ua"]) + float(e["b"]["ua"])) / 2 for e in history)
            return Flight(
                epoch=int(history[-1]["number"]),
                log=log,
                dev_ua=dev_ua,
                most=int(numbers.get("epochs", 0)),
                least=int(numbers.get("least", 0)),
            )
        except (OSError, ValueError, KeyError, TypeError, IndexError, AttributeError):
            return Flight(epoch=0, log=())

    # --- files of an attempt ----------------------------------------------------------------

    def keep_rerun(self, outcome: Outcome) -> None:
        """Keep, beside its files, what a training that counts for nothing gave."""
        folder = self.attempt_folder(outcome.id, outcome.attempt)
        create_once(folder / RERUN, canonical(asdict(outcome)).encode())

    def remove_attempt(self, id: str, attempt: str) -> None:
        """Remove an attempt's files: those of one that no record names."""
        folder = self.attempt_folder(id, attempt)
        for path in files.files_in(folder, "*"):
            path.unlink(missing_ok=True)
        files.remove_empty(folder)

    def read_file(self, outcome: Outcome, name: str) -> bytes:
        """A file of a finished trial, proven against its record.

        Raises:
            DamageError: it is not what was written, or gone.
        """
        path = self.attempt_folder(outcome.id, outcome.attempt) / name
        try:
            blob = files.read(path, MOST_TENSORS)
        except OSError as error:
            raise DamageError(f"`{path}` cannot be read: {error.strerror}.") from None
        if hashlib.sha256(blob).hexdigest() != outcome.files.get(name):
            raise DamageError(
                f"`{path}` is not what was written; the scores stand in the outcome and are whole."
            )
        return blob

    def write_attempt(self, id: str, attempt: str, files: Mapping[str, bytes]) -> dict[str, str]:
        """Write an attempt's files durably; returns their sha256 by name."""
        folder = self.attempt_folder(id, attempt)
        for name, blob in files.items():
            replace_file(folder / name, blob)
        return {name: hashlib.sha256(blob).hexdigest() for name, blob in files.items()}


def _refused(root: Location, error: Exception, what: str) -> Exception:
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


def _no_link(folder: Location) -> Location:
    """The folder, unless it is a link: in a store that was made elsewhere it could lead anywhere.

    The store itself and the folders right in it may be links: a person sets those.
    """
    if isinstance(folder, Path) and folder.is_symlink():
        raise DamageError(
            f"`{folder}` must be a folder of the store, but is a link instead: move it away."
        )
    return folder


def new_attempt() -> str:
    """A name for an attempt that no other attempt has."""
    return "attempt-" + secrets.token_hex(6)


def read_snapshot(path: Location) -> Snapshot:
    """One snapshot.

    Raises:
        DamageError: it is not what was written.
    """
    record = _read_json(path)
    try:
        if digest(record)[:12] == path.stem.rpartition("@")[2]:
            return Snapshot.from_json(record)
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError):
        pass  # told below, like any other damage
    raise DamageError(f"The snapshot `{path}` is not what was written: move it away.")


@contextmanager
def _no_collection() -> Iterator[None]:
    """Without Python's search for cycles, which looks at all that was read again and again.

    Records hold none; of a report on ten thousand it took a seventh of the time.
    """
    searching = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if searching:
            gc.enable()


def _sealed(body: Mapping[str, Any]) -> bytes:
    """A record with the digest of its text."""
    return canonical({"outcome": body, "sha256": digest(body)}).encode()


def _is_sealed(blob: bytes, sha256: object) -> bool:
    """Whether it is a text that ``_sealed`` made.

    By its bytes: to write ten thousand bodies again, for their digests, took a second.
    """
    start, end = b'{"outcome":', b',"sha256":"' + str(sha256).encode() + b'"}'
    if not (blob.startswith(start) and blob.endswith(end)):
        return False
    return hashlib.sha256(blob[len(start) : -len(end)]).hexdigest() == sha256


def _read_json(path: Location) -> Any:
    """Raises DamageError for what is missing or no JSON; a refusal of the system rises as it is."""
    try:
        return files.read_json(path)
    except OSError as error:
        if not isinstance(error, FileNotFoundError) and error.errno not in files.NOT_OURS:
            raise
        reason = error.strerror or "it is gone"
        raise DamageError(f"`{path}` cannot be read: {reason}. Move it away.") from None
    except ValueError:
        raise DamageError(
            f"`{path}` is damaged: it must be a JSON text. Move it away and run again."
        ) from None


def _as_json(value: Any) -> Any:
    """The value as it comes back from a JSON text (tuples become lists)."""
    return json.loads(canonical(value))
