"""The scores of one row of a table, by test speaker and seed, and their means. Pure.

Scores are fractions, 0 to 1. A mean over speakers averages the seeds of each speaker first.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from model.evaluation.metrics import ua, wa
from orchestrator.analysis.statistics import corrected_t, mean
from orchestrator.store.records import CHOICE_OF, EpochChoice, Outcome, Scores, Unit, is_stale
from orchestrator.store.snapshot import Snapshot
from orchestrator.study.protocol import ScoreRule

BySpeaker = Mapping[str, Mapping[int, float]]
"""The scores of one row: test speaker -> training -> UA, 0 to 1.

Trainings are numbered by ``Snapshot.training``: they are the seeds, or those of deal after deal."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Interval:
    """A mean and its 95 % interval: of scores, 0 to 1, or of differences, -1 to 1.

    That of a score ends at 0 and 1 (see `score_interval`); that of a difference is symmetric.
    """

    mean: float
    """The mean, which need not be the middle of the interval."""
    low: float | None
    """Low end of the interval; None where there are too few values."""
    high: float | None
    """High end of the interval; None where there are too few values."""

    @property
    def half(self) -> float | None:
        """Half of the interval as ``±`` has it: from the mean to the end that is further away.

        Of a score whose interval was cut at one end it is the uncut half.
        """
        if self.low is None or self.high is None:
            return None
        return max(self.mean - self.low, self.high - self.mean)


@dataclass(frozen=True, kw_only=True, slots=True)
class Accuracies:
    """Weighted (WA) and unweighted (UA) accuracy, each a mean over test speakers, 0 to 1."""

    wa: float
    """Correct utterances (or segments) divided by all."""
    ua: float
    """Mean recall over the classes."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Pooled:
    """The utterances of all test speakers and seeds in one confusion matrix.

    Its accuracies differ from the row's, which are means over speakers. They have no interval: one
    that holds is that of the row, and one of speakers drawn anew (a bootstrap) is too narrow, of
    ten speakers it covers 88 %.
    """

    confusion: tuple[tuple[int, ...], ...]
    """Counts of utterances, shape (C, C) for C classes: rows are the true class, columns the
    prediction."""
    wa: float
    """WA of the matrix, 0 to 1."""
    ua: float
    """UA of the matrix, 0 to 1."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RowEstimate:
    """The mean accuracies of one row so far, while its trials still train."""

    n: int
    """Number of finished trainings."""
    missing: int
    """Number of trainings that are not finished, those that are given up included."""
    wa: Interval | None
    """Mean WA over test speakers, 0 to 1; None while no training is finished."""
    ua: Interval | None
    """Mean UA over test speakers, 0 to 1; None while no training is finished."""


def headline_scores(snapshot: Snapshot, outcome: Outcome) -> Iterator[Scores]:
    """The scores that the tables rest on: utterances, one a test speaker.

    Args:
        snapshot: the study: its score, and its test speakers.
        outcome: the record of a finished training.

    Returns:
        None where the training does not have this score, such as `averaged` where it stopped early.
    """
    dev = snapshot.dev_speakers
    return (s for s in held_out_scores(outcome, snapshot.score) if s.speaker not in dev)


def held_out_scores(outcome: Outcome, score: ScoreRule) -> Iterator[Scores]:
    """The scores of all held-out speakers, the dev side of a published split among them.

    Args:
        outcome: the record of a finished training.
        score: the score of the study.
    """
    wanted = CHOICE_OF[score], "utterance"
    return (one for one in outcome.scores if (one.choice, one.unit) == wanted)


def without_stale(outcomes: Mapping[str, Outcome]) -> dict[str, Outcome]:
    """The outcomes that this version of the training code computed, see ``records.is_stale``."""
    return {id: outcome for id, outcome in outcomes.items() if not is_stale(outcome)}


def row_uas(snapshot: Snapshot, outcomes: Mapping[str, Outcome]) -> dict[str, BySpeaker]:
    """The UA of every row by the study's score; stale outcomes are left out.

    Args:
        snapshot: the study.
        outcomes: id -> outcome of finished trials; those of other studies are ignored.

    Returns:
        Row -> its scores. Nothing for a row of which a finished training does not have the study's
        score: a mean of the others would be another figure.
    """
    scores: dict[str, dict[str, dict[int, float]]] = {row.name: {} for row in snapshot.rows}
    unscored = set()
    for trial in snapshot.trials:
        outcome = outcomes.get(trial.id)
        if outcome is not None and not is_stale(outcome) and trial.row in scores:
            own = list(headline_scores(snapshot, outcome))
            unscored |= set() if own else {trial.row}
            for one in own:
                by_speaker = scores[trial.row].setdefault(one.speaker, {})
                by_speaker[snapshot.training(trial)] = ua(one.confusion)
    return {row: {} if row in unscored else found for row, found in scores.items()}


def estimate_row(snapshot: Snapshot, row: str, outcomes: Mapping[str, Outcome]) -> RowEstimate:
    """The accuracies that ``summarise`` gives one row, without work for the other rows."""
    own = {
        trial.id: outcome
        for trial in snapshot.trials
        if trial.row == row
        if (outcome := outcomes.get(trial.id)) is not None
    }
    scores = RowScores(snapshot, row, without_stale(own))
    return RowEstimate(
        n=scores.n, missing=scores.missing, wa=scores.interval("wa"), ua=scores.interval("ua")
    )


class RowScores:
    """All scores of one row, and the means over speakers that the tables show.

    Args:
        snapshot: the study.
        row: the name of the row.
        outcomes: id -> outcome of finished trials, none of them stale.
    """

    def __init__(self, snapshot: Snapshot, row: str, outcomes: Mapping[str, Outcome]) -> None:
        self._snapshot = snapshot
        self.n = 0
        """Finished trainings."""
        self.missing = 0
        """Trainings that are not finished, those that are given up included."""
        self.parameters = 0
        """Trained parameters of the system; 0 where it has no such number."""
        self._score = CHOICE_OF[snapshot.score]
        self._having: Counter[EpochChoice] = Counter()
        """Choice -> number of finished trainings that have scores by it."""
        # (choice of the network, unit, metric) -> speaker -> training -> score
        self._scores: dict[tuple[EpochChoice, Unit, str], dict[str, dict[int, float]]] = {}
        self._dev: dict[tuple[EpochChoice, Unit, str], dict[str, dict[int, float]]] = {}
        """The same of the dev side of a published split, which enters no mean."""
        dev = snapshot.dev_speakers
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
            self._having.update({s.choice for s in outcome.scores})
            for one in headline_scores(snapshot, outcome):
                self._counts.setdefault(one.speaker, []).append(one.confusion)
            for s in outcome.scores:
                side = self._dev if s.speaker in dev else self._scores
                for metric, value in (("wa", wa(s.confusion)), ("ua", ua(s.confusion))):
                    by_speaker = side.setdefault((s.choice, s.unit, metric), {})
                    by_speaker.setdefault(s.speaker, {})[snapshot.training(trial)] = value

    @property
    def unscored(self) -> int:
        """Finished trainings without the study's score; if there is one, the row has no score."""
        return self.n - self._having[self._score]

    def by_speaker(self) -> BySpeaker:
        """Test speaker -> training -> UA of utterances by the study's score, 0 to 1."""
        return self._of(self._score, "utterance", "ua")

    def pooled(self) -> Pooled | None:
        """All utterances in one matrix, by the study's score.

        Returns:
            None while no training is finished, and where one does not have the score.
        """
        if not self._counts or self.unscored:
            return None
        whole = sum_confusions([one for counts in self._counts.values() for one in counts])
        return Pooled(confusion=whole, wa=wa(whole), ua=ua(whole))

    def speakers(self, choice: EpochChoice, unit: Unit, metric: str) -> dict[str, float]:
        """Test speaker -> mean score over seeds and deals, 0 to 1.

        Args:
            choice: by which rule the network is picked.
            unit: whether utterances or segments are counted.
            metric: ``wa`` or ``ua``.

        Returns:
            Nothing where a finished training has no scores by this choice.
        """
        return means_over_seeds(self._of(choice, unit, metric))

    def _of(self, choice: EpochChoice, unit: Unit, metric: str) -> BySpeaker:
        """Test speaker -> training -> score; nothing where a finished training lacks the choice."""
        return (
            self._scores.get((choice, unit, metric), {}) if self._having[choice] == self.n else {}
        )

    def interval(self, metric: str) -> Interval | None:
        """The mean over speakers (utterances, study's score), and its interval for new speakers.

        Args:
            metric: ``wa`` or ``ua``.

        Returns:
            None while no training is finished, and where one does not have the score.
        """
        by_speaker = self.speakers(self._score, "utterance", metric)
        return score_interval(self._snapshot, by_speaker) if by_speaker else None

    def accuracies(self, choice: EpochChoice, unit: Unit) -> Accuracies | None:
        """Mean WA and UA over speakers for a choice of the network and a unit.

        Returns:
            None while no training is finished, and where one has no scores by this choice.
        """
        return _accuracies({m: self.speakers(choice, unit, m) for m in ("wa", "ua")})

    def dev(self) -> Accuracies | None:
        """Mean WA and UA of utterances over the dev speakers of a published split.

        They are no result. Under `chosen`, it is the test side that chose their epoch.

        Returns:
            None where the folds are dealt, while no training is finished, and where one does not
            have the study's score.
        """
        if self.unscored:
            return None
        found = {m: self._dev.get((self._score, "utterance", m), {}) for m in ("wa", "ua")}
        return _accuracies({m: means_over_seeds(scores) for m, scores in found.items()})


def _accuracies(by_speaker: Mapping[str, Mapping[str, float]]) -> Accuracies | None:
    """The means over speakers of ``wa`` and ``ua``; None without speakers."""
    if not by_speaker["ua"]:
        return None
    means = {metric: mean(list(scores.values())) for metric, scores in by_speaker.items()}
    return Accuracies(wa=means["wa"], ua=means["ua"])


def score_interval(snapshot: Snapshot, by_speaker: Mapping[str, float]) -> Interval:
    """The mean score over speakers, and its 95 % interval for new speakers within 0 and 1.

    The corrected t knows no bounds: of 79 % on five groups it may reach 102 %. No score lies
    there, so the interval is cut at 0 and 1, which leaves its coverage as it is. A scale on which
    it could not leave them, such as the logit, would move the mean itself.

    On a published split all scores come from the same networks. There the interval is Student's t
    over test speakers: it answers for other speakers, and only *for these networks*.

    Args:
        snapshot: the study: its folds.
        by_speaker: test speaker -> score, 0 to 1; at least one.
    """
    centre = mean(list(by_speaker.values()))
    if snapshot.is_published_split:
        low, high, _ = corrected_t(list(by_speaker.values()), 0.0, centre)
    else:
        units = unit_means(snapshot, by_speaker)
        low, high, _ = corrected_t(units, speaker_ratio(snapshot), centre)
    if low is None or high is None:
        return Interval(mean=centre, low=None, high=None)
    return Interval(mean=centre, low=max(0.0, low), high=min(1.0, high))


def sum_confusions(
    confusions: Sequence[tuple[tuple[int, ...], ...]],
) -> tuple[tuple[int, ...], ...]:
    """The sum of confusion matrices of one shape, cell by cell."""
    return tuple(tuple(map(sum, zip(*rows, strict=True))) for rows in zip(*confusions, strict=True))


def means_over_seeds(by_speaker: BySpeaker) -> dict[str, float]:
    """Test speaker -> mean over seeds and deals."""
    return {speaker: mean(list(by_seed.values())) for speaker, by_seed in by_speaker.items()}


def speaker_ratio(snapshot: Snapshot) -> float:
    """Number of test speakers divided by number of training speakers, averaged over the folds."""
    return mean([(len(f.a) + len(f.b)) / f.train for f in snapshot.folds])


def unit_of(snapshot: Snapshot) -> str:
    """What intervals rest on: ``held-out group``, or ``speaker`` where there are deals."""
    return "held-out group" if snapshot.deals == 1 else "speaker"


def units_asked(snapshot: Snapshot) -> int:
    """Number of independent units of a study whose trainings are all finished."""
    return len(snapshot.folds if snapshot.deals == 1 else snapshot.test_speakers)


def unit_means(snapshot: Snapshot, by_speaker: Mapping[str, float]) -> list[float]:
    """The mean score of each independent unit: of each held-out group, or of each speaker.

    A speaker shares a training, and so its luck, with the others of his held-out group: the group
    is the unit. Where the speakers are dealt anew, he shares each deal's training with others. Then
    the speaker over all deals is the unit, and the luck that two of them share is below what the
    ratio of test to training speakers allows for.

    Args:
        snapshot: the study: its folds.
        by_speaker: test speaker -> score or difference.

    Returns:
        One value for each unit with a scored speaker: groups in the order of folds, or speakers.
    """
    if snapshot.deals > 1:
        return [by_speaker[name] for name in snapshot.test_speakers if name in by_speaker]
    groups = []
    for fold in snapshot.folds:
        values = [by_speaker[name] for name in (*fold.a, *fold.b) if name in by_speaker]
        if values:
            groups.append(mean(values))
    return groups
