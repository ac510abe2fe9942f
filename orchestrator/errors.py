"""Exceptions whose text a person reads: it names where the fault is, the value, and the remedy.

Each kind of error has an exit code, which the command line returns: 2 the request was wrong, 3 the
environment lacks something, 4 damage or a differing result.
"""

import difflib
from collections.abc import Callable, Iterable
from dataclasses import dataclass


class AblateError(Exception):
    """Base class of all errors that the orchestrator raises on purpose."""

    exit_code = 1
    """The exit code of the `ablate` process that this error ends; each subclass has its own."""


class RequestError(AblateError):
    """What a person asked for is wrong: a study file, an option, the number of a table."""

    exit_code = 2


class LackError(AblateError):
    """The environment lacks something: a corpus, a package, a writable folder."""

    exit_code = 3


class DamageError(AblateError):
    """A file of the store fails its digest, or the same trial has two results that differ."""

    exit_code = 4


class Interrupted(AblateError):  # noqa: N818 - nothing went wrong
    """A person stopped the command (Ctrl-C or SIGTERM); finished trials stay in the store."""

    exit_code = 130


@dataclass(frozen=True, slots=True)
class Fault:
    """One mistake in a study file or cluster file."""

    line: int
    """Line of the mistake, counted from 1."""
    column: int
    """Column of the mistake, in characters, counted from 1."""
    sentence: str
    """What is wrong and what to write instead; goes after ``file:line:column: ``."""


MOST_FAULTS = 50
"""The most faults of one file that an error prints: a hostile file may have thousands."""


class StudyError(RequestError):
    """All faults of one study file or cluster file in one error.

    Its text shows each fault as `file:line:column: sentence`, then the line with a caret under the
    column; at most ``MOST_FAULTS`` of them.

    Args:
        file: the path that is printed.
        text: the content of the file, from which the faulty lines are shown.
        faults: the mistakes, in any order; equal ones are shown once.
    """

    def __init__(self, file: str, text: str, faults: Iterable[Fault]) -> None:
        self.file = file
        self.faults = tuple(sorted(set(faults), key=lambda f: (f.line, f.column, f.sentence)))
        lines = text.splitlines()
        shown = [self._show(fault, lines) for fault in self.faults[:MOST_FAULTS]]
        if len(self.faults) > MOST_FAULTS:
            shown.append(f"and {len(self.faults) - MOST_FAULTS} more faults")
        super().__init__("\n".join(shown))

    def _show(self, fault: Fault, lines: list[str]) -> str:
        """One fault as three lines: position and sentence, the faulty line, a caret."""
        head = f"{self.file}:{fault.line}:{fault.column}: {fault.sentence}"
        if not 0 < fault.line <= len(lines):
            return head
        # A long line is cut to a window around the caret, so that it never wraps.
        column = fault.column - 1
        start = max(0, column - 60)
        shown = lines[fault.line - 1][start : start + 76].rstrip()
        return f"{head}\n  {shown}\n  {' ' * (column - start)}^"


def first_line(said: object) -> str:
    r"""The first line of an exception's text, or of a string that holds such a text.

    An exception without a text gives the name of its type; an empty string gives "".

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
    """The last sentence of an error about an unknown word: the word that was probably meant.

    Args:
        word: what a person wrote.
        known: all words that are allowed.
        shown: gives the printed form of an allowed word.

    Returns:
        "Did you mean `...`?" with the most similar allowed word, or, where none is similar,
        "Known: ..." with all of them in alphabetical order.

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
