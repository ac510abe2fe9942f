"""Prints in the terminal: aligned columns, ``name  value`` pairs, sentences, a progress bar.

Everything fits a terminal of 80 columns.
"""

import re
import sys
import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import IO, Any, cast

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from orchestrator.printable import clean, clean_lines, writable

FIRST = 12
"""Narrowest width of the first column of a table, in characters; more if a word in it is longer.

If a table is too wide for the terminal even so, the cells of a row are printed below its name."""


def print_columns(
    console: Console,
    heads: Sequence[str],
    cells: Sequence[Sequence[str]],
    *,
    numeric: Sequence[bool] | None = None,
    headings: Mapping[int, str] | None = None,
) -> None:
    """Print a table with aligned columns; only the first column may wrap its text.

    On a console that is too narrow, the cells of a row stand below its name: no number is cut.

    Args:
        console: where to print.
        heads: the head of each column.
        cells: the rows, each with one text for each column.
        numeric: for each column, whether it holds numbers, which are aligned to the right; None
            aligns all columns to the left.
        headings: index of a row in ``cells`` -> a heading that is printed above it.
    """
    numbers = numeric or [False] * len(heads)
    heads = [writable(head, console.encoding) for head in heads]  # first, so that columns align
    cells = [[writable(cell, console.encoding) for cell in row] for row in cells]
    if _narrowest(heads, cells) > console.width:
        _print_below(console, heads, cells, headings or {})
        return
    grid = Table(box=None, padding=(0, 2, 0, 0), header_style="bold", pad_edge=False)
    for index, (head, is_number) in enumerate(zip(heads, numbers, strict=True)):
        grid.add_column(
            Text("\n".join(_words(head, 10)) if index else head),
            justify="right" if is_number else "left",
            no_wrap=index > 0,
            overflow="fold",
        )
    for index, row in enumerate(cells):
        if headings and index in headings:
            if index:
                grid.add_row()
            grid.add_row(Text(clean(headings[index]), style="bold"))
        grid.add_row(*(Text(clean(cell)) for cell in row))
    console.print(grid)


def _narrowest(heads: Sequence[str], cells: Sequence[Sequence[str]]) -> int:
    """The least width of a table, in characters, whose first column breaks between words alone."""
    wide = [max(map(cell_len, (*_words(head, 10), ""))) for head in heads]
    for row in cells:
        wide = [max(pair) for pair in zip(wide, map(cell_len, row), strict=True)]
    words = [cell_len(word) for row in cells for word in row[0].split()]
    return min(wide[0], max(FIRST, *words, 0)) + sum(wide[1:]) + 2 * (len(wide) - 1)


def _words(text: str, width: int) -> list[str]:
    """A text in lines of a width; no word breaks but at a hyphen: a longer one is a line."""
    return textwrap.wrap(text, width, break_long_words=False)


def _print_below(
    console: Console,
    heads: Sequence[str],
    cells: Sequence[Sequence[str]],
    headings: Mapping[int, str],
) -> None:
    """Print each row as its first cell and, below it, ``head  cell`` for each cell with text."""
    for index, row in enumerate(cells):
        if index in headings:
            console.print(Text(clean(headings[index]), style="bold"))
        if row[0] or not any(row):
            console.print(Text(clean(row[0])))
        pairs = [pair for pair in zip(heads[1:], row[1:], strict=True) if pair[1]]
        print_pairs(console, [line for head, cell in pairs for line in _lines_of(head, cell)])


def _lines_of(head: str, cell: str) -> list[tuple[str, str]]:
    """A head and its cell as lines: of a long head all but the last line stand above."""
    *above, last = _words(head, 24) or [""]
    return [*((line, "") for line in above), (last, cell)]


@contextmanager
def progress(what: str) -> Iterator[Callable[[int, int], None]]:
    """Show a progress bar on stderr while the ``with`` block runs; nothing without a terminal.

    Args:
        what: the text beside the bar.

    Yields:
        A function that moves the bar; its arguments are how many items are done, and of how many.
    """
    from rich.progress import (  # here, since only a bar needs it: `ablate plan` is quick
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    console = console_for(stderr=True)
    with Progress(
        TextColumn(what),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    ) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def print_pairs(console: Console, pairs: Sequence[tuple[str, str]]) -> None:
    """Print ``name  value`` for each pair, values aligned; long ones wrap in their column."""
    width = max((len(name) for name, _ in pairs), default=0)
    for name, value in pairs:
        print_beside(console, Text(f"  {clean(name):<{width}}  ", style="dim"), value)


def print_beside(console: Console, head: Text, value: str) -> None:
    """Print a text to the right of a head; a long text wraps and stays right of the head."""
    width = max(20, console.width - head.cell_len)
    value = writable(clean(value), console.encoding)
    lines = textwrap.wrap(value, width, break_on_hyphens=False) or [""]
    console.print(Text.assemble(head, lines[0]))
    for line in lines[1:]:
        console.print(Text(" " * head.cell_len + line))


def duration(seconds: float | None) -> str:
    """A number of seconds as text: ``45 s``, ``12 min`` or ``3 h 20 min``; empty for None."""
    if seconds is None:
        return ""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"


def say(sentence: str, *, stderr: bool = False) -> None:
    """Print a sentence; a terminal gets it wrapped at spaces, a pipe or a file gets one line.

    Neither a path nor a command between backticks is broken, so that it can be copied.

    Args:
        sentence: the text; control characters in it are replaced by `?`.
        stderr: whether to print on stderr instead of stdout.
    """
    _print_wrapped(clean(sentence), stderr=stderr)


def notice(sentence: str) -> None:
    """Print a sentence that stands beside an answer, on stderr, wrapped at spaces everywhere.

    Args:
        sentence: the text; control characters in it are replaced by `?`.
    """
    console = console_for(stderr=True)
    for part in _wrap(clean(sentence), console.width):
        print(part, file=sys.stderr)


def say_lines(text: str, *, stderr: bool = False) -> None:
    """Print a text of several lines, each as ``say`` prints a sentence.

    Indented lines are never wrapped: they show part of a file with a caret below it.
    """
    for line in clean_lines(text).split("\n"):
        _print_wrapped(line, stderr=stderr)


def _print_wrapped(line: str, *, stderr: bool) -> None:
    """Print a line, wrapped to the width of the terminal if there is one."""
    stream = sys.stderr if stderr else sys.stdout
    if not stream.isatty() or line.startswith(" "):
        print(line, file=stream)
        return
    for part in _wrap(line, console_for(stderr=stderr).width):
        print(part, file=stream)


def _wrap(line: str, width: int) -> list[str]:
    """Break a line at spaces outside of backticks; a longer word has a line of its own.

    >>> _wrap("Build it: `ablate features build`.", 24)
    ['Build it:', '`ablate features build`.']
    """
    if cell_len(line) <= width:
        return [line]
    parts: list[str] = []
    for word in re.findall(r"(?:`[^`]*`|\S)+", line):
        if parts and cell_len(f"{parts[-1]} {word}") <= width:
            parts[-1] += f" {word}"
        else:
            parts.append(word)
    return parts


def console_for(*, stderr: bool = False) -> Console:
    """A Rich console on stdout, or on stderr.

    It is as wide as the terminal. If the output is not a terminal, it is 80 characters wide, and
    no line ends in spaces.
    """
    console = Console(stderr=stderr, highlight=False, markup=False, emoji=False)
    if not console.is_terminal:
        console.width = 80
        console.file = trimmed(console.file)
    return console


def trimmed(stream: IO[str]) -> IO[str]:
    """A stream that writes to another stream without the spaces at the ends of lines.

    Rich fills the last column up with such spaces.
    """
    return cast("IO[str]", _Trimmed(stream))


class _Trimmed:
    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        self._stream.write(re.sub(r" +(?=\n)", "", text))
        return len(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)
