"""The picture of learning curves: UA and loss by epoch.

Each training has two faint curves, one for each half (A and B) of its held-out group; of a
published split it has one, of the dev side. Their mean is bold for as long as all trainings go on.
A circle marks the epoch that a half chose, at which the other half is scored.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import zip_longest
from math import ceil
from statistics import fmean

from orchestrator.report.figures import canvas
from orchestrator.report.figures.canvas import HAIR, INK, LINE, Figure, Panel, wrap
from orchestrator.report.figures.frame import framed, nothing_yet
from orchestrator.report.row_details import EpochDetails, RowDetails
from orchestrator.report.tables.footnotes import mixtures
from orchestrator.report.tables.headings import label
from orchestrator.store.snapshot import Snapshot
from orchestrator.study.protocol import ScoreRule

TRAIN = "#c05236"
"""The colour of losses on training speech."""
LEAST_LOSS = 1e-4
"""A smaller loss is drawn as this one, since a logarithmic scale has no 0."""

Curve = tuple[float, ...]
"""A value for each epoch, from the first one: UA in percent, or a loss."""


MARKS: Mapping[ScoreRule, str] = {
    "averaged": "Scored: the mean of the weights over the second half of the epochs.",
    "chosen": "Circles: the epoch that a half chose, at which the other half is scored.",
    "last": "Scored: the last epoch.",
}
"""Score of a study -> the sentence that says at which epochs its trainings are scored."""


@canvas.drawn
def curves(snapshot: Snapshot, rows: Sequence[RowDetails]) -> Figure:
    """Draw UA and loss by epoch, for one row or for several rows beside each other.

    Args:
        snapshot: the study, for the heading.
        rows: the rows, with the learning curves of their trainings.

    Returns:
        A matplotlib figure; without any learning curve, one with a sentence that says why.
    """
    shown = [row for row in rows if any(trial.history for trial in row.trials)]
    whose = f" of {rows[0].name}" if len(rows) == 1 else ""
    title = f"{label(snapshot)}. Learning curves{whose}"
    caption = [
        "Faint: each held-out half of each training; bold: their mean, dotted once a training has "
        f"stopped. {MARKS[snapshot.score]} Loss: cross-entropy by utterance on the held-out "
        "halves; dashed: on what was trained on, as the system weighs it.",
        *_unread(rows),
        *snapshot.notes,
        *mixtures(snapshot),
    ]
    if not shown:
        figure = framed(snapshot, title, caption, 1.2)
        nothing_yet(figure, snapshot, damaged=any(row.trials for row in rows))
        return figure
    across = min(3, len(shown))
    down = ceil(len(shown) / across)
    figure = framed(snapshot, title, caption, 2.9 * down if across > 1 else 4.2, between=0.03)
    grid = figure.subplots(2 * down, across, squeeze=False, height_ratios=[1.3, 1] * down)
    pairs = [
        (grid[2 * line][column], grid[2 * line + 1][column])
        for line in range(down)
        for column in range(across)
    ]
    for index, (top, bottom) in enumerate(pairs):
        if index >= len(shown):
            top.set_axis_off()
            bottom.set_axis_off()
            continue
        _row(top, bottom, shown[index])
        n = len(shown[index].trials)
        name = wrap(f"{shown[index].name} (n {n})", 2.1 if across > 1 else 6, 8)
        top.set_title("\n".join(name), size=8, color=INK)
        if index % across == 0:
            top.set_ylabel("dev UA (%)")
            bottom.set_ylabel("loss (log scale)")
        if index + across >= len(shown):
            bottom.set_xlabel("epoch")
    _same_limits([top for top, _ in pairs[: len(shown)]])
    _log_scale([bottom for _, bottom in pairs[: len(shown)]])
    pairs[0][1].legend(
        fontsize=6.5,
        loc="best",
        handlelength=2.4,
        labelspacing=0.25,
        frameon=True,
        framealpha=0.85,
        edgecolor="none",
        borderpad=0.2,
    )
    return figure


def _unread(rows: Sequence[RowDetails]) -> Iterator[str]:
    """Sentences on trainings that are not drawn, since they are missing or damaged."""
    missing = sum(len(row.missing) for row in rows)
    damaged = sum(bool(trial.damage) for row in rows for trial in row.trials)
    if missing:
        yield f"Missing: {missing} trainings are not finished; `ablate run` trains them."
    if damaged:
        yield f"WARNING: the histories of {damaged} trainings are damaged and not drawn."


def _row(top: Panel, bottom: Panel, row: RowDetails) -> None:
    """Draw the curves of one row: UA in percent into the top panel, losses into the bottom one."""
    ua: list[Curve] = []
    dev: list[Curve] = []
    train: list[Curve] = []
    chosen: list[tuple[int, float, float]] = []
    for trial in row.trials:
        if not trial.history:
            continue
        for scores, epoch in trial.choosing_halves:
            ua.append(tuple(100 * s.ua for s in scores))
            dev.append(tuple(max(s.loss, LEAST_LOSS) for s in scores))
            if trial.score == "chosen" and 0 < epoch <= len(scores):
                chosen.append((epoch, ua[-1][epoch - 1], dev[-1][epoch - 1]))
        train.append(_train(trial.history))
    alone = max(0.13, min(0.4, 3 / max(1, len(ua))))
    for panel, lines in ((top, ua), (bottom, dev)):
        for line in lines:
            panel.plot(range(1, len(line) + 1), line, color=LINE, lw=0.7, alpha=alone, zorder=2)
        _mean(panel, lines, INK, "-", "held out")
        panel.grid(axis="y", color=HAIR, lw=0.5)
        panel.set_axisbelow(True)
        panel.locator_params(axis="x", nbins=6, integer=True)
    top.locator_params(axis="y", nbins=5)
    _mean(bottom, train, TRAIN, (0, (4, 1.5)), "trained on")
    for epoch, ua_then, loss_then in chosen:
        for panel, y in ((top, ua_then), (bottom, loss_then)):
            panel.plot(epoch, y, marker="o", ms=4, mfc="white", mec=LINE, mew=0.9, zorder=4)
    top.tick_params(labelbottom=False)
    last = max(map(len, ua), default=1)
    for panel in (top, bottom):
        panel.set_xlim(0.5, max(2, last) + 0.5)


def _train(history: Sequence[EpochDetails]) -> Curve:
    return tuple(max(epoch.loss, LEAST_LOSS) for epoch in history)


def _mean(panel: Panel, lines: Sequence[Curve], colour: str, dash: object, name: str) -> None:
    """Draw the mean of several curves.

    It is bold up to the last epoch of the shortest curve, then dotted: there it is the mean of the
    longer ones only.
    """
    if not lines:
        return
    means = [fmean(v for v in values if v is not None) for values in zip_longest(*lines)]
    whole = min(map(len, lines))
    panel.plot(
        range(1, whole + 1), means[:whole], color=colour, lw=1.8, ls=dash, zorder=3, label=name
    )
    panel.plot(
        range(whole, len(means) + 1),
        means[whole - 1 :],
        color=colour,
        lw=1.0,
        ls=(0, (1, 1.5)),
        zorder=3,
    )


def _log_scale(panels: Sequence[Panel]) -> None:
    """Give all panels the same logarithmic vertical scale, with ticks at 1, 2, 5 or powers of 10.

    The training loss of a system that adds up many heads is ten times that of another.
    """
    for panel in panels:
        panel.set_yscale("log")
        panel.minorticks_off()
    _same_limits(panels)
    low, high = panels[0].get_ylim()
    steps = (1, 2, 5) if high / low < 100 else (1,)
    marks = [step * 10.0**power for power in range(-4, 5) for step in steps]
    for panel in panels:
        panel.set_yticks(marks, [f"{mark:g}" for mark in marks])
        panel.set_ylim(low, high)


def _same_limits(panels: Sequence[Panel]) -> None:
    """Give all panels the same vertical scale, so that they can be compared by eye."""
    ends = [panel.get_ylim() for panel in panels]
    for panel in panels:
        panel.set_ylim(min(low for low, _ in ends), max(high for _, high in ends))
