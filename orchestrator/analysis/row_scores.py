"""A row of a table as numbers: its scores by speaker and seed, their means and intervals. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from model.evaluation.metrics import ua, wa
from orchestrator.analysis.statistics import clustered_bootstrap, corrected_t, mean
from orchestrator.store.records import EpochChoice, Outcome, Unit, is_stale
from orchestrator.store.snapshot import Snapshot

BySpeaker = Mapping[str, Mapping[int, float]]
"""A row's UA: speaker -> seed -> score."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Interval:
    """A mean and its 95 % interval; ``low`` and ``high`` are None where n bears none."""

    mean: float
    low: float | None
    high: float | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Accuracies:
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


def row_uas(snapshot: Snapshot, outcomes: Mapping[str, Outcome]) -> dict[str, BySpeaker]:
    """The headline's UA of every row: row -> speaker -> seed -> score."""
    current = without_stale(outcomes)
    return {row.name: RowScores(snapshot, row.name, current).by_speaker() for row in snapshot.rows}


def without_stale(outcomes: Mapping[str, Outcome]) -> dict[str, Outcome]:
    """Outcomes of this version's SEMANTICS: older ones are stale and are left out."""
    return {id: o for id, o in outcomes.items() if not is_stale(o)}


@dataclass(frozen=True, kw_only=True, slots=True)
class RowEstimate:
    """A row's figures while it fills: what ``summarise`` says of it, and nothing of other rows."""

    n: int
    missing: int
    wa: Interval | None
    ua: Interval | None


def estimate_row(snapshot: Snapshot, row: str, outcomes: Mapping[str, Outcome]) -> RowEstimate:
    """One row of ``summarise`` alone, cheap enough to be asked for while trials come in."""
    own = {
        t.id: o for t in snapshot.trials if t.row == row if (o := outcomes.get(t.id)) is not None
    }
    current = without_stale(own)
    unit = RowScores(snapshot, row, current)
    return RowEstimate(
        n=unit.n, missing=unit.missing, wa=unit.interval("wa"), ua=unit.interval("ua")
    )


class RowScores:
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
        each = [sum_confusions(counts) for _, counts in sorted(self._counts.items())]
        whole = sum_confusions(each)
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
        """Mean and 95 % interval of the headline, for new speakers; ``metric`` is wa or ua."""
        by_speaker = self.speakers("chosen", "utterance", metric)
        if not by_speaker:
            return None
        groups = group_means(self._asked, by_speaker)
        low, high, _ = corrected_t(
            groups, test_to_train(self._asked), mean(list(by_speaker.values()))
        )
        return Interval(mean=mean(list(by_speaker.values())), low=low, high=high)

    def pair(self, choice: EpochChoice, unit: Unit) -> Accuracies | None:
        """Mean WA and UA over speakers, at that choice of the epoch, by that unit."""
        found = {m: self.speakers(choice, unit, m) for m in ("wa", "ua")}
        if not found["ua"]:
            return None
        return Accuracies(wa=mean(list(found["wa"].values())), ua=mean(list(found["ua"].values())))


def sum_confusions(
    confusions: Sequence[tuple[tuple[int, ...], ...]],
) -> tuple[tuple[int, ...], ...]:
    """Several squares of counts as one."""
    return tuple(tuple(map(sum, zip(*rows, strict=True))) for rows in zip(*confusions, strict=True))


def test_to_train(snapshot: Snapshot) -> float:
    """Test to training speakers, averaged over the folds."""
    return mean([(len(f.a) + len(f.b)) / f.train for f in snapshot.folds])


def group_means(snapshot: Snapshot, by_speaker: Mapping[str, float]) -> list[float]:
    """Means within each held-out group that has at least one scored speaker, in fold order."""
    groups = []
    for fold in snapshot.folds:
        values = [by_speaker[s] for s in (*fold.a, *fold.b) if s in by_speaker]
        if values:
            groups.append(mean(values))
    return groups
