"""The forest plot of a study: each row's UA and its difference in UA to the reference row.

Both have their 95 % intervals. The shape of a marker is the verdict whether the row differs: a
filled diamond for ``yes``, a circle for ``cannot tell``, a cross for a row that is not judged yet.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from orchestrator.analysis.differences import NO_SCORE, Difference
from orchestrator.analysis.row_scores import Interval
from orchestrator.analysis.summary import RowSummary, Summary
from orchestrator.report.figures import canvas
from orchestrator.report.figures.canvas import FAINT, HAIR, INK, LINE, Figure, Panel, wrap
from orchestrator.report.figures.frame import framed, nothing_yet, remarks
from orchestrator.report.tables.headings import (
    DASH,
    SCORES,
    difference_interval_words,
    label,
    promise_notes,
    score_interval_words,
    tested_speakers,
    trainings,
)

PITCH = 0.27
"""Least height of a row of the table, in inches."""
NAMES = 2.0
"""Width of the column with the names of rows, in inches."""


@dataclass(frozen=True, slots=True)
class _Line:
    """A line of the picture: a row of the study, or the heading above a block of rows."""

    text: tuple[str, ...]
    """The row's name or the heading, wrapped into lines."""
    row: RowSummary | None
    """The numbers of the row; None for a heading."""
    y: float
    """Distance from the top of the panel to the middle of the line, in inches."""


@canvas.drawn
def forest(summary: Summary) -> Figure:
    """Draw UA and the difference in UA to the reference, with intervals, for every row.

    A row that stands under several headings (blocks) of the table is drawn under each of them.

    Returns:
        A matplotlib figure; while no training is finished, one with a sentence that says so.
    """
    snapshot = summary.snapshot
    lines, height = _lines(summary)
    title = f"{label(snapshot)}. {snapshot.question or snapshot.study}"
    caption = [
        f"n: {trainings(snapshot)} a row; means over {tested_speakers(snapshot)}, bars: "
        f"{score_interval_words(snapshot)}."
    ]
    is_open = any(row.is_open for row in summary.rows)
    if snapshot.reference is not None:
        caption.append(
            f"Right: paired difference to `{snapshot.reference}`. Filled diamond: differs, p < "
            "0.05 after Holm over all rows (the p beside it); open circle: cannot tell, which is "
            "no proof of equality."
            + (" Cross: not judged, as is said beside it." if is_open else "")
            + (
                f" Its bars: {difference_interval_words(snapshot)}."
                if snapshot.is_published_split
                else ""
            )
        )
        caption += promise_notes(summary.promise)
    any_done = any(row.n for row in summary.rows)
    figure = framed(
        snapshot,
        title,
        [*caption, *remarks(summary, differences=True)],
        height + 0.55 if any_done else 1.2,
        beside=0.02,
    )
    if not any_done:
        nothing_yet(figure, snapshot)
        return figure
    panels = figure.subplots(
        1,
        1 if snapshot.reference is None else 2,
        sharey=True,
        squeeze=False,
        width_ratios=[1] if snapshot.reference is None else [1, 1.25],
    )[0]
    left = panels[0]
    left.set_ylim(height, 0)
    left.set_yticks([line.y for line in lines], ["\n".join(line.text) for line in lines])
    for line, text in zip(lines, left.get_yticklabels(), strict=True):
        if line.row is None:
            text.set(weight="bold", color=INK)
        elif line.row.name == snapshot.reference:
            text.set(style="italic")
    for panel in panels:
        panel.spines["left"].set_visible(False)
        panel.tick_params(axis="y", length=0)
        panel.grid(axis="x", color=HAIR, lw=0.5)
        panel.set_axisbelow(True)
    _means(left, lines, SCORES[snapshot.score])
    if snapshot.reference is not None:
        _differences(panels[1], lines, summary)
    return figure


def _lines(summary: Summary) -> tuple[list[_Line], float]:
    """The lines of the picture from the top down, and the height of them all in inches."""
    found: list[_Line] = []
    y = 0.0
    blocks = dict.fromkeys(block for row in summary.rows for block in row.blocks)
    for block in blocks or ("",):
        if block:
            y += PITCH * (1.2 if found else 0.8)
            found.append(_Line(tuple(wrap(block, NAMES, 8)), None, y - PITCH / 2))
        for row in summary.rows:
            if not block or block in row.blocks:
                asked = row.completeness.asked
                part = f" (n {row.n}/{asked})" if 0 < row.n < asked else ""
                text = tuple(wrap(row.name + part, NAMES, 8))
                tall = max(PITCH, 0.15 * len(text) + 0.08)
                found.append(_Line(text, row, y + tall / 2))
                y += tall
    return found, y


def _means(panel: Panel, lines: Sequence[_Line], score: str) -> None:
    """Draw the mean UA of every row in percent, with its 95 % interval."""
    for line in lines:
        if line.row is None:
            continue
        if line.row.ua is None:
            panel.annotate(
                NO_SCORE if line.row.unscored else "not finished",
                (0, line.y),
                xycoords=("axes fraction", "data"),
                xytext=(3, 0),
                textcoords="offset points",
                va="center",
                color=FAINT,
                size=7,
            )
            continue
        _bar(panel, line.row.ua, line.y, INK)
        panel.plot(100 * line.row.ua.mean, line.y, marker="s", ms=4, color=INK, ls="")
    panel.set_xlabel(f"UA (%), {score}")
    _set_limits(panel, [line.row.ua for line in lines if line.row is not None], whole=True)


def _differences(panel: Panel, lines: Sequence[_Line], summary: Summary) -> None:
    """Draw the difference in UA of every row to the reference, in percentage points."""
    reference = summary.snapshot.reference
    panel.axvline(0, color=FAINT, lw=0.9)
    beside = panel.secondary_yaxis("right")
    beside.spines["right"].set_visible(False)
    labels = []
    for line in lines:
        row = line.row
        if row is None:
            labels.append("")
        elif row.name == reference:
            labels.append("reference")
        elif row.difference is None:
            labels.append(DASH)
        else:
            d = row.difference
            _bar(panel, Interval(mean=d.ua, low=d.low, high=d.high), line.y, LINE)
            differs = row.verdict == "yes"
            panel.plot(
                100 * d.ua,
                line.y,
                marker="x" if row.is_open else "D" if differs else "o",
                ms=5 if differs else 5.5,
                ls="",
                color=LINE,
                mfc=LINE if differs else "white",
                mew=1.1,
                zorder=3,
            )
            labels.append(_label(d) + (f"   {row.verdict.split(',')[0]}" if row.is_open else ""))
    beside.set_yticks([line.y for line in lines], labels, size=7, color=FAINT)
    beside.tick_params(length=0)
    panel.set_xlabel(f"ΔUA to {wrap(str(reference), 2.0, 8)[0]} (points)")
    _set_limits(panel, [row.difference for row in summary.rows], whole=False)


def _label(difference: Difference) -> str:
    """The text beside a marker, such as ``+3.1 ± 2.4   p 0.03``.

    Difference in UA and half of its 95 % interval in percentage points; p after Holm.
    """
    half = DASH if difference.low is None else f"{100 * (difference.ua - difference.low):.1f}"
    p = "" if difference.p is None else f"   p {difference.p:.2f}"
    if difference.p is not None and difference.p < 0.01:
        p = "   p <0.01"
    return f"{100 * difference.ua:+.1f} ± {half}{p}".replace("-", "\N{MINUS SIGN}")


def _bar(panel: Panel, interval: Interval, y: float, colour: str) -> None:
    """Draw a 95 % interval as a horizontal line with end marks; nothing if it is not known.

    Args:
        panel: where to draw; its horizontal scale is in percent.
        interval: the interval, as fractions.
        y: distance from the top of the panel, in inches.
        colour: the colour of the line.
    """
    if interval.low is None or interval.high is None:
        return
    low, high = 100 * interval.low, 100 * interval.high
    panel.plot([low, high], [y, y], color=colour, lw=1.1, solid_capstyle="butt")
    panel.plot([low, high], [y, y], color=colour, ls="", marker="|", ms=4.5, mew=1.0)


def _set_limits(
    panel: Panel, found: Sequence[Interval | Difference | None], *, whole: bool
) -> None:
    """Set the horizontal limits of a panel so that every mean and interval fits.

    Args:
        panel: the panel; its horizontal scale is in percent or percentage points.
        found: what it shows, as fractions.
        whole: True for scores, within 0 and 100; False for differences, within -100 and 100.
    """
    low, high = (0.0, 100.0) if whole else (-100.0, 100.0)
    ends = [] if whole else [0.0]
    for one in found:
        if one is not None:
            middle = one.mean if isinstance(one, Interval) else one.ua
            ends += [100 * v for v in (middle, one.low, one.high) if v is not None]
    least, most = max(low, min(ends, default=low)), min(high, max(ends, default=high))
    pad = max(1.0, 0.06 * (most - least))
    panel.set_xlim(least - pad, most + pad)
    panel.locator_params(axis="x", nbins=6)
