"""Networks and their parts, as JSON values and in the terminal."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.text import Text

from orchestrator.architecture import PUBLISHED, SIZE_NOTES, Architecture
from orchestrator.report.text import clean, print_columns, print_pairs


def record(study: str, shown: Sequence[Architecture]) -> dict[str, Any]:
    """The networks as JSON values; ``published`` is what the paper prints, a text."""
    rows = [
        {
            **asdict(found),
            "parameters": found.parameters,
            "published": PUBLISHED.get(found.model),
        }
        for found in shown
    ]
    return {"study": study, "rows": rows, "notes": list(_notes(shown))}


def show_rows(console: Console, shown: Sequence[Architecture]) -> None:
    """One line a row."""
    cells = [(found.row, found.reading, found.features, f"{found.parameters:,}") for found in shown]
    heads = ["row", "reading", "features", "parameters"]
    print_columns(console, heads, cells, numeric=[False, False, False, True])
    _print_notes(console, shown)


def show_row(console: Console, found: Architecture) -> None:
    """One network, part by part."""
    published = PUBLISHED.get(found.model)
    beside = f" (the paper: {published} for the whole network)" if published else ""
    print_pairs(
        console,
        [
            ("row", found.row),
            ("model", f"{found.model}, reading {found.reading}"),
            ("input", f"(B, N, {found.inputs}): {found.features}, N at most {found.nodes}"),
            ("classes", f"{len(found.classes)}: {', '.join(found.classes)}"),
            ("parameters", f"{found.parameters:,}{beside}"),
        ],
    )
    console.print()
    cells = [
        (part.title, part.kind, part.shape or "–", f"{part.parameters:,}") for part in found.parts
    ]
    heads = ["part", "module", "gives", "parameters"]
    print_columns(console, heads, cells, numeric=[False, False, False, True])
    _print_notes(console, [found])


def _notes(shown: Sequence[Architecture]) -> tuple[str, ...]:
    """Why published sizes are not met, for every system that is shown."""
    models = dict.fromkeys(found.model for found in shown)
    return tuple(note for model in models for note in SIZE_NOTES.get(model, ()))


def _print_notes(console: Console, shown: Sequence[Architecture]) -> None:
    console.print()
    for note in _notes(shown):
        console.print(Text(clean(note), style="dim"))
