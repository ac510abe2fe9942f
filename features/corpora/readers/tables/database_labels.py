"""Which columns of an audformat database hold the emotions, and what else it says of the speech.

A database may have several columns of emotions: one a rater, a gold standard, one table a side of
its split. Nothing here imports audformat: `database` hands over what it has loaded.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from features.corpora.readers.tables.cells import text_of
from features.corpora.readers.tables.options import TableOptions
from features.errors import CorpusError

Piece = tuple[str, float | None, float | None]
"""(file, start, end) in seconds; None: the start or end of the file."""
NO_SIDE = ("other", "undefined")
"""Types of a split that are no side of a published split."""
MOST = 12
"""Most columns that an error lists."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LabelColumn:
    """A column of a database's table that may hold emotions."""

    table: str
    """Name of the table."""
    column: str
    """Name of the column."""

    @property
    def shown(self) -> str:
        """Its name for a sentence, ``ratings: r1``."""
        return f"`{self.table}: {self.column}`"


def label_columns(db: Any, folder: str, options: TableOptions) -> tuple[LabelColumn, ...]:
    """Choose the columns whose cells are the emotions: at most one of each table.

    A column or table named `emotion` or `*.gold_standard` comes before others of the scheme
    `emotion`, unless a person chose.

    Args:
        db: the database.
        folder: its folder, for the error.
        options: what a person typed: ``--table``, ``--column``.

    Raises:
        CorpusError: there are none, or several that differ; the error lists them.
    """
    every = [LabelColumn(table=t, column=c) for t in db.tables for c in db[t].columns]
    found = [c for c in every if c.column == "emotion" or _scheme(db, c) == "emotion"]
    if options.tables or options.column:
        chosen = _typed(every, found, folder, options)
    else:
        ranks = [(_is_gold(c.table), _is_gold(c.column)) for c in found]
        best = max(ranks, default=(False, False))
        chosen = [c for c, rank in zip(found, ranks, strict=True) if rank == best]
    if not chosen:
        raise CorpusError(_no_labels(db, folder, every))
    fault = _difference(db, chosen)
    if fault:
        raise CorpusError(
            f"Database {folder} must have one column of emotions, but has "
            f"{_listed(found or chosen)}{fault}: choose with `--table NAME` and `--column NAME`."
        )
    return tuple(chosen)


def pieces(frame: Any) -> list[Piece]:
    """Read a frame's index as (file, start, end), in seconds; None: the file's start or end."""
    if frame.index.nlevels == 1:
        return [(str(file), None, None) for file in frame.index]
    return [(str(file), _seconds(start) or None, _seconds(end)) for file, start, end in frame.index]


def emotions(db: Any, column: LabelColumn) -> dict[Piece, str]:
    """Piece of speech -> its label in a column, by the name that the scheme gives it."""
    return _cells(db, column.table, column.column, named=True)


@dataclass(frozen=True, kw_only=True, slots=True)
class Facts:
    """What a database says of pieces of speech beside the emotion: speaker, sex, session, side."""

    own: Mapping[str, Mapping[Piece, Mapping[str, str]]]
    """Name -> piece -> value -> table, in the tables of the labels."""
    others: Mapping[str, Mapping[Piece, Mapping[str, str]]]
    """The same in the other tables."""
    of_speaker: Mapping[str, Mapping[str, str]]
    """Name -> speaker -> value, as the scheme of the speakers says."""

    def find(self, name: str, piece: Piece) -> str:
        """The value of one piece: of its own table, another one, its file or its speaker; or "".

        Raises:
            CorpusError: tables disagree.
        """
        for place in (piece, (piece[0], None, None)):
            for values in (self.own, self.others):
                found = values.get(name, {}).get(place, {})
                if len(found) > 1:
                    say = " and ".join(f"`{v}` (table `{t}`)" for v, t in found.items())
                    raise CorpusError(
                        f"The {name} of {place[0]} must be one, but tables of the database "
                        f"disagree: {say}."
                    )
                if found:
                    return next(iter(found))
        if name in self.of_speaker:
            return self.of_speaker[name].get(self.find("speaker", piece), "")
        return ""


def facts(db: Any, labels: Sequence[LabelColumn], names: Sequence[str]) -> Facts:
    """Collect from all tables what they say under some names, of a scheme or of a column.

    Args:
        db: the database.
        labels: the columns of emotions.
        names: such as ``speaker`` and ``sex``.
    """
    label_tables = {column.table for column in labels}
    own: dict[str, dict[Piece, dict[str, str]]] = {name: {} for name in (*names, "split")}
    others: dict[str, dict[Piece, dict[str, str]]] = {name: {} for name in names}
    for table in db.tables:
        side = own if table in label_tables else others
        for column in db[table].columns:
            scheme = _scheme(db, LabelColumn(table=table, column=column))
            for name in names:
                if name in (scheme, column):
                    cells = _cells(db, table, column, named=name in ("sex", "gender"))
                    _add(side[name], cells, table)
        split = db[table].split_id
        if table in label_tables and split is not None:
            word = "" if db.splits[split].type in NO_SIDE else db.splits[split].type
            _add(own["split"], dict.fromkeys(pieces(db[table].df), word), table)
    of_speaker = {name: _of_speakers(db, name) for name in names if name != "speaker"}
    return Facts(own=own, others=others, of_speaker=of_speaker)


def _add(known: dict[Piece, dict[str, str]], cells: Mapping[Piece, str], table: str) -> None:
    for piece, value in cells.items():
        known.setdefault(piece, {}).setdefault(value, table)


def _typed(
    every: Sequence[LabelColumn],
    found: Sequence[LabelColumn],
    folder: str,
    options: TableOptions,
) -> list[LabelColumn]:
    """The columns that a person chose by ``--table`` and ``--column``.

    Raises:
        CorpusError: there is none of that name.
    """
    tables = set(options.tables or ())
    unknown = sorted(tables - {c.table for c in every})
    inside = [c for c in every if not tables or c.table in tables]
    chosen = [c for c in inside if c.column == options.column] if options.column else []
    if not options.column:
        chosen = [c for c in found if c in inside] or inside
    if unknown or not chosen:
        option, name = ("table", unknown[0]) if unknown else ("column", options.column)
        raise CorpusError(
            f"`--{option}` must name a {option} of database {folder}, but is `{name}`; its columns "
            f"are {_listed(every)}."
        )
    return chosen


def _difference(db: Any, columns: Sequence[LabelColumn]) -> str:
    """Say in what columns differ that shall be read as one; empty text where they can be."""
    if len({c.table for c in columns}) < len(columns):
        return ", of which several stand in one table"
    first: dict[Piece, str] = {}
    whole: dict[str, set[bool]] = {}
    for column in columns:
        for piece, label in emotions(db, column).items():
            before = first.setdefault(piece, label)
            if before != label:
                return f", which disagree about {piece[0]} (`{before}` and `{label}`)"
            whole.setdefault(piece[0], set()).add(piece[1:] == (None, None))
            if len(whole[piece[0]]) > 1:
                return f", of which one has the whole of {piece[0]}, and one its parts"
    return ""


def _cells(db: Any, table: str, column: str, *, named: bool) -> dict[Piece, str]:
    """Piece -> text of the cell; empty cells are left out.

    Args:
        db: the database.
        table: name of the table.
        column: name of the column.
        named: whether codes are replaced by the names that the scheme has for them.
    """
    series = db[table].df[column].dropna()
    scheme = db[table].columns[column].scheme_id
    names = _names(db, scheme, "name") if named and scheme in db.schemes else {}
    texts = (text_of(cell) for cell in series)
    return {p: names.get(t, t) for p, t in zip(pieces(series), texts, strict=True)}


def _names(db: Any, scheme: str, wanted: str) -> dict[str, str]:
    """Label of a scheme -> what the scheme says of it under a name, such as ``name``, ``sex``."""
    labels = db.schemes[scheme].labels
    if isinstance(labels, str):  # the rows of a table without files
        frame = db.misc_tables[labels].df
        known = [c for c in frame.columns if wanted in (c, db[labels].columns[c].scheme_id)]
        return {text_of(k): text_of(v) for c in known[:1] for k, v in frame[c].dropna().items()}
    if not isinstance(labels, dict):
        return {}
    said = {k: v if isinstance(v, dict) else {"name": v} for k, v in labels.items()}
    return {text_of(k): text_of(v[wanted]) for k, v in said.items() if v.get(wanted) is not None}


def _of_speakers(db: Any, name: str) -> dict[str, str]:
    return _names(db, "speaker", name) if "speaker" in db.schemes else {}


def _no_labels(db: Any, folder: str, every: Sequence[LabelColumn]) -> str:
    """Write the error for a database that has no column of emotions."""
    schemes = ", ".join(f"`{name}`" for name in db.schemes) or "none"
    way = "write a CSV file from what it has."
    if every:
        way = f"choose among its columns ({_listed(every)}) with `--table NAME`, `--column NAME`."
    return (
        f"Database {folder} must have labels of the scheme `emotion`, but has none; its schemes "
        f"are {schemes}: {way}"
    )


def _listed(columns: Iterable[LabelColumn]) -> str:
    shown = [column.shown for column in columns]
    more = [f"{len(shown) - MOST} more"] if len(shown) > MOST else []
    return ", ".join([*shown[:MOST], *more])


def _scheme(db: Any, column: LabelColumn) -> str:
    return str(db[column.table].columns[column.column].scheme_id or "")


def _is_gold(name: str) -> bool:
    return name in ("emotion", "gold_standard") or name.endswith(".gold_standard")


def _seconds(time: Any) -> float | None:
    """Convert a pandas Timedelta to seconds; NaT becomes None."""
    seconds = float(time.total_seconds())
    return None if seconds != seconds else seconds  # NaT is not equal to itself
