"""The picture of a search: UA of every tried configuration against each searched setting (axis)."""

from collections.abc import Iterator, Sequence
from dataclasses import fields
from math import ceil, floor, log10

from model.config import Aggregators
from orchestrator.errors import RequestError
from orchestrator.report.figures import canvas
from orchestrator.report.figures.canvas import FAINT, HAIR, INK, LOUD, Figure, Panel, wrap
from orchestrator.report.figures.frame import framed, nothing_yet
from orchestrator.report.tables.headings import label
from orchestrator.search.result import UNKNOWN_AXES, SearchResult
from orchestrator.store.snapshot import Snapshot, SnapshotConfiguration
from orchestrator.study.search_key.space import Choice, Range, SearchAxis, Simplex

ACROSS, HEIGHT = 3, 1.55
"""Most panels beside each other, and the height of a panel in inches."""
SMALL = 6.5
"""Size of the letters below an axis of named values, in typographic points (1/72 inch)."""
SPREAD = 0.5
"""Width of the strip over which the points of one named value are spread, by held-out group.

1 is the distance between two neighbouring values of the axis."""

ScoredConfiguration = tuple[SnapshotConfiguration, float]
"""A configuration with a score, and its horizontal position in a panel."""


def refuse_no_search(snapshot: Snapshot) -> None:
    """Do nothing if a study has a search; else raise.

    Raises:
        RequestError: the study has no search.
    """
    if snapshot.search is None:
        raise RequestError(
            f"`--picture slices` needs a study with a `search`, but `{snapshot.study}` lists its "
            "rows: `--picture forest` draws any rows."
        )


@canvas.drawn
def slices(snapshot: Snapshot, found: SearchResult | None) -> Figure:
    """Draw the UA by which a search compared its configurations, against every searched setting.

    Args:
        snapshot: the study.
        found: the result of its search.

    Returns:
        A matplotlib figure; while no configuration has a score, one with a sentence that says so.

    Raises:
        RequestError: the study has no search.
    """
    if found is None:
        refuse_no_search(snapshot)
    axes = found.axes if found else None
    scored = [one for one in found.search.tried if one.score is not None] if found else []
    title = f"{label(snapshot)}. {snapshot.question or snapshot.study}"
    caption = [
        "UA by which the search went, one point a configuration; o: trained on all folds; x: "
        "pruned, what it was expected to reach; ringed: chosen.",
        *([UNKNOWN_AXES] if found and axes is None else []),
        *snapshot.notes,
    ]
    if axes is None or not scored:
        figure = framed(snapshot, title, caption, 1.2)
        nothing_yet(figure, snapshot)
        return figure
    panels = list(_panels(axes, scored))
    down = -(-len(panels) // ACROSS)
    figure = framed(snapshot, title, caption, HEIGHT * down, between=0.08)
    grid = figure.subplots(down, min(ACROSS, len(panels)), squeeze=False, sharey=True)
    flat = [panel for line in grid for panel in line]
    chosen = set(enumerate(found.search.winners)) if found else set()
    for index, panel in enumerate(flat):
        if index >= len(panels):
            panel.set_axis_off()
            continue
        name, seen, axis = panels[index]
        _draw(panel, seen, chosen)
        _scale(panel, axis)
        panel.set_xlabel("\n".join(wrap(name, 2.1, 8)))
        if index % ACROSS == 0:
            panel.set_ylabel("UA (%)")
    return figure


def _panels(
    axes: Sequence[SearchAxis], scored: Sequence[SnapshotConfiguration]
) -> Iterator[tuple[str, list[ScoredConfiguration], SearchAxis]]:
    """The name, the points and the axis of every panel.

    An axis whose values are weights of the aggregators has one panel for each weight.
    """
    for axis in axes:
        own = [one for one in scored if axis.is_active(one.point)]
        if isinstance(axis.kind, Simplex):
            for field in fields(Aggregators):
                weights = [
                    (one, float(getattr(axis.setting(one.point), field.name))) for one in own
                ]
                yield f"weight of {field.name}", weights, axis
        else:
            name = axis.key.replace("_", " ")
            yield name, [(one, _position(axis, one)) for one in own], axis


def _position(axis: SearchAxis, one: SnapshotConfiguration) -> float:
    """The horizontal position of a configuration: its number, or the index of its named value.

    Points at a named value are moved sideways by held-out group, so that they do not overlap.
    """
    value = one.point[axis.key]
    if isinstance(axis.kind, Choice):
        groups = 5
        aside = ((one.group % groups) / (groups - 1) - 0.5) * SPREAD
        return list(axis.kind.values).index(str(value)) + aside
    return float(value)


def _draw(panel: Panel, seen: Sequence[ScoredConfiguration], chosen: set[tuple[int, int]]) -> None:
    """Draw the points of a panel; ``chosen`` are the (group, number) of chosen configurations."""
    panel.grid(axis="y", color=HAIR, lw=0.5)
    panel.set_axisbelow(True)
    for state, marker in (("pruned", "x"), ("trained", "o")):
        own = [(x, 100 * (one.score or 0.0)) for one, x in seen if one.state == state]
        colour = FAINT if state == "pruned" else INK
        panel.plot(
            [x for x, _ in own],
            [y for _, y in own],
            ls="none",
            marker=marker,
            ms=3,
            color=colour,
            alpha=0.6,
            mew=0.8,
            zorder=2,
        )
    won = [(x, 100 * (one.score or 0.0)) for one, x in seen if (one.group, one.number) in chosen]
    panel.plot(
        [x for x, _ in won],
        [y for _, y in won],
        ls="none",
        marker="o",
        ms=7,
        mfc="none",
        mec=LOUD,
        mew=1.1,
        zorder=3,
    )
    panel.locator_params(axis="y", nbins=5)
    panel.margins(y=0.1)


def _scale(panel: Panel, axis: SearchAxis) -> None:
    kind = axis.kind
    if isinstance(kind, Choice):
        inches = 2.0 / len(kind.values)
        names = ["\n".join(wrap(name, max(inches, 0.9), SMALL)) for name in kind.values]
        panel.set_xticks(range(len(names)), names, size=SMALL)
        panel.set_xlim(-0.6, len(names) - 0.4)
    elif isinstance(kind, Range) and kind.log:
        panel.set_xscale("log")
        panel.set_xticks((ticks := _ticks(kind.low, kind.high)), [f"{tick:g}" for tick in ticks])
        panel.set_xticks([], minor=True)
    elif isinstance(kind, Range):
        panel.locator_params(axis="x", nbins=5, integer=kind.whole)


def _ticks(low: float, high: float) -> list[float]:
    """The ticks of a logarithmic scale from ``low`` to ``high``: 1, 2 and 5 of each power of ten.

    A range of more than three powers of ten has ticks at the powers alone.

    >>> _ticks(5e-4, 1e-2)
    [0.0005, 0.001, 0.002, 0.005, 0.01]
    """
    decades = range(floor(log10(low)), ceil(log10(high)) + 1)
    steps = (1, 2, 5) if len(decades) <= 3 else (1,)
    found = [float(f"{step}e{decade}") for decade in decades for step in steps]
    return [tick for tick in found if low * 0.999 <= tick <= high * 1.001]
