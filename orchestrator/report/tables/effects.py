"""The tables of a grid: what each value of an axis does, and whether that depends on another axis.

The table of main effects answers the question of a study with `axes`, so it is its first table. The
tests behind it, and those of the dependences, stand in the details.
"""

from orchestrator.analysis.differences import Difference
from orchestrator.analysis.grid.effects import Effects, MainEffect
from orchestrator.analysis.summary import Summary
from orchestrator.report.tables.cells import difference_plus_minus, p_value, plus_minus
from orchestrator.report.tables.footnotes import interval_notes
from orchestrator.report.tables.headings import (
    banner,
    counted,
    label,
    promise_notes,
    protocol_line,
    score_head,
)
from orchestrator.report.tables.supporting import evidence
from orchestrator.report.tables.table import Column, Table

FIRST = "first"
"""Stands in place of the difference of an axis's first value."""


def main_effects(summary: Summary) -> Table | None:
    """The table of main effects: each value of each axis against the axis's first.

    Returns:
        None unless the study is a grid of at least two axes.
    """
    effects = summary.effects
    if effects is None:
        return None
    snapshot = effects.snapshot
    depending = any(effect.depends_on for effect in effects.main)
    heads = ["value", score_head(snapshot, "UA"), "ΔUA ± 95 %", "differs"]
    heads += ["depends on"] if depending else []
    cells: list[tuple[str, ...]] = []
    headings = {}
    for axis in effects.axes:
        headings[len(cells)] = axis.name
        first, *others = effects.levels[axis.key]
        start = (first.at[0], plus_minus(first.ua), FIRST, "", "")
        cells.append(start[: len(heads)])
        for level, effect in zip(others, effects.effects_of(axis), strict=True):
            delta = difference_plus_minus(effect.difference)
            line = (effect.level, plus_minus(level.ua), delta, effect.verdict, _names(effect))
            cells.append(line[: len(heads)])
    return Table(
        label=label(snapshot),
        title=snapshot.question or snapshot.study,
        subtitle=protocol_line(snapshot),
        banner=banner(snapshot),
        columns=tuple(
            Column(head=head, numeric=head not in ("value", "differs", "depends on"))
            for head in heads
        ),
        cells=tuple(cells),
        footnotes=tuple(_footnotes(effects)),
        headings=headings,
    )


def _names(effect: MainEffect) -> str:
    """The names of the axes on which a main effect depends."""
    return ", ".join(axis.name for axis in effect.depends_on)


def _footnotes(effects: Effects) -> list[str]:
    """What the table of main effects compares, in how many comparisons."""
    is_open = any(effect.verdict.startswith("open") for effect in effects.main)
    asked = sum(len(one.dependences) for one in effects.interactions)
    found = "none is shown, which is no proof that there is none (`--details`)."
    published = effects.snapshot.is_published_split
    intervals = "" if published else " ±: 95 % for new speakers."
    if is_open:
        found = "not judged yet."
    elif any(effect.verdict.startswith("none") for effect in effects.main):
        found = "not judged."
    elif any(effect.depends_on for effect in effects.main):
        found = "where one differs, the mean hides it, and the rows tell more (`--details`)."
    what = (
        "Main effects: each value against the first of its axis, paired, the mean over all "
        f"combinations of the other axes.{intervals}"
    )
    if effects.snapshot.exploratory:
        return [what]
    return [
        f"{what} differs: p < 0.05 after Holm over these {len(effects.main)}. `cannot tell` is no "
        "proof of equality."
        + (" `open`: not judged, with the trainings of both values." if is_open else ""),
        *promise_notes(effects.promise),
        f"Whether an effect depends on another axis: {counted(asked, 'difference')} of "
        f"differences, a family apart; {found}",
        *(interval_notes(effects.snapshot, compared=True) if published else ()),
    ]


def effect_evidence(summary: Summary) -> Table | None:
    """The table of tests behind each main effect; None unless the study has main effects."""
    effects = summary.effects
    if effects is None:
        return None
    headings, lines = {}, list[tuple[str, Difference | None]]()
    for axis in effects.axes:
        headings[len(lines)] = f"{axis.name}, against {axis.levels[0]}"
        lines += [(one.level, one.difference) for one in effects.effects_of(axis)]
    title = "What the main effects in UA rest on"
    return evidence(effects.snapshot, title, "value", lines, headings)


def dependences(summary: Summary) -> Table | None:
    """The table of the differences of differences; None unless the study has main effects."""
    effects = summary.effects
    if effects is None:
        return None
    headings, cells = {}, list[tuple[str, ...]]()
    for one in effects.interactions:
        firsts = f"against {one.a.levels[0]} and {one.b.levels[0]}"
        headings[len(cells)] = f"{one.a.name} x {one.b.name}, {firsts}"
        for dependence in one.dependences:
            d = dependence.difference
            p_values = [p_value(d.p_alone if d else None), p_value(d.p if d else None)]
            delta = difference_plus_minus(d)
            cells.append((f"{dependence.a}, {dependence.b}", delta, *p_values, dependence.verdict))
    heads = ["values", "ΔΔUA ± 95 %", "p", "p Holm", "differs"]
    return Table(
        label=label(effects.snapshot),
        title="Whether what one axis does depends on another",
        subtitle=protocol_line(effects.snapshot),
        banner=banner(effects.snapshot),
        columns=tuple(Column(head=h, numeric=h not in ("values", "differs")) for h in heads),
        cells=tuple(cells),
        footnotes=(
            "ΔΔUA: how much more the first value does at the second than at the second's first, in "
            "points, paired, the mean over further axes; for new speakers. p alone and after Holm "
            f"over these {len(cells)}; differs: p < 0.05. `cannot tell` is no proof that it is 0.",
            *promise_notes(effects.dependence_promise),
        ),
        headings=headings,
    )
