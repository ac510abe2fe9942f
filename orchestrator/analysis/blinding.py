"""Which test scores nobody may look at yet, whatever asks for them.

What judges a search's winners is sealed until the last of it has ended; by then nothing of the
search can be steered by it. The trials of a flat search stay sealed: who chose by their dev scores
chose on the same speakers. A trial that an ablation asks for as well is the ablation's.
"""

from collections.abc import Iterable, Iterator

from orchestrator.store import files
from orchestrator.store.files import in_parallel
from orchestrator.store.ledger import Ledger
from orchestrator.store.records import Outcome
from orchestrator.store.snapshot import CHOSEN, Snapshot
from orchestrator.store.studies import read_snapshot


def sealed_trials(ledger: Ledger) -> dict[str, str]:
    """Trials that judge winners of a search that has not ended -> its study.

    Raises:
        DamageError: a snapshot is not what was written.
    """
    sealed, opened = dict[str, str](), set[str]()
    for snapshot in _with_winners(ledger):
        opened |= {trial.id for trial in snapshot.trials}
        for trial in snapshot.search.trials if snapshot.search else ():
            if trial.row == CHOSEN:
                sealed.setdefault(trial.id, snapshot.study)
    return {id: study for id, study in sealed.items() if id not in opened}


def open_outcomes(ledger: Ledger, ids: Iterable[str]) -> dict[str, Outcome]:
    """The records of those trials that have one and may be looked at, in the order of the ids.

    Raises:
        DamageError: a record or a snapshot is not what was written.
    """
    sealed = sealed_trials(ledger)
    return ledger.outcomes.read_all(id for id in ids if id not in sealed)


def _with_winners(ledger: Ledger) -> Iterator[Snapshot]:
    """Forms of searches that have winners. Of a long one there are many forms: few are parsed."""
    paths = {path.name: path for path in ledger.studies.snapshot_files()}
    blobs = in_parallel(ledger.root, lambda name: files.read(paths[name]), list(paths))
    for path, blob in zip(paths.values(), blobs, strict=True):
        if CHOSEN.encode() in blob and b'"search":null' not in blob:
            yield read_snapshot(path)
