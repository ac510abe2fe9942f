"""Errors that reach a person: sentences that name the place, the value and the remedy.

Each kind of error has an exit code, which the command line returns: 2 the request was wrong, 3 the
environment lacks something, 4 damage or a differing result.
"""

import difflib
from collections.abc import Callable, Iterable
from dataclasses import dataclass


class AblateError(Exception):
    """Root of all errors that the orchestrator raises on purpose."""

    exit_code = 1


class RequestError(AblateError):
    """The request is wrong: a study file, an option, the number of a table."""

    exit_code = 2


class LackError(AblateError):
    """The environment lacks something: a corpus, a package, a writable folder."""

    exit_code = 3


class DamageError(AblateError):
    """The store holds a file that is not what was written, or two results that differ."""

    exit_code = 4


class Interrupted(AblateError):  # noqa: N818 - nothing went wrong
    """A person stopped the work; finished trials stay in the store."""

    exit_code = 130


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong in a text, with line and column, both from 1."""

    line: int
    column: int
    sentence: str


MOST_FAULTS = 50
"""Faults of one file that are shown, so that a hostile file with thousands floods no terminal."""


class StudyError(RequestError):
    """All faults of one study file, each with file:line:column, its line and a caret."""

    def __init__(self, file: str, text: str, faults: Iterable[Fault]) -> None:
        self.file = file
        self.faults = tuple(sorted(set(faults), key=lambda f: (f.line, f.column, f.sentence)))
        lines = text.splitlines()
        shown = [self._show(fault, lines) for fault in self.faults[:MOST_FAULTS]]
        if len(self.faults) > MOST_FAULTS:
            shown.append(f"and {len(self.faults) - MOST_FAULTS} more faults")
        super().__init__("\n".join(shown))

    def _show(self, fault: Fault, lines: list[str]) -> str:
        head = f"{self.file}:{fault.line}:{fault.column}: {fault.sentence}"
        if not 0 < fault.line <= len(lines):
            return head
        # A long line is cut to a window around the caret, so that it never wraps.
        column = fault.column - 1
        start = max(0, column - 60)
        shown = lines[fault.line - 1][start : start + 76].rstrip()
        return f"{head}\n  {shown}\n  {' ' * (column - start)}^"


def first_line(said: object) -> str:
    r"""The first line of an error or of its text; an error without a text is named by its type.

    >>> first_line("It broke.\nThere.")
    'It broke.'
    >>> first_line(KeyboardInterrupt())
    'KeyboardInterrupt'
    """
    lines = str(said).strip().splitlines()
    if lines:
        return lines[0]
    return type(said).__name__ if isinstance(said, BaseException) else ""


def nearest(word: str, known: Iterable[str], shown: Callable[[str], object] = str) -> str:
    """A closing sentence of an error: the nearest known word, or all of them.

    Args:
        word: what a person wrote.
        known: what it may be.
        shown: how a known word is printed.

    >>> nearest("hiden", ["hidden", "layers"])
    'Did you mean `hidden`?'
    >>> nearest("smok.yaml", ["smoke.yaml"], lambda name: f"studies/{name}")
    'Did you mean `studies/smoke.yaml`?'
    """
    words = sorted(known)
    close = difflib.get_close_matches(word, words, n=1, cutoff=0.6)
    if close:
        return f"Did you mean `{shown(close[0])}`?"
    return "Known: " + ", ".join(f"`{shown(w)}`" for w in words) + "."
