"""The picture of confusion matrices over all held-out utterances: of one row, or of all rows."""

from collections.abc import Sequence
from math import ceil

from orchestrator.analysis.row_scores import Pooled
from orchestrator.analysis.summary import RowSummary, Summary
from orchestrator.printable import clean
from orchestrator.report.figures import canvas
from orchestrator.report.figures.canvas import FAINT, INK, Figure, Panel, wrap
from orchestrator.report.figures.frame import WIDTH, framed, nothing_yet, remarks
from orchestrator.report.tables.cells import first_letters
from orchestrator.report.tables.headings import label, trainings

CELL = 0.52
"""Largest side of a matrix cell, in inches."""
ALONE = 4.4
"""Least width of a picture with one matrix, in inches."""


@canvas.drawn
def confusion(summary: Summary, row: str | None = None) -> Figure:
    """Draw the confusion matrix of one row, or of all rows beside each other.

    A matrix counts the held-out utterances of all folds and seeds together.

    Args:
        summary: the study's numbers.
        row: the name of one row; None for all rows.

    Returns:
        A matplotlib figure; while no training is finished, one with a sentence that says so.
    """
    snapshot = summary.snapshot
    rows = [r for r in summary.rows if row in (None, r.name) and r.pooled is not None]
    whose = f" of {row}" if row is not None else ""
    title = f"{label(snapshot)}. Held-out utterances{whose}: spoken and taken for"
    caption = [
        f"All utterances of all seeds pooled; n: trainings, {trainings(snapshot)} when all are "
        "done. In a cell: percent of what was spoken, and the count below."
    ]
    if not rows:
        figure = framed(snapshot, title, [*caption, *remarks(summary)], 1.2)
        nothing_yet(figure, snapshot)
        return figure
    across = min(len(rows), 1 if row is not None else 3)
    down = ceil(len(rows) / across)
    cell = min(CELL, (WIDTH - 0.9 * across) / across / len(snapshot.classes))
    side = cell * len(snapshot.classes)
    height = (side + 0.75) * down
    width = WIDTH if across > 1 else max(ALONE, side + 1.2)
    figure = framed(
        snapshot, title, [*caption, *remarks(summary)], height, width=width, between=0.05
    )
    panels = figure.subplots(down, across, squeeze=False)
    flat = [panel for line in panels for panel in line]
    for panel in flat[len(rows) :]:
        panel.set_axis_off()
    for index, (panel, one) in enumerate(zip(flat, rows, strict=False)):
        if one.pooled is not None:
            _matrix(panel, one.pooled, snapshot.classes, cell)
        panel.set_title("\n".join(_head(one, max(2.0, side))), size=8, color=INK, pad=5)
        if index % across == 0:
            panel.set_ylabel("spoken", color=FAINT)
        if index + across >= len(rows):
            panel.set_xlabel("taken for", color=FAINT)
    return figure


def _head(row: RowSummary, inches: float) -> list[str]:
    pooled = row.pooled
    scores = f"WA {100 * pooled.wa:.1f}, UA {100 * pooled.ua:.1f}" if pooled else ""
    return [*wrap(row.name, inches, 8), f"{scores}, n {row.n}"]


def _matrix(panel: Panel, pooled: Pooled, classes: Sequence[str], cell: float) -> None:
    """Draw one confusion matrix, with percent of the spoken class and the count in each cell.

    Args:
        panel: where to draw.
        pooled: the counts of all held-out utterances.
        classes: the names of the classes, in the order of the counts.
        cell: the side of a cell, in inches.
    """
    shares = [[n / sum(row) if sum(row) else 0.0 for n in row] for row in pooled.confusion]
    panel.imshow(shares, cmap=canvas.ramp(), vmin=0, vmax=1)
    names = first_letters(classes)
    short = [
        name if len(name) <= 8 and cell >= CELL else names[i] for i, name in enumerate(classes)
    ]
    panel.set_xticks(range(len(classes)), [clean(name) for name in short])
    panel.set_yticks(range(len(classes)), [clean(name) for name in short])
    panel.tick_params(length=0)
    for side in ("left", "bottom"):
        panel.spines[side].set_visible(False)
    small = min(8.0, 15.5 * cell)
    for y, row in enumerate(pooled.confusion):
        if not sum(row):
            panel.text(
                (len(classes) - 1) / 2,
                y,
                "nobody spoke it",
                ha="center",
                va="center",
                color=FAINT,
                size=small - 1,
            )
            continue
        for x, count in enumerate(row):
            colour = "white" if shares[y][x] > 0.55 else INK
            panel.text(
                x,
                y - 0.12,
                f"{100 * count / sum(row):.0f}",
                ha="center",
                va="center",
                color=colour,
                size=small,
            )
            panel.text(
                x, y + 0.25, str(count), ha="center", va="center", color=colour, size=small - 2.2
            )
