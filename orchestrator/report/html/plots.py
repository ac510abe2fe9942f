"""Small pictures of a page, as SVG that takes its colours and letters from the page.

They are drawn here and not by matplotlib: a page may hold hundreds, in a light and a dark dress.
Nothing is told by colour alone.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from orchestrator.analysis.statistics import mean
from orchestrator.report.html.markup import Child, Markup, joined, tag
from orchestrator.report.row_details import EpochDetails, TrainingDetails

WIDE, HIGH = 200.0, 40.0
"""Of one row of the forest, in pixels."""
LEFT, TOP, PANEL_WIDE, PANEL_HIGH = 34.0, 10.0, 300.0, 150.0


@dataclass(frozen=True, slots=True)
class Forest:
    """A common scale for the intervals of a table, in points around 0."""

    limit: float

    @classmethod
    def of(cls, ends: Sequence[float]) -> "Forest":
        """A scale that holds them all, ending in a round number."""
        most = max((abs(end) for end in ends), default=0.0)
        rounds = (1, 2, 5, 10, 15, 20, 30, 40, 50, 60, 80, 100)
        return cls(float(next((r for r in rounds if r >= most), 100)))

    def _x(self, value: float) -> float:
        value = max(-self.limit, min(self.limit, value))
        return round(WIDE / 2 * (1 + 0.92 * value / self.limit), 1)

    def axis(self) -> Markup:
        """Where -limit, 0 and limit lie."""
        places = ((-self.limit, "middle"), (0, "middle"), (self.limit, "middle"))
        return _svg(
            WIDE,
            16,
            f"scale from {-self.limit:g} to {self.limit:g} points",
            (
                tag("text", _signed(value), x=self._x(value), y=12, text_anchor=anchor)
                for value, anchor in places
            ),
            class_="axis",
        )

    def reference(self) -> Markup:
        """The row that the others are compared with: a square on the zero line."""
        middle = HIGH / 2
        shape = tag("rect", x=self._x(0) - 4, y=middle - 4, width=8, height=8, class_="mark")
        return _svg(WIDE, HIGH, "reference", self._zero(), shape, class_="forest")

    def nothing(self) -> Markup:
        """A row that has no difference yet."""
        return _svg(WIDE, HIGH, "no difference yet", self._zero(), class_="forest")

    def row(self, centre: float, low: float | None, high: float | None, shown: bool) -> Markup:
        """A difference and its interval; a diamond where it is shown, else a ring."""
        middle, x = HIGH / 2, self._x(centre)
        parts = [self._zero()]
        if low is not None and high is not None:
            ends = (self._x(low), self._x(high))
            parts.append(tag("line", x1=ends[0], x2=ends[1], y1=middle, y2=middle, class_="bar"))
            for end, place, to in ((low, ends[0], -5), (high, ends[1], 5)):
                if abs(end) > self.limit:  # it goes on beyond the scale
                    arrow = f"M{place} {middle - 4}l{to} 4{-to} 4"
                    parts.append(tag("path", d=arrow, class_="bar arrow"))
        if shown:
            path = f"M{x} {middle - 6}l6 6-6 6-6-6z"
            parts.append(tag("path", d=path, class_="mark"))
        else:
            parts.append(tag("circle", cx=x, cy=middle, r=4, class_="ring"))
        said = "" if low is None or high is None else f", {low:+.1f} to {high:+.1f}"
        return _svg(WIDE, HIGH, f"{centre:+.1f}{said}", parts, class_="forest")

    def _zero(self) -> Markup:
        zero = self._x(0)  # longer than the row: names may have several lines
        return tag("line", x1=zero, x2=zero, y1=-200, y2=240, class_="zero")


def curves(trials: Sequence[TrainingDetails]) -> Markup | None:
    """UA on the speakers that choose, and losses, by epoch; None where no history is there."""
    known = [trial for trial in trials if trial.history]
    if not known:
        return None
    last = max(trial.history[-1].number for trial in known)
    top = max(max(e.loss, e.a.loss, e.b.loss) for trial in known for e in trial.history)
    score, loss = _Panel(last, 100.0), _Panel(last, _round_up(top))
    chosen = [
        score.ring(epoch.number, _dev_ua(epoch))
        for trial in known
        for epoch in trial.history
        if epoch.number in (trial.chosen_on_a, trial.chosen_on_b)
    ]
    one = len(known) == 1
    bold = "" if one else " Bold: their mean, as far as all of them go."

    def each(panel: _Panel, value: Callable[[EpochDetails], float]) -> Sequence[Markup | None]:
        """A line a training and, of several, their mean."""
        lines = [panel.line(t.history, value, "whole" if one else "each") for t in known]
        return [*lines, None if one else panel.mean(known, value, "whole")]

    return joined(
        tag(
            "figure",
            score.svg(
                "UA on dev speakers by epoch",
                "%",
                each(score, _dev_ua),
                chosen,
            ),
            tag("figcaption", f"UA on dev speakers by epoch. Rings: the epochs chosen.{bold}"),
        ),
        tag(
            "figure",
            loss.svg(
                "losses by epoch",
                "",
                each(loss, _dev_loss),
                loss.mean(known, lambda e: e.loss, "whole dashed"),
            ),
            tag("figcaption", "Loss by epoch: dev speakers solid, training dashed."),
        ),
    )


def _dev_ua(epoch: EpochDetails) -> float:
    return 50 * (epoch.a.ua + epoch.b.ua)


def _dev_loss(epoch: EpochDetails) -> float:
    return (epoch.a.loss + epoch.b.loss) / 2


@dataclass(frozen=True, slots=True)
class _Panel:
    """Axes from epoch 1 to the last, and from 0 to a top."""

    last: int
    top: float

    def _x(self, epoch: int) -> float:
        return round(LEFT + PANEL_WIDE * (epoch - 1) / max(1, self.last - 1), 1)

    def _y(self, value: float) -> float:
        return round(TOP + PANEL_HIGH * (1 - value / self.top), 1)

    def line(
        self, history: Sequence[EpochDetails], of: Callable[[EpochDetails], float], kind: str
    ) -> Markup:
        """One training."""
        return self._line([(e.number, of(e)) for e in history], kind)

    def mean(
        self, trials: Sequence[TrainingDetails], of: Callable[[EpochDetails], float], kind: str
    ) -> Markup:
        """The mean over trainings, as far as all of them go: stopping early must not move it."""
        shortest = min(len(trial.history) for trial in trials)
        steps = zip(*(trial.history[:shortest] for trial in trials), strict=True)
        return self._line([(s[0].number, mean([of(e) for e in s])) for s in steps], kind)

    def _line(self, places: Sequence[tuple[int, float]], kind: str) -> Markup:
        points = " ".join(f"{self._x(n):g},{self._y(value):g}" for n, value in places)
        return tag("polyline", points=points, class_=kind)

    def ring(self, epoch: int, value: float) -> Markup:
        """A chosen epoch."""
        return tag("circle", cx=self._x(epoch), cy=self._y(value), r=2.5, class_="ring")

    def svg(self, said: str, unit: str, *drawn: Child) -> Markup:
        """The panel, its axes first."""
        right, bottom = LEFT + PANEL_WIDE, TOP + PANEL_HIGH
        grid = list[Markup]()
        for share in (0, 0.25, 0.5, 0.75, 1):
            value = share * self.top
            y = self._y(value)
            grid.append(tag("line", x1=LEFT, x2=right, y1=y, y2=y, class_="grid"))
            label = f"{value:g}{unit if share == 1 else ''}"
            grid.append(tag("text", label, x=LEFT - 6, y=y + 3.5, text_anchor="end"))
        for epoch in dict.fromkeys((1, (self.last + 1) // 2, self.last)):
            x = self._x(epoch)
            grid.append(tag("text", str(epoch), x=x, y=bottom + 16, text_anchor="middle"))
        return _svg(right + 12, bottom + 22, said, grid, drawn, class_="curves")


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


def _signed(value: float) -> str:
    return f"{value:+g}".replace("-", "−") if value else "0"


def _svg(width: float, height: float, said: str, *drawn: Child, class_: str) -> Markup:
    return tag(
        "svg",
        *drawn,
        viewBox=f"0 0 {width:g} {height:g}",
        width=width,
        height=height,
        role="img",
        aria_label=said,
        class_=class_,
    )
