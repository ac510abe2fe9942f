"""The six forms of a study's tables (text, Markdown, LaTeX, CSV, JSON, HTML) by name and ending.

A new form is a function from studies to the text of a file, and a line in ``FORMS``.
"""

import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from orchestrator.report.console import trimmed
from orchestrator.report.html.page import page
from orchestrator.report.results import StudyResults
from orchestrator.report.tables import search, text
from orchestrator.report.tables.latex import latex
from orchestrator.report.tables.plain_values import as_json, flat
from orchestrator.report.tables.table import Table

Write = Callable[[Sequence[StudyResults], bool], str]
"""Writes studies as the text of one file.

The arguments are the studies that share a table of the paper, and whether supporting tables are
wanted below the first one."""


@dataclass(frozen=True, slots=True)
class Format:
    """One form of a table, such as Markdown."""

    ending: str
    """The ending of its files, with the dot, such as ``.md``."""
    write: Write
    """The function that makes the text of such a file."""


def _tables(studies: Sequence[StudyResults], details: bool) -> list[Table]:
    return [t for s in studies for t in search.all_tables(s.summary, s.search, details=details)]


def _plain(studies: Sequence[StudyResults], details: bool) -> str:
    """The tables as a terminal of 80 columns prints them, without colours."""
    sink = io.StringIO()
    console = Console(file=trimmed(sink), width=80, highlight=False, markup=False, emoji=False)
    print_all(console, studies, details)
    return sink.getvalue()


def _markdown(studies: Sequence[StudyResults], details: bool) -> str:
    return "\n".join(text.markdown(one) for one in _tables(studies, details))


def _latex(studies: Sequence[StudyResults], details: bool) -> str:
    return latex(_tables(studies, details))


def _csv(studies: Sequence[StudyResults], details: bool) -> str:
    records: list[Mapping[str, Any]] = []
    for study in studies:
        found = study.search
        records += flat(study.summary)
        records += (
            search.flat_records(study.snapshot, found) if found and not study.snapshot.rows else []
        )
    return text.csv_text(records)


def _json(studies: Sequence[StudyResults], details: bool) -> str:
    return text.json_text(
        [
            as_json(study.summary)
            | ({"search": search.as_json(study.search)} if study.search else {})
            for study in studies
        ]
    )


def _html(studies: Sequence[StudyResults], details: bool) -> str:
    return page(studies)


FORMS: Mapping[str, Format] = {
    "text": Format(".txt", _plain),
    "markdown": Format(".md", _markdown),
    "latex": Format(".tex", _latex),
    "csv": Format(".csv", _csv),
    "json": Format(".json", _json),
    "html": Format(".html", _html),
}
"""Name of a form, such as ``markdown`` -> the form."""


def print_all(console: Console, studies: Sequence[StudyResults], details: bool) -> None:
    """Print the tables of all studies below each other, in colours if the console has colours.

    Args:
        console: where to print.
        studies: the studies, in the order of printing.
        details: whether to print the supporting tables too.
    """
    for index, one in enumerate(_tables(studies, details)):
        if index:
            console.print()
        text.print_table(console, one)


def by_ending(path: Path) -> Format | None:
    """The form of a table whose ending this path has (``.MD`` as ``.md``); None if none has it."""
    ending = path.suffix.lower()
    return next((form for form in FORMS.values() if form.ending == ending), None)
