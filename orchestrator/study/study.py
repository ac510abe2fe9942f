"""The content of a study file as one frozen value, ``Study``, with its rows and claim."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from orchestrator.errors import Fault, StudyError
from orchestrator.study.protocol import Replicates
from orchestrator.study.search_key.space import Search


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One row of a study's table: a variant, by the settings in which it differs."""

    name: str
    """Name of the row."""
    settings: Mapping[str, Any]
    """Key -> value of each setting in which the row differs from the baseline."""
    paper: Mapping[str, float]
    """What the paper prints: ``wa`` and ``ua`` in percent, ``params`` (a count); any may be absent.
    """
    blocks: tuple[str, ...] = ()
    """Headings of the table under which the row stands; empty where the table has none."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PaperClaim:
    """A claim of the paper: the row ``better`` has a higher score than each row of ``than``."""

    better: str
    """Name of the row that is said to be better."""
    than: tuple[str, ...]
    """Names of the rows that it is compared with."""
    on: str
    """The score that is meant: ``ua`` or ``wa``."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Study:
    """The content of a study file without faults: rows to compare, and the protocol."""

    name: str
    """Name of the study (key `study`)."""
    question: str
    """The question, which is the title of the table; may be empty."""
    table: int | None
    """Number of the table of the paper that the study repeats; None for none."""
    figure: int | None
    """Number of the figure of the paper that the study repeats; None for none."""
    corpus: str
    """Name of the corpus, or ``auto``."""
    folds: int | Literal["published"]
    """How many groups of speakers are held out, or ``published``: as the corpus's authors say."""
    seeds: int
    """How many trainings each row has in each fold of a deal; where adaptive, at most."""
    settings: Mapping[str, Any]
    """Key -> value of each setting at the top level and under `baseline`."""
    rows: tuple[Row, ...]
    """The rows to train, in the table's order; empty where the study is a search."""
    reference: str | None
    """Name of the row that the others are compared with; None where the file names none."""
    claim: PaperClaim | None
    """What the paper says about the rows; None where the file has no `claim`."""
    file: str
    """Path of the study file, as errors print it."""
    text: str
    """Text of the whole study file."""
    positions: Mapping[str, tuple[int, int]]
    """Each key that the file gives, such as ``corpus`` or ``protocol.folds`` -> its line and
    column, counted from 1."""
    published: tuple[Row, ...] = ()
    """Systems that are not trained here: their published scores stand above the rows."""
    search: Search | None = None
    """The search that the study asks for; None where it has rows."""
    deals: int = 1
    """How often the speakers are dealt into held-out groups, no group twice."""
    replicates: Replicates = "fixed"
    """``fixed``: each row has ``seeds`` trainings a fold. ``adaptive``: at most so many, see
    `analysis/sequential.py`."""

    def gives(self, key: str) -> bool:
        """Whether the study file itself gives a key: one of the top level, such as ``emotions``."""
        return key in self.positions

    def fault(self, key: str, sentence: str) -> StudyError:
        """Make an error that points to a key of this study's file.

        It is for faults that the text alone does not show, such as folds that the corpus cannot
        give.

        Args:
            key: a key of the top level, or one below `protocol` or `search` (`protocol.folds`).
            sentence: what is wrong, with the remedy.
        """
        around = key.rpartition(".")[0]  # of a key that is left out
        line, column = self.positions.get(key) or self.positions.get(around, (1, 1))
        return StudyError(self.file, self.text, [Fault(line, column, sentence)])
