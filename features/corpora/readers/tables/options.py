"""What a person typed about a table: the options of ``ablate corpus add table``."""

import os
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class TableOptions:
    """Options that say how a table is read; none is given by default."""

    columns: Sequence[str] | None = None
    """Values of ``--columns``, such as ``speaker=speaker_id,emotion=label``."""

    root: str = ""
    """Value of ``--root``: the folder into which the table's paths may lead."""
    tables: Sequence[str] | None = None
    """Values of ``--table``: the tables of a database whose labels are read."""
    column: str = ""
    """Value of ``--column``: the column of these tables that holds the labels."""

    @property
    def words(self) -> tuple[str, ...]:
        """The options as words of a command line."""
        columns = (word for text in self.columns or () for word in ("--columns", text))
        tables = (word for name in self.tables or () for word in ("--table", name))
        column = ("--column", self.column) if self.column else ()
        root = ("--root", os.path.abspath(self.root)) if self.root else ()
        return (*columns, *tables, *column, *root)


NO_TABLE_OPTIONS = TableOptions()
"""No option."""
