"""Differences in UA between two rows, with intervals and p over speakers and over seeds. Pure.

A difference answers one of two questions, and they are never mixed. *Would it hold for new
speakers?* Seeds are averaged within a speaker, speakers within a held-out group, and the interval
rests on the groups. *Would it hold if these speakers were trained again?* There is one value for
each seed, the mean over all speakers. `statistics.py` has the formulas; scores are fractions.
"""

from collections.abc import Container, Mapping
from dataclasses import dataclass, replace

from orchestrator.analysis.row_scores import BySpeaker, group_means, speaker_ratio
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
"""Of a row ``yes`` (differs from the reference) or ``cannot tell``; of a claim ``supports``,
``contradicts`` or ``cannot tell``; of either ``open`` (of a row with its trainings, such as
``open, 7 of 15``) while it must not be judged; empty where there is nothing to judge."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SeedDifference:
    """UA of a row minus that of the reference, tested over seeds: same speakers, new seeds.

    In an adaptive study it is the one of the last interim analysis, with interval and p corrected
    for all analyses so far.
    """

    ua: float
    """Mean difference in UA over seeds, -1 to 1."""
    low: float | None
    """Low end of the 95 % interval; None below three seeds, and where all seeds are equal."""
    high: float | None
    """High end of the interval; None where ``low`` is None."""
    p: float | None
    """Two-sided p of the paired t over seeds, without Holm; None where the interval is None, and
    where the row must not be judged yet."""
    seeds: int
    """Number of seeds that both rows have finished for every speaker."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Difference:
    """UA of a row minus that of the reference, tested over held-out groups: new speakers.

    The test is Nadeau and Bengio's corrected t (`statistics.corrected_t`).
    """

    ua: float
    """Mean difference in UA over speakers, -1 to 1."""
    low: float | None
    """Low end of the 95 % interval of the corrected t; None below two groups, and where all groups
    are equal."""
    high: float | None
    """High end of the interval; None where ``low`` is None."""
    p: float | None
    """Two-sided p of the corrected t, after Holm over all comparisons that the table asks for; None
    where the interval is None, and where the row must not be judged yet (``completeness.py``)."""
    groups: int
    """Number of held-out groups in which both rows have a finished training."""
    p_alone: float | None = None
    """The same p without Holm."""
    p_sign_flip: float | None = None
    """Two-sided p of the exact sign-flip test over groups, without Holm; the verdict does not use
    it. None above 20 groups."""
    effect: float | None = None
    """Effect size: Cohen's d_z over groups with Hedges's correction; None below three groups, and
    where all groups are equal."""
    detectable: float | None = None
    """The smallest true difference in UA, above 0, that the corrected t shows with 80 % power; None
    where the interval is None."""
    over_seeds: SeedDifference | None = None
    """The same difference tested over seeds; None where no seed is finished, or the seed has no
    effect."""


def compare_with_reference(
    snapshot: Snapshot, scores: Mapping[str, BySpeaker], open_rows: Container[str] = ()
) -> dict[str, Difference]:
    """Compare every row with the reference, on the speakers and seeds that both have finished.

    Args:
        snapshot: the study: its folds and the name of the reference.
        scores: row -> test speaker -> seed -> UA, 0 to 1.
        open_rows: names of the rows that must not be judged: they get no p, and count as p = 1 in
            that of the others (see ``completeness.py``).

    Returns:
        Row -> difference, with p after Holm over the rows. Rows that share no finished training
        with the reference are left out. Empty where the study has no reference.
    """
    if snapshot.reference is None:
        return {}
    reference = scores[snapshot.reference]
    found: dict[str, Difference] = {}
    p_alone: dict[str, float] = {}
    for name, row in scores.items():
        if name == snapshot.reference:
            continue
        p_alone[name] = 1.0
        difference = difference_between(snapshot, row, reference, comparisons=len(scores) - 1)
        if difference is None:
            continue
        found[name] = difference = without_p(difference) if name in open_rows else difference
        if difference.p_alone is not None:
            p_alone[name] = difference.p_alone
    adjusted = holm(p_alone)
    return {
        name: d if d.p_alone is None else replace(d, p=adjusted[name]) for name, d in found.items()
    }


def without_p(difference: Difference) -> Difference:
    """The difference with its interval, but without any p: it must not be judged yet."""
    over_seeds = difference.over_seeds and replace(difference.over_seeds, p=None)
    return replace(difference, p=None, p_alone=None, p_sign_flip=None, over_seeds=over_seeds)


def difference_between(
    snapshot: Snapshot, row: BySpeaker, other: BySpeaker, *, comparisons: int
) -> Difference | None:
    """Compare two rows on the speakers and seeds that both have finished.

    Args:
        snapshot: the study: its folds.
        row: test speaker -> seed -> UA, 0 to 1.
        other: the same of the row that is subtracted.
        comparisons: how many comparisons the table has, for ``Difference.detectable``.

    Returns:
        ``row`` minus ``other``, without Holm: ``p`` is None, ``p_alone`` is set. None where the
        rows share no finished training.
    """
    by_speaker = _paired(row, other)
    if not by_speaker:
        return None
    groups, centre = group_means(snapshot, by_speaker), mean(list(by_speaker.values()))
    low, high, p = corrected_t(groups, speaker_ratio(snapshot), centre)
    return Difference(
        ua=centre,
        low=low,
        high=high,
        p=None,
        groups=len(groups),
        p_alone=p,
        p_sign_flip=sign_flip(groups),
        effect=effect_size(groups),
        detectable=detectable(groups, speaker_ratio(snapshot), comparisons),
        over_seeds=_over_seeds(snapshot, row, other),
    )


def _paired(row: BySpeaker, other: BySpeaker) -> dict[str, float]:
    """Test speaker -> mean difference over the seeds that both rows have finished."""
    by_speaker = {}
    for speaker in row.keys() & other.keys():
        ours, theirs = row[speaker], other[speaker]
        if seeds := ours.keys() & theirs.keys():
            by_speaker[speaker] = mean([ours[s] - theirs[s] for s in seeds])
    return by_speaker


def _over_seeds(snapshot: Snapshot, row: BySpeaker, other: BySpeaker) -> SeedDifference | None:
    """The difference over the seeds that both rows have finished for all speakers; else None."""
    differences = [d for d in differences_by_seed(snapshot, row, other) if d is not None]
    if not differences:
        return None
    low, high, p = paired_t(differences)
    return SeedDifference(ua=mean(differences), low=low, high=high, p=p, seeds=len(differences))


def at_last_interim(result: InterimResult) -> SeedDifference | None:
    """The difference over seeds at a row's last interim analysis; None before its first one."""
    if result.ua is None:
        return None
    return SeedDifference(
        ua=result.ua, low=result.low, high=result.high, p=result.p, seeds=result.seeds
    )


def verdict_of(difference: Difference) -> Verdict:
    """Whether the row differs from the reference, at 5 % after Holm: ``yes`` or ``cannot tell``.

    It is never ``no``: an interval that contains 0 does not show that there is no difference.
    """
    return "yes" if difference.p is not None and difference.p < 1 - CONFIDENCE else "cannot tell"


def differences_by_seed(snapshot: Snapshot, row: BySpeaker, other: BySpeaker) -> list[float | None]:
    """The mean difference in UA over all test speakers, seed by seed.

    Returns:
        One value for each seed of the study, in [-1, 1]; None where a speaker of either row is not
        finished.
    """
    speakers = [name for fold in snapshot.folds for name in (*fold.a, *fold.b)]
    return [
        mean([row[s][seed] - other[s][seed] for s in speakers])
        if all(seed in row.get(s, {}) and seed in other.get(s, {}) for s in speakers)
        else None
        for seed in range(snapshot.seeds)
    ]
