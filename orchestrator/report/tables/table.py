"""A table in words: what every form of it lays out."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True, slots=True)
class Column:
    """A column's head and whether its cells are numbers."""

    head: str
    numeric: bool = True


@dataclass(frozen=True, kw_only=True, slots=True)
class Table:
    """A table in words, ready to be laid out in any form."""

    label: str = ""
    """As ``label`` says it, or nothing; a paper numbers its own tables."""
    title: str
    subtitle: str
    banner: str
    """What must not be overlooked; empty where there is nothing."""
    columns: tuple[Column, ...]
    cells: tuple[tuple[str, ...], ...]
    footnotes: tuple[str, ...]
    headings: Mapping[int, str] = field(default_factory=dict)
    """Index of a row of ``cells`` -> the heading of the block that begins there."""

    @property
    def head(self) -> str:
        """Label and title in one line."""
        return self.title if self.label in ("", self.title) else f"{self.label}. {self.title}"
