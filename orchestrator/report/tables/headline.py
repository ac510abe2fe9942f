"""A study's own table: its rows with scores and differences, beside the paper's figures."""

from collections.abc import Sequence

from orchestrator.analysis.summary import RowSummary, Summary
from orchestrator.report.tables.cells import (
    difference_plus_minus,
    percent,
    plus_minus,
    published_percent,
    wa_and_ua,
)
from orchestrator.report.tables.footnotes import footnotes
from orchestrator.report.tables.headings import DASH, banner, label, protocol_line
from orchestrator.report.tables.supporting import differences, parameters, pooled, sequential
from orchestrator.report.tables.table import Column, Table
from orchestrator.store.snapshot import Snapshot

PUBLISHED = "as published, not run here"


def table(summary: Summary, *, details: bool = False) -> Table:
    """The headline of a study; with ``details`` the table of what the headline leaves out.

    The headline has UA, WA and the difference in UA to the reference. The details have scores by
    segment, at the last epoch and at the epoch that is best on the test speakers.
    """
    snapshot = summary.snapshot
    heads, plain = _details(summary) if details else _headline(summary)
    cells, headings = _in_blocks(summary.rows, plain)
    if snapshot.published:
        printed = _published(snapshot, heads)
        below = {index + len(printed): name for index, name in headings.items()}
        headings = {0: PUBLISHED, **(below or {len(printed): "trained here"})}
        cells = [*printed, *cells]
    return Table(
        label=label(snapshot),
        title=snapshot.question or snapshot.study,
        subtitle=protocol_line(snapshot),
        banner=banner(snapshot),
        columns=tuple(
            Column(head=head, numeric=head not in ("row", "differs", "claim")) for head in heads
        ),
        cells=tuple(cells),
        footnotes=tuple(footnotes(summary, details)),
        headings=headings,
    )


def tables(summary: Summary, *, details: bool) -> list[Table]:
    """The headline, of an adaptive study what its seeds settled, with ``details`` all others."""
    found = [table(summary)]
    if summary.snapshot.replicates == "adaptive":
        found.append(sequential(summary))
    if details:
        supporting = (differences(summary), pooled(summary), parameters(summary))
        found += [table(summary, details=True), *(t for t in supporting if t is not None)]
    return found


def _published(snapshot: Snapshot, heads: Sequence[str]) -> list[tuple[str, ...]]:
    """The rows of systems that are published and not trained here: dashes for what is measured."""
    paper = _paper_head(snapshot)
    cells: list[tuple[str, ...]] = []
    for row in snapshot.published:
        wa, ua = published_percent(row.paper.get("wa")), published_percent(row.paper.get("ua"))
        figures = {"row": row.name, f"{paper} UA": ua, f"{paper} WA/UA": f"{wa}/{ua}"}
        cells.append(tuple(figures.get(head, "" if head == "differs" else DASH) for head in heads))
    return cells


def _in_blocks(
    rows: Sequence[RowSummary], cells: Sequence[tuple[str, ...]]
) -> tuple[list[tuple[str, ...]], dict[int, str]]:
    """The rows block by block, and the heading at the first row of each block.

    A row of several blocks stands in each of them.
    """
    blocks = dict.fromkeys(block for row in rows for block in row.blocks)
    if not blocks:
        return list(cells), {}
    ordered: list[tuple[str, ...]] = []
    headings = {}
    for block in blocks:
        headings[len(ordered)] = block
        ordered += [cell for row, cell in zip(rows, cells, strict=True) if block in row.blocks]
    return ordered, headings


def _paper_head(snapshot: Snapshot) -> str:
    return "paper" if snapshot.comparable else "paper (IEMOCAP)"


def _headline(summary: Summary) -> tuple[list[str], list[tuple[str, ...]]]:
    """The heads of the columns, and the cells of every row."""
    snapshot = summary.snapshot
    with_paper = any("ua" in row.paper for row in summary.rows) or any(
        "ua" in row.paper for row in snapshot.published
    )
    with_reference = snapshot.reference is not None
    heads = ["row", "n", "UA ± 95 %", "WA"]
    heads += [f"{_paper_head(snapshot)} UA"] if with_paper else []
    heads += ["ΔUA ± 95 %", "differs"] if with_reference else []
    cells = []
    for row in summary.rows:
        cell = [row.name, _n(row), plus_minus(row.ua), percent(row.wa.mean if row.wa else None)]
        cell += [published_percent(row.paper.get("ua"))] if with_paper else []
        cell += [*_difference(row, snapshot)] if with_reference else []
        cells.append(tuple(cell))
    return heads, cells


def _details(summary: Summary) -> tuple[list[str], list[tuple[str, ...]]]:
    """WA and UA by segment and by other choices of the epoch, beside the paper's figures."""
    snapshot = summary.snapshot
    published = (*(row.paper for row in summary.rows), *(row.paper for row in snapshot.published))
    with_paper = any({"wa", "ua"} & paper.keys() for paper in published)
    heads = ["row", "WA ± 95 %", "segment WA/UA", "last epoch", "best on test"]
    heads += [f"{_paper_head(snapshot)} WA/UA"] if with_paper else []
    cells = []
    for row in summary.rows:
        paper = f"{published_percent(row.paper.get('wa'))}/{published_percent(row.paper.get('ua'))}"
        pairs = [wa_and_ua(p) for p in (row.segment, row.last_epoch, row.best_on_test)]
        known = {"wa", "ua"} & row.paper.keys()
        cell = [row.name, plus_minus(row.wa), *pairs]
        cells.append((*cell, paper if known else DASH) if with_paper else tuple(cell))
    return heads, cells


def _n(row: RowSummary) -> str:
    return f"{row.n}/{row.n + row.missing}" if row.missing else str(row.n)


def _difference(row: RowSummary, snapshot: Snapshot) -> tuple[str, str]:
    if row.name == snapshot.reference:
        return "reference", ""
    difference = row.difference
    if difference is None:
        return DASH, "missing" if row.missing else ""
    return difference_plus_minus(difference), row.verdict
