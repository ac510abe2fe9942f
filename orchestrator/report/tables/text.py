"""A table as text: Rich in the terminal, Markdown, CSV, JSON."""

import csv
import io
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.text import Text

from orchestrator.printable import clean
from orchestrator.report.console import print_columns
from orchestrator.report.tables.table import Table

_MARKUP = str.maketrans(
    {"&": "&amp;", "<": "&lt;", ">": "&gt;", "|": "&#124;", **{c: "\\" + c for c in "\\`*[]~$#"}}
)
"""Escapes for all characters with a meaning in Markdown or HTML."""


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
    """Escape text of unknown origin for Markdown, and for HTML made of it."""
    # An underscore within a word means nothing.
    return re.sub(r"(?<![^\W_])_|_(?![^\W_])", r"\_", clean(text).translate(_MARKUP))


def _prose(text: str) -> str:
    """Escape a sentence; text in backticks stays code where it needs no escapes, else is quoted."""
    parts = clean(text).split("`")
    if len(parts) % 2 == 0:
        return marked(text)
    code = (f"`{part}`" if marked(part) == part else f'"{marked(part)}"' for part in parts[1::2])
    return "".join(marked(part) + next(code, "") for part in parts[::2])


def csv_text(records: Sequence[Mapping[str, Any]]) -> str:
    """Records as CSV, one line each; what a spreadsheet would take for a formula is quoted."""
    sink = io.StringIO()
    names = dict.fromkeys(key for record in records for key in record)
    writer = csv.DictWriter(sink, fieldnames=list(names), lineterminator="\n")
    writer.writeheader()
    for record in records:
        writer.writerow({key: safe_cell(value) for key, value in record.items()})
    return sink.getvalue()


def safe_cell(value: Any) -> Any:
    """A value as a cell of CSV, with a ``'`` before what a spreadsheet would take for a formula."""
    if not isinstance(value, str):
        return "" if value is None else value
    formula = value.lstrip().startswith(("=", "+", "-", "@")) or value.startswith(("\t", "\r"))
    return ("'" if formula else "") + clean(value)


def json_text(records: Sequence[Mapping[str, Any]]) -> str:
    """Records as JSON: a single one as an object, several as a list."""
    return json.dumps(records[0] if len(records) == 1 else records, indent=2) + "\n"
