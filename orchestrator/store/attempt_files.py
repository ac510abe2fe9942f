"""What stands in the files of an attempt: its history by epoch, its predictions by segment."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from orchestrator.errors import DamageError


def read_history(blob: bytes) -> list[Any]:
    """One entry an epoch, of a ``history.json`` that has been proven.

    Raises:
        DamageError: it was written by something else.
    """
    try:
        history = json.loads(blob)
    except (ValueError, RecursionError):
        history = None
    if not isinstance(history, list):
        raise DamageError("A `history.json` must hold a list, but holds something else.")
    return history


PredictionKey = tuple[str, int, str]
"""Utterance, number of the segment, choice of epoch."""


def read_predictions(blob: bytes) -> dict[PredictionKey, list[float]]:
    """Key -> probabilities of the classes, of a ``predictions.parquet`` that has been proven.

    Raises:
        DamageError: it was written by something else.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        columns = pq.read_table(pa.BufferReader(blob)).to_pydict()
        classes = [columns[name] for name in columns if name.startswith("p_")]
        keys = zip(columns["utterance"], columns["segment"], columns["choice"], strict=True)
        return {
            (str(utterance), int(segment), str(choice)): [float(p) for p in probabilities]
            for (utterance, segment, choice), probabilities in zip(
                keys, zip(*classes, strict=True), strict=True
            )
        }
    except (pa.ArrowException, OSError, KeyError, TypeError, ValueError):
        raise DamageError("A `predictions.parquet` is not one that this program writes.") from None


def read_decisions(blob: bytes) -> dict[str, tuple[str, str, str]]:
    """Utterance -> (speaker, emotion, what it was taken for), of the headline's epoch.

    An utterance is taken for the class of the highest mean probability of its segments.

    Raises:
        DamageError: it was written by something else.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        columns = pq.read_table(pa.BufferReader(blob)).to_pydict()
        classes = [name for name in columns if name.startswith("p_")]
        totals: dict[str, list[float]] = {}
        spoken: dict[str, tuple[str, str]] = {}
        for index, choice in enumerate(columns["choice"]):
            if choice == "chosen":
                utterance = str(columns["utterance"][index])
                spoken[utterance] = columns["speaker"][index], columns["emotion"][index]
                sums = totals.setdefault(utterance, [0.0] * len(classes))
                for place, name in enumerate(classes):
                    sums[place] += columns[name][index]
        return {
            utterance: (*spoken[utterance], classes[sums.index(max(sums))].removeprefix("p_"))
            for utterance, sums in totals.items()
        }
    except (pa.ArrowException, OSError, KeyError, TypeError, ValueError):
        raise DamageError("A `predictions.parquet` is not one that this program writes.") from None


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


def gathered_predictions(
    parts: Iterable[tuple[Mapping[str, Any], bytes]], classes: Sequence[str]
) -> bytes:
    """Several ``predictions.parquet``, proven before, as one: still a row a segment and choice.

    Args:
        parts: values that stand in every row of one of them, and its bytes.
        classes: what its probabilities are of, in this order.

    Raises:
        DamageError: one was written by something else.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    names = ["utterance", "segment", "speaker", "emotion", "choice", "epoch"]
    names += [f"p_{name}" for name in classes]
    sink = pa.BufferOutputStream()
    try:
        tables = []
        for values, blob in parts:
            table = pq.read_table(pa.BufferReader(blob)).select(names)
            for place, (name, value) in enumerate(values.items()):
                table = table.add_column(place, name, pa.array([value] * len(table)))
            tables.append(table)
        pq.write_table(pa.concat_tables(tables), sink, compression="zstd", write_page_checksum=True)
    except (pa.ArrowException, KeyError, TypeError):
        raise DamageError("A `predictions.parquet` is not one that this program writes.") from None
    return bytes(sink.getvalue())
