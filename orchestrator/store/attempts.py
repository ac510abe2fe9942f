"""Attempts to train a trial: their files, the records of failures, and progress by checkpoint."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

from orchestrator.errors import DamageError
from orchestrator.store import files
from orchestrator.store.files import create_once, replace_file
from orchestrator.store.paths import FAILURE, RERUN, Location, StorePaths
from orchestrator.store.records import EpochChoice, Failure, Outcome, TrainingProgress
from orchestrator.study.canonical import canonical


class Attempts:
    """Reads and writes the files of attempts, except outcomes and checkpoints."""

    def __init__(self, paths: StorePaths) -> None:
        self._paths = paths

    def write(self, id: str, attempt: str, blobs: Mapping[str, bytes]) -> dict[str, str]:
        """Write the files of an attempt to disk (synced) or to the object store.

        Args:
            id: the trial.
            attempt: name of the attempt.
            blobs: file name -> bytes.

        Returns:
            File name -> sha256 of its bytes.
        """
        folder = self._paths.attempt_folder(id, attempt)
        for name, blob in blobs.items():
            replace_file(folder / name, blob)
        return {name: hashlib.sha256(blob).hexdigest() for name, blob in blobs.items()}

    def read_file(self, outcome: Outcome, name: str) -> bytes:
        """Read a file of the attempt that finished a trial, its sha256 verified by the outcome.

        Args:
            outcome: the outcome of the trial.
            name: file name, such as ``predictions.parquet``.

        Raises:
            DamageError: the file is missing or its bytes are not those that were written.
        """
        path = self._paths.attempt_folder(outcome.id, outcome.attempt) / name
        try:
            blob = files.read(path, files.MOST_TENSORS)
        except OSError as error:
            raise DamageError(f"`{path}` cannot be read: {error.strerror}.") from None
        if hashlib.sha256(blob).hexdigest() != outcome.files.get(name):
            raise DamageError(
                f"`{path}` is not what was written; the scores stand in the outcome and are whole."
            )
        return blob

    def write_rerun(self, outcome: Outcome) -> None:
        """Write ``rerun.json``, the outcome of a repeated training, into that attempt's folder."""
        folder = self._paths.attempt_folder(outcome.id, outcome.attempt)
        create_once(folder / RERUN, canonical(asdict(outcome)).encode())

    def remove(self, id: str, attempt: str) -> None:
        """Delete the folder of an attempt; the caller knows that no record names it."""
        folder = self._paths.attempt_folder(id, attempt)
        for path in files.files_in(folder, "*"):
            path.unlink(missing_ok=True)
        files.remove_empty(folder)

    # --- failures --------------------------------------------------------------------------

    def write_failure(self, failure: Failure) -> Location:
        """Write the record of a failed attempt as ``failure-<n>.json`` with the next free n.

        Returns:
            The path of the record.
        """
        blob = json.dumps(asdict(failure), indent=1, sort_keys=True).encode()
        n = len(files.files_in(self._paths.trial_folder(failure.id), "failure-*.json")) + 1
        while not create_once(path := self._paths.failure_file(failure.id, n), blob):
            n += 1
        return path

    def failure_files(self, id: str) -> list[Location]:
        """Paths of the records of a trial's failed attempts, oldest first."""
        found = {}
        for path in files.files_in(self._paths.trial_folder(id), "failure-*.json"):
            if match := FAILURE.fullmatch(path.name):
                found[int(match[1])] = path
        return [found[n] for n in sorted(found)]

    def read_failure(self, path: Location) -> Failure:
        """Read the record of one failed attempt.

        Raises:
            DamageError: it is not what was written.
        """
        try:
            return Failure(**files.read_record(path))
        except TypeError:
            raise DamageError(f"`{path}` is not what was written: move it away.") from None

    # --- trials in flight ------------------------------------------------------------------

    def progress(self, id: str) -> TrainingProgress:
        """How many epochs of a trial its newest checkpoint has.

        Returns:
            Epoch 0 and an empty log where there is no checkpoint, or a damaged one.
        """
        try:
            record = files.read_json(self._paths.checkpoint_file(id))
            numbers = record["checkpoint"]["numbers"]
            log = tuple(str(line) for line in numbers.get("log", ()))
            history = numbers["history"]
            dev_ua = tuple((float(e["a"]["ua"]) + float(e["b"]["ua"])) / 2 for e in history)
            return TrainingProgress(
                epoch=int(history[-1]["number"]),
                log=log,
                dev_ua=dev_ua,
                max_epochs=int(numbers.get("epochs", 0)),
                min_epochs=int(numbers.get("least", 0)),
            )
        except (OSError, ValueError, KeyError, TypeError, IndexError, AttributeError):
            return TrainingProgress(epoch=0, log=())


# --- what stands in the files of an attempt ---------------------------------------------------


def read_history(blob: bytes) -> list[Any]:
    """Parse a ``history.json``: a list with one entry (losses and scores) for each epoch.

    Args:
        blob: its bytes, whose sha256 was checked.

    Raises:
        DamageError: it holds something else than a list.
    """
    try:
        history = json.loads(blob)
    except (ValueError, RecursionError):
        history = None
    if not isinstance(history, list):
        raise DamageError("A `history.json` must hold a list, but holds something else.")
    return history


PredictionKey = tuple[str, int, str]
"""(name of the utterance, number of the segment in it, choice of epoch), see ``EpochChoice``."""


def read_predictions(blob: bytes) -> dict[PredictionKey, list[float]]:
    """The class probabilities of every segment, from a ``predictions.parquet``.

    Args:
        blob: its bytes, whose sha256 was checked.

    Returns:
        Key -> one probability for each class, in the order of the file's columns.

    Raises:
        DamageError: this program did not write it.
    """
    with _refusing_foreign_tables():
        columns = _read_table(blob).to_pydict()
        classes = [columns[name] for name in columns if name.startswith("p_")]
        keys = zip(columns["utterance"], columns["segment"], columns["choice"], strict=True)
        return {
            (str(utterance), int(segment), str(choice)): [float(p) for p in probabilities]
            for (utterance, segment, choice), probabilities in zip(
                keys, zip(*classes, strict=True), strict=True
            )
        }


def read_decisions(blob: bytes, wanted: EpochChoice) -> dict[str, tuple[str, str, str]]:
    """The predicted class of each test utterance in a ``predictions.parquet``.

    The predicted class has the highest mean probability over the segments of the utterance.

    Args:
        blob: its bytes, whose sha256 was checked.
        wanted: by which choice the network is picked.

    Returns:
        Name of the utterance -> (speaker, true class, predicted class).

    Raises:
        DamageError: this program did not write it.
    """
    with _refusing_foreign_tables():
        columns = _read_table(blob).to_pydict()
        classes = [name for name in columns if name.startswith("p_")]
        totals: dict[str, list[float]] = {}
        labels: dict[str, tuple[str, str]] = {}
        for index, choice in enumerate(columns["choice"]):
            if choice == wanted:
                utterance = str(columns["utterance"][index])
                labels[utterance] = columns["speaker"][index], columns["emotion"][index]
                sums = totals.setdefault(utterance, [0.0] * len(classes))
                for position, name in enumerate(classes):
                    sums[position] += columns[name][index]
        return {
            utterance: (*labels[utterance], classes[sums.index(max(sums))].removeprefix("p_"))
            for utterance, sums in totals.items()
        }


def predictions_parquet(
    columns: Mapping[str, Sequence[Any]], probabilities: Mapping[str, Iterable[float]]
) -> bytes:
    """The bytes of a ``predictions.parquet``: one row a segment and choice of epoch.

    Args:
        columns: utterance, segment, speaker, emotion, choice, epoch -> one value a row.
        probabilities: class name -> one probability a row, stored as float32 column ``p_<class>``.
    """
    import pyarrow as pa

    arrays = {name: pa.array(list(values)) for name, values in columns.items()}
    arrays |= {
        f"p_{name}": pa.array(list(values), type=pa.float32())
        for name, values in probabilities.items()
    }
    return _table_bytes(pa.table(arrays))


def gathered_predictions(
    parts: Iterable[tuple[Mapping[str, Any], bytes]], classes: Sequence[str]
) -> bytes:
    """Join several ``predictions.parquet`` into one, still one row a segment and choice of epoch.

    Args:
        parts: for each table, extra columns of one constant value that are put first (such as the
            trial's fold), and the bytes of its file, whose sha256 was checked.
        classes: names of the classes, in the order of the probability columns.

    Returns:
        The bytes of the Parquet file.

    Raises:
        DamageError: this program did not write one of them.
    """
    import pyarrow as pa

    names = ["utterance", "segment", "speaker", "emotion", "choice", "epoch"]
    names += [f"p_{name}" for name in classes]
    with _refusing_foreign_tables():
        tables = []
        for values, blob in parts:
            table = _read_table(blob).select(names)
            for position, (name, value) in enumerate(values.items()):
                table = table.add_column(position, name, pa.array([value] * len(table)))
            tables.append(table)
        return _table_bytes(pa.concat_tables(tables))


@contextmanager
def _refusing_foreign_tables() -> Iterator[None]:
    """Turn any error about a table that this program did not write into a DamageError."""
    import pyarrow as pa

    try:
        yield
    except (pa.ArrowException, OSError, KeyError, TypeError, ValueError):
        raise DamageError("A `predictions.parquet` is not one that this program writes.") from None


def _read_table(blob: bytes) -> Any:
    import pyarrow as pa
    import pyarrow.parquet as pq

    return pq.read_table(pa.BufferReader(blob))


def _table_bytes(table: Any) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd", write_page_checksum=True)
    return bytes(sink.getvalue())
