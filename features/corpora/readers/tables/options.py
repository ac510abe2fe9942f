"""What a person typed about a table: the options of ``ablate corpus add table``."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class TableOptions:
    """Options that say how a table is read; none is given by default."""

    columns: Sequence[str] | None = None
    """Values of ``--columns``, such as ``speaker=speaker_id,emotion=label``."""

    @property
    def words(self) -> tuple[str, ...]:
        """The options as words of a command line."""
        return tuple(word for text in self.columns or () for word in ("--columns", text))


NO_TABLE_OPTIONS = TableOptions()
"""No option."""
