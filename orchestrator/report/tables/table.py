"""A table whose cells are texts already, before Markdown, LaTeX or a terminal lays it out."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True, slots=True)
class Column:
    """A column of a table."""

    head: str
    """The text above the column."""
    numeric: bool = True
    """Whether its cells hold numbers, which are aligned to the right."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Table:
    """A table whose cells are texts, in percent where they are scores; no form is chosen yet."""

    label: str = ""
    """``Table 1``, or the name of the study; may be empty."""
    title: str
    """The question of the study, or what the table shows."""
    subtitle: str
    """The line below the title, such as ``corpus iemocap, profile paper, reading as-written``."""
    banner: str
    """A warning above the table; empty if there is none."""
    columns: tuple[Column, ...]
    cells: tuple[tuple[str, ...], ...]
    """The rows of the table, each with one text for each column."""
    footnotes: tuple[str, ...]
    """The sentences below the table."""
    headings: Mapping[int, str] = field(default_factory=dict)
    """Index of a row in ``cells`` -> a heading above it, where a block of rows begins."""

    @property
    def head(self) -> str:
        """Label and title in one line: ``Table 1. Which depth serves best?``."""
        return self.title if self.label in ("", self.title) else f"{self.label}. {self.title}"


LOUD = ("WARNING", "Missing", "Stale", "Diverged", "Asked again", "Exploratory", "No score")
"""The first words of footnotes that must not be overlooked."""


def is_loud(footnote: str) -> bool:
    """Whether a footnote must not be overlooked: it says that numbers are not what they seem."""
    return footnote.startswith(LOUD)
