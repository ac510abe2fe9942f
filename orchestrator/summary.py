r"""Outcomes -> rows: means, intervals, paired differences. Pure. The only door to scipy.

The question a table answers is *would this hold for new speakers?* Its unit is therefore the
held-out group: seeds are averaged within a speaker, speakers within a group, and an interval rests
on the J groups. Trainings on different folds share most of their speakers, so their scores are
not independent; Nadeau and Bengio (2003, "Inference for the Generalization Error", eq. 8) widen
the variance of a mean over J folds to

.. math:: \left(\frac{1}{J} + \frac{n_{test}}{n_{train}}\right) s^2

with the ratio of test to training speakers (2/8 for ten speakers in five pairs) and a t
distribution of J - 1 degrees of freedom. Scores are fractions, 0 to 1.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from model.metrics import absent, ua, wa
from orchestrator.ledger import Choice, Outcome, Unit
from orchestrator.snapshot import Asked

CONFIDENCE = 0.95

Verdict = str
"""``yes``, ``cannot tell``; for a claim ``supports``, ``contradicts``, ``cannot tell``; or ````."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Interval:
    """A mean and its 95 % interval; ``low`` and ``high`` are None where n bears none."""

    mean: float
    low: float | None
    high: float | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Pair:
    """Weighted and unweighted accuracy without an interval."""

    wa: float
    ua: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Difference:
    """A row minus the reference, on UA, paired by held-out group."""

    ua: float
    low: float | None
    high: float | None
    p: float | None
    """Two-sided p of the corrected t, after Holm over the table's rows; None below two groups."""
    groups: int


@dataclass(frozen=True, kw_only=True, slots=True)
class RowSummary:
    """One row of a table. Means are over held-out speakers; None while no trial is finished."""

    name: str
    n: int
    """Finished trainings."""
    missing: int
    """Trainings the study asks for and the ledger lacks."""
    speakers: int
    wa: Interval | None
    ua: Interval | None
    segment: Pair | None
    last_epoch: Pair | None
    best_on_test: Pair | None
    paper: Mapping[str, float]
    difference: Difference | None
    verdict: Verdict
    parameters: int = 0
    """How many numbers the system learnt; 0 where it has no such count, or nothing is finished."""
    blocks: tuple[str, ...] = ()
    """Headings under which the row stands."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Summary:
    """A study's rows and what must be said under them."""

    asked: Asked
    rows: tuple[RowSummary, ...]
    absent: tuple[str, ...]
    """``speaker: class`` pairs: classes a test speaker never speaks, left out of that UA."""
    classes_of_determinism: int
    """How many determinism classes the outcomes come from; more than one is said loudly."""
    identical_seeds: tuple[str, ...]
    """Rows in which two seeds of a fold gave the same predictions: a fault of the set-up."""
    alarms: tuple[str, ...]
    """Records of trials that were finished twice with different numbers."""
    claim: Verdict
    """What the rows bear of the study's claim; empty where it must not be judged."""


def summarise(asked: Asked, outcomes: Mapping[str, Outcome], alarms: Sequence[str] = ()) -> Summary:
    """Fold a study's outcomes into its rows.

    Args:
        asked: the study, resolved.
        outcomes: finished trials by id; those of other studies are ignored.
        alarms: records of trials that were finished twice with different numbers.
    """
    units = {row.name: _Units(asked, row.name, outcomes) for row in asked.rows}
    differences = _differences(asked, units)
    rows = []
    for row in asked.rows:
        unit = units[row.name]
        difference = differences.get(row.name)
        rows.append(
            RowSummary(
                name=row.name,
                n=unit.n,
                missing=unit.missing,
                speakers=len(unit.speakers("chosen", "utterance", "ua")),
                wa=unit.interval("wa"),
                ua=unit.interval("ua"),
                segment=unit.pair("chosen", "segment"),
                last_epoch=unit.pair("last_epoch", "utterance"),
                best_on_test=unit.pair("best_on_test", "utterance"),
                paper=row.paper,
                difference=difference,
                verdict="" if difference is None else _verdict(difference),
                parameters=unit.parameters,
                blocks=row.blocks,
            )
        )
    used = [o for t in asked.trials if (o := outcomes.get(t.id)) is not None]
    return Summary(
        asked=asked,
        rows=tuple(rows),
        absent=_absent(asked, used),
        classes_of_determinism=len({tuple(sorted(o.environment.items())) for o in used}),
        identical_seeds=_identical_seeds(asked, outcomes),
        alarms=tuple(alarms),
        claim=_claim(asked, units),
    )


class _Units:
    """One row's scores, by seed and speaker."""

    def __init__(self, asked: Asked, row: str, outcomes: Mapping[str, Outcome]) -> None:
        self._asked = asked
        self.missing = 0
        self.n = 0
        self.parameters = 0
        # (choice, unit, metric) -> speaker -> seed -> score
        self._scores: dict[tuple[Choice, Unit, str], dict[str, dict[int, float]]] = {}
        for trial in asked.trials:
            if trial.row != row:
                continue
            outcome = outcomes.get(trial.id)
            if outcome is None:
                self.missing += 1
                continue
            self.n += 1
            self.parameters = max(self.parameters, outcome.parameters)
            for s in outcome.scores:
                for metric, value in (("wa", wa(s.confusion)), ("ua", ua(s.confusion))):
                    by_speaker = self._scores.setdefault((s.choice, s.unit, metric), {})
                    by_speaker.setdefault(s.speaker, {})[trial.seed] = value

    def seeds(self, speaker: str) -> Mapping[int, float]:
        """UA of the headline, by seed."""
        return self._scores.get(("chosen", "utterance", "ua"), {}).get(speaker, {})

    def speakers(self, choice: Choice, unit: Unit, metric: str) -> dict[str, float]:
        """Scores by test speaker, averaged over seeds."""
        found = self._scores.get((choice, unit, metric), {})
        return {speaker: mean(list(by_seed.values())) for speaker, by_seed in found.items()}

    def interval(self, metric: str) -> Interval | None:
        by_speaker = self.speakers("chosen", "utterance", metric)
        if not by_speaker:
            return None
        groups = by_group(self._asked, by_speaker)
        low, high, _ = corrected_t(groups, ratio(self._asked), mean(list(by_speaker.values())))
        return Interval(mean=mean(list(by_speaker.values())), low=low, high=high)

    def pair(self, choice: Choice, unit: Unit) -> Pair | None:
        found = {m: self.speakers(choice, unit, m) for m in ("wa", "ua")}
        if not found["ua"]:
            return None
        return Pair(wa=mean(list(found["wa"].values())), ua=mean(list(found["ua"].values())))


def mean(values: Sequence[float]) -> float:
    """Arithmetic mean, exactly rounded (so that the order of the values does not matter).

    >>> mean([0.5, 0.25])
    0.375
    """
    return math.fsum(values) / len(values)


def ratio(asked: Asked) -> float:
    """Test to training speakers, averaged over the folds."""
    return mean([(len(f.a) + len(f.b)) / f.train for f in asked.folds])


def by_group(asked: Asked, by_speaker: Mapping[str, float]) -> list[float]:
    """Means within each held-out group that has at least one scored speaker, in fold order."""
    groups = []
    for fold in asked.folds:
        values = [by_speaker[s] for s in (*fold.a, *fold.b) if s in by_speaker]
        if values:
            groups.append(mean(values))
    return groups


def corrected_t(
    groups: Sequence[float], test_to_train: float, centre: float
) -> tuple[float | None, float | None, float | None]:
    """Nadeau and Bengio's corrected t over held-out groups.

    Args:
        groups: one value a held-out group.
        test_to_train: ratio of test to training speakers.
        centre: the mean over speakers; with groups of one size, the mean of ``groups``.

    Returns:
        Low and high end of the 95 % interval around ``centre`` and the two-sided p of
        ``centre`` being 0; all None below two groups. A spread of exactly 0 gives an interval
        of no width and p = 1 for a centre of 0, else 0.
    """
    j = len(groups)
    if j < 2:
        return None, None, None
    from scipy.stats import t

    middle = mean(groups)
    variance = math.fsum((g - middle) ** 2 for g in groups) / (j - 1)
    error = math.sqrt((1 / j + test_to_train) * variance)
    half = float(t.ppf(0.5 + CONFIDENCE / 2, j - 1)) * error
    if error == 0:
        return centre, centre, 1.0 if centre == 0 else 0.0
    return centre - half, centre + half, 2 * float(t.sf(abs(centre) / error, j - 1))


def holm(p_values: Mapping[str, float]) -> dict[str, float]:
    """Holm's step-down adjustment (Holm 1979): family-wise error under any dependence.

    >>> holm({"a": 0.01, "b": 0.04})
    {'a': 0.02, 'b': 0.04}
    """
    adjusted: dict[str, float] = {}
    highest = 0.0
    for rank, name in enumerate(sorted(p_values, key=lambda n: p_values[n])):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[name]))
        adjusted[name] = highest
    return adjusted


def _paired(asked: Asked, row: "_Units", other: "_Units") -> tuple[list[float], dict[str, float]]:
    """Differences by speaker on the seeds that both have, and their means by group."""
    by_speaker = {}
    for fold in asked.folds:
        for speaker in (*fold.a, *fold.b):
            ours, theirs = row.seeds(speaker), other.seeds(speaker)
            seeds = sorted(set(ours) & set(theirs))
            if seeds:
                by_speaker[speaker] = mean([ours[s] - theirs[s] for s in seeds])
    return by_group(asked, by_speaker), by_speaker


def _differences(asked: Asked, units: Mapping[str, _Units]) -> dict[str, Difference]:
    if asked.reference is None:
        return {}
    raw: dict[str, tuple[float, float | None, float | None, float | None, int]] = {}
    for name, unit in units.items():
        if name == asked.reference:
            continue
        groups, by_speaker = _paired(asked, unit, units[asked.reference])
        if by_speaker:
            centre = mean(list(by_speaker.values()))
            raw[name] = (centre, *corrected_t(groups, ratio(asked), centre), len(groups))
    adjusted = holm({name: p for name, (_, _, _, p, _) in raw.items() if p is not None})
    return {
        name: Difference(ua=d, low=low, high=high, p=adjusted.get(name), groups=n)
        for name, (d, low, high, _, n) in raw.items()
    }


def _verdict(difference: Difference) -> Verdict:
    """Whether the row differs from the reference, at 5 % after Holm.

    There is no ``no``: an interval that holds 0 has not shown that there is no difference.
    """
    return "yes" if difference.p is not None and difference.p < 1 - CONFIDENCE else "cannot tell"


def _claim(asked: Asked, units: Mapping[str, _Units]) -> Verdict:
    """Judge the study's claim; only where the published figures may be compared at all."""
    claim = asked.claim
    if claim is None or not asked.comparable or claim.on != "ua":
        return ""
    p_values, signs = {}, {}
    for other in claim.than:
        groups, by_speaker = _paired(asked, units[claim.better], units[other])
        if len(groups) < len(asked.folds):
            return "cannot tell"
        centre = mean(list(by_speaker.values()))
        p = corrected_t(groups, ratio(asked), centre)[2]
        assert p is not None
        p_values[other], signs[other] = p, centre
    shown = {name for name, p in holm(p_values).items() if p < 1 - CONFIDENCE}
    if any(signs[name] < 0 for name in shown):
        return "contradicts"
    return "supports" if len(shown) == len(claim.than) else "cannot tell"


def _absent(asked: Asked, outcomes: Iterable[Outcome]) -> tuple[str, ...]:
    found = set()
    for outcome in outcomes:
        for scores in outcome.scores:
            for index in absent(scores.confusion):
                found.add(f"{scores.speaker}: {asked.classes[index]}")
    return tuple(sorted(found))


def _identical_seeds(asked: Asked, outcomes: Mapping[str, Outcome]) -> tuple[str, ...]:
    seen: dict[tuple[str, int, str], int] = {}
    rows = set()
    for trial in asked.trials:
        if (outcome := outcomes.get(trial.id)) is not None:
            key = (trial.row, trial.fold, outcome.digests["predictions"])
            if seen.setdefault(key, trial.seed) != trial.seed:
                rows.add(trial.row)
    return tuple(sorted(rows))
