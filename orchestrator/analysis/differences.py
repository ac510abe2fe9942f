"""Differences in UA between two rows, with intervals and p over speakers and over seeds. Pure.

A difference answers one of two questions, and they are never mixed. *Would it hold for new
speakers?* Seeds are averaged within a speaker, speakers within a held-out group, and the interval
rests on the groups; where the speakers are dealt several times, seeds and deals are averaged within
a speaker, and it rests on the speakers. *Would it hold if these speakers were trained again?* There
is one value for each seed, the mean over all speakers, or one for each deal, since the seeds of a
deal share its groups. `statistics.py` has the formulas; scores are fractions.
"""

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, replace

from orchestrator.analysis.crossed import CrossedContrast
from orchestrator.analysis.family import Contrast, Judgement, judge_family, speaker_contrast
from orchestrator.analysis.row_scores import BySpeaker, means_over_seeds, unit_means
from orchestrator.analysis.sequential import InterimResult
from orchestrator.analysis.statistics import (
    CONFIDENCE,
    Name,
    mean,
    paired_t,
    sign_flip,
)
from orchestrator.store.snapshot import Snapshot

Verdict = str
"""Of a row ``yes`` (differs from the reference) or ``cannot tell``; of a claim ``supports``,
``contradicts`` or ``cannot tell``; of either ``open`` (of a row with its trainings, such as
``open, 7 of 15``) while it must not be judged; empty where there is nothing to judge."""


NO_SCORE = "no score"
"""Stands in place of the verdict where a training of the row, or of the reference, does not have
the study's score, such as averaged weights where it stopped early."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SeedDifference:
    """UA of a row minus that of the reference, tested over seeds: same speakers, new seeds.

    Where the speakers are dealt several times it is tested over deals: same speakers, new groups.
    The seeds of one deal are not independent, since what its groups do to a row is in all of them.
    In an adaptive study it is the one of the last interim analysis, with interval and p corrected
    for all analyses so far.
    """

    ua: float
    """Mean difference in UA over seeds or deals, -1 to 1."""
    low: float | None
    """Low end of the 95 % interval; None below three seeds or deals, and where all are equal."""
    high: float | None
    """High end of the interval; None where ``low`` is None."""
    p: float | None
    """Two-sided p of the paired t over seeds or deals, without Holm; None where the interval is
    None, and where the row must not be judged yet."""
    seeds: int
    """Number of seeds that both rows have finished for every speaker; of each deal, if there are
    several."""
    deals: int = 1
    """Number of deals that both rows have finished for every speaker and seed."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Difference:
    """UA of a row minus that of the reference, for new speakers.

    It is tested over the study's independent units: held-out groups or, where the speakers are
    dealt several times, speakers (``row_scores.unit_means``). The test is that of
    `family.judge_family`: several comparisons share their variances.
    """

    ua: float
    """Mean difference in UA over speakers, -1 to 1."""
    low: float | None
    """Low end of the 95 % interval; None below two units, and where all are equal."""
    high: float | None
    """High end of the interval; None where ``low`` is None."""
    p: float | None
    """Two-sided p after Holm over all comparisons that the table asks for; None where the interval
    is None, and where the row must not be judged yet (``completeness.py``)."""
    groups: int
    """Number of independent units in which both rows have a finished training."""
    p_alone: float | None = None
    """The same p without Holm."""
    p_sign_flip: float | None = None
    """Two-sided p of the exact sign-flip test over groups, without Holm; the verdict does not use
    it. None above 20 groups, and for speakers, since those who share trainings do not flip alone.
    """
    effect: float | None = None
    """Effect size: Cohen's d_z over units with Hedges's correction; None where all are equal, and
    where the test has one degree of freedom."""
    detectable: float | None = None
    """The smallest true difference in UA, above 0, that the test shows with 80 % power; None where
    the interval is None."""
    df: float | None = None
    """Degrees of freedom of the test: units - 1, and more where comparisons share their variances;
    None where the interval is None, and on a published split."""
    luck: float | None = None
    """The largest luck of a row, as a deviation in UA that all of its trainings share, for which
    the test keeps its 5 %; None where the interval is None, and on a published split."""
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
    pairs = {name: (row, reference) for name, row in scores.items() if name != snapshot.reference}
    return compare_pairs(snapshot, pairs, open_rows)


def compare_pairs(
    snapshot: Snapshot,
    pairs: Mapping[Name, tuple[BySpeaker, BySpeaker]],
    open_pairs: Container[Name] = (),
) -> dict[Name, Difference]:
    """Compare pairs of rows as one family, on the trainings that both rows have finished.

    Args:
        snapshot: the study: its folds.
        pairs: name -> the scores of two rows, of which the second is subtracted. All comparisons
            that are asked for.
        open_pairs: names of the pairs that must not be judged: they get no p, and count as p = 1 in
            that of the others.

    Returns:
        Name -> difference, with p after Holm over the pairs. Pairs that share no finished training
        are left out.
    """
    paired = {name: _paired(*pair) for name, pair in pairs.items()}
    contrasts = {name: speaker_contrast(snapshot, each) for name, each in paired.items()}
    judged = judge_family(contrasts, open_pairs)
    return {
        name: _difference(
            contrast,
            judged[name],
            unit_means(snapshot, means_over_seeds(paired[name])),
            _over_seeds(snapshot, *pairs[name]),
            flips=snapshot.deals == 1 and name not in open_pairs,
            is_open=name in open_pairs,
        )
        for name, contrast in contrasts.items()
        if contrast is not None
    }


def _difference(
    contrast: Contrast | CrossedContrast,
    judgement: Judgement,
    units: Sequence[float],
    over_seeds: SeedDifference | None,
    *,
    flips: bool,
    is_open: bool,
) -> Difference:
    """The difference of two rows.

    Args:
        contrast: the comparison.
        judgement: what the family's test says of it.
        units: the difference of each unit.
        over_seeds: the same difference for these speakers.
        flips: whether the units are independent, so that the sign-flip test holds.
        is_open: whether it must not be judged yet, so that it has no p.
    """
    return Difference(
        ua=contrast.estimate,
        low=judgement.low,
        high=judgement.high,
        p=judgement.p,
        groups=len(units),
        p_alone=judgement.p_alone,
        p_sign_flip=sign_flip(units) if flips and len(units) > 1 else None,
        effect=judgement.effect,
        detectable=judgement.detectable,
        df=judgement.df,
        luck=judgement.luck,
        over_seeds=over_seeds and replace(over_seeds, p=None) if is_open else over_seeds,
    )


def _paired(row: BySpeaker, other: BySpeaker) -> dict[str, dict[int, float]]:
    """Test speaker -> training -> difference, of the trainings that both rows have finished."""
    found = {}
    for speaker in row.keys() & other.keys():
        ours, theirs = row[speaker], other[speaker]
        if shared := ours.keys() & theirs.keys():
            found[speaker] = {number: ours[number] - theirs[number] for number in sorted(shared)}
    return found


def _over_seeds(snapshot: Snapshot, row: BySpeaker, other: BySpeaker) -> SeedDifference | None:
    """The difference over seeds, or over deals if there are several.

    Returns:
        None while both rows have not finished a seed, or a deal, for all speakers.
    """
    if snapshot.deals > 1:
        return _over_deals(snapshot, row, other)
    differences = [d for d in differences_by_seed(snapshot, row, other) if d is not None]
    if not differences:
        return None
    low, high, p = paired_t(differences)
    return SeedDifference(ua=mean(differences), low=low, high=high, p=p, seeds=len(differences))


def _over_deals(snapshot: Snapshot, row: BySpeaker, other: BySpeaker) -> SeedDifference | None:
    """The difference over deals, each the mean over its seeds; None while no deal is finished."""
    found, seeds = differences_by_seed(snapshot, row, other), snapshot.seeds
    by_deal = [found[start : start + seeds] for start in range(0, len(found), seeds)]
    differences = [mean([d for d in own if d is not None]) for own in by_deal if None not in own]
    if not differences:
        return None
    low, high, p = paired_t(differences)
    return SeedDifference(
        ua=mean(differences), low=low, high=high, p=p, seeds=seeds, deals=len(differences)
    )


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
    """The mean difference in UA over all test speakers, seed by seed, in one deal after another.

    Returns:
        One value for each seed of each deal, in [-1, 1]; None where a speaker of either row is not
        finished.
    """
    speakers = snapshot.test_speakers
    return [
        mean([row[s][seed] - other[s][seed] for s in speakers])
        if all(seed in row.get(s, {}) and seed in other.get(s, {}) for s in speakers)
        else None
        for seed in range(snapshot.tests_of_a_speaker)
    ]
