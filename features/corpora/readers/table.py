"""Reading a corpus that a table describes: a CSV or Parquet file, or an audformat database folder.

Columns `file`, `speaker`, `emotion`; if wanted `split` (train, dev, test), `session`, `sex`, and
`start` and `end` in seconds where an utterance is a part of its file. Other columns are not read.
Paths are relative to the table's folder and stay inside of it.

Every row is read before anything is refused, so that one error lists all problems with their
lines. The rows of a database come from `database`.
"""

import math
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, time
from pathlib import Path, PurePosixPath
from typing import Any

from features.corpora.corpus import Corpus, FileNote, OnProgress, Utterance, no_progress
from features.corpora.readers import database, scan
from features.corpora.spellings import letters_form, looks_missing, visible
from features.errors import CorpusError

ABOUT = "any recordings that a table lists with speaker and emotion"
LICENSE = "that of the speech it names"
SOURCE = "https://github.com/audeering/audb (or a table of your own)"
LAYOUT = "a CSV or Parquet file with file, speaker, emotion; or an audformat database folder"

NEEDED = ("file", "speaker", "emotion")
"""Columns that a table must have."""
OPTIONAL = ("split", "session", "sex", "start", "end")
"""Columns that are read where a table has them."""
NAMES = ("speaker", "session", "emotion")
"""Columns whose cells are names."""
SPLITS = {
    "": "",
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("dev", "devel", "development", "val", "valid", "validation"), "dev"),
    "test": "test",
}
"""Cell of the column `split`, without case and blanks, -> `Utterance.split`."""
SEXES = {"": "", "f": "female", "female": "female", "m": "male", "male": "male", "other": ""}
"""Cell of the column `sex`, in small letters, -> `Utterance.sex`."""
MOST_BYTES = 256 * 2**20
"""Bytes (256 MiB) above which a file is refused: it cannot be a table of labels."""

TableRow = tuple[str, Mapping[str, Any]]
"""Position of a row (such as `labels.csv:7`), and column -> cell."""


@dataclass(slots=True)
class _Rows:
    """Utterances and problems of the rows that were read so far."""

    root: Path
    """Folder of the table, which the files' paths are relative to."""
    found: dict[str, Utterance] = field(default_factory=dict)
    """By their ids, utterances of the rows without a problem, not yet decoded or hashed."""
    positions: dict[str, str] = field(default_factory=dict)
    """Utterance id -> position of its row, such as `labels.csv:7`."""
    bad: list[FileNote] = field(default_factory=list)
    """Position of a row and what is wrong there, one note a problem."""


def read(
    root: Path,
    on_progress: OnProgress = no_progress,
    *,
    skip_bad: bool = False,
    mend_headers: bool = False,
    name: str = "table",
) -> Corpus:
    """Read a table or a database folder as a corpus; all audio is decoded and hashed.

    Args:
        root: a CSV or Parquet file, or the folder of an audformat database.
        on_progress: called with (utterances done, utterances in all).
        skip_bad: leave out rows and recordings that cannot be used, instead of refusing the
            corpus.
        mend_headers: read what lies behind headers that say 0.
        name: name of the corpus.

    Raises:
        CorpusError: there is no table, a column is missing, or rows or recordings cannot be used.
        MissingError: the folder is a database, and the package `audformat` is not installed.
    """
    source = root
    folder = (source if source.is_dir() else source.parent).resolve()
    rows = _Rows(root=folder)
    table_rows = _without_decimals([*_rows(source)])
    for position, cells in table_rows:
        _add_row(position, cells, rows)
    if not rows.found and not rows.bad:
        raise CorpusError(f"Table {source} must have at least one row, but has none.")
    measured = scan.measure_recordings(
        folder,
        name,
        tuple(rows.found.values()),
        on_progress,
        skip_bad=skip_bad,
        mend_headers=mend_headers,
        bad=rows.bad,
        position=lambda utterance: f"{rows.positions[utterance.id]}: {utterance.path}",
    )
    return Corpus(
        name=name,
        root=str(folder),
        utterances=measured.utterances,
        left_out=measured.bad,
        notes=_split_notes(table_rows),
        doubts=measured.doubts,
        heard=measured.heard,
        reader="table",
        source=os.path.abspath(source),
    )


def _rows(source: Path) -> Iterator[TableRow]:
    """Yield the rows of a CSV file, a Parquet file or a database folder.

    Raises:
        CorpusError: ``source`` is missing, an archive, too large, or cannot be read.
    """
    if source.is_dir():
        return database.rows(source)
    if not source.exists():
        raise CorpusError(f"Table {source} does not exist: name a CSV or Parquet file.")
    if scan.is_archive(source):
        raise CorpusError(
            f"A table must be a CSV or Parquet file or an audformat folder, but {source} is an "
            "archive instead: unpack it."
        )
    if source.stat().st_size > MOST_BYTES:
        raise CorpusError(
            f"A table must be at most {MOST_BYTES >> 20} MiB, but {source} is larger: is it one?"
        )
    return _parquet(source) if source.suffix.lower() == ".parquet" else _csv(source)


def _without_decimals(rows: list[TableRow]) -> list[TableRow]:
    """Write whole numbers as such in columns of names that hold nothing but `1.0`, `2.0`, ...

    A column of whole numbers with a gap becomes one of floats in pandas, and its CSV file has
    `1.0` where its Parquet file has the number 1: one table gives the same names from both. A
    column that holds other names, too, stays as it is written.
    """
    for column in NAMES:
        texts = {_text(cells.get(column)) for _, cells in rows}
        named = {text for text in texts if not looks_missing(text)}
        if named and all(re.fullmatch(r"-?(0|[1-9]\d*)\.0+", text) for text in named):
            whole = {text: str(int(text.partition(".")[0])) for text in named}
            rows = [
                (where, {**cells, column: whole.get(_text(cells.get(column)), cells.get(column))})
                for where, cells in rows
            ]
    return rows


def _split_notes(rows: list[TableRow]) -> tuple[str, ...]:
    """Sentences on sides of a published split that the table writes in several words."""
    words = sorted({_text(cells.get("split")) for _, cells in rows} - {""})
    sides: dict[str, dict[str, str]] = {}
    for word in words:
        sides.setdefault(SPLITS.get(letters_form(word), ""), {}).setdefault(
            letters_form(word), word
        )
    return tuple(
        f"column `split` has {' and '.join(f'`{visible(w)}`' for w in spelled.values())}, which "
        f"count as one side, {side}"
        for side, spelled in sides.items()
        if side and len(spelled) > 1
    )


def _csv(source: Path) -> Iterator[TableRow]:
    """Yield the rows of a CSV file in UTF-8, blank ones left out.

    The delimiter is the most frequent of comma, semicolon and tab in the first line.

    Raises:
        CorpusError: it is no such text, or a column is missing or stands twice.
    """
    import csv  # not for a plan, which only imports this

    try:
        text = source.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise CorpusError(
            f"Table {source} must be UTF-8 text, but is not: save it as CSV in UTF-8."
        ) from None
    first = text.partition("\n")[0]
    delimiter = max(",;\t", key=first.count)
    reader = csv.reader(text.splitlines(keepends=True), delimiter=delimiter)
    try:
        heads = [head.strip().lower() for head in next(reader, [])]
        _refuse_columns(source, heads)
        for cells in reader:
            if any(cell.strip() for cell in cells):
                yield f"{source.name}:{reader.line_num}", dict(zip(heads, cells, strict=False))
    except csv.Error as error:
        raise CorpusError(
            f"Table {source} cannot be read at line {reader.line_num} ({error})."
        ) from None


def _parquet(source: Path) -> Iterator[TableRow]:
    """Yield the rows of a Parquet file, known columns alone.

    Raises:
        CorpusError: it is no Parquet file, or a column is missing or stands twice.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        heads = {head.strip().lower(): head for head in pq.read_schema(source).names}
        _refuse_columns(source, list(heads))
        wanted = [head for name, head in heads.items() if name in NEEDED + OPTIONAL]
        columns = pq.read_table(source, columns=wanted).to_pydict()
    except pa.ArrowException as error:
        raise CorpusError(
            f"Table {source} must be Parquet, but cannot be read ({str(error)[:80]})."
        ) from None
    for number, cells in enumerate(zip(*(columns[head] for head in wanted), strict=True), start=1):
        names = [head.strip().lower() for head in wanted]
        yield f"{source.name}, row {number}", dict(zip(names, cells, strict=True))


def _refuse_columns(source: Path, heads: list[str]) -> None:
    """Refuse a table that lacks a needed column or has a known column twice.

    Args:
        source: the table, for the error.
        heads: names of its columns, in small letters.

    Raises:
        CorpusError: it does.
    """
    missing = [name for name in NEEDED if name not in heads]
    twice = sorted({name for name in (*NEEDED, *OPTIONAL) if heads.count(name) > 1})
    if missing or twice:
        fault = f"`{missing[0]}` is missing" if missing else f"`{twice[0]}` stands there twice"
        shown = ", ".join(f"`{head}`" for head in heads[:MOST_COLUMNS]) or "none"
        raise CorpusError(
            f"Table {source} must have the columns `file`, `speaker` and `emotion`, but {fault}; "
            f"its columns are {shown}."
        )


MOST_COLUMNS = 12
"""Most columns that the error about a missing column lists."""


def _add_row(position: str, cells: Mapping[str, Any], rows: _Rows) -> None:
    """Check a row, and add its utterance to ``rows.found`` or each of its problems to ``rows.bad``.

    Args:
        position: position of the row, such as `labels.csv:7`.
        cells: column -> cell.
        rows: what was read so far; changed.
    """
    texts = {name: _text(cells.get(name)) for name in (*NEEDED, "split", "session", "sex")}
    faults = [f"`{name}` is empty" for name in NEEDED if not texts[name]]
    if texts["file"]:
        faults += _misplaced(rows.root, texts["file"])
    split, sex = (known.get(letters_form(texts[name])) for name, known in _CODES.items())
    if split is None:
        faults.append(
            f"`split` must be train, dev, test or empty, but is `{texts['split']}` instead"
        )
    if sex is None:
        faults.append(f"`sex` must be female, male or empty, but is `{texts['sex']}` instead")
    times = {name: _seconds(name, cells.get(name), faults) for name in ("start", "end")}
    start, end = times["start"] or None, times["end"]
    if end is not None and end <= (start or 0.0):
        faults.append(f"`end` must be after `start`, but is {end:g} instead")
    path = _below(rows.root, texts["file"])
    id_ = path if start is None and end is None else f"{path}#{start or 0.0!r}-{end!r}"
    if not faults and id_ in rows.positions:
        faults.append(_already(path, texts, rows.found[id_], rows.positions[id_]))
    if faults:
        rows.bad += [FileNote(path=position, reason=fault, bad=True) for fault in faults]
        return
    rows.positions[id_] = position
    rows.found[id_] = Utterance(
        id=id_,
        path=path,
        speaker=texts["speaker"],
        sex=sex or "",
        session=texts["session"],
        emotion=texts["emotion"],
        digest="",
        size=0,
        mtime_ns=0,
        split=split or "",
        start=start,
        end=end,
    )


def _already(path: str, texts: Mapping[str, str], first: Utterance, position: str) -> str:
    """Say that a row names an utterance that an earlier row names, and in what they differ.

    Args:
        path: path of the file.
        texts: column -> cell of the row.
        first: utterance of the earlier row.
        position: position of the earlier row, such as `labels.csv:7`.
    """
    found = f"{path} stands at {position} already"
    if texts["speaker"] != first.speaker:
        found += f", of speaker {first.speaker}: two speakers of one file need `start` and `end`"
    elif texts["emotion"] != first.emotion:
        found += f", labelled {first.emotion}"
    return found


_CODES: dict[str, dict[str, str]] = {"split": SPLITS, "sex": SEXES}


def _text(cell: Any) -> str:
    """Convert a cell to text without outer spaces, as a CSV file has it; None and NaN are empty."""
    if cell is None or (isinstance(cell, float) and math.isnan(cell)):
        return ""
    if isinstance(cell, datetime) and cell.time() == time.min:
        return cell.date().isoformat()
    if isinstance(cell, bytes):  # text in a Parquet file that does not say that it is text
        return cell.decode("utf-8", "backslashreplace").strip()
    return str(cell).strip()


def _seconds(name: str, cell: Any, faults: list[str]) -> float | None:
    """Read a time in seconds; None for an empty cell, and for a bad one, noted in ``faults``.

    Args:
        name: the column, ``start`` or ``end``.
        cell: the cell.
        faults: sentences on what is wrong in the row; changed.
    """
    text = _text(cell)
    if not text:
        return None
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value >= 0):
        faults.append(f"`{name}` must be seconds from 0, but is `{text}` instead")
        return None
    return value


def _below(root: Path, file: str) -> str:
    """Write a path below `root` in one way: `a/../b.wav` as `b.wav`, links followed for the dots.

    Args:
        root: folder of the table.
        file: cell of the column `file`.
    """
    path = PurePosixPath(file)
    if ".." in path.parts and "\0" not in file:
        folder = os.path.realpath(root / path.parent)
        path = PurePosixPath(os.path.relpath(os.path.join(folder, path.name), root))
    return path.as_posix()


def _misplaced(root: Path, file: str) -> list[str]:
    """Return why a path is not that of a file below `root`, links followed; an empty list if it is.

    Args:
        root: folder of the table.
        file: cell of the column `file`.
    """
    if PurePosixPath(file).is_absolute():
        return [f"`file` must be relative to the table's folder, but is {file} instead"]
    if "\0" in file:
        return ["`file` holds a zero byte"]
    real = os.path.realpath(root / file)
    if os.path.commonpath([real, root]) != str(root):
        return [f"`file` must lie inside of the table's folder, but {file} does not"]
    return []
