r"""When is a comparison settled? A sequential design over seeds: numbers in, numbers out.

Rows are compared with a reference on the same seeds, for *these speakers, new seeds*. All start
with three; then, look by look, only comparisons that are still open get more, up to a cap. A look
settles a row when it *differs*, when further seeds are *unlikely* to show that it does, or at the
*cap*. Looking often is testing often; three things keep the promise of 5 % over the whole table:

- The level is spent over the looks: by n of N seeds, 0.05 (n/N)^3 in all (Kim and DeMets, "Design
  and analysis of group sequential tests based on the type I error spending rate function",
  Biometrika 74 (1987), with rho = 3: near O'Brien and Fleming, little early and most at the end).
- A look tests at what it adds to that, so the sum bounds the error (Bonferroni over the looks).
  Each is Student's t at its own n: exact with three seeds as with fifty, and no joint distribution
  of the looks is needed. The usual boundaries lean on one that normal scores have and t at two
  degrees of freedom has not. Over looks that lie a third apart the bound costs little.
- A row's smallest p over its looks, each divided by its share, is a p whatever stopped the row.
  Holm over the rows takes it as any other.

To give up spends nothing: it can only lose a difference, never make one.

The steps and the chance were chosen on the drawn tables of `tests/benchmarks/adaptive_tables.py`;
what they give stands in docs/statistics.md. Tried at ten seeds, and left (this keeps 93 % of
the verdicts of a fixed design for 69 % of its trials): a look after every seed (88 % for 63 %); the
sum over the looks made exact by simulation (94 % for 69 %, for a table of numbers to every cap and
level); to stop at a stated width, which also stops on true differences of that size (of 3 points to
each side: 76 % for 71 %).
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
RHO = 3
UNLIKELY = 0.1
"""A row is given up when the cap would show its difference with a smaller probability."""

StopReason = Literal["", "differs", "unlikely", "cap"]
"""Why a row gets no more seeds; empty while it may."""


@dataclass(frozen=True, kw_only=True, slots=True)
class InterimResult:
    """How far a row's comparison is. What no look bears is None."""

    stop_reason: StopReason
    seeds_wanted: int
    """Seeds that the design asks of the row so far."""
    interims: int
    """Looks that it had."""
    seeds: int
    """Seeds of the last of them; 0 before the first."""
    ua: float | None
    """Row minus reference, the mean over those seeds."""
    low: float | None
    high: float | None
    """95 % at that look, corrected for looking: all looks' intervals hold at once."""
    p: float | None
    """Two-sided, corrected for looking; before Holm."""
    p_holm: float | None
    """After Holm over the rows."""

    @property
    def verdict(self) -> str:
        """``yes`` or ``cannot tell``."""
        return "yes" if self.p_holm is not None and self.p_holm < LEVEL else "cannot tell"


_UNSEEN = InterimResult(
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


def interim_seeds(cap: int) -> tuple[int, ...]:
    """After how many seeds a comparison is looked at: 3, then a third more each time, and the cap.

    A look that the cap follows within a fifth is left out: it would spend and tell little.

    Args:
        cap: most seeds of a row, 1 or more; up to three there is one look.

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
    """What each look spends of the level; together all of it.

    Example:
        >>> [round(share, 3) for share in level_shares(10)]
        [0.027, 0.037, 0.152, 0.296, 0.488]
        >>> level_shares(3)
        (1.0,)
    """
    spent = [(seeds / cap) ** RHO for seeds in interim_seeds(cap)]
    return tuple(now - before for before, now in zip([0.0, *spent], spent, strict=False))


def decide(differences: Mapping[str, Sequence[float | None]], cap: int) -> dict[str, InterimResult]:
    """Where every comparison stands, decided look by look from the seeds that are there.

    All rows are looked at together: a look waits for every row that is still open. What lies
    beyond the last whole look, or beyond the seeds a settled row was asked for, is not looked at;
    so the answer depends on neither order nor interruptions.

    Args:
        differences: row -> its mean UA less the reference's, one value a seed from seed 0 on, in
            [-1, 1]; None, or the end of the sequence, where either is not finished.
        cap: most seeds of a row.

    Returns:
        Row -> standing, in the order given. Values that are all equal bear no p: such rows go on
        to the cap.

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
    found = dict.fromkeys(differences, _UNSEEN)
    for seeds, share in zip(interim_seeds(cap), level_shares(cap), strict=True):
        still = [name for name, standing in found.items() if not standing.stop_reason]
        seen = {name: _whole(differences[name][:seeds]) for name in still}
        for name in still:
            found[name] = replace(found[name], seeds_wanted=seeds)
        if any(len(values) < seeds for values in seen.values()):
            break
        for name, values in seen.items():
            found[name] = _looked(found[name], values, share)
        found = _adjusted(found)
        unshown = sum(standing.verdict != "yes" for standing in found.values())
        for name, values in seen.items():
            found[name] = replace(
                found[name], stop_reason=_stop_reason(found[name], values, cap, unshown)
            )
    return {
        name: replace(standing, stop_reason="differs") if standing.verdict == "yes" else standing
        for name, standing in found.items()  # Holm may show a row after it was given up
    }


def _whole(values: Sequence[float | None]) -> list[float]:
    """The values before the first that is missing."""
    return [
        v
        for v in values[: next((i for i, v in enumerate(values) if v is None), None)]
        if v is not None
    ]


def _looked(before: InterimResult, values: Sequence[float], share: float) -> InterimResult:
    """A row after one more look, before Holm."""
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


def _adjusted(found: Mapping[str, InterimResult]) -> dict[str, InterimResult]:
    """Holm over all rows; one that bears no p counts as one of 1."""
    adjusted = holm({name: 1.0 if s.p is None else s.p for name, s in found.items()})
    return {
        name: replace(s, p_holm=None if s.p is None else adjusted[name])
        for name, s in found.items()
    }


def _stop_reason(
    standing: InterimResult, values: Sequence[float], cap: int, unshown: int
) -> StopReason:
    """Whether this look settles the row; ``unshown`` rows are not known to differ."""
    if standing.verdict == "yes":
        return "differs"
    if len(values) >= cap:
        return "cap"
    level = LEVEL * level_shares(cap)[-1] / unshown
    chance = predictive_power(values, cap, level)
    return "unlikely" if chance is not None and chance < UNLIKELY else ""
