"""The picture in the terminal while a study trains: rows, trials in training, counts and speed."""

import textwrap
from collections.abc import Callable

from rich.console import Group
from rich.table import Table as RichTable
from rich.text import Text

from orchestrator.execution.monitor.run_state import RowProgress, RunState, TrialInTraining
from orchestrator.planning.cost.resources import Resources, Usage
from orchestrator.printable import clean, writable
from orchestrator.report.console import duration
from orchestrator.report.tables.cells import plus_minus
from orchestrator.report.tables.headings import DASH, banner, protocol_line
from orchestrator.report.terminal.studies import where

NARROW = 60
"""A terminal with fewer characters a line than this gets a picture with fewer columns."""
TRAININGS = 8
"""Most trials in training that are shown, one line for each."""
CURVE = 20
"""How many of its last epochs the curve of a trial in training shows; half on a narrow terminal."""
BARS = "▁▂▃▄▅▆▇█"
"""The bars of a curve, from the lowest value to the highest."""
GIB = 1024**3
"""Bytes of a GiB."""


def picture(
    state: RunState, used: Usage | None, width: int, height: int, encoding: str = "utf-8"
) -> Group:
    """The picture for a terminal: title, table of rows, trials in training, counts and speed.

    If not all of it fits, rows and trials are left out, and a line says how many.

    Args:
        state: the state of every trial.
        used: the CPUs, GPUs and memory in use; None if not known.
        width: characters a line of the terminal.
        height: lines of the terminal.
        encoding: of the terminal.
    """
    head = [Text(line, style="bold") for line in _title(state, width)]
    tail = [Text(line, style="dim") for line in _wrapped(_status(state, used), width)]
    lines = max(1, height - 2 - len(head) - len(tail))  # below the heads of the columns
    rows, trainings = state.rows(), state.in_training()
    for_trainings = min(len(trainings), TRAININGS, max(lines - len(rows), lines // 3))
    for_rows = _fitting(len(rows), lines - for_trainings)
    parts: list[Text | RichTable] = [*head, _grid(rows[:for_rows], state, width, encoding)]
    if for_rows < len(rows):
        parts.append(Text(f"and {len(rows) - for_rows} more rows", style="dim"))
    shown = _fitting(len(trainings), for_trainings)
    published = state.snapshot is not None and state.snapshot.is_published_split
    parts += [_curve(training, width, published) for training in trainings[:shown]]
    if shown < len(trainings) and for_trainings:
        parts.append(Text(f"and {len(trainings) - shown} more in training", style="dim"))
    return Group(*parts, *tail)


def _fitting(count: int, lines: int) -> int:
    """How many of ``count`` items are shown in ``lines`` lines, one line for each item.

    If they do not all fit, the last line is left free, to say how many are left out.
    """
    return count if count <= lines else max(0, lines - 1)


def _wrapped(lines: list[str], width: int) -> list[str]:
    return [part for line in lines for part in textwrap.wrap(line, max(width, 10))]


def _title(state: RunState, width: int) -> list[str]:
    if state.snapshot is None:
        return []
    title = clean(f"{state.snapshot.study}: {protocol_line(state.snapshot)}")
    return _wrapped([title, banner(state.snapshot)], width)


def _grid(rows: list[RowProgress], state: RunState, width: int, encoding: str) -> RichTable:
    """The table of rows: done, running and failed trials, UA and WA in percent.

    A narrow terminal gets only done and UA. While trials are to come, the means and their intervals
    are headed ``so far``, in as many characters.
    """
    wide = width >= NARROW
    how = "so far" if state.finished < state.total else "± 95 %"
    ua, wa = f"UA {how}", f"WA {how}"
    grid = RichTable(
        box=None, padding=(0, 2 if wide else 1, 0, 0), header_style="bold", pad_edge=False
    )
    grid.add_column("row", overflow="ellipsis", no_wrap=True)
    heads = ["done"]
    heads += ["running", "failed"] if wide else []
    heads += [ua] if state.snapshot is not None else []
    heads += [wa] if wide and state.snapshot is not None else []
    for head in heads:
        grid.add_column(writable(head, encoding), justify="right", no_wrap=True)
    for row in rows:
        known = row.estimate
        cells = {
            "done": f"{row.done}/{row.total}",
            "running": str(row.running or ""),
            "failed": str(row.failed or ""),
            ua: plus_minus(known.ua if known else None),
            wa: plus_minus(known.wa if known else None),
        }
        style = "bold red" if row.failed else ""
        grid.add_row(
            Text(writable(clean(row.name), encoding)),
            *(
                Text(writable(cells[head], encoding), style=style if head == "failed" else "")
                for head in heads
            ),
        )
    return grid


def _curve(training: TrialInTraining, width: int, is_published_split: bool) -> Text:
    """The line of a trial in training: its dev UA by epoch as bars, then the last one in percent.

    The dev UA is the mean UA of the halves A and B of the held-out group; of a published split
    these are its dev and its test side, so that it is headed ``held-out``. Epoch, row, fold and
    seed follow.
    """
    shown = spark(training.dev_ua[-CURVE if width >= NARROW else -CURVE // 2 :])
    last = f" {100 * training.dev_ua[-1]:.1f}" if training.dev_ua else ""
    of = f"/{training.epochs}" if training.epochs else ""
    head = "held-out UA" if is_published_split else "dev UA"
    head = head if width >= NARROW else head.removesuffix(" UA")
    line = clean(
        f"{head} {shown or DASH}{last}  epoch {training.epoch}{of}  {where(training.trial)}"
    )
    return Text(line, no_wrap=True, overflow="ellipsis")


def spark(values: tuple[float, ...]) -> str:
    """The values as a line of bars; the least value has the lowest bar, the greatest the highest.

    >>> spark((0.2, 0.4, 0.3))
    '▁█▄'
    """
    if not values:
        return ""
    low, span = min(values), max(values) - min(values)
    return "".join(BARS[int((v - low) / span * 7) if span else 0] for v in values)


def _status(state: RunState, used: Usage | None) -> list[str]:
    """One or two lines: counts of trials and the time left; resources in use and the speed.

    The speed is in trials an hour and epochs a minute.
    """
    left = duration(state.seconds_left())
    counts = [f"{state.finished} of {state.total} trials done"]
    counts += [f"{len(state.running)} in training"] if state.running else []
    counts += [f"{len(state.failed)} failed"] if state.failed else []
    counts += [f"about {left} left"] if left and state.running else []
    counts += [state.waiting] if state.waiting else []
    speed = [_usage(used)] if used is not None else []
    if throughput := state.throughput():
        trials, epochs = throughput
        speed += [f"{trials:.3g} trials an hour", f"{epochs:.3g} epochs a minute"]
    return ["; ".join(part) for part in (counts, speed) if part]


def _usage(usage: Usage) -> str:
    """The resources in use as text, such as ``2 of 4 CPUs, memory 3.1 of 23.5 GiB``."""

    def of(amount: Callable[[Resources], float], name: str) -> str:
        return f"{amount(usage.used):.3g} of {amount(usage.there):.3g} {name}"

    parts = [of(lambda resources: resources.cpus, "CPUs")]
    parts += [of(lambda resources: resources.gpus, "GPUs")] if usage.there.gpus else []
    kind = "memory promised" if usage.promised else "memory"
    parts.append(f"{kind} {of(lambda resources: resources.memory / GIB, 'GiB')}")
    return ", ".join(parts)
