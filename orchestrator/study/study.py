"""A study file as a value: rows to compare, and the protocol under which they are compared."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from orchestrator.errors import Fault, StudyError
from orchestrator.study.protocol import Replicates
from orchestrator.study.search_key.space import Search

METRICS = ("wa", "ua")
FIGURES = (*METRICS, "params")
"""What ``paper`` may give of a row: two percentages, and a count of parameters."""
MOST_PARAMETERS = 10**12


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
    """What the paper says: ``better`` beats ``than`` on ``on``."""

    better: str
    than: tuple[str, ...]
    on: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Study:
    """A question: rows to compare, and the protocol under which they are compared."""

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
    """Instead of rows: a space whose best configuration is asked for."""
    replicates: Replicates = "fixed"
    """``adaptive``: ``seeds`` is the most that a row gets, see `sequential.py`."""

    def fault(self, key: str, sentence: str) -> StudyError:
        """An error at a key of this study's file, for what only the corpus can tell."""
        around = key.rpartition(".")[0]  # of a key that is left out
        line, column = self.places.get(key) or self.places.get(around, (1, 1))
        return StudyError(self.file, self.text, [Fault(line, column, sentence)])
