"""Where the marks of a page's small pictures stand, in pixels; the templates draw them as SVG.

The page draws them and not matplotlib: a page may hold hundreds, in light and in dark colours.
No colour is the only sign of anything.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

from orchestrator.analysis.statistics import mean
from orchestrator.report.row_details import EpochDetails, TrainingDetails


@dataclass(frozen=True, kw_only=True, slots=True)
class ForestMark:
    """The difference of one row to the reference, beside those of the other rows."""

    kind: Literal["empty", "reference", "difference"]
    title: str
    """What a screen reader says."""
    x: float = 0.0
    """Of the difference."""
    low: float | None = None
    """Left end of its interval; None where the interval is not known."""
    high: float | None = None
    is_low_beyond: bool = False
    """Whether the interval goes on to the left of the scale; then an arrow ends the line."""
    is_high_beyond: bool = False
    is_shown: bool = False
    """Whether the verdict is yes: a diamond, else a ring."""


@dataclass(frozen=True, slots=True)
class Forest:
    """A scale of percentage points around 0 that all rows of a table share."""

    limit: float
    """Points at its right end."""
    width: ClassVar[float] = 200.0
    height: ClassVar[float] = 40.0

    @classmethod
    def of(cls, ends: Sequence[float]) -> "Forest":
        """The shortest scale with a round limit that holds all of these; 100 points at most."""
        furthest = max((abs(end) for end in ends), default=0.0)
        rounds = (1, 2, 5, 10, 15, 20, 30, 40, 50, 60, 80, 100)
        return cls(float(next((limit for limit in rounds if limit >= furthest), 100)))

    def x(self, points: float) -> float:
        """Where a difference stands; one beyond the scale stands at its end."""
        points = max(-self.limit, min(self.limit, points))
        return round(self.width / 2 * (1 + 0.92 * points / self.limit), 1)

    @property
    def ticks(self) -> tuple[tuple[float, str], ...]:
        """Position and label of both ends and of 0."""
        ends = (-self.limit, 0.0, self.limit)
        return tuple((self.x(end), f"{end:+g}".replace("-", "−") if end else "0") for end in ends)

    def empty(self) -> ForestMark:
        """The mark of a row that has no difference yet."""
        return ForestMark(kind="empty", title="no difference yet")

    def reference(self) -> ForestMark:
        """The mark of the row that the others are compared with: a square on the zero line."""
        return ForestMark(kind="reference", title="reference", x=self.x(0))

    def difference(
        self, points: float, low: float | None, high: float | None, *, is_shown: bool
    ) -> ForestMark:
        """The mark of a difference and its interval, in points."""
        title = f"{points:+.1f}"
        if low is None or high is None:
            return ForestMark(kind="difference", title=title, x=self.x(points), is_shown=is_shown)
        return ForestMark(
            kind="difference",
            title=f"{title}, {low:+.1f} to {high:+.1f}",
            x=self.x(points),
            low=self.x(low),
            high=self.x(high),
            is_low_beyond=low < -self.limit,
            is_high_beyond=high > self.limit,
            is_shown=is_shown,
        )


@dataclass(frozen=True, slots=True)
class ChartLine:
    """A line of a chart."""

    points: str
    """``x,y`` of every point, as SVG has them."""
    kind: str
    """Its classes: ``each`` is one training of several, ``whole`` their mean or the only one."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Chart:
    """A learning curve: a value by epoch, for every training of a row."""

    title: str
    caption: str
    rules: tuple[tuple[float, str], ...]
    """Height and label of every horizontal line."""
    ticks: tuple[tuple[float, str], ...]
    """Position and label of every marked epoch."""
    lines: tuple[ChartLine, ...]
    rings: tuple[tuple[float, float], ...] = ()
    """The epochs that were chosen."""
    width: ClassVar[float] = 346.0
    height: ClassVar[float] = 182.0
    left: ClassVar[float] = 34.0
    right: ClassVar[float] = 334.0
    top: ClassVar[float] = 10.0
    bottom: ClassVar[float] = 160.0


def learning_curves(trainings: Sequence[TrainingDetails]) -> tuple[Chart, ...]:
    """UA on the dev speakers and losses, by epoch; nothing where no history was read."""
    known = [training for training in trainings if training.history]
    if not known:
        return ()
    last = max(training.history[-1].number for training in known)
    largest = max(max(e.loss, e.a.loss, e.b.loss) for training in known for e in training.history)
    ua, loss = _Axes(last, 100.0), _Axes(last, _round_up(largest))
    bold = "" if len(known) == 1 else " Bold: their mean, as far as all of them go."
    return (
        Chart(
            title="UA on dev speakers by epoch",
            caption=f"UA on dev speakers by epoch. Rings: the epochs chosen.{bold}",
            rules=ua.rules("%"),
            ticks=ua.ticks(),
            lines=_lines(ua, known, _dev_ua),
            rings=tuple(
                (ua.x(epoch.number), ua.y(_dev_ua(epoch)))
                for training in known
                for epoch in training.history
                if epoch.number in (training.chosen_on_a, training.chosen_on_b)
            ),
        ),
        Chart(
            title="losses by epoch",
            caption="Loss by epoch: dev speakers solid, training dashed.",
            rules=loss.rules(""),
            ticks=loss.ticks(),
            lines=(
                *_lines(loss, known, _dev_loss),
                ChartLine(_mean(loss, known, lambda epoch: epoch.loss), "whole dashed"),
            ),
        ),
    )


def _dev_ua(epoch: EpochDetails) -> float:
    return 50 * (epoch.a.ua + epoch.b.ua)


def _dev_loss(epoch: EpochDetails) -> float:
    return (epoch.a.loss + epoch.b.loss) / 2


@dataclass(frozen=True, slots=True)
class _Axes:
    """Epochs 1 to ``last`` from left to right, values 0 to ``top`` upwards."""

    last: int
    top: float

    def x(self, epoch: int) -> float:
        wide = Chart.right - Chart.left
        return round(Chart.left + wide * (epoch - 1) / max(1, self.last - 1), 1)

    def y(self, value: float) -> float:
        high = Chart.bottom - Chart.top
        return round(Chart.top + high * (1 - value / self.top), 1)

    def points(self, values: Sequence[tuple[int, float]]) -> str:
        """A line through values by epoch."""
        return " ".join(f"{self.x(epoch):g},{self.y(value):g}" for epoch, value in values)

    def rules(self, unit: str) -> tuple[tuple[float, str], ...]:
        """A horizontal line at each quarter; the topmost label has the unit."""
        shares = (0, 0.25, 0.5, 0.75, 1)
        return tuple(
            (self.y(share * self.top), f"{share * self.top:g}{unit if share == 1 else ''}")
            for share in shares
        )

    def ticks(self) -> tuple[tuple[float, str], ...]:
        """The first epoch, the middle one and the last."""
        epochs = dict.fromkeys((1, (self.last + 1) // 2, self.last))
        return tuple((self.x(epoch), str(epoch)) for epoch in epochs)


def _lines(
    axes: _Axes, trainings: Sequence[TrainingDetails], value: Callable[[EpochDetails], float]
) -> tuple[ChartLine, ...]:
    """A line for each training and, of several, one for their mean."""
    each = [axes.points([(e.number, value(e)) for e in one.history]) for one in trainings]
    if len(each) == 1:
        return (ChartLine(each[0], "whole"),)
    lines = [ChartLine(points, "each") for points in each]
    return (*lines, ChartLine(_mean(axes, trainings, value), "whole"))


def _mean(
    axes: _Axes, trainings: Sequence[TrainingDetails], value: Callable[[EpochDetails], float]
) -> str:
    """The mean over trainings, up to the end of the shortest: early stopping must not move it."""
    shortest = min(len(training.history) for training in trainings)
    epochs = zip(*(training.history[:shortest] for training in trainings), strict=True)
    return axes.points([(at[0].number, mean([value(epoch) for epoch in at])) for at in epochs])


def _round_up(value: float) -> float:
    """The next number whose quarters are short.

    >>> _round_up(1.3), _round_up(0.03), _round_up(17)
    (2.0, 0.04, 20.0)
    """
    for power in range(-3, 7):
        for step in (1, 2, 4, 8):
            if value <= step * 10.0**power:
                return step * 10.0**power
    return value
