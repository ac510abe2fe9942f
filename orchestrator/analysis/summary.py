"""Outcomes -> rows: means, intervals, paired differences, and what they bear. Pure.

Two questions are asked of a row and its reference, and never mixed. *Would it hold for new
speakers?* Seeds are averaged within a speaker, speakers within a held-out group, and the interval
rests on the J groups. *Would it hold for these speakers, trained again?* One value a seed, the mean
over all speakers. The formulas stand in `statistics.py`; scores are fractions, 0 to 1.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from model.evaluation.metrics import absent, ua, wa
from orchestrator.analysis.adaptive import BySpeaker, by_seed, design
from orchestrator.analysis.sequential import Standing
from orchestrator.analysis.statistics import (
    CONFIDENCE,
    clustered_bootstrap,
    corrected_t,
    detectable,
    effect_size,
    holm,
    mean,
    paired_t,
    sign_flip,
)
from orchestrator.store.records import EpochChoice, Outcome, Unit, is_stale
from orchestrator.store.snapshot import Snapshot

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
class Pooled:
    """All held-out utterances of all seeds in one matrix: another figure than the row's mean."""

    confusion: tuple[tuple[int, ...], ...]
    """Counts; rows are the truth, columns the prediction, both in the order of the classes."""
    wa: Interval
    ua: Interval
    """With speakers drawn whole (cluster bootstrap)."""


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
    again: SeedDifference | None = None
    """The other question; None where no seed is finished, or seeds gave equal predictions."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RowSummary:
    """One row of a table. Means are over held-out speakers; None while no trial is finished."""

    name: str
    n: int
    """Finished trainings."""
    missing: int
    """Trainings the study asks for and the ledger lacks."""
    speakers: int
    groups: int = 0
    """Held-out groups with a finished training."""
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
    pooled: Pooled | None = None
    stale: int = 0
    """Finished trainings of an older SEMANTICS: not in the row, missing until trained again."""
    standing: Standing | None = None
    """What its seeds have settled, in an adaptive study; None for the reference."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Summary:
    """A study's rows and what must be said under them."""

    snapshot: Snapshot
    """The study; an adaptive one with the trials that it asks for now."""
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
    reason: str = ""
    """Why the claim has that verdict, in one line."""


def summarise(
    snapshot: Snapshot, outcomes: Mapping[str, Outcome], alarms: Sequence[str] = ()
) -> Summary:
    """Fold a study's outcomes into its rows.

    Args:
        snapshot: the study, resolved.
        outcomes: finished trials by id; those of other studies are ignored.
        alarms: records of trials that were finished twice with different numbers.
    """
    current = _current(outcomes)
    stale = outcomes.keys() - current.keys()
    sequential = design(snapshot, current)
    snapshot = snapshot if sequential is None else sequential.now()
    standings = {} if sequential is None else dict(sequential.standings)
    units = {row.name: _Units(snapshot, row.name, current) for row in snapshot.rows}
    identical = _identical_seeds(snapshot, current)
    scores = {name: unit.by_speaker() for name, unit in units.items()}
    differences = compare(snapshot, scores)
    for name, standing in standings.items():
        if name in differences:
            differences[name] = replace(differences[name], again=_at_look(standing))
    for name in differences:
        if {name, snapshot.reference} & set(identical):
            differences[name] = replace(differences[name], again=None)
            standings.pop(name, None)
    claim, reason = _claim(snapshot, scores)
    rows = []
    for row in snapshot.rows:
        unit = units[row.name]
        difference = differences.get(row.name)
        speakers = unit.speakers("chosen", "utterance", "ua")
        rows.append(
            RowSummary(
                name=row.name,
                n=unit.n,
                missing=unit.missing,
                speakers=len(speakers),
                groups=len(by_group(snapshot, speakers)),
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
                pooled=unit.pooled(),
                stale=len({t.id for t in snapshot.trials if t.row == row.name} & stale),
                standing=standings.get(row.name),
            )
        )
    used = [o for t in snapshot.trials if (o := current.get(t.id)) is not None]
    return Summary(
        snapshot=snapshot,
        rows=tuple(rows),
        absent=_absent(snapshot, used),
        classes_of_determinism=len({tuple(sorted(o.environment.items())) for o in used}),
        identical_seeds=identical,
        alarms=tuple(alarms),
        claim=claim,
        reason=reason,
    )


def uas(snapshot: Snapshot, outcomes: Mapping[str, Outcome]) -> dict[str, BySpeaker]:
    """The headline's UA of every row: row -> speaker -> seed -> score."""
    current = _current(outcomes)
    return {row.name: _Units(snapshot, row.name, current).by_speaker() for row in snapshot.rows}


def _current(outcomes: Mapping[str, Outcome]) -> dict[str, Outcome]:
    return {id: o for id, o in outcomes.items() if not is_stale(o)}


@dataclass(frozen=True, kw_only=True, slots=True)
class Estimate:
    """A row's figures while it fills: what ``summarise`` says of it, and nothing of other rows."""

    n: int
    missing: int
    wa: Interval | None
    ua: Interval | None


def estimate(snapshot: Snapshot, row: str, outcomes: Mapping[str, Outcome]) -> Estimate:
    """One row of ``summarise`` alone, cheap enough to be asked for while trials come in."""
    own = {
        t.id: o for t in snapshot.trials if t.row == row if (o := outcomes.get(t.id)) is not None
    }
    current = _current(own)
    unit = _Units(snapshot, row, current)
    return Estimate(n=unit.n, missing=unit.missing, wa=unit.interval("wa"), ua=unit.interval("ua"))


class _Units:
    """One row's scores, by seed and speaker."""

    def __init__(self, snapshot: Snapshot, row: str, outcomes: Mapping[str, Outcome]) -> None:
        self._asked = snapshot
        self.missing = 0
        self.n = 0
        self.parameters = 0
        # (choice, unit, metric) -> speaker -> seed -> score
        self._scores: dict[tuple[EpochChoice, Unit, str], dict[str, dict[int, float]]] = {}
        self._counts: dict[str, list[tuple[tuple[int, ...], ...]]] = {}
        for trial in snapshot.trials:
            if trial.row != row:
                continue
            outcome = outcomes.get(trial.id)
            if outcome is None:
                self.missing += 1
                continue
            self.n += 1
            self.parameters = max(self.parameters, outcome.parameters)
            for s in outcome.scores:
                if (s.choice, s.unit) == ("chosen", "utterance"):
                    self._counts.setdefault(s.speaker, []).append(s.confusion)
                for metric, value in (("wa", wa(s.confusion)), ("ua", ua(s.confusion))):
                    by_speaker = self._scores.setdefault((s.choice, s.unit, metric), {})
                    by_speaker.setdefault(s.speaker, {})[trial.seed] = value

    def by_speaker(self) -> BySpeaker:
        """UA of the headline: speaker -> seed -> score."""
        return self._scores.get(("chosen", "utterance", "ua"), {})

    def pooled(self) -> Pooled | None:
        """All utterances in one matrix."""
        if not self._counts:
            return None
        each = [added(counts) for _, counts in sorted(self._counts.items())]
        whole = added(each)
        ends = clustered_bootstrap(each)
        (wa_low, wa_high), (ua_low, ua_high) = ends or ((None, None), (None, None))
        return Pooled(
            confusion=whole,
            wa=Interval(mean=wa(whole), low=wa_low, high=wa_high),
            ua=Interval(mean=ua(whole), low=ua_low, high=ua_high),
        )

    def speakers(self, choice: EpochChoice, unit: Unit, metric: str) -> dict[str, float]:
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

    def pair(self, choice: EpochChoice, unit: Unit) -> Pair | None:
        found = {m: self.speakers(choice, unit, m) for m in ("wa", "ua")}
        if not found["ua"]:
            return None
        return Pair(wa=mean(list(found["wa"].values())), ua=mean(list(found["ua"].values())))


def added(
    confusions: Sequence[tuple[tuple[int, ...], ...]],
) -> tuple[tuple[int, ...], ...]:
    """Several squares of counts as one."""
    return tuple(tuple(map(sum, zip(*rows, strict=True))) for rows in zip(*confusions, strict=True))


def ratio(snapshot: Snapshot) -> float:
    """Test to training speakers, averaged over the folds."""
    return mean([(len(f.a) + len(f.b)) / f.train for f in snapshot.folds])


def by_group(snapshot: Snapshot, by_speaker: Mapping[str, float]) -> list[float]:
    """Means within each held-out group that has at least one scored speaker, in fold order."""
    groups = []
    for fold in snapshot.folds:
        values = [by_speaker[s] for s in (*fold.a, *fold.b) if s in by_speaker]
        if values:
            groups.append(mean(values))
    return groups


def compare(snapshot: Snapshot, scores: Mapping[str, BySpeaker]) -> dict[str, Difference]:
    """Every row against the reference, on the speakers and seeds that both have.

    Args:
        snapshot: folds, and the reference; without one there is nothing to compare.
        scores: row -> speaker -> seed -> UA.

    Returns:
        Row -> difference; rows that share no trial with the reference are left out.
    """
    if snapshot.reference is None:
        return {}
    found = {
        name: difference
        for name, row in scores.items()
        if name != snapshot.reference
        if (difference := _against(snapshot, row, scores[snapshot.reference], len(scores) - 1))
        is not None
    }
    adjusted = holm({name: d.p_alone for name, d in found.items() if d.p_alone is not None})
    return {name: replace(d, p=adjusted.get(name)) for name, d in found.items()}


def _against(
    snapshot: Snapshot, row: BySpeaker, other: BySpeaker, comparisons: int
) -> Difference | None:
    """One row against another, before Holm."""
    by_speaker = _paired(row, other)
    if not by_speaker:
        return None
    groups, centre = by_group(snapshot, by_speaker), mean(list(by_speaker.values()))
    low, high, p = corrected_t(groups, ratio(snapshot), centre)
    return Difference(
        ua=centre,
        low=low,
        high=high,
        p=None,
        groups=len(groups),
        p_alone=p,
        p_sign_flip=sign_flip(groups),
        effect=effect_size(groups),
        detectable=detectable(groups, ratio(snapshot), comparisons),
        again=_again(snapshot, row, other),
    )


def _paired(row: BySpeaker, other: BySpeaker) -> dict[str, float]:
    """Differences by speaker, averaged over the seeds that both have."""
    by_speaker = {}
    for speaker in row.keys() & other.keys():
        ours, theirs = row[speaker], other[speaker]
        if seeds := ours.keys() & theirs.keys():
            by_speaker[speaker] = mean([ours[s] - theirs[s] for s in seeds])
    return by_speaker


def _again(snapshot: Snapshot, row: BySpeaker, other: BySpeaker) -> SeedDifference | None:
    """One value a seed: the mean over all speakers, of seeds that lack none."""
    differences = [d for d in by_seed(snapshot, row, other) if d is not None]
    if not differences:
        return None
    low, high, p = paired_t(differences)
    return SeedDifference(ua=mean(differences), low=low, high=high, p=p, seeds=len(differences))


def _at_look(standing: Standing) -> SeedDifference | None:
    """The same of an adaptive study, as it was at the last look; None before the first."""
    if standing.ua is None:
        return None
    return SeedDifference(
        ua=standing.ua, low=standing.low, high=standing.high, p=standing.p, seeds=standing.seeds
    )


def _verdict(difference: Difference) -> Verdict:
    """Whether the row differs from the reference, at 5 % after Holm.

    There is no ``no``: an interval that holds 0 has not shown that there is no difference.
    """
    return "yes" if difference.p is not None and difference.p < 1 - CONFIDENCE else "cannot tell"


def _claim(snapshot: Snapshot, scores: Mapping[str, BySpeaker]) -> tuple[Verdict, str]:
    """Judge the study's claim, and why; only where published figures may be compared at all."""
    claim = snapshot.claim
    if claim is None or not snapshot.comparable or claim.on != "ua":
        return "", ""
    against = {}
    for other in claim.than:
        difference = _against(snapshot, scores[claim.better], scores[other], len(claim.than))
        if difference is None or difference.groups < len(snapshot.folds):
            return "cannot tell", f"trainings of it or of `{other}` are missing"
        if difference.p_alone is None:
            return "cannot tell", "there is no spread over held-out groups"
        against[other] = difference
    adjusted = holm({name: d.p_alone for name, d in against.items() if d.p_alone is not None})
    shown = {name for name, p in adjusted.items() if p < 1 - CONFIDENCE}
    for name in sorted(shown, key=lambda name: against[name].ua):
        if against[name].ua < 0:
            return "contradicts", f"`{name}` is higher by {-100 * against[name].ua:.1f} points"
    if len(shown) == len(claim.than):
        least = min(d.ua for d in against.values())
        return "supports", f"higher by {100 * least:.1f} points or more than each other row"
    name = max(adjusted, key=lambda name: adjusted[name])
    smallest = against[name].detectable
    reach = f"; {100 * smallest:.1f} would have shown" if smallest is not None else ""
    return (
        "cannot tell",
        f"{100 * against[name].ua:+.1f} points to `{name}`, p = {adjusted[name]:.2f}{reach}",
    )


def _absent(snapshot: Snapshot, outcomes: Iterable[Outcome]) -> tuple[str, ...]:
    found = set()
    for outcome in outcomes:
        for scores in outcome.scores:
            if (scores.choice, scores.unit) == ("chosen", "utterance"):  # who spoke is the same
                for index in absent(scores.confusion):
                    found.add(f"{scores.speaker}: {snapshot.classes[index]}")
    return tuple(sorted(found))


def _identical_seeds(snapshot: Snapshot, outcomes: Mapping[str, Outcome]) -> tuple[str, ...]:
    seen: dict[tuple[str, int, str], int] = {}
    rows = set()
    for trial in snapshot.trials:
        if (outcome := outcomes.get(trial.id)) is not None:
            key = (trial.row, trial.fold, outcome.digests["predictions"])
            if seen.setdefault(key, trial.seed) != trial.seed:
                rows.add(trial.row)
    return tuple(sorted(rows))
