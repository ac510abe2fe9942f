"""The picture of Figure 2 of the paper: WA and UA by hidden size, for each number of layers."""

from collections.abc import Mapping, Sequence
from typing import Any

from orchestrator.analysis.row_scores import Interval, units_asked
from orchestrator.analysis.summary import RowSummary, Summary
from orchestrator.errors import RequestError
from orchestrator.report.figures import canvas
from orchestrator.report.figures.canvas import DASHES, HAIR, MARKERS, SERIES, Figure, Panel
from orchestrator.report.figures.frame import framed, nothing_yet, remarks
from orchestrator.report.tables.headings import (
    label,
    score_interval_words,
    tested_speakers,
    trainings,
)
from orchestrator.store.snapshot import Snapshot

AXES = {"layers", "hidden"}
"""The settings that the rows of such a study may set."""
HEIGHT = 2.9
"""Height of a panel in inches."""
MOST = 1_000_000
"""Largest hidden size that is drawn; a store from elsewhere may hold any number."""

Lines = Mapping[int | None, Mapping[int, str]]
"""Number of layers (None if the rows do not set it) -> hidden size -> name of the row."""


def refuse_no_widths(snapshot: Snapshot) -> None:
    """Do nothing if the rows of a study differ in hidden size and layers alone; else raise.

    Raises:
        RequestError: `has_widths` is False.
    """
    if not has_widths(snapshot):
        raise RequestError(
            "`--picture sweep` needs rows that set `hidden`, and nothing but `layers` beside it, "
            f"but those of `{snapshot.study}` are others: `--picture forest` draws any rows."
        )


def has_widths(snapshot: Snapshot) -> bool:
    """Whether the rows set hidden size, and nothing else but perhaps the number of layers.

    There must be two different hidden sizes or more, and no two rows with equal settings.
    """
    settings = [row.settings for row in snapshot.rows]
    known = all("hidden" in one and one.keys() <= AXES for one in settings)
    whole = all(type(n) is int and 0 < n <= MOST for one in settings for n in one.values())
    if not known or not whole:
        return False
    points = [_layers_and_hidden(one) for one in settings]
    return len(set(points)) == len(points) and len({width for _, width in points}) > 1


def _layers_and_hidden(settings: Mapping[str, Any]) -> tuple[int | None, int | None]:
    return settings.get("layers"), settings.get("hidden")


@canvas.drawn
def widths(summary: Summary) -> Figure:
    """Draw WA and UA in percent against the hidden size, in two panels.

    Returns:
        A matplotlib figure; while no training is finished, one with a sentence that says so.

    Raises:
        RequestError: the rows do not differ in hidden size and layers alone.
    """
    snapshot = summary.snapshot
    refuse_no_widths(snapshot)
    rows = {row.name: row for row in summary.rows}
    lines: dict[int | None, dict[int, str]] = {}
    for row in sorted(snapshot.rows, key=lambda row: _layers_and_hidden(row.settings)[1] or 0):
        layers, width = _layers_and_hidden(row.settings)
        lines.setdefault(layers, {})[int(width or 0)] = row.name
    lines = {layers: lines[layers] for layers in sorted(lines, key=lambda n: n or 0)}
    done = any(row.n for row in summary.rows)
    title = f"{label(snapshot)}. {snapshot.question or snapshot.study}"
    caption = [
        f"n = {trainings(snapshot)} a point" + (_fewer(summary.rows) if done else "") + ";",
        f"means over {tested_speakers(snapshot)}; bands: "
        f"{score_interval_words(snapshot, units_asked(snapshot))}.",
    ]
    figure = framed(snapshot, title, [*caption, *remarks(summary)], HEIGHT if done else 1.2)
    if not done:
        nothing_yet(figure, snapshot)
        return figure
    left, right = figure.subplots(1, 2)
    for panel, metric in ((left, "wa"), (right, "ua")):
        found = {name: getattr(row, metric) for name, row in rows.items()}
        _panel(panel, lines, found)
        panel.set_ylabel(f"{metric.upper()} (%)")
    if len(lines) > 1:
        right.legend(
            *left.get_legend_handles_labels(),
            loc="upper left",
            bbox_to_anchor=(1, 1),
            borderaxespad=0,
            handlelength=3.2,
        )
    return figure


def _fewer(rows: Sequence[RowSummary]) -> str:
    """The rows with missing trainings and how many each has, as `` (not yet: A: 3)``; or empty."""
    part = [f"{row.name}: {row.n}" for row in rows if row.missing]
    return f" (not yet: {', '.join(part)})" if part else ""


def _panel(panel: Panel, lines: Lines, found: Mapping[str, Interval | None]) -> None:
    """Draw WA or UA by hidden size, with 95 % bands; the hidden size has a logarithmic scale.

    Args:
        panel: where to draw.
        lines: the row of each number of layers and hidden size.
        found: row -> its WA or UA, as fractions; None while no training is finished.
    """
    from math import log2

    for index, (layers, rows) in enumerate(lines.items()):
        points = [(log2(w), one) for w, name in rows.items() if (one := found[name]) is not None]
        colour, dash = SERIES[index % len(SERIES)], DASHES[index % len(DASHES)]
        marker = MARKERS[index % len(MARKERS)]
        panel.plot(
            [x for x, _ in points],
            [100 * one.mean for _, one in points],
            color=colour,
            ls=dash,
            lw=1.4,
            marker=marker,
            ms=4.5,
            mfc=colour,
            label=f"{layers} layers" if layers else "",
            zorder=3,
        )
        banded = [(x, one.low, one.high) for x, one in points if one.low is not None]
        lows = [100 * max(0.0, low) for _, low, _ in banded if low is not None]
        highs = [100 * min(1.0, high) for _, _, high in banded if high is not None]
        xs = [x for x, _, _ in banded]
        if len(xs) == 1:  # a band of one point has no width
            panel.plot(xs * 2, [*lows, *highs], color=colour, lw=1, alpha=0.6)
        panel.fill_between(xs, lows, highs, color=colour, alpha=0.10, lw=0)
        for ends in (lows, highs):
            panel.plot(xs, ends, color=colour, ls=dash, lw=0.5, alpha=0.7)
    sizes = sorted({width for rows in lines.values() for width in rows})
    panel.set_xticks([log2(w) for w in sizes], [str(w) for w in sizes])
    panel.set_xlim(log2(sizes[0]) - 0.2, log2(sizes[-1]) + 0.2)
    panel.set_xlabel("hidden size")
    panel.grid(axis="y", color=HAIR, lw=0.5)
    panel.set_axisbelow(True)
