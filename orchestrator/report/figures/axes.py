"""The picture of a grid of settings: how UA depends on each axis and on each pair of axes.

An axis is a setting whose values (levels) the rows of the study combine with those of other axes.
The picture is a square of panels. The diagonal has UA by level for each axis, and says how each
level differs from the first (the main effects). A panel above it has both axes at once: lines that
are not parallel suggest that the effect of one depends on the other. A panel below it has that
effect at each level of the other axis, paired and with its interval: equal effects are independent.
"""

from collections.abc import Mapping, Sequence

from orchestrator.analysis.differences import Difference
from orchestrator.analysis.grid.axes import GridAxis, Label, axes_of, refuse_no_grid
from orchestrator.analysis.grid.effects import Effects, MainEffect
from orchestrator.analysis.grid.interactions import Dependence, Interaction, Level
from orchestrator.analysis.row_scores import Interval
from orchestrator.analysis.summary import Summary
from orchestrator.errors import RequestError
from orchestrator.printable import clean
from orchestrator.report.figures import canvas
from orchestrator.report.figures.canvas import (
    DASHES,
    FAINT,
    HAIR,
    INK,
    MARKERS,
    SERIES,
    Figure,
    Panel,
    wrap,
)
from orchestrator.report.figures.frame import WIDTH, framed, nothing_yet, remarks
from orchestrator.report.tables.cells import difference_plus_minus
from orchestrator.report.tables.headings import label, promise_notes, tested_speakers, trainings
from orchestrator.store.snapshot import Snapshot

MOST_AXES = 5
"""Most axes of a grid that is drawn."""
SIDE = 2.15
"""Height of one panel in inches."""
MOST_EFFECTS = 3
"""Most main effects that stand above a panel, each in a line; those that differ come first."""


def refuse_no_axes(snapshot: Snapshot) -> None:
    """Do nothing if the rows of a study are a grid of at most ``MOST_AXES`` axes; else raise.

    Raises:
        RequestError: the rows are no grid, or it has more axes.
    """
    refuse_no_grid(snapshot)
    if len(axes_of(snapshot)) > MOST_AXES:
        raise RequestError(
            f"`--picture axes` must have at most {MOST_AXES} axes, but `{snapshot.study}` spans "
            f"{len(axes_of(snapshot))} instead: `--picture forest` draws its rows."
        )


@canvas.drawn
def axes(effects: Effects, summary: Summary) -> Figure:
    """Draw UA by the levels of every axis and of every pair of axes.

    Args:
        effects: the mean UA at each level and each pair of levels, with intervals.
        summary: the study's numbers, for the remarks below the picture.

    Returns:
        A matplotlib figure; while no training is finished, one with a sentence that says so.
    """
    snapshot, found = effects.snapshot, effects.axes
    done = any(row.n for row in summary.rows)
    title = f"{label(snapshot)}. {snapshot.question or snapshot.study}"
    caption = list(_caption(effects)) + remarks(summary)
    side = len(found)
    width = WIDTH if side < 4 else 2.2 * side
    height = (SIDE * side + 0.3) if side > 1 else 2.8
    figure = framed(snapshot, title, caption, height if done else 1.2, width=width, between=0.04)
    if not done:
        nothing_yet(figure, snapshot)
        return figure
    grid = figure.subplots(side, side, squeeze=False)
    for i, axis in enumerate(found):
        _main(grid[i][i], axis, effects.levels[axis.key])
        if side > 1 or _is_first(snapshot):
            lines = _effect_lines(effects.effects_of(axis), width / side - 0.6)
            grid[i][i].set_title("\n".join(lines), size=7, color=INK)
    for one in effects.interactions:
        i, j = found.index(one.a), found.index(one.b)
        _both(grid[i][j], one)
        _effect(grid[j][i], one)
    means = [grid[i][j] for i in range(side) for j in range(side) if i <= j]
    _share(means, within=(-2.0, 102.0))
    _share([grid[i][j] for i in range(side) for j in range(side) if i > j])
    return figure


def _caption(effects: Effects) -> Sequence[str]:
    snapshot = effects.snapshot
    sentences = [
        f"n = {trainings(snapshot)} a row. Means over {tested_speakers(snapshot)}, other axes "
        "averaged; bars: 95 % for new speakers. Above a panel of one axis: ΔUA to its first level, "
        f"paired; yes: p < 0.05 after Holm over {len(effects.main)} of all axes.",
        *promise_notes(effects.promise),
    ]
    if effects.interactions:
        asked = sum(len(one.dependences) for one in effects.interactions)
        sentences.append(
            "Upper right: both axes at once. Lower left: the effect of a column's axis at each "
            "level of the row's, paired; dependence: the difference of differences that is the "
            f"least chance, p after Holm over {asked}. `cannot tell` is no proof of equality."
        )
    return sentences


def _is_first(snapshot: Snapshot) -> bool:
    """Whether the table compares the rows of a single axis with the first one, as a panel does."""
    return snapshot.reference in (None, snapshot.rows[0].name)


def _main(panel: Panel, axis: GridAxis, levels: Sequence[Level]) -> None:
    """Draw UA in percent by the levels of one axis, the other axes averaged."""
    _line(panel, 0, 1, {lv.at[0]: lv.ua for lv in levels}, axis.levels, "")
    _dress(panel, axis, "UA (%)")
    panel.set_xlabel(_named(axis), weight="bold", color=INK)


def _effect_lines(effects: Sequence[MainEffect], inches: float) -> list[str]:
    """The main effects of an axis, such as ``128: +2.3 ± 4.5, yes, depends on fa layer``.

    There are at most ``MOST_EFFECTS`` of them, those that differ first; a last line counts the
    rest. Lines are as wide as the panel, in inches.
    """
    few = len(effects) <= MOST_EFFECTS
    first = sorted(effects, key=lambda effect: effect.verdict != "yes")[: MOST_EFFECTS - 1]
    shown = [effect for effect in effects if few or effect in first]
    lines = []
    for effect in shown:
        others = ", ".join(map(_named, effect.depends_on))
        parts = [difference_plus_minus(effect.difference), effect.verdict]
        parts += [f"depends on {others}"] if others else []
        text = f"{_short(effect.level)}: {', '.join(filter(None, parts))}"
        lines += wrap(text.replace("-", "\N{MINUS SIGN}"), inches, 7)
    rest = [effect for effect in effects if effect not in shown]
    if rest:
        differing = sum(effect.verdict == "yes" for effect in rest)
        lines.append(f"{len(rest)} more, of which {differing or 'none'} differ")
    return lines


def _both(panel: Panel, one: Interaction) -> None:
    """Draw UA in percent by the levels of axis B, one line for each level of axis A."""
    for index, la in enumerate(one.a.levels):
        found = {lb: one.cells[la, lb].ua for lb in one.b.levels}
        _line(panel, index, len(one.a.levels), found, one.b.levels, _short(la))
    _dress(panel, one.b, "UA (%)")
    _legend(panel, one.a)


def _effect(panel: Panel, one: Interaction) -> None:
    """Draw the difference in UA from the first level of axis A, in percentage points.

    It has one line for each level of axis B; the title says whether the effect depends on B, or
    why that is not judged yet.
    """
    panel.axhline(0, color=FAINT, lw=0.9)
    for index, lb in enumerate(one.b.levels):
        found = {la: _interval(one.effects_of_a[la, lb]) for la in one.a.levels[1:]}
        _line(panel, index, len(one.b.levels), found, one.a.levels[1:], _short(lb))
    _dress(panel, GridAxis(key=one.a.key, levels=one.a.levels[1:]), "ΔUA (points)")
    first = _short(one.a.levels[0])
    panel.set_xlabel(f"{_named(one.a)}, against {first}", color=FAINT)
    _legend(panel, one.b)
    panel.set_title(_dependence(one.strongest), size=7, color=INK)


def _dependence(strongest: Dependence | None) -> str:
    """The strongest dependence of two axes as two lines: verdict; size ± half its interval, and p.

    Size and interval are a difference of differences in UA, in percentage points.
    """
    if strongest is None or strongest.difference is None:
        return "dependence: –"
    d = strongest.difference
    p = "" if d.p is None else f", p {d.p:.2f}"
    text = f"dependence: {strongest.verdict}\n{difference_plus_minus(d)}{p}"
    return text.replace("-", "\N{MINUS SIGN}")


def _interval(difference: Difference | None) -> Interval | None:
    if difference is None:
        return None
    return Interval(mean=difference.ua, low=difference.low, high=difference.high)


def _line(
    panel: Panel,
    index: int,
    lines: int,
    found: Mapping[Label, Interval | None],
    levels: Sequence[Label],
    name: str,
) -> None:
    """Draw UA (or a difference in UA) by level as one line with bars for the intervals.

    Args:
        panel: where to draw.
        index: the number of the line, from 0, which gives its colour and marker. It is moved a
            little sideways by it, so that the bars of several lines do not overlap.
        lines: how many lines the panel has.
        found: level -> value as a fraction; None where it is not known.
        levels: the levels from left to right.
        name: the line's name in the legend.
    """
    aside = 0.0 if lines == 1 else 0.24 * (index / (lines - 1) - 0.5)
    known = [(x + aside, one) for x, lv in enumerate(levels) if (one := found[lv]) is not None]
    colour, marker = SERIES[index % len(SERIES)], MARKERS[index % len(MARKERS)]
    panel.plot(
        [x for x, _ in known],
        [100 * one.mean for _, one in known],
        color=colour,
        lw=1.3,
        ls=DASHES[index % len(DASHES)],
        marker=marker,
        ms=4.5,
        label=name,
        zorder=3,
    )
    for x, one in known:
        if one.low is not None and one.high is not None:
            ends = [100 * one.low, 100 * one.high]
            panel.plot([x, x], ends, color=colour, lw=0.9, alpha=0.75)
            panel.plot([x, x], ends, color=colour, ls="", marker="_", ms=4, alpha=0.75)


def _dress(panel: Panel, axis: GridAxis, what: str) -> None:
    """Set the ticks and labels of a panel: levels of an axis below, the scale ``what`` left."""
    names = ["\n".join(wrap(one, 1.1, 7)[:3]) for one in axis.levels]
    panel.set_xticks(range(len(axis.levels)), names, size=7)
    panel.set_xlim(-0.4, len(axis.levels) - 0.6)
    panel.set_ylabel(what)
    panel.set_xlabel(_named(axis), color=FAINT)
    panel.grid(axis="y", color=HAIR, lw=0.5)
    panel.set_axisbelow(True)
    panel.locator_params(axis="y", nbins=6)


def _legend(panel: Panel, axis: GridAxis) -> None:
    panel.legend(
        title=_named(axis),
        fontsize=6.5,
        title_fontsize=6.5,
        loc="best",
        handlelength=2.6,
        labelspacing=0.25,
        borderpad=0.2,
        alignment="left",
    )


def _named(axis: GridAxis) -> str:
    return clean(axis.name)


def _short(one: Label) -> str:
    return wrap(one, 1.4, 7)[0]


def _share(panels: Sequence[Panel], within: tuple[float, float] = (-100.0, 100.0)) -> None:
    """Give all panels the same vertical scale, which holds what each of them shows.

    Args:
        panels: the panels.
        within: the scale never goes beyond these two values, in percent or percentage points.
    """
    ends = [panel.get_ylim() for panel in panels]
    for panel in panels:
        low, high = min(low for low, _ in ends), max(high for _, high in ends)
        panel.set_ylim(max(low, within[0]), min(high, within[1]))
