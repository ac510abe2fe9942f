"""The small pictures of the HTML page: where each mark stands, in pixels of an SVG.

The templates draw them as SVG. matplotlib does not: a page may hold hundreds, in light and in dark
colours. Nothing is shown by colour alone.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

from orchestrator.analysis.statistics import mean
from orchestrator.report.row_details import EpochDetails, TrainingDetails


@dataclass(frozen=True, kw_only=True, slots=True)
class ForestMark:
    """The mark of one row in the forest plot: its difference in UA to the reference.

    Positions are in pixels from the left edge of the plot.
    """

    kind: Literal["empty", "reference", "difference"]
    """``empty``: no difference is known; ``reference``: the reference row itself."""
    title: str
    """The mark in words, for a screen reader: ``+3.1, +0.7 to +5.5`` in percentage points."""
    x: float = 0.0
    """Position of the difference."""
    low: float | None = None
    """Position of the left end of its 95 % interval; None if the interval is not known."""
    high: float | None = None
    """Position of its right end; None if the interval is not known."""
    is_low_beyond: bool = False
    """Whether the interval goes beyond the left end of the scale; an arrow then ends the line."""
    is_high_beyond: bool = False
    """Whether the interval goes beyond the right end of the scale; an arrow then ends the line."""
    verdict: Literal["yes", "cannot tell", "open"] = "cannot tell"
    """Whether the row differs: ``yes``, a diamond; ``cannot tell``, a ring; ``open``, not judged
    yet, a dashed ring."""


@dataclass(frozen=True, slots=True)
class Forest:
    """The horizontal scale of the forest plot, from -limit to limit, which all rows share."""

    limit: float
    """The value at the right end of the scale, in percentage points of UA; at most 100."""
    width: ClassVar[float] = 200.0
    """Width of the plot in pixels."""
    height: ClassVar[float] = 40.0
    """Height of the plot in one row, in pixels."""

    @classmethod
    def of(cls, ends: Sequence[float]) -> "Forest":
        """The shortest scale with a round limit (1, 2, 5, 10, ... 100) that holds all values.

        Args:
            ends: differences and ends of intervals, in percentage points.
        """
        furthest = max((abs(end) for end in ends), default=0.0)
        rounds = (1, 2, 5, 10, 15, 20, 30, 40, 50, 60, 80, 100)
        return cls(float(next((limit for limit in rounds if limit >= furthest), 100)))

    def x(self, points: float) -> float:
        """The position of a difference in pixels from the left edge.

        Args:
            points: the difference in percentage points; beyond the scale it is drawn at the end.
        """
        points = max(-self.limit, min(self.limit, points))
        return round(self.width / 2 * (1 + 0.92 * points / self.limit), 1)

    @property
    def ticks(self) -> tuple[tuple[float, str], ...]:
        """Position in pixels and label of the three ticks: left end, 0 and right end."""
        ends = (-self.limit, 0.0, self.limit)
        return tuple((self.x(end), f"{end:+g}".replace("-", "−") if end else "0") for end in ends)

    def empty(self) -> ForestMark:
        """The mark of a row whose difference is not known yet: nothing is drawn."""
        return ForestMark(kind="empty", title="no difference yet")

    def reference(self) -> ForestMark:
        """The mark of the reference row: a square at 0."""
        return ForestMark(kind="reference", title="reference", x=self.x(0))

    def difference(
        self, points: float, low: float | None, high: float | None, *, verdict: str
    ) -> ForestMark:
        """The mark of a row's difference.

        Args:
            points: the difference in UA in percentage points.
            low: the left end of its 95 % interval, in percentage points; None if not known.
            high: the right end of the interval; None if not known.
            verdict: the verdict on the row, such as ``yes`` or ``open, 7 of 15``.
        """
        kind: Literal["yes", "cannot tell", "open"] = "open"
        if verdict in ("yes", "cannot tell"):
            kind = "yes" if verdict == "yes" else "cannot tell"
        not_judged = ", no verdict" if verdict.startswith("none") else ", open"
        title = f"{points:+.1f}" + (not_judged if kind == "open" else "")
        if low is None or high is None:
            return ForestMark(kind="difference", title=title, x=self.x(points), verdict=kind)
        return ForestMark(
            kind="difference",
            title=f"{title}, {low:+.1f} to {high:+.1f}",
            x=self.x(points),
            low=self.x(low),
            high=self.x(high),
            is_low_beyond=low < -self.limit,
            is_high_beyond=high > self.limit,
            verdict=kind,
        )


@dataclass(frozen=True, slots=True)
class ChartLine:
    """A line of a chart, as an SVG polyline."""

    points: str
    """``x,y`` of every point in pixels, with spaces between: the ``points`` of an SVG polyline."""
    kind: str
    """The CSS classes of the line.

    ``each``: one of several trainings; ``whole``: their mean, or the only one; ``dashed``."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Chart:
    """A chart of learning curves: UA or loss by epoch, for every training of a row.

    Positions are in pixels from the left and upper edge of the chart.
    """

    title: str
    """The chart in words, for a screen reader."""
    caption: str
    """The sentences below the chart."""
    rules: tuple[tuple[float, str], ...]
    """Vertical position and label of every horizontal grid line."""
    ticks: tuple[tuple[float, str], ...]
    """Horizontal position and label (an epoch) of every tick below the chart."""
    lines: tuple[ChartLine, ...]
    rings: tuple[tuple[float, float], ...] = ()
    """Positions (x, y) of the rings at the epochs that were chosen on dev speech."""
    width: ClassVar[float] = 346.0
    """Width of the chart; the curves lie between ``left`` and ``right``."""
    height: ClassVar[float] = 182.0
    """Height of the chart; the curves lie between ``top`` and ``bottom``."""
    left: ClassVar[float] = 34.0
    right: ClassVar[float] = 334.0
    top: ClassVar[float] = 10.0
    bottom: ClassVar[float] = 160.0


def learning_curves(trainings: Sequence[TrainingDetails]) -> tuple[Chart, ...]:
    """Two charts of a row's trainings by epoch: dev UA in percent, and dev and training loss.

    Dev speakers are those of the two halves of the held-out group, and values are means of the
    halves; of a published split they are its dev side.

    Returns:
        The two charts; empty if no training has a learning curve that was read.
    """
    known = [training for training in trainings if training.history]
    if not known:
        return ()
    last = max(training.history[-1].number for training in known)
    largest = max(max(e.loss, e.a.loss, e.b.loss) for training in known for e in training.history)
    ua, loss = _Axes(last, 100.0), _Axes(last, _round_up(largest))
    rings = " Rings: the epochs chosen." if known[0].score == "chosen" else ""
    dev_only = known[0].is_published_split

    def dev_ua(epoch: EpochDetails) -> float:
        return 100 * (epoch.a.ua if dev_only else (epoch.a.ua + epoch.b.ua) / 2)

    def dev_loss(epoch: EpochDetails) -> float:
        return epoch.a.loss if dev_only else (epoch.a.loss + epoch.b.loss) / 2

    bold = "" if len(known) == 1 else " Bold: their mean, as far as all of them go."
    return (
        Chart(
            title="UA on dev speakers by epoch",
            caption=f"UA on dev speakers by epoch.{rings}{bold}",
            rules=ua.rules("%"),
            ticks=ua.ticks(),
            lines=_lines(ua, known, dev_ua),
            rings=tuple(
                (ua.x(epoch.number), ua.y(dev_ua(epoch)))
                for training in known
                for epoch in training.history
                if rings and epoch.number in [chosen for _, chosen in training.choosing_halves]
            ),
        ),
        Chart(
            title="losses by epoch",
            caption="Loss by epoch: dev speakers solid, training dashed.",
            rules=loss.rules(""),
            ticks=loss.ticks(),
            lines=(
                *_lines(loss, known, dev_loss),
                ChartLine(_mean(loss, known, lambda epoch: epoch.loss), "whole dashed"),
            ),
        ),
    )


@dataclass(frozen=True, slots=True)
class _Axes:
    """The scales of a chart: epochs 1 to ``last`` to the right, values 0 to ``top`` upwards."""

    last: int
    """The last epoch, at the right end."""
    top: float
    """The value at the upper end: 100 for UA in percent, or a loss."""

    def x(self, epoch: int) -> float:
        """The horizontal position of an epoch, in pixels from the left edge of the chart."""
        wide = Chart.right - Chart.left
        return round(Chart.left + wide * (epoch - 1) / max(1, self.last - 1), 1)

    def y(self, value: float) -> float:
        """The vertical position of a value, in pixels from the upper edge of the chart."""
        high = Chart.bottom - Chart.top
        return round(Chart.top + high * (1 - value / self.top), 1)

    def points(self, values: Sequence[tuple[int, float]]) -> str:
        """A line through (epoch, value) pairs, as the ``points`` of an SVG polyline."""
        return " ".join(f"{self.x(epoch):g},{self.y(value):g}" for epoch, value in values)

    def rules(self, unit: str) -> tuple[tuple[float, str], ...]:
        """Position and label of five horizontal lines: 0, the quarters, and ``top`` with a unit."""
        shares = (0, 0.25, 0.5, 0.75, 1)
        return tuple(
            (self.y(share * self.top), f"{share * self.top:g}{unit if share == 1 else ''}")
            for share in shares
        )

    def ticks(self) -> tuple[tuple[float, str], ...]:
        """Position and label of three ticks: the first epoch, the middle one and the last."""
        epochs = dict.fromkeys((1, (self.last + 1) // 2, self.last))
        return tuple((self.x(epoch), str(epoch)) for epoch in epochs)


def _lines(
    axes: _Axes, trainings: Sequence[TrainingDetails], value: Callable[[EpochDetails], float]
) -> tuple[ChartLine, ...]:
    """A line for each training; if there are several, also one for their mean.

    Args:
        axes: the scales of the chart.
        trainings: the trainings, each with a learning curve.
        value: gives the value of an epoch, such as its dev UA in percent.
    """
    each = [axes.points([(e.number, value(e)) for e in one.history]) for one in trainings]
    if len(each) == 1:
        return (ChartLine(each[0], "whole"),)
    lines = [ChartLine(points, "each") for points in each]
    return (*lines, ChartLine(_mean(axes, trainings, value), "whole"))


def _mean(
    axes: _Axes, trainings: Sequence[TrainingDetails], value: Callable[[EpochDetails], float]
) -> str:
    """The line of the mean over trainings, up to the last epoch of the shortest one.

    Beyond it the mean would move only because some trainings had stopped.
    """
    shortest = min(len(training.history) for training in trainings)
    epochs = zip(*(training.history[:shortest] for training in trainings), strict=True)
    return axes.points([(at[0].number, mean([value(epoch) for epoch in at])) for at in epochs])


def _round_up(value: float) -> float:
    """The upper end of a chart that holds a value: the next of 1, 2, 4, 8 times a power of ten.

    Its quarters make short labels.

    >>> _round_up(1.3), _round_up(0.03), _round_up(17)
    (2.0, 0.04, 20.0)
    """
    for power in range(-3, 7):
        for step in (1, 2, 4, 8):
            if value <= step * 10.0**power:
                return step * 10.0**power
    return value
