"""Two rows of a study beside each other: by fold, by emotion, by utterance. Reads the ledger.

Only trainings that both rows have finished, fold by fold and seed by seed, are set beside each
other. An utterance *flips* where one row is right and the other wrong. Flips are counted and
listed; McNemar's test is not made of them, since utterances of one speaker are no independent
units: their balance by speaker, which is the difference in WA, goes through the corrected t.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from model.evaluation.metrics import ua
from orchestrator.analysis import blinding
from orchestrator.analysis.adaptive import with_wanted_trials
from orchestrator.analysis.differences import Difference, compare_with_reference
from orchestrator.analysis.row_scores import Interval, group_means, test_to_train
from orchestrator.analysis.statistics import corrected_t, mean
from orchestrator.errors import RequestError, nearest
from orchestrator.store.attempts import read_decisions
from orchestrator.store.ledger import Ledger
from orchestrator.store.records import Outcome, is_stale
from orchestrator.store.snapshot import Snapshot

Shared = Mapping[tuple[int, int], tuple[Outcome, Outcome]]
"""(Fold, seed) -> the finished trainings of both rows."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PairedScore:
    """A score of both rows: of a fold (UA) or of an emotion (recall), mean over its speakers."""

    name: str
    a: float
    b: float
    speakers: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Flip:
    """An utterance that one row takes rightly and the other wrongly, in some seed."""

    utterance: str
    speaker: str
    emotion: str
    gained: int
    """Seeds in which A is wrong and B is right."""
    lost: int
    """Seeds in which A is right and B is wrong."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Comparison:
    """B minus A, on the trainings that both have."""

    snapshot: Snapshot
    a: str
    b: str
    shared: int
    """Trainings that both have."""
    wanted: int
    difference: Difference | None
    """In UA; None while nothing is shared."""
    balance: Interval | None
    """Share of utterances gained less lost: the difference in WA, by speaker and group."""
    folds: tuple[PairedScore, ...]
    emotions: tuple[PairedScore, ...]
    flips: tuple[Flip, ...]
    """Those that flip in most seeds first."""
    decisions: int
    """Utterances times seeds that were set beside each other."""


def compare_rows(snapshot: Snapshot, ledger: Ledger, a: str, b: str) -> Comparison:
    """Set row B beside row A.

    Raises:
        RequestError: the study has no such row, or the two are one.
        DamageError: a training's predictions are not what was written.
    """
    names = [row.name for row in snapshot.rows]
    for name in (a, b):
        if name not in names:
            raise RequestError(f"`{snapshot.study}` has no row `{name}`. {nearest(name, names)}")
    if a == b:
        raise RequestError(f"A and B must be two rows, but are both `{a}` instead.")
    snapshot = with_wanted_trials(snapshot, ledger)
    outcomes = blinding.open_outcomes(ledger, [trial.id for trial in snapshot.trials])
    shared = _shared(snapshot, outcomes, a, b)
    scores: dict[str, dict[str, dict[int, float]]] = {a: {}, b: {}}
    for (_, seed), pair in shared.items():
        for name, outcome in zip((a, b), pair, strict=True):
            for s in outcome.scores:
                if (s.choice, s.unit) == ("chosen", "utterance"):
                    scores[name].setdefault(s.speaker, {})[seed] = ua(s.confusion)
    flips, recalls, net, decisions = _by_utterance(ledger, shared)
    return Comparison(
        snapshot=snapshot,
        a=a,
        b=b,
        shared=len(shared),
        wanted=len(_places(snapshot, a) & _places(snapshot, b)),
        difference=compare_with_reference(replace(snapshot, reference=a), scores).get(b),
        balance=_balance(snapshot, net),
        folds=tuple(
            PairedScore(
                name=str(fold.index + 1),
                a=mean([mean(list(scores[a][s].values())) for s in speakers]),
                b=mean([mean(list(scores[b][s].values())) for s in speakers]),
                speakers=len(speakers),
            )
            for fold in snapshot.folds
            if (speakers := [s for s in (*fold.a, *fold.b) if s in scores[a]])
        ),
        emotions=tuple(
            PairedScore(
                name=emotion,
                a=mean([mean(pairs[0]) for pairs in by_speaker]),
                b=mean([mean(pairs[1]) for pairs in by_speaker]),
                speakers=len(by_speaker),
            )
            for emotion in snapshot.classes
            if (by_speaker := [pairs for (_, e), pairs in recalls.items() if e == emotion])
        ),
        flips=flips,
        decisions=decisions,
    )


def _places(snapshot: Snapshot, row: str) -> set[tuple[int, int]]:
    return {(trial.fold, trial.seed) for trial in snapshot.trials if trial.row == row}


def _shared(snapshot: Snapshot, outcomes: Mapping[str, Outcome], a: str, b: str) -> Shared:
    found: dict[str, dict[tuple[int, int], Outcome]] = {a: {}, b: {}}
    for trial in snapshot.trials:
        outcome = outcomes.get(trial.id)
        if trial.row in found and outcome is not None and not is_stale(outcome):
            found[trial.row][trial.fold, trial.seed] = outcome
    return {key: (found[a][key], found[b][key]) for key in sorted(found[a]) if key in found[b]}


Hits = tuple[list[float], list[float]]
"""Of A and of B: 1 where an utterance was taken rightly in a seed, else 0."""


def _by_utterance(
    ledger: Ledger, shared: Shared
) -> tuple[tuple[Flip, ...], dict[tuple[str, str], Hits], dict[str, list[float]], int]:
    """Flips; hits by speaker and emotion; gained less lost by speaker; decisions compared."""
    flips: dict[str, Flip] = {}
    hits: dict[tuple[str, str], Hits] = {}
    net: dict[str, list[float]] = {}
    decisions = 0
    for pair in shared.values():
        ours, theirs = (
            read_decisions(ledger.attempts.read_file(o, "predictions.parquet")) for o in pair
        )
        for name in sorted(ours.keys() & theirs.keys()):
            speaker, emotion, taken = ours[name]
            right_a, right_b = taken == emotion, theirs[name][2] == emotion
            by_row = hits.setdefault((speaker, emotion), ([], []))
            by_row[0].append(float(right_a))
            by_row[1].append(float(right_b))
            net.setdefault(speaker, []).append(float(right_b) - float(right_a))
            decisions += 1
            if right_a != right_b:
                known = flips.get(name) or Flip(
                    utterance=name, speaker=speaker, emotion=emotion, gained=0, lost=0
                )
                flips[name] = replace(
                    known, gained=known.gained + right_b, lost=known.lost + right_a
                )
    order = sorted(flips.values(), key=lambda f: (-abs(f.gained - f.lost), f.utterance))
    return tuple(order), hits, net, decisions


def _balance(snapshot: Snapshot, net: Mapping[str, Iterable[float]]) -> Interval | None:
    by_speaker = {speaker: mean(list(values)) for speaker, values in net.items()}
    if not by_speaker:
        return None
    centre = mean(list(by_speaker.values()))
    low, high, _ = corrected_t(group_means(snapshot, by_speaker), test_to_train(snapshot), centre)
    return Interval(mean=centre, low=low, high=high)
