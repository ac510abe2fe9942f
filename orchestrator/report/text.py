"""A table as text: Rich in the terminal, Markdown, CSV, JSON. Fits 80 columns."""

import csv
import io
import json
import re
import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import IO, Any, cast

from rich.cells import cell_len
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Table as RichTable
from rich.text import Text

from orchestrator.printable import clean
from orchestrator.report.rows import Table

FIRST = 12
"""Columns that a row's name may be narrowed to before its cells stand below it."""

_MARKUP = str.maketrans(
    {"&": "&amp;", "<": "&lt;", ">": "&gt;", "|": "&#124;", **{c: "\\" + c for c in "\\`*[]~$#"}}
)
"""What Markdown would take for a tag, a cell's end, a link, an image or a letter's shape."""


def print_table(console: Console, table: Table) -> None:
    """Print one table with its title, banner and footnotes."""
    console.print(Text(clean(table.head), style="bold"))
    console.print(Text(clean(table.subtitle), style="dim"))
    if table.banner:
        console.print(Text(table.banner, style="bold yellow"))
    console.print()
    print_columns(
        console,
        [column.head for column in table.columns],
        table.cells,
        numeric=[column.numeric for column in table.columns],
        headings=table.headings,
    )
    console.print()
    for note in table.footnotes:
        style = "bold yellow" if note.startswith(("WARNING", "Missing")) else "dim"
        console.print(Text(clean(note), style=style))


def print_columns(
    console: Console,
    heads: Sequence[str],
    cells: Sequence[Sequence[str]],
    *,
    numeric: Sequence[bool] | None = None,
    headings: Mapping[int, str] | None = None,
) -> None:
    """Print aligned columns; the first may wrap, the others keep their width.

    ``headings`` stand above the rows of those indices. On a console that is too narrow for a row
    to stand in one line, its cells stand below its name: no number is ever cut.
    """
    numbers = numeric or [False] * len(heads)
    if _narrowest(heads, cells) > console.width:
        _print_below(console, heads, cells, headings or {})
        return
    grid = RichTable(box=None, padding=(0, 2, 0, 0), header_style="bold", pad_edge=False)
    for index, (head, is_number) in enumerate(zip(heads, numbers, strict=True)):
        grid.add_column(
            Text("\n".join(textwrap.wrap(head, 10)) if index else head),
            justify="right" if is_number else "left",
            no_wrap=index > 0,
            overflow="fold",
        )
    for index, row in enumerate(cells):
        if headings and index in headings:
            if index:
                grid.add_row()
            grid.add_row(Text(clean(headings[index]), style="bold"))
        grid.add_row(*(Text(clean(cell)) for cell in row))
    console.print(grid)


def _narrowest(heads: Sequence[str], cells: Sequence[Sequence[str]]) -> int:
    """Columns of the terminal that the rows need."""
    wide = [max(map(cell_len, (*textwrap.wrap(head, 10), ""))) for head in heads]
    for row in cells:
        wide = [max(pair) for pair in zip(wide, map(cell_len, row), strict=True)]
    return min(wide[0], FIRST) + sum(wide[1:]) + 2 * (len(wide) - 1)


def _print_below(
    console: Console,
    heads: Sequence[str],
    cells: Sequence[Sequence[str]],
    headings: Mapping[int, str],
) -> None:
    """A row as its name and a line a cell; what is empty is left out."""
    for index, row in enumerate(cells):
        if index in headings:
            console.print(Text(clean(headings[index]), style="bold"))
        if row[0] or not any(row):
            console.print(Text(clean(row[0])))
        print_pairs(console, [pair for pair in zip(heads[1:], row[1:], strict=True) if pair[1]])


@contextmanager
def progress(what: str) -> Iterator[Callable[[int, int], None]]:
    """A bar on stderr while something is counted, gone afterwards; nothing without a terminal."""
    console = console_for(stderr=True)
    with Progress(
        TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(),
        console=console, transient=True, disable=not console.is_terminal,
    ) as bar:  # fmt: skip
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def print_pairs(console: Console, pairs: Sequence[tuple[str, str]]) -> None:
    """Print ``name  value`` lines, aligned; a long value goes on below itself."""
    width = max((len(name) for name, _ in pairs), default=0)
    for name, value in pairs:
        print_beside(console, Text(f"  {clean(name):<{width}}  ", style="dim"), value)


def print_beside(console: Console, head: Text, value: str) -> None:
    """Print a value beside its head, and what does not fit below itself."""
    width = max(20, console.width - head.cell_len)
    lines = textwrap.wrap(clean(value), width, break_on_hyphens=False) or [""]
    console.print(Text.assemble(head, lines[0]))
    for line in lines[1:]:
        console.print(Text(" " * head.cell_len + line))


def duration(seconds: float | None) -> str:
    """``45 s``, ``12 min``, ``3 h 20 min``; empty for None."""
    if seconds is None:
        return ""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"


def markdown(table: Table) -> str:
    """A GitHub-flavoured Markdown table with title and footnotes."""

    def line(cells: Sequence[str]) -> str:
        return "| " + " | ".join(map(marked, cells)) + " |"

    parts = [f"**{_prose(table.head)}**", "", marked(table.subtitle), ""]
    parts += [f"**{table.banner}**", ""] if table.banner else []
    parts.append(line([column.head for column in table.columns]))
    parts.append(line(["---:" if column.numeric else ":---" for column in table.columns]))
    for index, row in enumerate(table.cells):
        if index in table.headings:
            head = f"**{marked(table.headings[index])}**"
            parts.append("| " + " | ".join([head, *[""] * (len(row) - 1)]) + " |")
        parts.append(line(row))
    parts += ["", *(f"- {_prose(note)}" for note in table.footnotes)]
    return "\n".join(parts) + "\n"


def marked(text: str) -> str:
    """Text of unknown origin that stays text in Markdown, and in HTML made of it."""
    # An underscore within a word means nothing.
    return re.sub(r"(?<![^\W_])_|_(?![^\W_])", r"\_", clean(text).translate(_MARKUP))


def _prose(text: str) -> str:
    """A sentence; what stands in backticks is code where that needs no marks, else quoted."""
    parts = clean(text).split("`")
    if len(parts) % 2 == 0:
        return marked(text)
    code = (f"`{part}`" if marked(part) == part else f'"{marked(part)}"' for part in parts[1::2])
    return "".join(marked(part) + next(code, "") for part in parts[::2])


def csv_text(records: Sequence[Mapping[str, Any]]) -> str:
    """One line a row; a cell that a spreadsheet would take for a formula is quoted with ``'``."""
    sink = io.StringIO()
    names = dict.fromkeys(key for record in records for key in record)
    writer = csv.DictWriter(sink, fieldnames=list(names), lineterminator="\n")
    writer.writeheader()
    for record in records:
        writer.writerow({key: safe_cell(value) for key, value in record.items()})
    return sink.getvalue()


def safe_cell(value: Any) -> Any:
    """A value that no spreadsheet takes for a formula."""
    if not isinstance(value, str):
        return "" if value is None else value
    formula = value.lstrip().startswith(("=", "+", "-", "@")) or value.startswith(("\t", "\r"))
    return ("'" if formula else "") + clean(value)


def json_text(records: Sequence[Mapping[str, Any]]) -> str:
    """One study's table, or a list of them where several studies declare the same table."""
    return json.dumps(records[0] if len(records) == 1 else records, indent=2) + "\n"


def say(sentence: str) -> None:
    """Print a sentence on stderr, beside what a command prints and as wide; no path is broken."""
    console = console_for(stderr=True)
    lines = textwrap.wrap(
        clean(sentence), console.width, break_long_words=False, break_on_hyphens=False
    )
    for line in lines:
        console.print(Text(line), soft_wrap=True)


def console_for(*, stderr: bool = False) -> Console:
    """A console as wide as the terminal; where there is none, 80 columns and lines ``trimmed``."""
    console = Console(stderr=stderr, highlight=False, markup=False, emoji=False)
    if not console.is_terminal:
        console.width = 80
        console.file = trimmed(console.file)
    return console


def trimmed(stream: IO[str]) -> IO[str]:
    """The stream, but no line that is written ends in spaces: Rich fills columns up with them."""
    return cast("IO[str]", _Trimmed(stream))


class _Trimmed:
    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        self._stream.write(re.sub(r" +(?=\n)", "", text))
        return len(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)
