"""The headline as the page lays it out: rows that open, and their differences as a forest."""

import re
from dataclasses import dataclass
from typing import NamedTuple

from orchestrator.analysis.summary import RowSummary, Summary
from orchestrator.report.html.plots import Forest, ForestMark
from orchestrator.report.html.row_view import RowView, row_view
from orchestrator.report.row_details import RowDetails
from orchestrator.report.tables.table import Column, Table
from orchestrator.store.snapshot import Snapshot

VERDICT_SIGNS = {"yes": "◆", "cannot tell": "○", "supports": "◆", "contradicts": "◇"}


@dataclass(frozen=True, kw_only=True, slots=True)
class HeadlineRow:
    """One row of the headline."""

    heading: str | None
    """Of the block that begins with this row."""
    name: str
    cells: tuple[str, ...]
    """Without the name: one for each further column."""
    mark: ForestMark
    details: RowView | None
    """What it opens; None for a published row, which was not trained here."""
    anchor: str
    """Of its element; empty for a published row."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Headline:
    """The headline of a study."""

    columns: tuple[Column, ...]
    forest_after: int | None
    """Index of the column with the differences, which the forest follows; None without one."""
    forest: Forest
    rows: tuple[HeadlineRow, ...]


def headline_view(
    table: Table, summary: Summary, details: tuple[RowDetails, ...], anchor: str
) -> Headline:
    """Lay out the headline of a study with what each of its rows opens.

    Args:
        table: the headline in words.
        summary: the study's numbers.
        details: what its rows open.
        anchor: of the study; those of its rows begin so.
    """
    snapshot, forest = summary.snapshot, _forest(summary)
    row_summaries = {row.name: row for row in summary.rows}
    by_name = {row.name: row for row in details}
    reference = by_name.get(snapshot.reference or "")
    rows = []
    for index, (name, *cells) in enumerate(table.cells):
        mark, opened = forest.empty(), None
        is_trained = index >= len(snapshot.published)
        if is_trained:
            row = row_summaries[name]
            mark = _mark(row, snapshot, forest)
            opened = row_view(row, by_name[name], reference, snapshot.classes)
        rows.append(
            HeadlineRow(
                heading=table.headings.get(index),
                name=name,
                cells=tuple(cells),
                mark=mark,
                details=opened,
                anchor=f"{anchor}-r{index + 1}" if is_trained else "",
            )
        )
    heads = [column.head for column in table.columns]
    return Headline(
        columns=table.columns,
        forest_after=next((i for i, head in enumerate(heads) if head.startswith("ΔUA")), None),
        forest=forest,
        rows=tuple(rows),
    )


def _forest(summary: Summary) -> Forest:
    """The scale that holds all differences and their intervals."""
    differences = [row.difference for row in summary.rows if row.difference is not None]
    ends = [end for d in differences for end in (d.low, d.ua, d.high) if end is not None]
    return Forest.of([100 * end for end in ends])


def _mark(row: RowSummary, snapshot: Snapshot, forest: Forest) -> ForestMark:
    if row.name == snapshot.reference:
        return forest.reference()
    difference = row.difference
    if difference is None:
        return forest.empty()
    low, high = (None if e is None else 100 * e for e in (difference.low, difference.high))
    return forest.difference(100 * difference.ua, low, high, is_shown=row.verdict == "yes")


class CellParts(NamedTuple):
    """A cell in the parts that the page aligns each for itself."""

    text: str
    half: str = ""
    """Half of the interval of a mean."""
    sign: str = ""
    """Of a verdict."""


def cell_parts(cell: str) -> CellParts:
    """Part a cell; minus signs become true ones.

    >>> cell_parts("-2.8 ± 24.6")
    CellParts(text='−2.8', half='24.6', sign='')
    """
    cell = re.sub(r"(?<![\w.])-(?=\d)", "−", cell)
    mean, _, half = cell.partition(" ± ")
    return CellParts(mean, half, VERDICT_SIGNS.get(cell, ""))
