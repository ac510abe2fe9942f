"""The headline (a study's first table) of the HTML page: rows that open, and a forest plot column.

The forest plot draws each row's difference in UA to the reference with its interval.
"""

import re
from dataclasses import dataclass
from typing import NamedTuple

from orchestrator.analysis.summary import RowSummary, Summary
from orchestrator.report.html.plots import Forest, ForestMark
from orchestrator.report.html.row_view import RowView, row_view
from orchestrator.report.row_details import RowDetails
from orchestrator.report.tables.table import Column, Table
from orchestrator.store.snapshot import Snapshot

VERDICT_SIGNS = {"yes": "◆", "cannot tell": "○", "open": "◌", "supports": "◆", "contradicts": "◇"}
"""Verdict on a row or on the study's claim -> the sign that stands beside it.

Of ``open, 7 of 15`` the first word counts."""


@dataclass(frozen=True, kw_only=True, slots=True)
class HeadlineRow:
    """One row of the headline, with its mark in the forest plot and what a click on it opens."""

    heading: str | None
    """The heading above the row, if a block of rows begins with it; else None."""
    name: str
    """The name of the row, which stands in the first column."""
    cells: tuple[str, ...]
    """The texts of the other columns."""
    mark: ForestMark
    """The row's mark in the forest plot."""
    details: RowView | None
    """What a click on the row opens; None for a published row, which was not trained here."""
    anchor: str
    """The id of its HTML element, such as ``s1-r2``; empty for a published row."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Headline:
    """The headline of a study, with its forest plot."""

    columns: tuple[Column, ...]
    forest_after: int | None
    """Index of the column ΔUA, to the right of which the forest plot stands; None without it."""
    forest: Forest
    """The scale of the forest plot."""
    rows: tuple[HeadlineRow, ...]
    """The rows from the top down."""


def headline_view(
    table: Table, summary: Summary, details: tuple[RowDetails, ...], anchor: str
) -> Headline:
    """Lay out the headline of a study, with what a click on each row opens.

    Args:
        table: the headline as texts.
        summary: the study's numbers.
        details: the trainings of every row.
        anchor: the HTML id of the study, such as ``s1``; the ids of its rows begin with it.
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
    """The shortest scale of the forest plot on which all differences and intervals fit."""
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
    return forest.difference(100 * difference.ua, low, high, verdict=row.verdict)


class CellParts(NamedTuple):
    """The text of a cell in parts, which the page aligns separately."""

    text: str
    """The whole cell, or the mean of a cell such as ``54.2 ± 9.1``."""
    half: str = ""
    """Half of the interval, such as ``9.1``; empty without one."""
    sign: str = ""
    """The sign of a verdict, such as ``◆``; empty if the cell is no verdict."""


def cell_parts(cell: str) -> CellParts:
    """Split the text of a cell into its parts; hyphens before digits become minus signs.

    >>> cell_parts("-2.8 ± 24.6")
    CellParts(text='−2.8', half='24.6', sign='')
    """
    cell = re.sub(r"(?<![\w.])-(?=\d)", "−", cell)
    mean, _, half = cell.partition(" ± ")
    return CellParts(mean, half, VERDICT_SIGNS.get(re.sub(r"^open, \d.*", "open", cell), ""))
