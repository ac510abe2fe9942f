"""Rows against a reference: differences, intervals and p over speakers, and over seeds. Pure.

Two questions are asked of a row and its reference, and never mixed. *Would it hold for new
speakers?* Seeds are averaged within a speaker, speakers within a held-out group, and the interval
rests on the J groups. *Would it hold for these speakers, trained again?* One value a seed, the mean
over all speakers. The formulas stand in `statistics.py`; scores are fractions, 0 to 1.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from orchestrator.analysis.row_scores import BySpeaker, group_means, test_to_train
from orchestrator.analysis.sequential import InterimResult
from orchestrator.analysis.statistics import (
    CONFIDENCE,
    corrected_t,
    detectable,
    effect_size,
    holm,
    mean,
    paired_t,
    sign_flip,
)
from orchestrator.store.snapshot import Snapshot

Verdict = str
"""``yes``, ``cannot tell``; for a claim ``supports``, ``contradicts``, ``cannot tell``; or ````."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SeedDifference:
    """A row minus the reference for *these speakers, new seeds*; ends None below three seeds.

    Of an adaptive study: at the last look, interval and p corrected for looking.
    """

    ua: float
    low: float | None
    high: float | None
    p: float | None
    """Two-sided p of the paired t over seeds, not adjusted."""
    seeds: int
    """Seeds that both have finished for every speaker."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Difference:
    """A row minus the reference, on UA, paired by held-out group: for *new speakers*."""

    ua: float
    low: float | None
    high: float | None
    p: float | None
    """Two-sided p of the corrected t, after Holm over the table's rows; None where there is no
    spread, as below two groups."""
    groups: int
    p_alone: float | None = None
    """The same p before Holm."""
    p_sign_flip: float | None = None
    """Exact sign-flip test over the groups, not adjusted; stands beside, gives no verdict."""
    effect: float | None = None
    """Cohen's d_z over groups with Hedges's correction."""
    detectable: float | None = None
    """The smallest true difference that would have been shown with 80 % power."""
    over_seeds: SeedDifference | None = None
    """The other question; None where no seed is finished, or seeds gave equal predictions."""


def compare_with_reference(
    snapshot: Snapshot, scores: Mapping[str, BySpeaker]
) -> dict[str, Difference]:
    """Every row against the reference, on the speakers and seeds that both have.

    Args:
        snapshot: folds, and the reference; without one there is nothing to compare.
        scores: row -> speaker -> seed -> UA.

    Returns:
        Row -> difference; rows that share no trial with the reference are left out.
    """
    if snapshot.reference is None:
        return {}
    reference = scores[snapshot.reference]
    found: dict[str, Difference] = {}
    for name, row in scores.items():
        if name != snapshot.reference:
            difference = difference_between(snapshot, row, reference, comparisons=len(scores) - 1)
            if difference is not None:
                found[name] = difference
    adjusted = holm({name: d.p_alone for name, d in found.items() if d.p_alone is not None})
    return {name: replace(d, p=adjusted.get(name)) for name, d in found.items()}


def difference_between(
    snapshot: Snapshot, row: BySpeaker, other: BySpeaker, *, comparisons: int
) -> Difference | None:
    """One row against another, before Holm."""
    by_speaker = _paired(row, other)
    if not by_speaker:
        return None
    groups, centre = group_means(snapshot, by_speaker), mean(list(by_speaker.values()))
    low, high, p = corrected_t(groups, test_to_train(snapshot), centre)
    return Difference(
        ua=centre,
        low=low,
        high=high,
        p=None,
        groups=len(groups),
        p_alone=p,
        p_sign_flip=sign_flip(groups),
        effect=effect_size(groups),
        detectable=detectable(groups, test_to_train(snapshot), comparisons),
        over_seeds=_over_seeds(snapshot, row, other),
    )


def _paired(row: BySpeaker, other: BySpeaker) -> dict[str, float]:
    """Differences by speaker, averaged over the seeds that both have."""
    by_speaker = {}
    for speaker in row.keys() & other.keys():
        ours, theirs = row[speaker], other[speaker]
        if seeds := ours.keys() & theirs.keys():
            by_speaker[speaker] = mean([ours[s] - theirs[s] for s in seeds])
    return by_speaker


def _over_seeds(snapshot: Snapshot, row: BySpeaker, other: BySpeaker) -> SeedDifference | None:
    """One value a seed: the mean over all speakers, of seeds that lack none."""
    differences = [d for d in differences_by_seed(snapshot, row, other) if d is not None]
    if not differences:
        return None
    low, high, p = paired_t(differences)
    return SeedDifference(ua=mean(differences), low=low, high=high, p=p, seeds=len(differences))


def at_last_interim(standing: InterimResult) -> SeedDifference | None:
    """The same of an adaptive study, as it was at the last look; None before the first."""
    if standing.ua is None:
        return None
    return SeedDifference(
        ua=standing.ua, low=standing.low, high=standing.high, p=standing.p, seeds=standing.seeds
    )


def verdict_of(difference: Difference) -> Verdict:
    """Whether the row differs from the reference, at 5 % after Holm.

    There is no ``no``: an interval that holds 0 has not shown that there is no difference.
    """
    return "yes" if difference.p is not None and difference.p < 1 - CONFIDENCE else "cannot tell"


def differences_by_seed(snapshot: Snapshot, row: BySpeaker, other: BySpeaker) -> list[float | None]:
    """One value a seed, the mean difference over all speakers; None where one is lacking."""
    speakers = [s for fold in snapshot.folds for s in (*fold.a, *fold.b)]
    return [
        mean([row[s][seed] - other[s][seed] for s in speakers])
        if all(seed in row.get(s, {}) and seed in other.get(s, {}) for s in speakers)
        else None
        for seed in range(snapshot.seeds)
    ]
