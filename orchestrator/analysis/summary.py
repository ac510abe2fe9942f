"""Outcomes -> the rows of a table: means, intervals, paired differences and verdicts. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from model.evaluation.metrics import absent
from orchestrator.analysis.adaptive import adaptive_progress
from orchestrator.analysis.claim import judge_claim
from orchestrator.analysis.differences import (
    Difference,
    Verdict,
    at_last_interim,
    compare_with_reference,
    verdict_of,
)
from orchestrator.analysis.row_scores import (
    Accuracies,
    Interval,
    Pooled,
    RowScores,
    group_means,
    without_stale,
)
from orchestrator.analysis.sequential import InterimResult
from orchestrator.store.records import Outcome
from orchestrator.store.snapshot import Snapshot


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
    segment: Accuracies | None
    last_epoch: Accuracies | None
    best_on_test: Accuracies | None
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
    interim: InterimResult | None = None
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
    current = without_stale(outcomes)
    stale = outcomes.keys() - current.keys()
    sequential = adaptive_progress(snapshot, current)
    snapshot = snapshot if sequential is None else sequential.now()
    interims = {} if sequential is None else dict(sequential.comparisons)
    units = {row.name: RowScores(snapshot, row.name, current) for row in snapshot.rows}
    identical = _identical_seeds(snapshot, current)
    scores = {name: unit.by_speaker() for name, unit in units.items()}
    differences = compare_with_reference(snapshot, scores)
    for name, standing in interims.items():
        if name in differences:
            differences[name] = replace(differences[name], over_seeds=at_last_interim(standing))
    for name in differences:
        if {name, snapshot.reference} & set(identical):
            differences[name] = replace(differences[name], over_seeds=None)
            interims.pop(name, None)
    claim, reason = judge_claim(snapshot, scores)
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
                groups=len(group_means(snapshot, speakers)),
                wa=unit.interval("wa"),
                ua=unit.interval("ua"),
                segment=unit.pair("chosen", "segment"),
                last_epoch=unit.pair("last_epoch", "utterance"),
                best_on_test=unit.pair("best_on_test", "utterance"),
                paper=row.paper,
                difference=difference,
                verdict="" if difference is None else verdict_of(difference),
                parameters=unit.parameters,
                blocks=row.blocks,
                pooled=unit.pooled(),
                stale=len({t.id for t in snapshot.trials if t.row == row.name} & stale),
                interim=interims.get(row.name),
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
