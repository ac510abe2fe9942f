"""The summary of a study: the rows of its table, their differences, verdicts and warnings. Pure."""

from collections.abc import Collection, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, replace

from model.evaluation.metrics import absent
from orchestrator.analysis.claim import judge_claim
from orchestrator.analysis.differences import (
    NO_SCORE,
    Difference,
    Verdict,
    at_last_interim,
    compare_with_reference,
    verdict_of,
)
from orchestrator.analysis.family import Promise, promise_of
from orchestrator.analysis.grid.axes import axes_of
from orchestrator.analysis.grid.effects import Effects, grid_effects
from orchestrator.analysis.progress.adaptive import adaptive_progress
from orchestrator.analysis.progress.completeness import Completeness, RowCompleteness, completeness
from orchestrator.analysis.row_scores import (
    Accuracies,
    Interval,
    Pooled,
    RowScores,
    headline_scores,
    unit_means,
    without_stale,
)
from orchestrator.analysis.sequential import InterimResult
from orchestrator.store.records import CHOICE_OF, Outcome
from orchestrator.store.snapshot import Snapshot, SnapshotRow


@dataclass(frozen=True, kw_only=True, slots=True)
class RowSummary:
    """One row of a study's table: its accuracies and its difference from the reference.

    Accuracies are means over test speakers, 0 to 1; None while no training is finished.
    """

    name: str
    """Name of the row."""
    n: int
    """Number of finished trainings."""
    missing: int
    """Number of trainings that the study asks for and that are neither finished nor given up."""
    speakers: int
    """Number of test speakers with a finished training."""
    groups: int = 0
    """Number of independent units with a finished training: held-out groups, or speakers where
    these are dealt several times (``row_scores.unit_means``)."""
    wa: Interval | None
    """Weighted accuracy of utterances by the study's score, with the 95 % interval for new
    speakers."""
    ua: Interval | None
    """Unweighted accuracy of utterances by the study's score, with the 95 % interval for new
    speakers."""
    segment: Accuracies | None
    """WA and UA by the study's score where segments are counted instead of utterances."""
    last_epoch: Accuracies | None
    """WA and UA of utterances at the last epoch."""
    best_on_test: Accuracies | None
    """WA and UA at the epoch that is best on the test speakers: too high, since they chose it."""
    paper: Mapping[str, float]
    """Published figures: ``wa`` and ``ua`` in percent, ``params`` as a count; empty where there are
    none."""
    difference: Difference | None
    """The row's UA minus the reference's; None for the reference, and while they share no
    training."""
    verdict: Verdict
    """Whether the row differs from the reference: ``yes``, ``cannot tell``, or while that must not
    be judged such as ``open, 7 of 15`` (see ``completeness.py``), or ``no score``, or where it
    never can be such as ``none: 2 seeds, 3 are needed`` (see ``crossed.py``); empty for the
    reference, and where there is none."""
    parameters: int = 0
    """Number of trained parameters; 0 where the system has no such count, or nothing is
    finished."""
    blocks: tuple[str, ...] = ()
    """Headings under which the row stands in the table; a row may stand under several."""
    pooled: Pooled | None = None
    """The same utterances in one confusion matrix over all speakers and seeds; None while nothing
    is finished."""
    stale: int = 0
    """Number of trainings by an earlier version of the code; they do not count until trained
    again."""
    interim: InterimResult | None = None
    """The row's last interim analysis in an adaptive study; None for the reference, and in other
    studies."""
    given_up: int = 0
    """Number of trainings that diverged under this version of the code, and are given up."""
    averaged: Accuracies | None = None
    """WA and UA of utterances by averaged weights; None where a training has none."""
    chosen: Accuracies | None = None
    """WA and UA of utterances at the chosen epoch."""
    unscored: int = 0
    """Number of finished trainings without the study's score; with one the row has no score."""
    dev: Accuracies | None = None
    """WA and UA of the dev side of a published split, by the study's score: no result. None where
    the folds are dealt."""

    @property
    def completeness(self) -> RowCompleteness:
        """How many of its trainings have ended."""
        asked = self.n + self.missing + self.given_up
        return RowCompleteness(asked=asked, finished=self.n, diverged=self.given_up)

    @property
    def is_open(self) -> bool:
        """Whether its difference from the reference is not judged: ``verdict`` says why."""
        return self.verdict.startswith(("open", "none", "exploratory", NO_SCORE))


@dataclass(frozen=True, kw_only=True, slots=True)
class Summary:
    """The rows of a study's table, and the warnings and the verdict that stand below it."""

    snapshot: Snapshot
    """The study; if it is adaptive, only with those trials that it needs now."""
    rows: tuple[RowSummary, ...]
    """The summary of each row of the study, in its order."""
    absent: tuple[str, ...]
    """``speaker: class`` for each class without an utterance of a test speaker; the speaker's UA
    leaves it out."""
    classes_of_determinism: int
    """In how many determinism classes (kinds of machine and PyTorch) the outcomes were trained:
    bits agree only within one."""
    identical_seeds: tuple[str, ...]
    """Names of rows in which two seeds gave the same predictions: a fault, since the seed has no
    effect."""
    alarms: tuple[str, ...]
    """Paths of second outcomes of trials that were finished twice with different numbers."""
    claim: Verdict
    """The verdict on the study's claim (`judge_claim`); empty where there is none to judge."""
    reason: str = ""
    """The reason of that verdict as a sentence; empty where there is no verdict."""
    effects: Effects | None = None
    """The main effects of a grid of at least two axes, and what they depend on; None for other
    studies. With one axis the rows are its levels, so that their own differences say it."""

    @property
    def promise(self) -> Promise | None:
        """What the verdicts of the rows keep together; None where no row is judged."""
        judged = [d for row in self.rows if (d := row.difference) is not None and d.p is not None]
        return promise_of(d.luck for d in judged)

    @property
    def completeness(self) -> Completeness:
        """Which trainings of the study have ended, and so whether its table may be judged."""
        return Completeness(rows={row.name: row.completeness for row in self.rows})


def summarise(
    snapshot: Snapshot,
    outcomes: Mapping[str, Outcome],
    alarms: Sequence[str] = (),
    given_up: Collection[str] = (),
) -> Summary:
    """Summarise the outcomes of a study as the rows of its table.

    Args:
        snapshot: the study.
        outcomes: id -> outcome of finished trials; those of other studies are ignored.
        alarms: paths of second outcomes with other numbers, which are passed on.
        given_up: ids of trials that diverged, see ``completeness.given_up_trials``.
    """
    current = without_stale(outcomes)
    adaptive = adaptive_progress(snapshot, current, given_up)
    snapshot = snapshot if adaptive is None else adaptive.needed_now()
    state = completeness(snapshot, current, given_up)
    identical = _identical_seeds(snapshot, current)
    by_row = {row.name: RowScores(snapshot, row.name, current) for row in snapshot.rows}
    uas = {name: scores.by_speaker() for name, scores in by_row.items()}
    differences = compare_with_reference(snapshot, uas, state.open_rows(snapshot.reference))
    # Where the seed has no effect, a spread over seeds says nothing; over deals it does.
    constant = set(identical) if snapshot.deals == 1 else set[str]()
    unjudged = {name for name in differences if {name, snapshot.reference} & constant}
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
    claim, reason = judge_claim(snapshot, uas, state)
    is_grid = bool(snapshot.axes) and len(axes_of(snapshot)) > 1
    used = [o for trial in snapshot.trials if (o := current.get(trial.id)) is not None]
    return Summary(
        snapshot=snapshot,
        rows=tuple(
            _row(
                snapshot,
                row,
                by_row[row.name],
                by_row.get(snapshot.reference or "", by_row[row.name]),
                differences.get(row.name),
                interims.get(row.name),
                state=state,
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
        effects=grid_effects(snapshot, uas, state, constant) if is_grid else None,
    )


def _row(
    snapshot: Snapshot,
    row: SnapshotRow,
    scores: RowScores,
    reference: RowScores,
    difference: Difference | None,
    interim: InterimResult | None,
    *,
    state: Completeness,
    stale: Set[str],
) -> RowSummary:
    """The summary of one row.

    Args:
        snapshot: the study.
        row: the row.
        scores: its scores.
        reference: those of the reference row; the row's own where there is none.
        difference: its difference from the reference.
        interim: its last interim analysis.
        state: which trainings of the study have ended.
        stale: ids of all stale trials of the study.
    """
    own = state.rows[row.name]
    verdict = ""
    if snapshot.reference is not None and row.name != snapshot.reference:
        verdict = state.open_verdict(row.name, snapshot.reference)
        if not verdict and (scores.unscored or reference.unscored):
            verdict = NO_SCORE
        if not verdict and difference is not None:
            verdict = verdict_of(difference)
    score = CHOICE_OF[snapshot.score]
    speakers = scores.speakers(score, "utterance", "ua")
    return RowSummary(
        name=row.name,
        n=scores.n,
        missing=own.missing,
        speakers=len(speakers),
        groups=len(unit_means(snapshot, speakers)),
        wa=scores.interval("wa"),
        ua=scores.interval("ua"),
        segment=scores.accuracies(score, "segment"),
        last_epoch=scores.accuracies("last_epoch", "utterance"),
        best_on_test=scores.accuracies("best_on_test", "utterance"),
        paper=row.paper,
        difference=difference,
        verdict=verdict,
        parameters=scores.parameters,
        blocks=row.blocks,
        pooled=scores.pooled(),
        stale=len({trial.id for trial in snapshot.trials if trial.row == row.name} & stale),
        interim=interim,
        given_up=own.diverged,
        averaged=scores.accuracies("averaged", "utterance"),
        chosen=scores.accuracies("chosen", "utterance"),
        unscored=scores.unscored,
        dev=scores.dev(),
    )


def _absent(snapshot: Snapshot, outcomes: Iterable[Outcome]) -> tuple[str, ...]:
    """``speaker: class`` for every class without an utterance of a test speaker, sorted."""
    found = set()
    for outcome in outcomes:
        for scores in headline_scores(snapshot, outcome):
            for index in absent(scores.confusion):
                found.add(f"{scores.speaker}: {snapshot.classes[index]}")
    return tuple(sorted(found))


def _identical_seeds(snapshot: Snapshot, outcomes: Mapping[str, Outcome]) -> tuple[str, ...]:
    """Names of rows in which two seeds of one fold gave the very same predictions."""
    seen: dict[tuple[str, tuple[int, int], str], int] = {}
    rows = set()
    for trial in snapshot.trials:
        if (outcome := outcomes.get(trial.id)) is not None:
            key = (trial.row, trial.fold_key, outcome.digests["predictions"])
            if seen.setdefault(key, trial.seed) != trial.seed:
                rows.add(trial.row)
    return tuple(sorted(rows))
