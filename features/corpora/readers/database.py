"""Reading an audformat database folder, such as `audb` downloads, as the rows of a table.

The only door to audformat (extra `audformat`). Neither pickled tables nor YAML that names Python
objects is read: either would run what somebody else wrote. So the header is checked by the safe
loader first, and audformat sees a folder that has no pickles.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from features.corpora.readers.tables.database_labels import (
    Piece,
    emotions,
    facts,
    label_columns,
)
from features.corpora.readers.tables.options import TableOptions
from features.errors import CorpusError, MissingError

HEADER = "db.yaml"
"""The file at the top of an audformat folder that describes its tables."""
SAFE = (".csv", ".parquet")
"""Endings of the table files that are read; a pickle would run foreign code."""
SEX = ("sex", "gender")
"""Columns that may hold the speaker's sex; the first that has a value counts."""


def rows(folder: Path, options: TableOptions) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield every label of the columns of emotions as a row of a table.

    Args:
        folder: the database's folder, with its header `db.yaml`.
        options: what a person typed about tables and columns.

    Yields:
        Position of the row, such as ``emotion, row 3``, and its cells by column: file, start and
        end in seconds, emotion, speaker, session, sex, split.

    Raises:
        CorpusError: the folder is no database, one without emotions, or one whose tables disagree.
        MissingError: the package `audformat` is not installed.
    """
    if not (folder / HEADER).is_file():
        raise CorpusError(
            f"A folder must be an audformat database, but {folder} has no {HEADER}: "
            "name that folder, or a CSV or Parquet file."
        )
    db = _load(folder)
    columns = label_columns(db, str(folder), options)
    known = facts(db, columns, ("speaker", "session", *SEX))
    labels: dict[Piece, str] = {}
    for column in columns:
        labels = {**emotions(db, column), **labels}
    if not labels:
        raise CorpusError(
            f"Database {folder} must have labels in {columns[0].shown}, but has none."
        )
    for number, (piece, emotion) in enumerate(labels.items(), start=1):
        file, start, end = piece
        found = {name: known.find(name, piece) for name in ("speaker", "session", "split")}
        sex = next(filter(None, (known.find(name, piece) for name in SEX)), "")
        times = {"file": file, "start": start, "end": end}
        yield f"emotion, row {number}", {"emotion": emotion, "sex": sex, **found, **times}


def _load(folder: Path) -> Any:
    """Load the database with all of its tables, without executing anything that it holds.

    Raises:
        CorpusError: header or tables cannot be read.
        MissingError: the package `audformat` is not installed.
    """
    import tempfile

    import yaml

    try:
        yaml.safe_load((folder / HEADER).read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise CorpusError(
            f"{folder / HEADER} must be plain YAML, but is not ({' '.join(str(error).split())})."
        ) from None
    try:
        import audformat
    except ImportError:
        raise MissingError(
            "An audformat database needs the package `audformat`, which is not installed: "
            'run `pip install "ablate-ser[audformat]"`.'
        ) from None
    with tempfile.TemporaryDirectory() as clean:
        for file in folder.iterdir():
            if file.name == HEADER or (file.suffix in SAFE and file.name.startswith("db.")):
                (Path(clean) / file.name).symlink_to(file.resolve())
        try:
            return audformat.Database.load(clean, load_data=True)
        except Exception as error:  # whatever it meets: the folder is not ours to explain
            message = str(error).replace(clean, str(folder))
            raise CorpusError(f"Database {folder} cannot be read: {message}") from error
