"""Reading the rows of a CSV or Parquet file. The tables' door to Parquet (pyarrow)."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from features.corpora.readers import scan
from features.corpora.readers.tables.columns import ColumnNames, find_columns
from features.errors import CorpusError

MOST_BYTES = 256 * 2**20
"""Bytes (256 MiB) above which a file is refused: it cannot be a table of labels."""
SURPLUS = "more cells than columns"
"""Key of a row with more cells than columns, where it is not sure which cells are shifted: -> how
many cells and columns there are."""

TableRow = tuple[str, Mapping[str, Any]]
"""Position of a row (such as `labels.csv:7`), and column -> cell."""


def file_rows(source: Path, names: ColumnNames) -> Iterator[TableRow]:
    """Yield the rows of a CSV or Parquet file, with the columns that are read alone.

    Args:
        source: the file.
        names: by which names the table has our columns, where they are others.

    Raises:
        CorpusError: ``source`` is missing, an archive, too large, or cannot be read, or lacks a
            column.
    """
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
    return (_parquet if source.suffix.lower() == ".parquet" else _csv)(source, names)


def _csv(source: Path, names: ColumnNames) -> Iterator[TableRow]:
    r"""Yield the rows of a CSV file in UTF-8, blank ones left out.

    The delimiter is the most frequent of comma, semicolon and tab in the first line. A line ends at
    ``\n``, ``\r`` or both: other separators (U+0085, U+2028, form feed, ...) are part of a cell.

    Raises:
        CorpusError: it is no such text, or a column is missing or stands twice.
    """
    import csv  # not for a plan, which only imports this
    import io

    try:
        text = source.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError:
        raise CorpusError(
            f"Table {source} must be UTF-8 text, but is not: save it as CSV in UTF-8."
        ) from None
    first = next(io.StringIO(text, newline=""), "")
    delimiter = max(",;\t", key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        heads = next(reader, [])
        columns = find_columns(source, heads, names)
        # Where all columns that are read come first, a surplus is text of the others.
        sure = len(heads) > max(columns.values()) + 1 == len(columns)
        for cells in reader:
            if any(cell.strip() for cell in cells):
                row: dict[str, Any] = {n: cells[at] for n, at in columns.items() if at < len(cells)}
                if not sure and any(cell.strip() for cell in cells[len(heads) :]):
                    row[SURPLUS] = f"{len(cells)} cells in {len(heads)} columns"
                yield f"{source.name}:{reader.line_num}", row
    except csv.Error as error:
        raise CorpusError(
            f"Table {source} cannot be read at line {reader.line_num} ({error})."
        ) from None


def _parquet(source: Path, names: ColumnNames) -> Iterator[TableRow]:
    """Yield the rows of a Parquet file.

    Raises:
        CorpusError: it is no Parquet file, or a column is missing or stands twice.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        heads = pq.read_schema(source).names
        columns = find_columns(source, heads, names)
        read = pq.read_table(source, columns=[heads[at] for at in columns.values()])
        cells = {name: _values(read.column(heads[at])) for name, at in columns.items()}
    except pa.ArrowException as error:
        raise CorpusError(
            f"Table {source} must be Parquet, but cannot be read ({str(error)[:80]})."
        ) from None
    for number, row in enumerate(zip(*cells.values(), strict=True), start=1):
        yield f"{source.name}, row {number}", dict(zip(cells, row, strict=True))


def _values(column: Any) -> list[Any]:
    """The cells of a Parquet column; lengths of time as seconds, whatever their unit."""
    import pyarrow as pa

    if not pa.types.is_duration(column.type):
        return list(column.to_pylist())
    parts = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}[column.type.unit]
    whole = column.cast(pa.int64()).to_pylist()
    return [None if cell is None else cell / parts for cell in whole]
