"""A family of comparisons, judged together: intervals, p and Holm in one place. Pure.

A *comparison* asks whether a mean difference is 0. It brings one value for each independent unit
(held-out groups, or speakers), so that a row against the reference, a level of an axis, or an
interaction are judged alike. A *family* is all comparisons of which any false one would spoil the
answer, such as those of all rows of a table.

The test is a moderated t: two comparisons or more share their variances (`moderation.py`), one
alone has its own. Nadeau and Bengio's factor accounts for the training speakers that folds share,
and Holm for the number of comparisons. It was chosen by the simulation in
`tests/benchmarks/family_tables.py` over one variance for all rows (a two-way table of rows and
groups) with Dunnett's test: that shows 11 % of true differences of 8 points where the moderated t
shows 22, if one row varies 2.5 times as much as the others (5 pairs, 3 seeds, 6 rows), and about as
many where all vary alike.
"""

import math
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from orchestrator.analysis.crossed import CrossedContrast, crossed_detectable, crossed_t
from orchestrator.analysis.moderation import moderated_variances
from orchestrator.analysis.row_scores import (
    BySpeaker,
    means_over_seeds,
    speaker_ratio,
    unit_means,
)
from orchestrator.analysis.statistics import (
    Name,
    detectable,
    deviation_of,
    effect_size,
    holm,
    mean,
    student_t,
)
from orchestrator.store.snapshot import Snapshot


@dataclass(frozen=True, kw_only=True, slots=True)
class Contrast:
    """What is known of one comparison before it is judged: an estimate, and how it varies."""

    estimate: float
    """The mean difference, -2 to 2."""
    variance: float
    """Variance between units; exactly 0 where all are equal or there is one."""
    df: float
    """Degrees of freedom of ``variance``: one less than the units; any number above 0 where another
    rule gives it."""
    factor: float
    """Variance of ``estimate`` divided by ``variance``: of J groups 1/J + ``overlap``."""
    overlap: float = 0.0
    """The part of ``factor`` that stands for what trainings share: test speakers / training
    speakers; where speakers are the units, 1 / training speakers."""

    @classmethod
    def of_units(
        cls,
        units: Sequence[float],
        *,
        centre: float,
        test_to_train: float,
        are_speakers: bool = False,
    ) -> "Contrast":
        """The comparison of J units by Nadeau and Bengio's corrected t.

        Args:
            units: one paired difference for each independent unit; at least one.
            centre: the mean over speakers, which is estimated.
            test_to_train: ratio of test to training speakers.
            are_speakers: whether the units are speakers over several deals, not held-out groups.
        """
        return cls(
            estimate=centre,
            variance=deviation_of(units) ** 2 if len(units) > 1 else 0.0,
            df=len(units) - 1,
            factor=1 / len(units) + test_to_train,
            overlap=(1 + test_to_train) / len(units) if are_speakers else test_to_train,
        )

    @property
    def has_spread(self) -> bool:
        """Whether it can be tested: two units, of which not all are equal."""
        return self.df > 0 and self.variance > 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Judgement:
    """What the family's test says of one comparison; all is None where units have no spread."""

    low: float | None = None
    """Low end of the 95 % interval of the difference, of this comparison alone."""
    high: float | None = None
    """High end of the interval."""
    p_alone: float | None = None
    """Two-sided p without Holm; None too where the comparison must not be judged."""
    p: float | None = None
    """The p after Holm over the whole family, on which a verdict rests; None where ``p_alone``
    is."""
    effect: float | None = None
    """Effect size: the difference in deviations between units, with Hedges's correction; None
    below two degrees of freedom."""
    detectable: float | None = None
    """The smallest true difference, above 0, that would be shown with 80 % power."""
    df: float | None = None
    """Degrees of freedom of the test; more than the comparison's own where others share in it."""
    luck: float | None = None
    """The largest deviation, as a fraction, of luck that all trainings of a row share for which the
    test holds its level: see `tolerated_luck`. None too where the comparison has no overlap."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Promise:
    """What a judged family keeps: a false verdict in at most 5 % of such families."""

    comparisons: int
    """How many comparisons are judged, and share their variance."""
    luck: float | None
    """The luck that all trainings of a row may share, as a fraction: the least of the judged
    comparisons (see `tolerated_luck`). None on a published split, which leaves no room for any."""


def speaker_contrast(
    snapshot: Snapshot, differences: BySpeaker
) -> Contrast | CrossedContrast | None:
    """The comparison of speakers: would a difference hold for new ones?

    It rests on the units of the study (`unit_means`); of a published split, which has but one
    held-out group, on test speakers and seeds (`crossed.py`).

    Args:
        snapshot: the study: its folds.
        differences: test speaker -> seed -> paired difference.

    Returns:
        None without speakers.
    """
    if not differences:
        return None
    if snapshot.is_published_split:
        return CrossedContrast.of(differences)
    by_speaker = means_over_seeds(differences)
    return Contrast.of_units(
        unit_means(snapshot, by_speaker),
        centre=mean(list(by_speaker.values())),
        test_to_train=speaker_ratio(snapshot),
        are_speakers=snapshot.deals > 1,
    )


def judge_family(
    contrasts: Mapping[Name, Contrast | CrossedContrast | None], unjudged: Container[Name] = ()
) -> dict[Name, Judgement]:
    """Judge the comparisons of a family together.

    Args:
        contrasts: name -> comparison, of all that are asked for, since Holm counts them; None where
            nothing is there yet.
        unjudged: names of comparisons that must not be judged (``completeness.py``): they have an
            interval and no p, and count as p = 1 in that of the others, which share no variance
            with them. While none may be judged, all share theirs.

    Returns:
        Name -> judgement, for every comparison that was given.
    """
    found = dict.fromkeys(contrasts, Judgement())
    tested: dict[Name, Contrast] = {}
    for name, contrast in contrasts.items():
        if contrast is None or not contrast.has_spread:
            continue
        if isinstance(contrast, CrossedContrast):
            found[name] = _crossed(contrast, len(contrasts), is_judged=name not in unjudged)
        else:
            tested[name] = contrast
    together = [name for name in tested if name not in unjudged] or list(tested)
    own = [(tested[name].variance, tested[name].df) for name in together]
    shared = dict(zip(together, moderated_variances(own), strict=True))
    for name, contrast in tested.items():
        variance, df = shared.get(name, (contrast.variance, contrast.df))
        error = math.sqrt(variance * contrast.factor)
        low, high, p = student_t(contrast.estimate, error, df)
        found[name] = Judgement(
            low=low,
            high=high,
            p_alone=None if name in unjudged else p,
            effect=effect_size(contrast.estimate, math.sqrt(variance), df),
            detectable=detectable(error, df, len(contrasts)),
            df=df,
            luck=tolerated_luck(variance, contrast.overlap) if contrast.overlap else None,
        )
    adjusted = holm({name: 1.0 if j.p_alone is None else j.p_alone for name, j in found.items()})
    return {
        name: j if j.p_alone is None else replace(j, p=adjusted[name]) for name, j in found.items()
    }


def _crossed(contrast: CrossedContrast, comparisons: int, *, is_judged: bool) -> Judgement:
    """What the test of a published split says of a comparison, before Holm.

    Its two variances are its own. They are not shared over the family.
    """
    low, high, p = crossed_t(contrast)
    return Judgement(
        low=low,
        high=high,
        p_alone=p if is_judged else None,
        effect=effect_size(contrast.estimate, contrast.between_speakers, contrast.speakers - 1)
        if contrast.between_speakers
        else None,
        detectable=crossed_detectable(contrast, comparisons),
    )


def promise_of(lucks: Iterable[float | None]) -> Promise | None:
    """What a family keeps, by the tolerated luck of each judged comparison; None without any."""
    judged = list(lucks)
    known = [luck for luck in judged if luck is not None]
    return Promise(comparisons=len(judged), luck=min(known, default=None)) if judged else None


def tolerated_luck(variance: float, overlap: float) -> float:
    r"""The luck that all trainings of a row may share without more false verdicts than promised.

    .. math:: s^2 (1/J + r) = s^2 / J + 2 l^2 \quad\Rightarrow\quad l = s \sqrt{r / 2}

    Folds share training speakers. If a row happens to do well with them, it does so in every
    held-out group, which no spread between groups can show. Let this luck of a row have the
    deviation l, independently in each row. The mean difference of two rows over J groups then has
    the variance on the right, and the test counts on the one on the left. That it holds is shown
    in docs/simulation.md, drawn at just this luck.

    Where S speakers are dealt several times and are the units, s is between speakers, and the test
    counts on s² (1/S + r). The luck that the g speakers of a group share in a deal takes its part
    of r. At worst, where all of s is such luck, their mean varies by r s² (1 - 1/S), which leaves
    (1 + r) / S = 1 / (S - g) for the luck of a row.

    Args:
        variance: of the difference between units, s², as the test has it.
        overlap: test speakers / training speakers, r; for speakers 1 / training speakers.

    Example:
        >>> round(tolerated_luck(0.05**2, 2 / 8), 4)
        0.0177
    """
    return math.sqrt(variance * overlap / 2)
