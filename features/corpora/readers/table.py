"""Reading a corpus that a table describes: a CSV or Parquet file, or an audformat database folder.

Columns `file`, `speaker`, `emotion`; if wanted `split` (train, dev, test), `session`, `sex`, and
`start` and `end` in seconds where an utterance is a part of its file. Other columns are not read.
Paths are relative to the table's folder and stay inside of it, or of the folder of `--root`.

Every row is read before anything is refused, so that one error lists all problems with their
lines. The rows of a database come from `database`.
"""

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from features.corpora.corpus import Corpus, FileNote, OnProgress, Utterance, no_progress
from features.corpora.readers import database, scan
from features.corpora.readers.tables.cells import has_decimal_commas, seconds_of, text_of
from features.corpora.readers.tables.columns import NEEDED, read_column_names
from features.corpora.readers.tables.options import NO_TABLE_OPTIONS, TableOptions
from features.corpora.readers.tables.placement import Folder, Place, proposed_root, read_root
from features.corpora.readers.tables.table_file import SURPLUS, TableRow, file_rows
from features.corpora.spellings import letters_form, looks_missing, visible
from features.errors import CorpusError

ABOUT = "any recordings that a table lists with speaker and emotion"
LICENSE = "that of the speech it names"
SOURCE = "https://github.com/audeering/audb (or a table of your own)"
LAYOUT = "a CSV or Parquet file with file, speaker, emotion; or an audformat database folder"

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


@dataclass(slots=True)
class _Rows:
    """Utterances and problems of the rows that were read so far."""

    folder: Folder
    """Folder in which the table's files lie."""
    decimal_commas: bool
    """Whether times are written ``0,5``."""
    found: dict[str, Utterance] = field(default_factory=dict)
    """By their ids, utterances of the rows without a problem, not yet decoded or hashed."""
    positions: dict[str, str] = field(default_factory=dict)
    """Utterance id -> position of its row, such as `labels.csv:7`."""
    first: dict[tuple[str, float | None, float | None], Utterance] = field(default_factory=dict)
    """(path, start, end) -> the utterance of the first row that names this part of a file."""
    bad: list[FileNote] = field(default_factory=list)
    """Position of a row and what is wrong there, one note a row."""
    outside: list[str] = field(default_factory=list)
    """Real paths of recordings outside of the folder."""


def read(
    root: Path,
    on_progress: OnProgress = no_progress,
    *,
    skip_bad: bool = False,
    mend_headers: bool = False,
    name: str = "table",
    options: TableOptions = NO_TABLE_OPTIONS,
) -> Corpus:
    """Read a table or a database folder as a corpus; all audio is decoded and hashed.

    Args:
        root: a CSV or Parquet file, or the folder of an audformat database.
        on_progress: called with (utterances done, utterances in all).
        skip_bad: leave out rows and recordings that cannot be used, instead of refusing the
            corpus.
        mend_headers: read what lies behind headers that say 0.
        name: name of the corpus.
        options: what a person typed about the table.

    Raises:
        CorpusError: there is no table, an option does not fit it, a column is missing, or rows or
            recordings cannot be used.
        MissingError: the folder is a database, and the package `audformat` is not installed.
    """
    source = root
    folder = Folder(
        table=(source if source.is_dir() else source.parent).resolve(),
        root=read_root(options.root) if options.root else None,
    )
    table_rows = _without_decimals([*_rows(source, options)])
    times = (cells.get(name) for _, cells in table_rows for name in ("start", "end"))
    rows = _Rows(folder=folder, decimal_commas=has_decimal_commas(times))
    for position, cells in table_rows:
        _add_row(position, cells, rows)
    if not rows.found and not rows.bad:
        raise CorpusError(f"Table {source} must have at least one row, but has none.")
    measured = scan.measure_recordings(
        folder.path,
        name,
        tuple(rows.found.values()),
        on_progress,
        skip_bad=skip_bad,
        mend_headers=mend_headers,
        bad=rows.bad,
        position=lambda utterance: f"{rows.positions[utterance.id]}: {utterance.path}",
        remedy=proposed_root(rows.outside, [str(folder.table / "x")] if rows.found else []),
    )
    return Corpus(
        name=name,
        root=str(folder.path),
        utterances=measured.utterances,
        left_out=measured.bad,
        notes=_split_notes(table_rows),
        doubts=measured.doubts,
        heard=measured.heard,
        reader="table",
        source=os.path.abspath(source),
        options=options.words,
    )


def _rows(source: Path, options: TableOptions) -> Iterator[TableRow]:
    """Yield the rows of a CSV file, a Parquet file or a database folder.

    Raises:
        CorpusError: ``source`` is missing, an archive, too large, or cannot be read, or an option
            does not fit it.
    """
    names = read_column_names(options.columns or ())
    if source.is_dir() and names:
        raise CorpusError(
            f"`--columns` must belong to a CSV or Parquet file, but {source} is a folder: "
            "`--table NAME` and `--column NAME` choose there."
        )
    if source.is_dir():
        return database.rows(source, options)
    if options.tables or options.column:
        option = "--table" if options.tables else "--column"
        raise CorpusError(
            f"`{option}` must belong to an audformat folder, but {source} is none: "
            "`--columns emotion=NAME` chooses a column of a file."
        )
    return file_rows(source, names)


def _without_decimals(rows: list[TableRow]) -> list[TableRow]:
    """Write whole numbers as such in columns of names that hold nothing but `1.0`, `2.0`, ...

    A column of whole numbers with a gap becomes one of floats in pandas, and its CSV file has
    `1.0` where its Parquet file has the number 1: one table gives the same names from both. A
    column that holds other names, too, stays as it is written.
    """
    for column in NAMES:
        texts = {text_of(cells.get(column)) for _, cells in rows}
        named = {text for text in texts if not looks_missing(text)}
        if named and all(re.fullmatch(r"-?(0|[1-9]\d*)\.0+", text) for text in named):
            whole = {text: str(int(text.partition(".")[0])) for text in named}
            rows = [
                (where, {**cells, column: whole.get(text_of(cells.get(column)), cells.get(column))})
                for where, cells in rows
            ]
    return rows


def _split_notes(rows: list[TableRow]) -> tuple[str, ...]:
    """Sentences on sides of a published split that the table writes in several words."""
    words = sorted({text_of(cells.get("split")) for _, cells in rows} - {""})
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


def _add_row(position: str, cells: Mapping[str, Any], rows: _Rows) -> None:
    """Check a row, and add its utterance to ``rows.found`` or each of its problems to ``rows.bad``.

    Args:
        position: position of the row, such as `labels.csv:7`.
        cells: column -> cell.
        rows: what was read so far; changed.
    """
    if SURPLUS in cells:
        fault = f"it has {cells[SURPLUS]}: quote the cell that holds a separator"
        rows.bad.append(FileNote(path=position, reason=fault, bad=True))
        return
    texts = {name: text_of(cells.get(name)) for name in (*NEEDED, "split", "session", "sex")}
    faults = [f"`{name}` is empty" for name in NEEDED if not texts[name]]
    place = rows.folder.place(texts["file"]) if texts["file"] else Place()
    faults += [place.fault] if place.fault else []
    if _is_recording(place.outside):
        rows.outside.append(place.outside)
    split, sex = (known.get(letters_form(texts[name])) for name, known in _CODES.items())
    if split is None:
        faults.append(
            f"`split` must be train, dev, test or empty, but is `{texts['split']}` instead"
        )
    if sex is None:
        faults.append(f"`sex` must be female, male or empty, but is `{texts['sex']}` instead")
    times = {
        name: seconds_of(name, cells.get(name), faults, decimal_commas=rows.decimal_commas)
        for name in ("start", "end")
    }
    start, end = times["start"] or None, times["end"]
    if end is not None and end <= (start or 0.0):
        faults.append(f"`end` must be after `start`, but is {end:g} instead")
    part = (place.path, start, end)
    if not faults and part in rows.first:
        first = rows.first[part]
        faults.append(_already(place.path, texts, first, rows.positions[first.id]))
    if faults:
        rows.bad.append(FileNote(path=position, reason="; ".join(faults), bad=True))
        return
    whole = start is None and end is None
    id_ = place.id if whole else f"{place.id}#{start or 0.0!r}-{end!r}"
    rows.positions[id_] = position
    rows.found[id_] = rows.first[part] = Utterance(
        id=id_,
        path=place.path,
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


def _is_recording(path: str) -> bool:
    """Whether there is a file of that path, with the ending of a recording."""
    return os.path.splitext(path)[1].lower() in {*scan.AUDIO, *scan.SOUND} and os.path.exists(path)


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
