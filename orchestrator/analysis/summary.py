"""The summary of a study: the rows of its table, their differences, verdicts and warnings. Pure."""

from collections.abc import Iterable, Mapping, Sequence, Set
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
    headline_scores,
    without_stale,
)
from orchestrator.analysis.sequential import InterimResult
from orchestrator.store.records import Outcome
from orchestrator.store.snapshot import Snapshot, SnapshotRow


@dataclass(frozen=True, kw_only=True, slots=True)
class RowSummary:
    """One row of a table.

    Accuracies are means over test speakers, 0 to 1; None while no training is finished.
    """

    name: str
    n: int
    """Finished trainings."""
    missing: int
    """Trainings that the study asks for and that are not finished."""
    speakers: int
    """Test speakers with a finished training."""
    groups: int = 0
    """Held-out groups with a finished training."""
    wa: Interval | None
    ua: Interval | None
    segment: Accuracies | None
    """Segments counted instead of utterances."""
    last_epoch: Accuracies | None
    """The last epoch instead of the chosen one."""
    best_on_test: Accuracies | None
    """The epoch that is best on the test speakers: too high, since it was chosen by them."""
    paper: Mapping[str, float]
    """Published figures in percent, by metric; empty where there are none."""
    difference: Difference | None
    """The row minus the reference; None for the reference itself."""
    verdict: Verdict
    """Whether the row differs from the reference."""
    parameters: int = 0
    """Trained parameters of the system; 0 where it has no such number, or nothing is finished."""
    blocks: tuple[str, ...] = ()
    """The headings of the table under which the row stands."""
    pooled: Pooled | None = None
    """All utterances in one confusion matrix."""
    stale: int = 0
    """Finished trainings of an earlier version of the code: not counted until trained again."""
    interim: InterimResult | None = None
    """The last interim analysis of the row in an adaptive study; None for the reference."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Summary:
    """The rows of a study and what must be said under their table."""

    snapshot: Snapshot
    """The study; an adaptive one with those trials that it asks for now."""
    rows: tuple[RowSummary, ...]
    absent: tuple[str, ...]
    """``speaker: class``: a class that a test speaker never speaks; it is left out of that UA."""
    classes_of_determinism: int
    """How many kinds of machine and PyTorch trained the outcomes: bits agree only within one."""
    identical_seeds: tuple[str, ...]
    """Rows in which two seeds gave the same predictions: the seed has no effect, a fault."""
    alarms: tuple[str, ...]
    """Files of trials that were finished twice with different numbers."""
    claim: Verdict
    """The verdict on the study's claim; empty where there is none, or it must not be judged."""
    reason: str = ""
    """Why the claim has that verdict, as one sentence."""


def summarise(
    snapshot: Snapshot, outcomes: Mapping[str, Outcome], alarms: Sequence[str] = ()
) -> Summary:
    """Summarise the outcomes of a study.

    Args:
        snapshot: the study.
        outcomes: finished trials by id; those of other studies are ignored.
        alarms: records of trials that were finished twice with different numbers.
    """
    current = without_stale(outcomes)
    adaptive = adaptive_progress(snapshot, current)
    snapshot = snapshot if adaptive is None else adaptive.now()
    identical = _identical_seeds(snapshot, current)
    by_row = {row.name: RowScores(snapshot, row.name, current) for row in snapshot.rows}
    uas = {name: scores.by_speaker() for name, scores in by_row.items()}
    differences = compare_with_reference(snapshot, uas)
    # Where the seed has no effect, a spread over seeds says nothing.
    unjudged = {name for name in differences if {name, snapshot.reference} & set(identical)}
    interims = {
        name: result
        for name, result in ({} if adaptive is None else adaptive.comparisons).items()
        if name not in unjudged
    }
    for name, difference in differences.items():
        if name in unjudged:
            differences[name] = replace(difference, over_seeds=None)
        elif name in interims:
            differences[name] = replace(difference, over_seeds=at_last_interim(interims[name]))
    claim, reason = judge_claim(snapshot, uas)
    used = [o for trial in snapshot.trials if (o := current.get(trial.id)) is not None]
    return Summary(
        snapshot=snapshot,
        rows=tuple(
            _row(
                snapshot,
                row,
                by_row[row.name],
                differences.get(row.name),
                interims.get(row.name),
                stale=outcomes.keys() - current.keys(),
            )
            for row in snapshot.rows
        ),
        absent=_absent(snapshot, used),
        classes_of_determinism=len({tuple(sorted(o.environment.items())) for o in used}),
        identical_seeds=identical,
        alarms=tuple(alarms),
        claim=claim,
        reason=reason,
    )


def _row(
    snapshot: Snapshot,
    row: SnapshotRow,
    scores: RowScores,
    difference: Difference | None,
    interim: InterimResult | None,
    *,
    stale: Set[str],
) -> RowSummary:
    """One row of the table; ``stale`` are the ids of all stale trials."""
    speakers = scores.speakers("chosen", "utterance", "ua")
    return RowSummary(
        name=row.name,
        n=scores.n,
        missing=scores.missing,
        speakers=len(speakers),
        groups=len(group_means(snapshot, speakers)),
        wa=scores.interval("wa"),
        ua=scores.interval("ua"),
        segment=scores.accuracies("chosen", "segment"),
        last_epoch=scores.accuracies("last_epoch", "utterance"),
        best_on_test=scores.accuracies("best_on_test", "utterance"),
        paper=row.paper,
        difference=difference,
        verdict="" if difference is None else verdict_of(difference),
        parameters=scores.parameters,
        blocks=row.blocks,
        pooled=scores.pooled(),
        stale=len({trial.id for trial in snapshot.trials if trial.row == row.name} & stale),
        interim=interim,
    )


def _absent(snapshot: Snapshot, outcomes: Iterable[Outcome]) -> tuple[str, ...]:
    """``speaker: class`` for every class that a test speaker never speaks."""
    found = set()
    for outcome in outcomes:
        for scores in headline_scores(outcome):
            for index in absent(scores.confusion):
                found.add(f"{scores.speaker}: {snapshot.classes[index]}")
    return tuple(sorted(found))


def _identical_seeds(snapshot: Snapshot, outcomes: Mapping[str, Outcome]) -> tuple[str, ...]:
    """Rows in which two seeds of one fold gave the very same predictions."""
    seen: dict[tuple[str, int, str], int] = {}
    rows = set()
    for trial in snapshot.trials:
        if (outcome := outcomes.get(trial.id)) is not None:
            key = (trial.row, trial.fold, outcome.digests["predictions"])
            if seen.setdefault(key, trial.seed) != trial.seed:
                rows.add(trial.row)
    return tuple(sorted(rows))
