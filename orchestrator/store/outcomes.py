"""The outcomes of a store: one checksummed record for each finished trial, created once."""

import gc
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any, Literal

from orchestrator.errors import DamageError
from orchestrator.store import files
from orchestrator.store.files import create_once
from orchestrator.store.paths import ATTEMPT, ATTEMPT_FILE, LATE_OUTCOME, StorePaths
from orchestrator.store.records import Outcome, Scores
from orchestrator.study.canonical import canonical, digest

Committed = Literal["committed", "same", "different"]
"""Result of ``Outcomes.commit``: ``committed``, this call wrote the outcome; ``same``, an equal one
was there; ``different``, one with other numbers was there."""


class Outcomes:
    """Reads and commits the outcomes of one store."""

    def __init__(self, paths: StorePaths) -> None:
        self._paths = paths

    def has(self, id: str) -> bool:
        """Whether the trial has an outcome, without reading it."""
        return self._paths.outcome_file(id).exists()

    def read(self, id: str) -> Outcome | None:
        """The outcome of a trial, with its checksum verified; None when the trial is not finished.

        Raises:
            DamageError: the record is not what was written.
        """
        path = self._paths.outcome_file(id)
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
            whole = _is_checksummed(blob, record["sha256"]) and body["id"] == id
            named = ATTEMPT.fullmatch(body["attempt"]) and all(
                map(ATTEMPT_FILE.fullmatch, body["files"])
            )
            if not whole or not named or digest(body["identity"]) != id:
                raise DamageError(f"The outcome `{path}` is not what was written. {remedy}")
            scores = tuple(
                Scores(**{**s, "confusion": tuple(map(tuple, s["confusion"]))})
                for s in body["scores"]
            )
            return Outcome(**{**body, "scores": scores})
        except (ValueError, KeyError, TypeError, RecursionError):
            raise DamageError(f"The outcome `{path}` is damaged. {remedy}") from None

    def read_all(self, ids: Iterable[str]) -> dict[str, Outcome]:
        """Id -> outcome of those trials that are finished, in the order of the ids.

        Raises:
            DamageError: as ``read``.
        """
        wanted = list(dict.fromkeys(ids))
        with _no_collection():
            outcomes = files.in_parallel(self._paths.root, self.read, wanted)
        found = zip(wanted, outcomes, strict=True)
        return {id: outcome for id, outcome in found if outcome is not None}

    def commit(self, outcome: Outcome) -> Committed:
        """Write the outcome of a finished trial, unless it has one already.

        Returns:
            ``committed``: this call wrote it. ``same``: one was there, with equal numbers or from
            another determinism class; nothing is written. ``different``: one of the same class was
            there with other numbers; the new one is written beside it, as an alarm.
        """
        blob = _checksummed(asdict(outcome))
        if create_once(self._paths.outcome_file(outcome.id), blob):
            return "committed"
        earlier = self.read(outcome.id)
        if earlier is None or earlier.environment != outcome.environment:
            return "same"
        if _as_json(earlier.scored_part) == _as_json(outcome.scored_part):
            return "same"
        create_once(self._paths.late_outcome_file(outcome.id, outcome.attempt), blob)
        return "different"

    def alarms(self, ids: Iterable[str]) -> list[str]:
        """Paths of alarms of these trials: second outcomes whose numbers differ from the first."""
        return [
            str(self._paths.trial_folder(id) / name)
            for id, names in files.names_in(self._paths.trials, ids).items()
            for name in sorted(names)
            if LATE_OUTCOME.fullmatch(name)
        ]


@contextmanager
def _no_collection() -> Iterator[None]:
    """Switch off Python's garbage collector, which visits every record again and again.

    Records hold no cycles; the collector took a seventh of the time of a report on ten thousand.
    """
    searching = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if searching:
            gc.enable()


def _checksummed(body: Mapping[str, Any]) -> bytes:
    """The bytes of a JSON record with the body and the sha256 of its canonical text."""
    return canonical({"outcome": body, "sha256": digest(body)}).encode()


def _is_checksummed(blob: bytes, sha256: object) -> bool:
    """Whether ``sha256`` is the digest of the body in ``blob``, a text that ``_checksummed`` made.

    It hashes the bytes themselves: to write ten thousand records again, for their digests, took a
    second.
    """
    start, end = b'{"outcome":', b',"sha256":"' + str(sha256).encode() + b'"}'
    if not (blob.startswith(start) and blob.endswith(end)):
        return False
    return hashlib.sha256(blob[len(start) : -len(end)]).hexdigest() == sha256


def _as_json(value: Any) -> Any:
    """The value as it comes back from a JSON text (tuples become lists)."""
    return json.loads(canonical(value))
