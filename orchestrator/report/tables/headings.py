"""The texts above a study's table: label, line on corpus and protocol, heads, warning (banner).

Also the words that differ between folds that are dealt and a corpus's published split.
"""

import math
from collections.abc import Mapping

from features.corpora.catalogue import SYNTHESISED
from orchestrator.analysis.family import Promise
from orchestrator.analysis.row_scores import unit_of
from orchestrator.store.snapshot import Snapshot
from orchestrator.study.protocol import ScoreRule

DASH = "–"
"""Stands in a cell whose value is not known."""


def label(snapshot: Snapshot) -> str:
    """``Table 1`` or ``Figure 2`` if the study reproduces one of the paper; else its name."""
    if snapshot.table is not None:
        return f"Table {snapshot.table}"
    return f"Figure {snapshot.figure}" if snapshot.figure is not None else snapshot.study


SCORES: Mapping[ScoreRule, str] = {
    "averaged": "averaged weights",
    "chosen": "chosen epoch",
    "last": "last epoch",
}
"""Score of a study -> the network that it is of, for labels."""


def corpus_name(snapshot: Snapshot) -> str:
    """The corpus and the part of it that is used, such as ``iemocap (improvised only)``."""
    part = "" if snapshot.corpus_part == "all" else f" ({snapshot.corpus_part} only)"
    return f"{snapshot.corpus}{part}"


def protocol_line(snapshot: Snapshot) -> str:
    """The line below a title: corpus, profile, reading, score and design of the study.

    Such as ``corpus demo, profile quick, reading as-written, score averaged``.
    """
    design = "" if snapshot.replicates == "fixed" else f", replicates {snapshot.replicates}"
    corpus = f"corpus {corpus_name(snapshot)}"
    score = f"score {snapshot.score}{' (exploratory)' if snapshot.exploratory else ''}"
    return f"{corpus}, profile {snapshot.profile}, reading {snapshot.reading}, {score}{design}"


def score_head(snapshot: Snapshot, metric: str) -> str:
    """The head above scores with intervals: ``UA ± 95 %``; it says what a published split's is."""
    return f"{metric} ± 95 %" + (", these networks" if snapshot.is_published_split else "")


def tested_speakers(snapshot: Snapshot) -> str:
    """Whose means are printed: ``held-out speakers``, of a published split ``test speakers``."""
    return "test speakers" if snapshot.is_published_split else "held-out speakers"


def score_interval_words(snapshot: Snapshot, units: int | None = None) -> str:
    """What the interval of a score answers, and how it is computed.

    Args:
        snapshot: the study.
        units: how many independent units it rests on; None to leave the number out.
    """
    if snapshot.is_published_split:
        return "95 % for new speakers and these networks (t over test speakers)"
    unit = unit_of(snapshot)
    over = f"{unit}s" if units is None else counted(units, unit)
    return f"95 % for new speakers (corrected t over {over})"


def difference_interval_words(
    snapshot: Snapshot, units: int | None = None, *, is_shared: bool = False
) -> str:
    """What the interval of a difference answers, and how it is computed; see above.

    Args:
        snapshot: the study.
        units: how many independent units it rests on; None to leave the number out.
        is_shared: whether several comparisons share their variances.
    """
    if snapshot.is_published_split:
        return "95 % for new speakers and trainings (test speakers crossed with seeds)"
    words = score_interval_words(snapshot, units)
    return words.replace("corrected t", "moderated t") if is_shared else words


def banner(snapshot: Snapshot) -> str:
    """The warning above tables of a synthesised corpus; empty for every other corpus."""
    if snapshot.corpus in SYNTHESISED:
        return "Synthesised demo speech: these numbers say nothing about people."
    return ""


def counted(number: int | str, noun: str) -> str:
    """A number with its noun: ``1 seed``, ``3 seeds``, ``4 to 6 of 10 speakers``."""
    return f"{number} {noun}" if str(number) == "1" else f"{number} {noun}s"


def folds_and_deals(snapshot: Snapshot) -> str:
    """How speakers are held out: ``5 folds``, ``3 deals of 5 folds``, ``the published split``."""
    if snapshot.is_published_split:
        return "the published split"
    folds = counted(snapshot.folds_a_deal, "fold")
    return folds if snapshot.deals == 1 else f"{snapshot.deals} deals of {folds}"


def trainings(snapshot: Snapshot) -> str:
    """The number of trainings that the study asks for in each row: ``5 folds x 3 seeds``."""
    most = "at most " if snapshot.replicates == "adaptive" else ""
    return f"{folds_and_deals(snapshot)} x {most}{counted(snapshot.seeds, 'seed')}"


def promise_notes(promise: Promise | None) -> list[str]:
    """What the verdicts of a table keep, by its own design, as a sentence of two lines at most.

    Returns:
        A list of one sentence; empty where nothing is judged.
    """
    if promise is None:
        return []
    if promise.luck is None:
        return [
            "Promise: at most 1 such table in 20 shows what is not there, apart from the luck of "
            "its one training side."
        ]
    rows = promise.comparisons
    test = "one comparison: corrected t" if rows == 1 else f"{rows} comparisons: moderated t"
    return [
        f"Promise: at most 1 such table in 20 shows what is not there, if the luck that "
        f"trainings of a row share is below {points_below(promise.luck)} points ({test})."
    ]


def points_below(fraction: float) -> str:
    """A fraction in points with two digits, rounded down, since it is a bound.

    >>> points_below(0.0179), points_below(0.00459), points_below(0.1239)
    ('1.7', '0.45', '12')
    """
    points = 100 * fraction
    digits = 0 if points >= 10 else 1 if points >= 1 else 2
    return f"{math.floor(points * 10**digits) / 10**digits:.{digits}f}"
