"""Writes a table in the terminal or as Markdown, and flat records as CSV or JSON."""

import csv
import io
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.text import Text

from orchestrator.printable import clean, writable
from orchestrator.report.console import print_columns
from orchestrator.report.tables.table import Table, is_loud

_MARKUP = str.maketrans(
    {"&": "&amp;", "<": "&lt;", ">": "&gt;", "|": "&#124;", **{c: "\\" + c for c in "\\`*[]~$#"}}
)
"""Character -> its escape, for all characters with a meaning in Markdown or HTML but ``_``."""


def print_table(console: Console, table: Table) -> None:
    """Print a table in the terminal with its title, banner and footnotes, warnings in yellow."""

    def line(text: str, style: str) -> None:
        console.print(Text(writable(clean(text), console.encoding), style=style))

    line(table.head, "bold")
    line(table.subtitle, "dim")
    if table.banner:
        line(table.banner, "bold yellow")
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
        line(note, "bold yellow" if is_loud(note) else "dim")


def markdown(table: Table) -> str:
    """The table in GitHub-flavoured Markdown, with its title, banner and a list of footnotes."""

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
    """Escape a text so that Markdown, and HTML made from it, shows it as it is."""
    # An underscore within a word means nothing.
    return re.sub(r"(?<![^\W_])_|_(?![^\W_])", r"\_", clean(text).translate(_MARKUP))


def _prose(text: str) -> str:
    """Escape a sentence for Markdown.

    Text in backticks stays code if it needs no escapes; else it stands in double quotes.
    """
    parts = clean(text).split("`")
    if len(parts) % 2 == 0:
        return marked(text)
    code = (f"`{part}`" if marked(part) == part else f'"{marked(part)}"' for part in parts[1::2])
    return "".join(marked(part) + next(code, "") for part in parts[::2])


def csv_text(records: Sequence[Mapping[str, Any]]) -> str:
    """The records as CSV: a line of all their keys, then one line for each; None is an empty cell.

    A text that a spreadsheet would take for a formula gets a ``'`` before it.
    """
    sink = io.StringIO()
    names = dict.fromkeys(key for record in records for key in record)
    writer = csv.DictWriter(sink, fieldnames=list(names), lineterminator="\n")
    writer.writeheader()
    for record in records:
        writer.writerow({key: safe_cell(value) for key, value in record.items()})
    return sink.getvalue()


def safe_cell(value: Any) -> Any:
    """A value as a cell of CSV: None as an empty text, control characters of texts replaced.

    A text that a spreadsheet would take for a formula, such as ``=A1``, gets a ``'`` before it.
    """
    if not isinstance(value, str):
        return "" if value is None else value
    formula = value.lstrip().startswith(("=", "+", "-", "@")) or value.startswith(("\t", "\r"))
    return ("'" if formula else "") + clean(value)


def json_text(records: Sequence[Mapping[str, Any]]) -> str:
    """The records as indented JSON: one record as an object, several as a list of objects."""
    return json.dumps(records[0] if len(records) == 1 else records, indent=2) + "\n"
