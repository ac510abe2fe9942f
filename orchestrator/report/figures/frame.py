"""The frame of every picture of a study: title, protocol line and warning above, caption below."""

from collections.abc import Iterator, Sequence

from orchestrator.analysis.summary import Summary
from orchestrator.planning.trial_details import run_command
from orchestrator.printable import clean
from orchestrator.report.figures import canvas
from orchestrator.report.figures.canvas import FAINT, LOUD, Figure, wrap
from orchestrator.report.tables.footnotes import mixtures, shortcomings, warnings
from orchestrator.report.tables.headings import banner, protocol_line
from orchestrator.report.tables.table import is_loud
from orchestrator.store.snapshot import Snapshot

WIDTH = 7.2
"""Width of a picture in inches: two columns of a journal."""
MARGIN = 0.09
"""Space between text and the edge of the picture, in inches."""
PAD = 0.04
"""Space that matplotlib's layout leaves beside the panels, in inches."""
TITLE, TEXT, NOTE = 10.5, 8.0, 7.0
"""Sizes of letters in typographic points (1/72 inch): title, lines below it, caption."""
LEADING = 1.35
"""Height of a line of text, as a multiple of the size of its letters."""
MOST_NOTES = 6
"""Most lines of a caption; further remarks are left out, since the table has them all."""

Line = tuple[str, float, str, bool]
"""A line of text: the text, size of the letters in points, colour, and whether it is bold."""


def framed(
    snapshot: Snapshot,
    title: str,
    caption: Sequence[str],
    height: float,
    *,
    width: float = WIDTH,
    between: float = 0.02,
    beside: float = 0.03,
) -> Figure:
    """An empty figure with the study's heading above the panels and a caption below them.

    Args:
        snapshot: the study.
        title: what the picture shows.
        caption: the sentences of the caption.
        height: height of the panels together, in inches, without heading and caption.
        width: width of the whole picture, in inches.
        between: space between panels above each other, as a share of their height.
        beside: space between panels beside each other, as a share of their width.
    """
    above = list(_above(snapshot, title, width))
    below = [(line, NOTE, FAINT, False) for line in _caption(caption, width)]
    head, foot = _height(above) + 2 * MARGIN, _height(below) + 2 * MARGIN
    whole = head + height + foot
    edge = (MARGIN - PAD) / width
    rect = (edge, foot / whole, 1 - 2 * edge, height / whole)
    figure = canvas.blank(width, whole, rect=rect, between=between, beside=beside)
    figure.set_label(title)
    _write(figure, above, whole - MARGIN, whole, width)
    _write(figure, below, foot - MARGIN, whole, width)
    return figure


def remarks(summary: Summary, *, differences: bool = False) -> list[str]:
    """The warnings that stand in the caption of a picture, those on missing trainings first.

    Args:
        summary: the study's numbers.
        differences: whether the picture shows differences to the reference; it then also has the
            warnings on intervals.
    """
    plain = [*shortcomings(summary), *summary.snapshot.notes, *mixtures(summary.snapshot)]
    found = warnings(summary) if differences else plain
    return sorted(found, key=lambda note: not is_loud(note))


def nothing_yet(figure: Figure, snapshot: Snapshot, *, damaged: bool = False) -> None:
    """Write into an empty figure why nothing is drawn.

    Args:
        figure: the figure.
        snapshot: the study.
        damaged: False if no trial is finished, with the command that trains them; True if trials
            are finished but the files that would be drawn are damaged.
    """
    panel = figure.add_subplot()
    panel.set_axis_off()
    fill = clean(f"`{run_command(snapshot.study)}` trains them.")
    sentence = f"No trial is finished yet.\n{fill}"
    if damaged:
        sentence = (
            "What would be drawn is damaged; the scores, which stand in the records, are whole."
        )
    panel.text(0.5, 0.5, sentence, ha="center", va="center", color=FAINT, size=9, linespacing=1.7)


def _above(snapshot: Snapshot, title: str, width: float) -> Iterator[Line]:
    """The lines of the heading: title, protocol line and warning, wrapped to a width in inches."""
    inner = width - 2 * MARGIN
    for line in wrap(title, inner, TITLE * 1.06)[:3]:
        yield line, TITLE, canvas.INK, True
    for line in wrap(protocol_line(snapshot), inner, TEXT):
        yield line, TEXT, FAINT, False
    if loud := banner(snapshot):
        for line in wrap(loud, inner, TEXT):
            yield line, TEXT, LOUD, True


def _caption(sentences: Sequence[str], width: float) -> list[str]:
    """The lines of a caption, wrapped to a width in inches; at most ``MOST_NOTES`` and one more."""
    lines = wrap(" ".join(sentence for sentence in sentences if sentence), width - 2 * MARGIN, NOTE)
    if len(lines) > MOST_NOTES:
        lines = [*lines[:MOST_NOTES], "… and more: `ablate report` says it all."]
    return lines


def _height(lines: Sequence[Line]) -> float:
    """The height of lines of text below each other, in inches."""
    return sum(size for _, size, _, _ in lines) * LEADING / 72


def _write(figure: Figure, lines: Sequence[Line], top: float, whole: float, width: float) -> None:
    """Write lines of text into a figure ``whole`` inches high, from ``top`` inches downwards."""
    for text, size, colour, bold in lines:
        figure.text(
            MARGIN / width,
            top / whole,
            text,
            size=size,
            color=colour,
            va="top",
            ha="left",
            weight="bold" if bold else "normal",
        )
        top -= size * LEADING / 72
