"""The headline: a study's first table, with the scores and differences of its rows.

The paper's scores stand beside them. The table of details has the same rows with other scores.
"""

from collections.abc import Sequence

from orchestrator.analysis.summary import RowSummary, Summary
from orchestrator.report.tables.cells import (
    difference_plus_minus,
    percent,
    plus_minus,
    published_percent,
    wa_and_ua,
)
from orchestrator.report.tables.effects import dependences, effect_evidence, main_effects
from orchestrator.report.tables.footnotes import footnotes
from orchestrator.report.tables.headings import (
    DASH,
    banner,
    label,
    protocol_line,
    score_head,
)
from orchestrator.report.tables.supporting import (
    all_scores,
    differences,
    parameters,
    pooled,
    sequential,
)
from orchestrator.report.tables.table import Column, Table
from orchestrator.store.snapshot import Snapshot

PUBLISHED = "as published, not run here"
"""The heading above the rows of systems that have published scores only."""


def table(summary: Summary, *, details: bool = False) -> Table:
    """The first table of a study (the headline), or its table of details.

    Args:
        summary: the study's numbers.
        details: False for the headline, which has UA, WA and the difference in UA to the reference
            row. True for the details, which have WA with its interval and scores by segment.
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
        title=_title(summary),
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
    """The tables of a study without its search, in the order of printing.

    The headline comes first; before it, in a grid of axes, its main effects. An adaptive study has
    a second one, on its seeds.

    Args:
        summary: the study's numbers.
        details: whether all other supporting tables follow.
    """
    effects = main_effects(summary)
    found = [*([effects] if effects else []), table(summary)]
    if summary.snapshot.replicates == "adaptive":
        found.append(sequential(summary))
    if details:
        supporting = (
            effect_evidence(summary),
            dependences(summary),
            table(summary, details=True),
            all_scores(summary),
            differences(summary),
            pooled(summary),
            parameters(summary),
        )
        found += [one for one in supporting if one is not None]
    return found


def _title(summary: Summary) -> str:
    """The question of the study; of a grid, whose main effects answer it, what the rows are."""
    snapshot = summary.snapshot
    if summary.effects is None:
        return snapshot.question or snapshot.study
    if snapshot.reference is None:
        return "Every row of the grid"
    return f"Every row of the grid against `{snapshot.reference}`: a second family of comparisons"


def _published(snapshot: Snapshot, heads: Sequence[str]) -> list[tuple[str, ...]]:
    """The cells of systems that the study only quotes: published scores, else dashes.

    Args:
        snapshot: the study, with the published systems.
        heads: the heads of the table's columns.
    """
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
    """Order the lines of a table by blocks (headings under which rows stand).

    A row of several blocks stands in each of them. Without blocks the order stays.

    Args:
        rows: the rows of the study.
        cells: the cells of each row.

    Returns:
        The cells in their new order, and index of a block's first line -> the block's heading.
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
    """``paper``, before the heads of published scores; with its corpus if the study has another."""
    return "paper" if snapshot.comparable else "paper (IEMOCAP)"


def _headline(summary: Summary) -> tuple[list[str], list[tuple[str, ...]]]:
    """The headline's column heads, and the cells of every row: n, UA, WA, ΔUA and verdict."""
    snapshot = summary.snapshot
    with_paper = any("ua" in row.paper for row in summary.rows) or any(
        "ua" in row.paper for row in snapshot.published
    )
    with_reference = snapshot.reference is not None
    heads = ["row", "n", score_head(snapshot, "UA"), "WA"]
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
    """The column heads of the details, and the cells of every row.

    WA with its interval, and WA and UA by segment, in percent, beside the paper's scores.
    """
    snapshot = summary.snapshot
    published = (*(row.paper for row in summary.rows), *(row.paper for row in snapshot.published))
    with_paper = any({"wa", "ua"} & paper.keys() for paper in published)
    heads = ["row", score_head(snapshot, "WA"), "segment WA/UA"]
    heads += ["dev WA/UA"] if snapshot.is_published_split else []
    heads += [f"{_paper_head(snapshot)} WA/UA"] if with_paper else []
    cells = []
    for row in summary.rows:
        paper = f"{published_percent(row.paper.get('wa'))}/{published_percent(row.paper.get('ua'))}"
        dev = [wa_and_ua(row.dev)] if snapshot.is_published_split else []
        known = {"wa", "ua"} & row.paper.keys()
        cell = [row.name, plus_minus(row.wa), wa_and_ua(row.segment), *dev]
        cells.append((*cell, paper if known else DASH) if with_paper else tuple(cell))
    return heads, cells


def _n(row: RowSummary) -> str:
    """The cell n: finished trainings, such as ``15``; if some are missing ``12/15``."""
    asked = row.completeness.asked
    return f"{row.n}/{asked}" if row.n < asked else str(row.n)


def _difference(row: RowSummary, snapshot: Snapshot) -> tuple[str, str]:
    """The cells ΔUA (percentage points, with its interval) and ``differs`` of a row."""
    if row.name == snapshot.reference:
        return "reference", ""
    return difference_plus_minus(row.difference), row.verdict
