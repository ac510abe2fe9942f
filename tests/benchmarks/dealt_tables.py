"""Tables of known truth whose speakers are dealt several times, judged by the thousand.

A score is what a row is to a speaker and to the held-out group, the luck of a training, which the
group's speakers share, and the luck that all trainings of the row share. What speakers
have in common for all rows is left out: pairing takes it away. The speakers are dealt by the
product's own code; the test is that of `family_tables.py`, which judges as the product does.
"""

import math
from dataclasses import dataclass
from itertools import islice

import numpy as np
from numpy.random import Generator
from scipy import special, stats

from features.corpora.groups import Deal, Speaker, balanced, dealing_order, dealt_anew
from tests.benchmarks.family_tables import holm, moderated

SPEAKER, GROUP, SEED = 0.03, 0.02, 0.03
"""Deviations: what a row is to a speaker and to a held-out group, and the luck of a training."""
LEVEL = 0.05
CHUNK = 1000
"""Tables that are drawn at once; a number of tables is a multiple of it, or less."""


@dataclass(frozen=True, kw_only=True)
class Design:
    """How a table comes about."""

    speakers: int = 10
    """All of one sex, so that each may be paired with each."""
    folds: int = 5
    deals: int = 1
    seeds: int = 1
    comparisons: int = 1
    """Rows beside the reference."""
    luck: float = 0.0
    """Deviation of what all trainings of a row share, as a fraction."""

    @property
    def tolerated(self) -> float:
        """The luck that the test tolerates by `family.tolerated_luck`, at the true deviations."""
        trained = self.speakers - self.speakers / self.folds
        shared = GROUP**2 + SEED**2 / self.seeds
        return math.sqrt((SPEAKER**2 + shared / self.deals) / trained)


@dataclass(frozen=True, kw_only=True)
class Judged:
    """What the verdicts of drawn tables came to, as shares."""

    false: float
    """Tables with a verdict on a row that does not differ."""
    coverage: float
    """Intervals that hold the true difference."""
    power: float
    """Tables in which the row that differs is shown."""
    half: float
    """Mean half of an interval, as a fraction."""

    def false_at_least(self, tables: int) -> float:
        """The lower end of the 99 % interval (Clopper and Pearson) of ``false``."""
        found = round(self.false * tables)
        return float(stats.beta.ppf(0.005, found, tables - found + 1)) if found else 0.0


def groups_of(design: Design) -> np.ndarray:
    """Who is held out with whom: 1 or 0, shape (deals K, folds G, speakers S)."""
    known = [
        Speaker(name=f"{n:02}", sex="", session="", classes=(1,)) for n in range(design.speakers)
    ]
    known.sort(key=dealing_order)
    first = balanced(known, design.folds)
    deals: list[Deal] = [first, *islice(dealt_anew(first), design.deals - 1)]
    assert len(deals) == design.deals
    held_KGS = np.zeros((design.deals, design.folds, design.speakers))
    for k, deal in enumerate(deals):
        for g, group in enumerate(deal):
            held_KGS[k, g, [int(speaker.name) for speaker in group]] = 1
    return held_KGS


def differences(design: Design, held_KGS: np.ndarray, tables: int, rng: Generator) -> np.ndarray:
    """Rows minus the reference, without a true difference: shape (tables N, rows R, speakers S)."""
    rows = design.comparisons + 1
    by_group = math.sqrt(GROUP**2 + SEED**2 / design.seeds)
    by_group_NRKG = by_group * rng.standard_normal((tables, rows, *held_KGS.shape[:2]))
    scores_NRS = SPEAKER * rng.standard_normal((tables, rows, design.speakers))
    scores_NRS += design.luck * rng.standard_normal((tables, rows, 1))
    scores_NRS += np.einsum("nrkg,kgs->nrs", by_group_NRKG, held_KGS) / design.deals
    return scores_NRS[:, :-1] - scores_NRS[:, -1:]


def units_of(design: Design, held_KGS: np.ndarray, by_speaker_NRS: np.ndarray) -> np.ndarray:
    """The independent units U: groups of the one deal, or speakers; shape (tables, rows, U)."""
    if design.deals > 1:
        return by_speaker_NRS
    return by_speaker_NRS @ (held_KGS[0] / held_KGS[0].sum(axis=1, keepdims=True)).T


def ratio_of(held_KGS: np.ndarray) -> float:
    """Test speakers / training speakers, averaged over the folds."""
    return float((held_KGS.sum(axis=2) / (1 - held_KGS).sum(axis=2)).mean())


def count(design: Design, tables: int, *, shift: float = 0.0, seed: int = 1) -> Judged:
    """Draw and judge so many tables, in which the first row is better by ``shift``."""
    rng, held_KGS = np.random.default_rng(seed), groups_of(design)
    ratio, found = ratio_of(held_KGS), []
    for start in range(0, tables, CHUNK):
        gap_NRS = differences(design, held_KGS, min(CHUNK, tables - start), rng)
        gap_NRS[:, 0] += shift
        units_NRU, gap_NR = units_of(design, held_KGS, gap_NRS), gap_NRS.mean(axis=2)
        units = units_NRU.shape[2]
        variance_NR, df_N1 = moderated(units_NRU.var(axis=2, ddof=1), units - 1)
        error_NR = np.sqrt(variance_NR * (1 / units + ratio))
        shown_NR = holm(2 * special.stdtr(df_N1, -np.abs(gap_NR) / error_NR)) < LEVEL
        half_NR = special.stdtrit(df_N1, 1 - LEVEL / 2) * error_NR
        gap_NR[:, 0] -= shift
        found.append(
            [
                shown_NR[:, bool(shift) :].any(axis=1).mean(),
                (np.abs(gap_NR) <= half_NR).mean(),
                shown_NR[:, 0].mean(),
                half_NR.mean(),
            ]
        )
    false, coverage, power, half = (float(one) for one in np.mean(found, axis=0))
    return Judged(false=false, coverage=coverage, power=power, half=half)
