"""Tables of known truth, drawn by the thousand and judged at once: what does a family's test keep?

    .venv/bin/python -m tests.benchmarks.family_tables     writes docs/simulation.md

    .venv/bin/python -m pytest -m bench -s tests/benchmarks/test_family_tables.py     checks it

A row's score in a held-out pair is the sum of what the row is to its two speakers, to the pair, to
the seeds of its trainings, of the utterances that happened to be counted, and of the luck that all
of its trainings share. Every part is a normal variable (or a heavy-tailed one), so that a table is
one array of a few dozen numbers. Difficulty of a speaker, which all rows share, falls out of every
difference and is not drawn. Scores are in points.

The test is written for arrays here; `test_family_tables.py` holds it equal to the one that judges
your tables.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import product

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from scipy import optimize, special, stats

TABLES = 10_000
PAIRS, SEEDS, COMPARISONS = (5, 12, 45), (1, 3, 5, 10), (1, 2, 6, 9)
SPEAKER, PAIR, SEED = 3.0, 2.0, 3.0
"""Deviations in points of what a row is to a speaker, to a pair, and to a seed."""
UTTERANCES = {"RAVDESS": 8.0, "IEMOCAP": 2.0}
"""Deviation in points of one speaker's UA in one training: of 8 + 8 + 8 + 4 utterances, of 550."""
SHAPES = ("normal", "heavy tails", "one row 2.5 x")
"""How rows scatter over pairs: normal; Student's t of 3 degrees of freedom with the same deviation;
normal, with a deviation 2.5 times as large in the first row."""
WIDE, TAILS = 2.5, 3
LUCKS = ("0", "1.5/√speakers", "at the bound", "1.5")
"""Deviation in points of the luck that all trainings of a row share. "At the bound" is what a table
tolerates by `orchestrator.analysis.family.tolerated_luck`, if it knew the true deviation."""
LEVEL = 0.05
METHODS = ("corrected t", "moderated t", "pooled")

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Design:
    """What a study was: so many pairs and seeds, of such a corpus, with rows that scatter so."""

    pairs: int
    seeds: int
    corpus: str = "IEMOCAP"
    shape: str = "normal"

    @property
    def ratio(self) -> float:
        """Test speakers / training speakers."""
        return 1 / (self.pairs - 1)

    @property
    def deviation(self) -> float:
        """True deviation of one row's score between pairs, in points, without shared luck."""
        utterances = UTTERANCES[self.corpus]
        trained = (SEED**2 + utterances**2 / 2) / self.seeds
        return float(np.sqrt(SPEAKER**2 / 2 + PAIR**2 + trained))

    def luck(self, name: str) -> float:
        """The deviation in points of a luck of ``LUCKS``."""
        if name == "at the bound":
            return float(np.sqrt(2) * self.deviation * np.sqrt(self.ratio / 2))
        return {"0": 0.0, "1.5/√speakers": 1.5 / np.sqrt(2 * self.pairs), "1.5": 1.5}[name]


def draw(design: Design, rows: int, tables: int, rng: Generator) -> Array:
    """Scores in points without luck, shape (tables, rows, pairs); the last row is the reference."""
    size = (tables, rows, design.pairs)
    if design.shape == "heavy tails":
        own = rng.standard_t(TAILS, size) * np.sqrt((TAILS - 2) / TAILS)
    else:
        own = rng.standard_normal(size)
    own *= design.deviation
    if design.shape == "one row 2.5 x":
        own[:, 0] *= WIDE
    return own


# --- the tests, for arrays -------------------------------------------------------------------


@dataclass(frozen=True)
class Errors:
    """Standard errors of the comparisons of many tables, all of one method."""

    method: str
    """One of ``METHODS``."""
    error: Array
    """In points, shape (tables, comparisons)."""
    df: Array
    """Degrees of freedom of all comparisons of a table, shape (tables, 1)."""
    luck: Array
    """Tolerated luck in points, the least of each table, shape (tables,)."""

    def shown(self, gap: Array) -> NDArray[np.bool_]:
        """Whether each mean difference, in points, is shown to differ from 0 in its family."""
        t = np.abs(gap) / self.error
        if self.method == "pooled":
            return np.asarray(t > dunnett(t.shape[1], int(self.df[0, 0])))
        return holm(2 * special.stdtr(self.df, -t)) < LEVEL

    def any_shown(self, gap: Array) -> NDArray[np.bool_]:
        """Whether any difference of a table is shown: the first step, without the others."""
        t = np.max(np.abs(gap) / self.error, axis=1, keepdims=True)
        if self.method == "pooled":
            return np.asarray(t > dunnett(gap.shape[1], int(self.df[0, 0])))[:, 0]
        return np.asarray(2 * special.stdtr(self.df, -t) * gap.shape[1] < LEVEL)[:, 0]


def moderated(variances: Array, df: int) -> tuple[Array, Array]:
    """`moderation.moderated_variances` for many families, shape (tables, comparisons)."""
    tables, m = variances.shape
    if m == 1:
        return variances, np.full((tables, 1), float(df))
    floored = np.maximum(variances, 1e-5 * np.median(variances, axis=1, keepdims=True))
    logs = np.log(floored) - special.digamma(df / 2) + np.log(df / 2)
    middle, excess = logs.mean(axis=1), logs.var(axis=1, ddof=1) - special.polygamma(1, df / 2)
    prior_df, prior = np.full(tables, np.inf), floored.mean(axis=1)
    known = excess > 0
    half = _inverse_trigamma(excess[known])
    prior_df[known] = 2 * half
    prior[known] = np.exp(middle[known] + special.digamma(half) - np.log(half))
    post = np.repeat(prior[:, None], m, axis=1)
    weight = prior_df[known, None]
    post[known] = (weight * prior[known, None] + df * variances[known]) / (weight + df)
    return post, np.minimum(prior_df + df, m * df)[:, None]


def _inverse_trigamma(values: Array) -> Array:
    x = 0.5 + 1 / values
    for _ in range(30):
        trigamma = special.polygamma(1, x)
        x = x + trigamma * (1 - trigamma / values) / special.polygamma(2, x)
    return np.asarray(np.where(values > 1e7, values**-0.5, np.where(values < 1e-6, 1 / values, x)))


def errors(scores: Array, ratio: float, method: str) -> Errors:
    """The standard errors of every row against the last one.

    Args:
        scores: in points, shape (tables, rows, pairs).
        ratio: test speakers / training speakers.
        method: one of ``METHODS``.
    """
    differences = scores[:, :-1] - scores[:, -1:]
    (tables, m, pairs), df = differences.shape, scores.shape[2] - 1
    variances, total = differences.var(axis=2, ddof=1), np.full((tables, 1), float(df))
    if method == "moderated t":
        variances, total = moderated(variances, df)
    elif method == "pooled":
        residual = scores - scores.mean(axis=2, keepdims=True)
        residual -= residual.mean(axis=1, keepdims=True)
        variances = np.repeat(2 * (residual**2).sum(axis=(1, 2))[:, None] / (m * df), m, axis=1)
        total = m * total
    return Errors(
        method=method,
        error=np.sqrt(variances * (1 / pairs + ratio)),
        df=total,
        luck=np.sqrt(variances.min(axis=1) * ratio / 2),
    )


def holm(p: Array) -> Array:
    """Holm's adjustment within each table, shape (tables, comparisons)."""
    order = np.argsort(p, axis=1)
    steps = np.take_along_axis(p, order, axis=1) * np.arange(p.shape[1], 0, -1)
    adjusted = np.empty_like(p)
    np.put_along_axis(adjusted, order, np.minimum(1, np.maximum.accumulate(steps, axis=1)), axis=1)
    return adjusted


@lru_cache
def dunnett(m: int, df: int) -> float:
    """Dunnett's two-sided critical value at 5 % for m rows against one reference."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(60)
    chi = np.sqrt(special.chdtri(df, (np.arange(400) + 0.5) / 400) / df)

    def outside(bar: float) -> float:
        ends = [(sign * bar * chi[:, None] * np.sqrt(2) + nodes) for sign in (1, -1)]
        within = special.ndtr(ends[0]) - special.ndtr(ends[1])
        return 1 - float(((within**m) @ weights / weights.sum()).mean())

    return float(optimize.brentq(lambda bar: outside(bar) - LEVEL, 0.5, 60))


# --- counts ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Cell:
    """What one method does on the tables of one design, family and luck."""

    design: Design
    comparisons: int
    luck: str
    method: str
    tables: int
    false: int
    """Tables in which nothing differs and something is shown."""
    coverage: float
    """Share of the 95 % intervals of all rows that hold the truth."""
    least_coverage: float
    """The same of the row that has the least."""
    half: float
    """Mean half width in points."""
    power: dict[int, float]
    """True difference of one row in points -> share of tables that show it; without luck."""
    told: int
    """Tables whose printed promise is for this luck, or more of it."""
    told_false: int
    """Those of them with something shown."""

    @property
    def rate(self) -> float:
        """Share of tables with a false verdict."""
        return self.false / self.tables

    @property
    def is_promised(self) -> bool:
        """Whether most tables of this design print a promise for this luck."""
        return 2 * self.told >= self.tables

    @property
    def least(self) -> float:
        """Lower end of the 99 % interval of the rate (Clopper and Pearson)."""
        return least_rate(self.false, self.tables)


def least_rate(events: int, of: int) -> float:
    """Lower end of Clopper and Pearson's 99 % interval of a rate."""
    return float(stats.beta.ppf(0.005, events, of - events + 1)) if events else 0.0


def cells(
    design: Design,
    *,
    tables: int = TABLES,
    methods: Sequence[str] = METHODS,
    comparisons: Sequence[int] = COMPARISONS,
    lucks: Sequence[str] = LUCKS,
) -> Iterator[Cell]:
    """Draw the tables of a design and count. All cells of a design rest on the same draws."""
    rng = np.random.default_rng([20, design.pairs, design.seeds, ord(design.corpus[0])])
    rows = max(comparisons) + 1
    own = draw(design, rows, tables, rng)
    of_one = rng.standard_normal((tables, rows))
    for m, method in product(comparisons, methods):
        used = [*range(m), rows - 1]
        found = errors(own[:, used], design.ratio, method)
        by_chance = own[:, used].mean(axis=2)
        half = found.error * special.stdtrit(found.df, 1 - LEVEL / 2)
        for name in lucks:
            means = by_chance + design.luck(name) * of_one[:, used]  # no spread shows this luck
            gap = means[:, :-1] - means[:, -1:]
            false, told = found.any_shown(gap), found.luck >= design.luck(name)
            holds = np.abs(gap) <= half
            yield Cell(
                design=design,
                comparisons=m,
                luck=name,
                method=method,
                tables=tables,
                false=int(false.sum()),
                coverage=float(holds.mean()),
                least_coverage=float(holds.mean(axis=0).min()),
                half=float(half.mean()),
                power=_power(found, gap) if name == LUCKS[0] else {},
                told=int(told.sum()),
                told_false=int((told & false).sum()),
            )


def _power(found: Errors, gap: Array) -> dict[int, float]:
    """True difference of the last row, in points -> how often it is shown."""
    shown = {}
    for points in (4, 8):
        moved = gap.copy()
        moved[:, -1] += points
        shown[points] = float(found.shown(moved)[:, -1].mean())
    return shown


def designs() -> Iterator[Design]:
    """Every design of the simulation."""
    for corpus, shape, pairs, seeds in product(UTTERANCES, SHAPES, PAIRS, SEEDS):
        yield Design(pairs, seeds, corpus, shape)
