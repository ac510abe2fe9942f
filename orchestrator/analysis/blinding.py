"""Blinding: the test scores that no table, picture or log may show yet.

The final trainings of a search, which test its winners, are blinded until the last of them has
ended: after that, no test score can influence the search. The trials of a flat search stay blinded,
since their configurations were chosen by dev scores of the same speakers. A trial that another
study trains as well is not blinded.
"""

from collections.abc import Iterable, Iterator

from orchestrator.store import files
from orchestrator.store.files import in_parallel
from orchestrator.store.ledger import Ledger
from orchestrator.store.records import Outcome
from orchestrator.store.snapshot import CHOSEN, Snapshot
from orchestrator.store.studies import read_snapshot


def blinded_trials(ledger: Ledger) -> dict[str, str]:
    """The trials whose test scores must not be shown: they test winners of unfinished searches.

    Returns:
        Id of the trial -> name of the study with the search.

    Raises:
        DamageError: a snapshot is not what was written.
    """
    blinded, shown = dict[str, str](), set[str]()
    for snapshot in _with_winners(ledger):
        shown |= {trial.id for trial in snapshot.trials}
        for trial in snapshot.search.trials if snapshot.search else ():
            if trial.row == CHOSEN:
                blinded.setdefault(trial.id, snapshot.study)
    return {id: study for id, study in blinded.items() if id not in shown}


def open_outcomes(ledger: Ledger, ids: Iterable[str]) -> dict[str, Outcome]:
    """Read the outcomes of those trials that are finished and not blinded.

    Returns:
        Id -> outcome, in the order of ``ids``.

    Raises:
        DamageError: a record or a snapshot is not what was written.
    """
    blinded = blinded_trials(ledger)
    return ledger.outcomes.read_all(id for id in ids if id not in blinded)


def _with_winners(ledger: Ledger) -> Iterator[Snapshot]:
    """The snapshots of all searches that have winners.

    A long search leaves many snapshots, and to parse them takes long, so the others are skipped by
    their text.
    """
    paths = {path.name: path for path in ledger.studies.snapshot_files()}
    blobs = in_parallel(ledger.root, lambda name: files.read(paths[name]), list(paths))
    for path, blob in zip(paths.values(), blobs, strict=True):
        if CHOSEN.encode() in blob and b'"search":null' not in blob:
            yield read_snapshot(path)
