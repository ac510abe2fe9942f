"""When a table may be judged: no verdict and no p before all of its trainings have ended.

Trials run seed by seed, so a row has all of its held-out groups after its first seed, and a table
can be read at any moment. To judge it at each of these moments is to test often: of drawn tables in
which nothing differs, 2 to 12 % showed a difference in the end, but 6 to 30 % at some moment before
it. So a table is judged once, when every training that the study asks for (all rows, folds and
seeds) is finished or given up.

A training is *given up* where it diverged (its loss was infinite or not a number) under this
version of the training code: the same numbers would diverge again. Every other training without
an outcome is *missing*, whatever stopped it. While one is missing, every comparison is *open*. A
row with a training given up stays open; the others are judged without it.

Under `chosen` and `last` a direction is frozen when its own patience is over, while training may
go on for the other one (`model/evaluation/epoch_selection.py`). If it then diverges, the whole
trial is given up, so that labels of one half decide whether the other has a score. This can take a
verdict away, but it makes none: a row is judged only where none of its trainings is given up, and
then every score is the one that it would be in any case. The tables with a false verdict are thus
some of those that would have one if no training had diverged. To keep the frozen half would leave
the row with half a held-out group, and compare it on other speakers. Under `averaged` both
directions go on to the last epoch, and no label has a say.

An adaptive study decides on its seeds by a rule of its own (`sequential.py`), which pays for each
look. Its verdicts for new speakers wait, as those of any study, until the last comparison is
settled: until then it asks for more trainings.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from orchestrator.analysis.crossed import why_no_verdict
from orchestrator.errors import DamageError
from orchestrator.store.ledger import Ledger
from orchestrator.store.paths import FAILURE, OUTCOME
from orchestrator.store.records import Failure, Outcome, is_stale
from orchestrator.store.snapshot import Snapshot
from orchestrator.study.trials import is_current


@dataclass(frozen=True, kw_only=True, slots=True)
class RowCompleteness:
    """How many trainings of a row the study asks for, and how many of them have ended."""

    asked: int
    """Trainings that the study asks for, over all folds and seeds."""
    finished: int
    """Trainings with an outcome of this version of the code."""
    diverged: int = 0
    """Trainings that diverged, and are given up."""

    @property
    def missing(self) -> int:
        """Trainings that are neither finished nor given up."""
        return self.asked - self.finished - self.diverged

    @property
    def text(self) -> str:
        """What stands in place of a verdict: ``open, 7 of 15``, or with ``(1 diverged)``."""
        diverged = f" ({self.diverged} diverged)" if self.diverged else ""
        return f"open, {self.finished} of {self.asked}{diverged}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Completeness:
    """Which trainings of a study have ended, and so which of its comparisons may be judged."""

    rows: Mapping[str, RowCompleteness]
    """Name of a row -> its trainings."""
    exploratory: bool = False
    """Whether another score than the study's own is shown, by which nothing is judged."""
    never: str = ""
    """Why no comparison can ever be judged, such as ``none: 2 seeds, 3 are needed`` of a published
    split (see ``crossed.py``); empty where it can."""

    @property
    def is_whole(self) -> bool:
        """Whether no training is missing, so that the table may be judged."""
        return not any(row.missing for row in self.rows.values())

    @property
    def all_rows(self) -> RowCompleteness:
        """The trainings of all rows together."""
        return self.together(self.rows)

    def together(self, names: Collection[str]) -> RowCompleteness:
        """The trainings of some rows together."""
        rows = [self.rows[name] for name in names]
        return RowCompleteness(
            asked=sum(row.asked for row in rows),
            finished=sum(row.finished for row in rows),
            diverged=sum(row.diverged for row in rows),
        )

    def open_verdict(self, row: str, *others: str) -> str:
        """What stands in place of the verdict on a row.

        Args:
            row: the name of the row.
            others: the names of the rows with which it is compared.

        Returns:
            Such as ``open, 7 of 15``, the row's own trainings; ``exploratory`` where another score
            than the study's own is shown; empty where it may be judged.
        """
        if self.exploratory:
            return "exploratory"
        diverged = any(self.rows[name].diverged for name in (row, *others))
        return self.never or (self.rows[row].text if diverged or not self.is_whole else "")

    def open_together(self, names: Collection[str]) -> str:
        """What stands in place of the verdict on rows that are averaged before they are compared.

        Args:
            names: the names of all rows that take part in the comparison.

        Returns:
            Such as ``open, 7 of 15``, the trainings of these rows; ``exploratory`` where another
            score than the study's own is shown; empty where it may be judged.
        """
        if self.exploratory:
            return "exploratory"
        state = self.together(names)
        return self.never or (state.text if state.diverged or not self.is_whole else "")

    def open_rows(self, reference: str | None) -> frozenset[str]:
        """Names of the rows whose comparison with the reference must not be judged."""
        others = () if reference is None else (reference,)
        return frozenset(name for name in self.rows if self.open_verdict(name, *others))


def completeness(
    snapshot: Snapshot, outcomes: Mapping[str, Outcome], given_up: Collection[str] = ()
) -> Completeness:
    """Count the trainings of a study that are finished, given up and missing, row by row.

    Args:
        snapshot: the study; an adaptive one with those trials that it needs now.
        outcomes: id -> outcome of finished trials; a stale one is missing.
        given_up: ids of trials that diverged, see `given_up_trials`.
    """
    finished = {id for id, outcome in outcomes.items() if not is_stale(outcome)}
    asked = {row.name: 0 for row in snapshot.rows}
    done, diverged = dict(asked), dict(asked)
    for trial in snapshot.trials:
        if trial.row in asked:
            asked[trial.row] += 1
            done[trial.row] += trial.id in finished
            diverged[trial.row] += trial.id in given_up and trial.id not in finished
    return Completeness(
        rows={
            name: RowCompleteness(asked=n, finished=done[name], diverged=diverged[name])
            for name, n in asked.items()
        },
        exploratory=snapshot.exploratory,
        never=why_no_verdict(snapshot),
    )


def given_up_trials(ledger: Ledger, ids: Iterable[str]) -> frozenset[str]:
    """The trials that diverged under this version of the training code, by their failure records.

    A damaged record proves nothing, so that its trial counts as missing. A trial that finished
    after all is not given up.
    """
    failed = [
        id
        for id, names in ledger.files_of(ids).items()
        if OUTCOME not in names and any(map(FAILURE.fullmatch, names))
    ]
    return frozenset(id for id in failed if any(map(_is_final, _failures(ledger, id))))


def _failures(ledger: Ledger, id: str) -> Sequence[Failure]:
    found = []
    for path in ledger.attempts.failure_files(id):
        try:
            found.append(ledger.attempts.read_failure(path))
        except DamageError:
            continue
    return found


def _is_final(failure: Failure) -> bool:
    """Whether the same code would fail in the same way again: its loss was not a number."""
    return failure.cause == "diverged" and is_current(failure.identity)
