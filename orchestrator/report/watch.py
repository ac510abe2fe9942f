"""A study while it trains, by the store alone: from another terminal, or another machine.

The running estimate of a row is the one its report would print now, of the trials that are done.
"""

import statistics
import time
from dataclasses import dataclass

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table as RichTable
from rich.text import Text

from orchestrator.errors import LackError
from orchestrator.ledger import Ledger, Outcome
from orchestrator.printable import clean
from orchestrator.report.rows import plus_minus, protocol_line
from orchestrator.report.studies import where
from orchestrator.report.text import duration
from orchestrator.status import StudyStatus, TrialStatus, status
from orchestrator.summary import Summary, summarise

NARROW = 60
"""Columns below which only counts and estimates are shown."""
MOST = 6
"""Most trials that are named one by one."""
BARS = "▁▂▃▄▅▆▇█"


@dataclass(frozen=True, kw_only=True, slots=True)
class Seen:
    """One look at the store."""

    study: StudyStatus
    summary: Summary
    curves: dict[str, tuple[float, ...]]
    """Dev UA of every epoch, of trials in flight."""
    left: float | None
    """Seconds, as finished trials took; None before the first, or where nothing trains."""

    @property
    def over(self) -> bool:
        """Whether nothing is left to train."""
        return not self.study.count("to do") and not self.flying

    @property
    def flying(self) -> list[TrialStatus]:
        """Trials in flight."""
        return [trial for trial in self.study.trials if trial.state == "in flight"]

    @property
    def failed(self) -> list[TrialStatus]:
        """Trials that failed."""
        return [trial for trial in self.study.trials if trial.state == "failed"]


def look(ledger: Ledger, name: str | None) -> Seen:
    """Read where a study stands; the newest if no name is given.

    Raises:
        LackError: no study has run here.
    """
    studies = status(ledger, name)
    if not studies:
        raise LackError(f"No study has run in `{ledger.root}` yet: `ablate run STUDY` starts one.")
    study = studies[0]
    outcomes = ledger.outcomes(trial.place.id for trial in study.trials)
    flying = [trial for trial in study.trials if trial.state == "in flight"]
    return Seen(
        study=study,
        summary=summarise(study.asked, outcomes),
        curves={trial.place.id: ledger.flight(trial.place.id).dev_ua for trial in flying},
        left=_left(study, outcomes),
    )


def watch(console: Console, ledger: Ledger, name: str | None, every: float) -> int:
    """Show the study until nothing is left to train; plain lines where there is no terminal.

    Returns:
        How many trials failed.
    """
    seen = look(ledger, name)
    name = seen.study.asked.study
    if console.is_terminal and not console.is_dumb_terminal:
        with Live(console=console, get_renderable=lambda: render(seen, console.width)):
            while not seen.over:
                time.sleep(every)
                seen = look(ledger, name)
        return len(seen.failed)
    said = ""
    while True:
        line = _line(seen)
        if line != said:
            console.print(Text(line), soft_wrap=True)
        said = line
        if seen.over:
            for trial in seen.failed:
                console.print(Text(_failure(trial)), soft_wrap=True)
            return len(seen.failed)
        time.sleep(every)
        seen = look(ledger, name)


def render(seen: Seen, width: int) -> Group:
    """The whole view, as wide as the terminal is now."""
    parts: list[Text | RichTable] = []
    asked = seen.study.asked
    parts.append(Text(clean(f"{asked.study}: {protocol_line(asked)}"), style="bold"))
    grid = RichTable(box=None, padding=(0, 2, 0, 0), header_style="bold", pad_edge=False)
    grid.add_column("row", overflow="ellipsis", no_wrap=True)
    heads = ["done", "UA ± 95 %"] if width < NARROW else ["done", "UA ± 95 %", "WA ± 95 %"]
    for head in heads:
        grid.add_column(head, justify="right", no_wrap=True)
    for row in seen.summary.rows:
        cells = [f"{row.n}/{row.n + row.missing}", plus_minus(row.ua), plus_minus(row.wa)]
        grid.add_row(Text(clean(row.name)), *cells[: len(heads)])
    parts.append(grid)
    if width >= NARROW:
        for trial in seen.flying[:MOST]:
            curve = seen.curves.get(trial.place.id, ())
            last = f" dev UA {100 * curve[-1]:.1f}" if curve else ""
            line = f"epoch {trial.epoch} {spark(curve[-20:])}{last}  {where(trial.place)}"
            parts.append(Text(clean(line), overflow="ellipsis", no_wrap=True))
    for trial in seen.failed[:MOST]:
        parts.append(Text(_failure(trial), style="bold red"))
    parts.append(Text(_line(seen), style="dim"))
    return Group(*parts)


def spark(values: tuple[float, ...]) -> str:
    """Fractions, 0 to 1, as a line of bars from the least to the greatest.

    >>> spark((0.2, 0.4, 0.3))
    '▁█▄'
    """
    if not values:
        return ""
    low, span = min(values), max(values) - min(values)
    return "".join(BARS[int((v - low) / span * 7) if span else 0] for v in values)


def _line(seen: Seen) -> str:
    study = seen.study
    parts = [f"{study.count('done')} of {len(study.trials)} trials done"]
    parts += [f"{len(seen.flying)} in flight"] if seen.flying else []
    parts += [f"{len(seen.failed)} failed"] if seen.failed else []
    waiting = "nothing trains now" if not seen.flying and not seen.over else ""
    parts += [waiting] if waiting else []
    parts += [f"about {duration(seen.left)} left"] if seen.left is not None else []
    return "; ".join(parts)


def _failure(trial: TrialStatus) -> str:
    return clean(
        f"FAILED {where(trial.place)}: {trial.why} `ablate logs {trial.place.id[:12]}` says more."
    )


def _left(study: StudyStatus, outcomes: dict[str, Outcome]) -> float | None:
    """Trials to come take what finished ones took, as many at once as train now."""
    whole = [o.seconds for o in outcomes.values() if not o.resumed]
    flying = [trial for trial in study.trials if trial.state == "in flight"]
    if not whole or not flying:
        return None
    each, now = statistics.fmean(whole), time.time()
    begun = [t.holder.since for t in flying if t.holder and t.holder.since is not None]
    running = sum(max(0.0, each - max(0.0, now - since)) for since in begun)
    return (study.count("to do") * each + running) / len(flying)
