"""A study file as a value: rows to compare, and the protocol under which they are compared."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from orchestrator.errors import Fault, StudyError
from orchestrator.study.protocol import Replicates
from orchestrator.study.search_key.space import Search


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One variant as the study names it."""

    name: str
    settings: Mapping[str, Any]
    paper: Mapping[str, float]
    """Published figures: ``wa`` and ``ua`` in percent, ``params``; any may be absent."""
    blocks: tuple[str, ...] = ()
    """Headings of the table under which the row stands; empty where the table has none."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PaperClaim:
    """A claim of the paper: the row ``better`` has a higher score than each row of ``than``."""

    better: str
    than: tuple[str, ...]
    on: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Study:
    """A study file that was read: rows to compare, and the protocol of the comparison."""

    name: str
    question: str
    table: int | None
    figure: int | None
    corpus: str
    folds: int | Literal["published"]
    seeds: int
    settings: Mapping[str, Any]
    rows: tuple[Row, ...]
    reference: str | None
    claim: PaperClaim | None
    file: str
    text: str
    places: Mapping[str, tuple[int, int]]
    published: tuple[Row, ...] = ()
    """Systems that are not trained here: their published figures stand beside the rows."""
    search: Search | None = None
    """Instead of rows: a space of configurations, of which the best is looked for."""
    replicates: Replicates = "fixed"
    """``fixed``: each row has ``seeds`` trainings a fold. ``adaptive``: at most so many, see
    `analysis/sequential.py`."""

    def fault(self, key: str, sentence: str) -> StudyError:
        """An error at a key of this study's file.

        For faults that its text alone does not show, such as folds that the corpus cannot give.

        Args:
            key: a key of the top level, or one below `protocol` or `search` (`protocol.folds`).
            sentence: what is wrong, with the remedy.
        """
        around = key.rpartition(".")[0]  # of a key that is left out
        line, column = self.places.get(key) or self.places.get(around, (1, 1))
        return StudyError(self.file, self.text, [Fault(line, column, sentence)])
