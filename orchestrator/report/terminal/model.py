"""The output on a study's networks, parts and parameters, as JSON values and in the terminal."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.text import Text

from model.config import WMA_GIN
from model.systems.catalogue import SYSTEMS
from orchestrator.printable import clean
from orchestrator.report.console import print_columns, print_pairs
from orchestrator.report.tables.cells import short_count
from orchestrator.report.tables.footnotes import size_notes
from orchestrator.report.tables.headings import DASH
from orchestrator.report.trained.describe import SIZE_NOTES, Architecture


def record(study: str, architectures: Sequence[Architecture]) -> dict[str, Any]:
    """The networks of a study's rows as JSON values, with every part and its parameters.

    ``parameters`` is None for a system without a network (the SVM); ``published`` is the paper's
    number of parameters, or None.
    """
    rows = [
        {
            **asdict(found),
            "parameters": found.parameters if found.parts else None,
            "published": found.published,
        }
        for found in architectures
    ]
    return {"study": study, "rows": rows, "notes": list(_notes(architectures))}


def show_rows(console: Console, architectures: Sequence[Architecture]) -> None:
    """Print a table with a line for each row: system, features, number of parameters."""
    cells = [
        (found.row, found.model, found.features, _size(found), _published(found))
        for found in architectures
    ]
    heads = ["row", "model", "features", "parameters", "published"]
    print_columns(console, heads, cells, numeric=[False, False, False, True, True])
    _print_notes(console, architectures)


def show_row(console: Console, found: Architecture) -> None:
    """Print the network of one row: a table with the output shape and parameters of each part."""
    system = SYSTEMS[found.model]
    reading = f", reading {found.reading}" if found.model == WMA_GIN else ""
    published = f" (published: {_published(found)})" if found.published else ""
    print_pairs(
        console,
        [
            ("row", found.row),
            ("model", f"{found.model}{reading}"),
            ("source", system.source),
            ("input", _input(found)),
            ("classes", f"{len(found.classes)}: {', '.join(found.classes)}"),
            ("parameters", f"{_size(found)}{published}"),
        ],
    )
    console.print()
    if not found.parts:
        console.print("No network: a support vector machine keeps training utterances.")
        return
    cells = [
        (part.title, part.kind, part.shape or "–", f"{part.parameters:,}") for part in found.parts
    ]
    heads = ["part", "module", "gives", "parameters"]
    print_columns(console, heads, cells, numeric=[False, False, False, True])
    _print_notes(console, [found])


def _input(found: Architecture) -> str:
    if not found.parts:
        return f"(B, {found.inputs}): {found.features}, one row an utterance"
    return f"(B, N, {found.inputs}): {found.features}, N at most {found.nodes}"


def _size(found: Architecture) -> str:
    return f"{found.parameters:,}" if found.parts else DASH


def _published(found: Architecture) -> str:
    return DASH if found.published is None else short_count(found.published)


def _notes(architectures: Sequence[Architecture]) -> tuple[str, ...]:
    """Sentences on sizes: why a number of parameters is not the paper's, which sizes we chose."""
    models = dict.fromkeys(found.model for found in architectures)
    why = dict.fromkeys(
        note
        for found in architectures
        if found.published
        for note in SIZE_NOTES.get(found.model, ())
    )
    return (*why, *size_notes([SYSTEMS[model] for model in models]))


def _print_notes(console: Console, architectures: Sequence[Architecture]) -> None:
    console.print()
    for note in _notes(architectures):
        console.print(Text(clean(note), style="dim"))
