"""A table as texts, which every form lays out in its own way."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True, slots=True)
class Column:
    """A column's head and whether its cells are numbers."""

    head: str
    numeric: bool = True


@dataclass(frozen=True, kw_only=True, slots=True)
class Table:
    """A table as texts: title, columns, cells, footnotes."""

    label: str = ""
    """``Table 1``, or the name of the study; may be empty."""
    title: str
    subtitle: str
    banner: str
    """A warning over the table; may be empty."""
    columns: tuple[Column, ...]
    cells: tuple[tuple[str, ...], ...]
    footnotes: tuple[str, ...]
    headings: Mapping[int, str] = field(default_factory=dict)
    """Index of a row of ``cells`` -> the heading of the block that begins there."""

    @property
    def head(self) -> str:
        """Label and title in one line."""
        return self.title if self.label in ("", self.title) else f"{self.label}. {self.title}"
