r"""A sequential design over seeds: when is the comparison of two rows settled? Pure.

Each row is compared with a reference on the same seeds, for the same speakers and new seeds. All
rows start with three seeds. At each *interim analysis* a row is settled when it *differs* from the
reference, when more seeds are *unlikely* to show that it does, or when it has the most seeds that
the study allows (the *cap*). Rows that are still open get more seeds, up to the next interim
analysis. To test at every interim analysis is to test often; three things keep the probability of
any false difference in the table at 5 %:

- The level is spent over the interim analyses: 0.05 (n/N)^3 in all by the one at n of N seeds (Kim
  and DeMets, "Design and analysis of group sequential tests based on the type I error spending rate
  function", Biometrika 74 (1987), with rho = 3: as with O'Brien and Fleming little early and most
  at the end).
- Each analysis tests at the level that it adds to that sum, so the sum bounds the error
  (Bonferroni over the analyses). Each test is Student's t at its own number of seeds, which is
  exact with three seeds as with fifty; no joint distribution of the analyses is needed. The usual
  boundaries assume one that normal scores have, and a t of two degrees of freedom has not. Where
  each analysis has a third more seeds than the last, the bound costs little.
- The smallest p of a row over its analyses, each divided by its share of the level, is a valid p
  whatever stopped the row. Holm over the rows takes it like any other p.

To stop a row as unlikely spends nothing of the level: it can only miss a difference, never invent
one. A row that lacks a seed for ever, since a training diverged, is set aside: the others do not
wait for it, and Holm counts it by its analyses so far, without any as p = 1.

The steps and the probability at which a row is given up were chosen on the simulated tables of
`tests/benchmarks/adaptive_tables.py`; docs/statistics.md has the results. This design keeps 93 % of
the verdicts of a fixed design with ten seeds, for 69 % of its trials. Three others were tried there
and left: an analysis after every seed (88 % for 63 %); the sum over the analyses made exact by
simulation (94 % for 69 %, for a table of numbers to every cap and level); to stop at a given width
of the interval, which also stops on true differences of that size (of 3 points to each side: 76 %
for 71 %).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from orchestrator.analysis.statistics import (
    CONFIDENCE,
    holm,
    mean,
    paired_t,
    predictive_power,
)
from orchestrator.study.protocol import FEWEST_SEEDS

LEVEL = 1 - CONFIDENCE
"""0.05: the probability of any false difference in a table whose rows are all equal."""
RHO = 3
"""The exponent of Kim and DeMets's spending function."""
UNLIKELY = 0.1
"""A row gets no more seeds when the probability that it will differ at the cap is below this."""

StopReason = Literal["", "differs", "unlikely", "cap", "diverged"]
"""Why a row gets no more seeds: ``differs`` from the reference; ``unlikely`` to be shown to differ;
``cap``, it has the most seeds; ``diverged``, a training of it or of the reference did, at a seed
that the next analysis needs. Empty while it may get more."""


@dataclass(frozen=True, kw_only=True, slots=True)
class InterimResult:
    """One row compared with the reference at its last interim analysis."""

    stop_reason: StopReason
    """Why the row gets no more seeds; empty while its comparison is open."""
    seeds_wanted: int
    """Number of seeds at the row's next interim analysis; if it is settled, at its last one."""
    interims: int
    """Number of interim analyses of the row so far."""
    seeds: int
    """Number of seeds at the last interim analysis; 0 before the first."""
    ua: float | None
    """UA of the row minus that of the reference, -1 to 1, mean over those seeds; None before the
    first interim analysis."""
    low: float | None
    """Low end of a 95 % interval that holds at all interim analyses together; None below three
    seeds, and where all seeds are equal."""
    high: float | None
    """High end of the interval; None where ``low`` is None."""
    p: float | None
    """Two-sided p, corrected for all interim analyses so far, without Holm; None where no analysis
    so far gave one."""
    p_holm: float | None
    """The same p after Holm over the rows; the verdict rests on it."""

    @property
    def verdict(self) -> str:
        """Whether the row differs from the reference: ``yes`` or ``cannot tell``."""
        return "yes" if self.p_holm is not None and self.p_holm < LEVEL else "cannot tell"


_NOT_ANALYSED = InterimResult(
    stop_reason="",
    seeds_wanted=0,
    interims=0,
    seeds=0,
    ua=None,
    low=None,
    high=None,
    p=None,
    p_holm=None,
)
"""The result of a row before its first interim analysis."""


def interim_seeds(cap: int) -> tuple[int, ...]:
    """The number of seeds at each interim analysis: 3, then a third more each time, then the cap.

    An analysis that has more than five sixths of the cap's seeds is left out: it would spend a part
    of the level and show little that the cap does not.

    Args:
        cap: the most seeds of a row, at least 1; up to three seeds there is one analysis.

    Example:
        >>> interim_seeds(10), interim_seeds(20)
        ((3, 4, 6, 8, 10), (3, 4, 6, 8, 11, 15, 20))
        >>> interim_seeds(9), interim_seeds(3), interim_seeds(1)
        ((3, 4, 6, 9), (3,), (1,))
    """
    found, seeds = [], FEWEST_SEEDS
    while 6 * seeds <= 5 * cap:
        found.append(seeds)
        seeds = -(-4 * seeds // 3)
    return (*found, cap)


def level_shares(cap: int) -> tuple[float, ...]:
    """The share of the 5 % level that each interim analysis spends; the shares sum to 1.

    Example:
        >>> [round(share, 3) for share in level_shares(10)]
        [0.027, 0.037, 0.152, 0.296, 0.488]
        >>> level_shares(3)
        (1.0,)
    """
    spent = [(seeds / cap) ** RHO for seeds in interim_seeds(cap)]
    return tuple(now - before for before, now in zip([0.0, *spent], spent, strict=False))


def decide(
    differences: Mapping[str, Sequence[float | None]],
    cap: int,
    diverged: Mapping[str, int] | None = None,
) -> dict[str, InterimResult]:
    """Make every interim analysis for which the seeds are there, one after another.

    Rows are analysed together: an analysis waits for every row that is still open. Seeds beyond
    the last whole analysis, and those beyond what a settled row needed, are ignored. So the result
    depends on neither the order of trials nor on interruptions.

    Args:
        differences: row -> for each seed, from seed 0 on, the mean UA of the row minus that of the
            reference, in [-1, 1]; None, or the end of the sequence, where one is not finished.
        cap: the most seeds of a row.
        diverged: row -> the first seed that it will never have, of rows with a training that
            diverged.

    Returns:
        Row -> its last interim analysis, in the order given. A row whose values are all equal has
        no p and goes on to the cap.

    Example:
        >>> clear, noise = [0.10, 0.11, 0.09, 0.10], [0.01, -0.02, 0.02, -0.01, 0.0, 0.01]
        >>> found = decide({"a": clear, "b": noise}, cap=10)
        >>> found["a"].stop_reason, found["a"].seeds, found["a"].verdict
        ('differs', 4, 'yes')
        >>> found["b"].stop_reason, found["b"].seeds, found["b"].verdict
        ('unlikely', 6, 'cannot tell')
        >>> one = decide({"a": [0.10]}, cap=10)["a"]
        >>> one.stop_reason, one.seeds_wanted, one.seeds, one.p
        ('', 3, 0, None)
    """
    found = dict.fromkeys(differences, _NOT_ANALYSED)
    for seeds, share in zip(interim_seeds(cap), level_shares(cap), strict=True):
        for name, result in found.items():
            if not result.stop_reason:
                is_gone = (diverged or {}).get(name, cap) < seeds
                reason: StopReason = "diverged" if is_gone else ""
                found[name] = replace(result, seeds_wanted=seeds, stop_reason=reason)
        still = [name for name, result in found.items() if not result.stop_reason]
        seen = {name: _until_missing(differences[name][:seeds]) for name in still}
        if any(len(values) < seeds for values in seen.values()):
            break
        for name, values in seen.items():
            found[name] = _analysed(found[name], values, share)
        found = _with_holm(found)
        undecided = sum(result.verdict != "yes" for result in found.values())
        for name, values in seen.items():
            found[name] = replace(
                found[name], stop_reason=_stop_reason(found[name], values, cap, undecided)
            )
    return {
        name: replace(result, stop_reason="differs") if result.verdict == "yes" else result
        for name, result in found.items()  # Holm may find that a row differs after it was given up
    }


def _until_missing(values: Sequence[float | None]) -> list[float]:
    """The values before the first None."""
    return [
        v
        for v in values[: next((i for i, v in enumerate(values) if v is None), None)]
        if v is not None
    ]


def _analysed(before: InterimResult, values: Sequence[float], share: float) -> InterimResult:
    """The result of a row after one more interim analysis, without Holm.

    Args:
        before: the result of the interim analysis before this one.
        values: one difference in UA for each seed so far.
        share: the share of the level that this analysis spends, in (0, 1].
    """
    low, high, p = paired_t(values, confidence=1 - LEVEL * share)
    corrected = [p / share] if p is not None else []
    earlier = [before.p] if before.p is not None else []
    return replace(
        before,
        interims=before.interims + 1,
        seeds=len(values),
        ua=mean(values),
        low=low,
        high=high,
        p=min([1.0, *corrected, *earlier]) if corrected or earlier else None,
    )


def _with_holm(found: Mapping[str, InterimResult]) -> dict[str, InterimResult]:
    """The results with ``p_holm`` set, by Holm over all rows; a row without p counts as p = 1."""
    adjusted = holm({name: 1.0 if s.p is None else s.p for name, s in found.items()})
    return {
        name: replace(s, p_holm=None if s.p is None else adjusted[name])
        for name, s in found.items()
    }


def _stop_reason(
    result: InterimResult, values: Sequence[float], cap: int, undecided: int
) -> StopReason:
    """Whether this interim analysis settles the row, and why.

    Args:
        result: the row's result at this analysis, after Holm.
        values: one difference in UA for each seed so far.
        cap: the most seeds of a row.
        undecided: how many rows are not known to differ; the level at the cap is divided by it.
    """
    if result.verdict == "yes":
        return "differs"
    if len(values) >= cap:
        return "cap"
    level = LEVEL * level_shares(cap)[-1] / undecided
    chance = predictive_power(values, cap, level)
    return "unlikely" if chance is not None and chance < UNLIKELY else ""
