"""Whether a study had verdicts before it was asked for with more seeds or deals.

The 5 % of a table hold for one judgement (`completeness.py`). Who is told `cannot tell` and asks
for more seeds, and for more again, judges several times. That is allowed, and every table says so.
"""

from dataclasses import replace

from orchestrator.analysis.progress.adaptive import with_wanted_trials
from orchestrator.analysis.progress.completeness import completeness, given_up_trials
from orchestrator.store.ledger import Ledger
from orchestrator.store.snapshot import Snapshot


def with_earlier_verdicts(snapshot: Snapshot, ledger: Ledger) -> Snapshot:
    """The snapshot with ``judged_before`` set, by the earlier snapshots of the study in the store.

    A study that was asked for in this form before keeps what was known then, since trainings that
    ended later were no earlier verdict.

    Args:
        snapshot: the study as it is asked for now.
        ledger: the store.

    Raises:
        DamageError: an earlier snapshot, or an outcome of one with fewer trainings, is not what was
            written.
    """
    if snapshot.search is not None:
        return snapshot
    ids, found = {trial.id for trial in snapshot.trials}, set[int]()
    for earlier in ledger.studies.iter_snapshots(snapshot.study):  # the last one first
        its = {trial.id for trial in earlier.trials}
        if its == ids:
            found.update(earlier.judged_before)
            break
        fewer = earlier.tests_of_a_speaker < snapshot.tests_of_a_speaker
        if fewer and its & ids and _was_judged(earlier, ledger):
            found.update((*earlier.judged_before, earlier.tests_of_a_speaker))
    return replace(snapshot, judged_before=tuple(sorted(found)))


def _was_judged(snapshot: Snapshot, ledger: Ledger) -> bool:
    """Whether a study compares rows, and all of its trainings have ended."""
    if snapshot.search is not None or (snapshot.reference is None and not snapshot.axes):
        return False
    snapshot = with_wanted_trials(snapshot, ledger)
    ids = [trial.id for trial in snapshot.trials]
    outcomes = ledger.outcomes.read_all(ids)
    return completeness(snapshot, outcomes, given_up_trials(ledger, ids)).is_whole
