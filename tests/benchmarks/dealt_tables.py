"""Tables of known truth whose speakers are dealt several times, judged by the product's own family.

A score is what a row is to a speaker, to the held-out group, to the speakers trained on (luck that
all trainings share) and the luck of a training, which the group's speakers share. What speakers
have in common for all rows is left out: pairing takes it away. The speakers are dealt by the
product's own code.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

import numpy as np
from numpy.random import Generator
from scipy import stats

from features.corpora.groups import Deal, Speaker, balanced, dealing_order, dealt_anew
from orchestrator.analysis.family import Contrast, judge_family

SPEAKER, GROUP, SEED = 0.03, 0.02, 0.03
"""Deviations: what a row is to a speaker and to a held-out group, and the luck of a training."""
LEVEL = 0.05
CHUNK = 500
"""Tables that are drawn at once."""


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
    """Deviation of what trainings share, as a fraction."""


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
    taught_NRS = rng.standard_normal((tables, rows, design.speakers))
    trained_KGS = 1 - held_KGS
    sums_NRKG = np.einsum("nrs,kgs->nrkg", taught_NRS, trained_KGS)
    by_group_NRKG = design.luck * sums_NRKG / np.sqrt(trained_KGS.sum(axis=2).mean())
    by_group_NRKG += GROUP * rng.standard_normal(by_group_NRKG.shape)
    by_group_NRKG += SEED / np.sqrt(design.seeds) * rng.standard_normal(by_group_NRKG.shape)
    scores_NRS = SPEAKER * rng.standard_normal(taught_NRS.shape)
    scores_NRS += np.einsum("nrkg,kgs->nrs", by_group_NRKG, held_KGS) / design.deals
    return scores_NRS[:, :-1] - scores_NRS[:, -1:]


def units_of(design: Design, held_KGS: np.ndarray, by_speaker_S: np.ndarray) -> np.ndarray:
    """The independent units: held-out groups of the one deal, or speakers over several."""
    if design.deals > 1:
        return by_speaker_S
    return held_KGS[0] @ by_speaker_S / held_KGS[0].sum(axis=1)


def judged(
    design: Design, held_KGS: np.ndarray, tables: int, shift: float, rng: Generator
) -> Iterator[tuple[bool, float, bool, float]]:
    """For each table: a false verdict, share of intervals that hold, whether row 0 is shown, half.

    Row 0 is better by ``shift``.
    """
    ratio = float((held_KGS.sum(axis=2) / (1 - held_KGS).sum(axis=2)).mean())
    for start in range(0, tables, CHUNK):
        for table_RS in differences(design, held_KGS, min(CHUNK, tables - start), rng):
            table_RS[0] += shift
            found = judge_family(
                {
                    row: Contrast.of_units(
                        list(map(float, units_of(design, held_KGS, by_speaker_S))),
                        centre=float(by_speaker_S.mean()),
                        test_to_train=ratio,
                    )
                    for row, by_speaker_S in enumerate(table_RS)
                }
            )
            shown = {row for row, j in found.items() if j.p is not None and j.p < LEVEL}
            ends = [
                (j.low, j.high, shift if row == 0 else 0.0)
                for row, j in found.items()
                if j.low is not None and j.high is not None
            ]
            yield (
                bool(shown - {0} if shift else shown),
                float(np.mean([low <= true <= high for low, high, true in ends])),
                0 in shown,
                float(np.mean([(high - low) / 2 for low, high, _ in ends])),
            )


def count(design: Design, tables: int, *, shift: float = 0.0, seed: int = 1) -> Judged:
    """Draw and judge so many tables, in which the first row is better by ``shift``."""
    rng = np.random.default_rng(seed)
    found = np.array(list(judged(design, groups_of(design), tables, shift, rng)), dtype=float)
    false, coverage, power, half = (float(one) for one in found.mean(axis=0))
    return Judged(false=false, coverage=coverage, power=power, half=half)
