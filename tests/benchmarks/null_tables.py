"""Tables of known truth: scores drawn from components, judged by the product's own functions.

A score is a speaker's difficulty (shared by all rows of a table) and, for each row on its own, what
the row is to this speaker, to this pair, to the speakers it was trained on (which trainings share),
and to the seed of a training. Under the null hypothesis no row is better on average.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from scipy import stats

from orchestrator.analysis.differences import compare_with_reference
from orchestrator.analysis.row_scores import BySpeaker, speaker_ratio, unit_means
from orchestrator.analysis.statistics import corrected_t, mean
from orchestrator.store.snapshot import Snapshot, SnapshotFold, SnapshotRow

PAIRS, SEEDS = 5, 3
SPEAKER, PAIR, OVERLAP, SEED = 0.03, 0.02, 0.015, 0.03
"""Deviations of the components, as fractions: 3, 2, 1.5 and 3 points."""
DIFFICULTY = 0.05
"""Deviation between speakers that all rows share: pairing takes it out."""
LEVEL = 0.05
REFERENCE = "reference"

PARAMETERS = (
    f"{PAIRS} pairs, {SEEDS} seeds; deviations in points: speaker {100 * SPEAKER:g}, pair "
    f"{100 * PAIR:g}, training overlap {100 * OVERLAP:g}, seed {100 * SEED:g}, difficulty of a "
    f"speaker (shared by the rows) {100 * DIFFICULTY:g}"
)

SPEAKERS = [f"s{n}" for n in range(2 * PAIRS)]


def snapshot(rows: int, seeds: int = SEEDS) -> Snapshot:
    """A study of so many rows and the reference."""
    names = (*(f"row {n}" for n in range(rows)), REFERENCE)
    return Snapshot(
        study="null",
        question="",
        table=1,
        figure=None,
        corpus="drawn",
        profile="paper",
        reading="as-written",
        classes=("a", "b"),
        utterances=0,
        rows=tuple(SnapshotRow(name=name, reading="as-written", paper={}) for name in names),
        folds=tuple(
            SnapshotFold(index=n, a=(SPEAKERS[2 * n],), b=(SPEAKERS[2 * n + 1],), train=8)
            for n in range(PAIRS)
        ),
        seeds=seeds,
        trials=(),
        comparable=False,
        reference=REFERENCE,
        claim=None,
    )


def draw(
    study: Snapshot,
    rng: Generator,
    shift: float | Sequence[float] = 0.0,
    *,
    these_speakers: bool = False,
) -> dict[str, BySpeaker]:
    """One table's scores; the rows but the reference are better by ``shift``, all or each.

    On average over all speakers there are; with ``these_speakers`` exactly so over those drawn, so
    that seeds alone move a row's mean.
    """
    difficulty_S = rng.normal(0, DIFFICULTY, 2 * PAIRS)
    each = (shift,) * (len(study.rows) - 1) if isinstance(shift, int | float) else shift
    drawn = {}
    for row, better in zip(study.rows, (*each, 0.0), strict=True):
        taught_S = rng.normal(0, 1, 2 * PAIRS)
        # What fold f learnt is the sum over its eight training speakers: two folds share six.
        sums_P = taught_S.sum() - taught_S.reshape(PAIRS, 2).sum(axis=1)
        overlap_P = OVERLAP * sums_P / np.sqrt(2 * PAIRS - 2)
        by_pair_P = overlap_P + rng.normal(0, PAIR, PAIRS)
        by_speaker_S = difficulty_S + rng.normal(0, SPEAKER, 2 * PAIRS) + np.repeat(by_pair_P, 2)
        by_speaker_S += 0.6 + better - (by_speaker_S.mean() if these_speakers else 0.0)
        seed_PK = rng.normal(0, SEED, (PAIRS, study.seeds))  # one training scores both of a pair
        scores_SK = by_speaker_S[:, None] + np.repeat(seed_PK, 2, axis=0)
        drawn[row.name] = {
            speaker: dict(enumerate(map(float, scores_K)))
            for speaker, scores_K in zip(SPEAKERS, scores_SK, strict=True)
        }
    return drawn


@dataclass(frozen=True)
class Counted:
    """Tables with at least one verdict, and single tests that fell below 5 %."""

    tables: int
    verdicts: int
    by_test: dict[str, float]


def count(*, tables: int, rows: int, shift: float, seed: int) -> Counted:
    """Judge so many tables; single tests are the first row's, without Holm."""
    study, rng = snapshot(rows), np.random.default_rng(seed)
    verdicts, hits = 0, dict.fromkeys(("naive t", "flat", "pairs", "unpaired"), 0)
    for _ in range(tables):
        scores = draw(study, rng, shift)
        differences = compare_with_reference(study, scores)
        verdicts += any(d.p is not None and d.p < LEVEL for d in differences.values())
        for name, p in single(study, scores["row 0"], scores[REFERENCE]):
            hits[name] += p < LEVEL
        alone = differences["row 0"].p_alone
        hits["pairs"] += alone is not None and alone < LEVEL
    return Counted(tables, verdicts, {name: n / tables for name, n in hits.items()})


def single(study: Snapshot, row: BySpeaker, other: BySpeaker) -> Iterator[tuple[str, float]]:
    """What other habits would have said: t over all trainings, flat units, no pairing."""
    flat = [row[s][k] - other[s][k] for s in SPEAKERS for k in range(SEEDS)]
    yield "naive t", float(stats.ttest_1samp(flat, 0.0).pvalue)
    (_, _, p) = corrected_t(
        flat, speaker_ratio(study) / 2, mean(flat)
    )  # a unit tests one speaker of 8
    assert p is not None
    yield "flat", p
    ours, theirs = (
        np.array(unit_means(study, {s: mean(list(k.values())) for s, k in scores.items()}))
        for scores in (row, other)
    )
    error = np.sqrt((1 / PAIRS + speaker_ratio(study)) * (ours.var(ddof=1) + theirs.var(ddof=1)))
    gap = abs(ours.mean() - theirs.mean())
    yield "unpaired", 2 * float(stats.t.sf(gap / error, 2 * PAIRS - 2))
