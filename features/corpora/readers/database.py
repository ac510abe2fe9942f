"""Reading an audformat database folder, such as `audb` downloads, as the rows of a table.

The only door to audformat (extra `audformat`). Neither pickled tables nor YAML that names Python
objects is read: either would run what somebody else wrote. So the header is checked by the safe
loader first, and audformat sees a folder that has no pickles.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from features.errors import CorpusError, MissingError

HEADER = "db.yaml"
"""The file at the top of an audformat folder that describes its tables."""
SAFE = (".csv", ".parquet")
"""Endings of the table files that are read; a pickle would run foreign code."""
SEX = ("sex", "gender")
"""Columns that may hold the speaker's sex; the first that has a value counts."""


def rows(folder: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield every label of the scheme `emotion` as a row of a table.

    Args:
        folder: the database's folder, with its header `db.yaml`.

    Yields:
        Position of the row, such as ``emotion, row 3``, and its cells by column: file, start and
        end in seconds, emotion, speaker, session, sex, split.

    Raises:
        CorpusError: the folder is no database, or one without emotions.
        MissingError: the package `audformat` is not installed.
    """
    if not (folder / HEADER).is_file():
        raise CorpusError(
            f"A folder must be an audformat database, but {folder} has no {HEADER}: "
            "name that folder, or a CSV or Parquet file."
        )
    db = _load(folder)
    frame = db.get("emotion", ["speaker", "session", *SEX])
    if not len(frame):
        schemes = ", ".join(f"`{name}`" for name in db.schemes) or "none"
        raise CorpusError(
            f"Database {folder} must have labels of the scheme `emotion`, but has none; its "
            f"schemes are {schemes}: write a CSV file from what it has."
        )
    splits = {
        where: split.type
        for name, split in db.splits.items()
        for where in _segments(db.get("emotion", splits=name))
    }
    for number, (where, cells) in enumerate(
        zip(_segments(frame), frame.to_dict("records"), strict=True), start=1
    ):
        file, start, end = where
        sex = next((cells[name] for name in SEX if isinstance(cells[name], str)), "")
        known = {name: cells[name] for name in ("emotion", "speaker", "session")}
        times = {"file": file, "start": start, "end": end}
        split = splits.get(where, "")
        yield f"emotion, row {number}", {**known, **times, "sex": sex, "split": split}


def _segments(frame: Any) -> list[tuple[str, float | None, float | None]]:
    """Read a frame's index as (file, start, end), in seconds; None: the file's start or end."""
    if frame.index.nlevels == 1:
        return [(str(file), None, None) for file in frame.index]
    return [(str(file), _seconds(start) or None, _seconds(end)) for file, start, end in frame.index]


def _seconds(time: Any) -> float | None:
    """Convert a pandas Timedelta to seconds; NaT becomes None."""
    seconds = float(time.total_seconds())
    return None if seconds != seconds else seconds  # NaT is not equal to itself


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
