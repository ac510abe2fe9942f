"""What commands print reaches any terminal, log or pipe, and never ends a command.

A character that the encoding lacks is replaced by its nearest. Once the reader of a pipe has left,
as `head` does, what is printed goes nowhere, and the command ends with its usual code.
"""

import io
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from orchestrator.printable import NEAREST_ERRORS


class Output(io.TextIOWrapper):
    """A standard stream that writes what it can.

    Args:
        stream: the stream of the interpreter, whose buffer and encoding it takes over.
    """

    def __init__(self, stream: io.TextIOWrapper) -> None:
        super().__init__(
            stream.buffer,
            encoding=stream.encoding,
            errors=NEAREST_ERRORS,
            line_buffering=stream.line_buffering,
            write_through=stream.write_through,
        )
        self._stream = stream  # else it closes the buffer, when nobody refers to it any more
        self.on_reader_left: Callable[[], object] = lambda: None
        """Called once, when the reader of the pipe has left."""

    def write(self, text: str) -> int:
        """Write a text; without a reader it goes nowhere."""
        try:
            return super().write(text)
        except BrokenPipeError:
            self._drop()
            return len(text)

    def flush(self) -> None:
        """Write what is buffered; without a reader it goes nowhere."""
        try:
            super().flush()
        except BrokenPipeError:
            self._drop()

    def _drop(self) -> None:
        """Let what is buffered, and all that follows, go nowhere; call ``on_reader_left``."""
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self.fileno())
        os.close(nowhere)
        act, self.on_reader_left = self.on_reader_left, lambda: None
        act()


def take_over() -> None:
    """Put an ``Output`` in the place of stdout and of stderr; a closed one goes nowhere."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            stream = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115
        if isinstance(stream, io.TextIOWrapper):
            stream.flush()
            setattr(sys, name, Output(stream))


def go_on_without_reader() -> None:
    """When the reader of stdout leaves, say once on stderr that the command goes on."""

    def say() -> None:
        from orchestrator.report.console import notice

        notice(
            "Nobody reads what this command prints any more. It goes on in silence, and ends with "
            "its usual exit code."
        )

    _when_reader_leaves(say)


def end_without_reader() -> None:
    """When the reader of stdout leaves, end the command with 0: nobody watches."""

    def end() -> NoReturn:
        sys.exit(0)

    _when_reader_leaves(end)


def _when_reader_leaves(act: Callable[[], object]) -> None:
    if isinstance(sys.stdout, Output):
        sys.stdout.on_reader_left = act
