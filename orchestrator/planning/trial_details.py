"""All that a store knows of one trial: where it stands, what it is, what it gave and what it said.

Everything is read from the store alone, and nothing of it is believed before it is proven: files
against the outcome that names them, the outcome against its own digest and the trial's id.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from orchestrator.analysis import blinding
from orchestrator.errors import DamageError
from orchestrator.planning.status import TrialState, TrialStatus, trial_status
from orchestrator.store.ledger import Ledger
from orchestrator.store.records import Failure, Outcome, TrainingProgress
from orchestrator.store.snapshot import SnapshotTrial

SHORT_ID = 12
"""Hex digits of an ID that are printed: enough to name a trial."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TableSlot:
    """A place of the trial in a study's table."""

    study: str
    trial: SnapshotTrial
    newest: bool
    """Whether the study was last asked for in this form."""


@dataclass(frozen=True, kw_only=True, slots=True)
class KeptFile:
    """A file of a finished trial."""

    name: str
    size: int
    damage: str
    """Why it is not what was written; empty when it is."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TrialDetails:
    """One trial."""

    id: str
    status: TrialStatus
    stands: tuple[TableSlot, ...]
    identity: Mapping[str, Any]
    """What moves its numbers; empty where no attempt has ended yet."""
    outcome: Outcome | None
    failures: tuple[Failure, ...]
    """Failed attempts, oldest first."""
    flight: TrainingProgress
    alarms: tuple[str, ...]
    """Records of the same trial with other numbers."""
    sealed: str = ""
    """The search that keeps its test scores sealed (`blinding.py`); empty where they are open."""

    @property
    def state(self) -> TrialState:
        """done, failed, in flight, to do."""
        return self.status.state

    @property
    def command(self) -> str:
        """The command that trains it, or trains it again."""
        study = self.stands[0].study if self.stands else "STUDY"
        return training_command(self.id, done=self.outcome is not None, study=study)


def training_command(id: str, *, done: bool, study: str) -> str:
    """What trains a trial: once more beside its record if it is done, else with its study."""
    return f"ablate rerun {id[:SHORT_ID]}" if done else f"ablate run studies/{study}.yaml"


def read_trial(ledger: Ledger, id: str) -> TrialDetails:
    """Everything about a trial but the bytes of its files.

    Raises:
        DamageError: its record, or a snapshot, is not what was written.
    """
    stands, flat = _stands(ledger, id)
    nowhere = SnapshotTrial("", 0, 0, id)
    outcome = ledger.outcomes.read(id)
    failures = tuple(
        ledger.attempts.read_failure(path) for path in ledger.attempts.failure_files(id)
    )
    known = [outcome.identity] if outcome else [f.identity for f in reversed(failures)]
    place = stands[0].trial if stands else nowhere
    return TrialDetails(
        id=id,
        status=trial_status(ledger, place, ledger.files_of([id])[id]),
        stands=stands,
        identity=next((identity for identity in known if identity), {}),
        outcome=outcome,
        failures=failures,
        flight=ledger.attempts.progress(id),
        alarms=tuple(ledger.outcomes.alarms([id])),
        sealed=blinding.blinded_trials(ledger).get(id) or flat,
    )


def check_files(ledger: Ledger, outcome: Outcome | None) -> tuple[KeptFile, ...]:
    """The files of a finished trial, each proven against the record."""
    if outcome is None:
        return ()
    kept = list[KeptFile]()
    for name in sorted(outcome.files):
        try:
            size, damage = len(ledger.attempts.read_file(outcome, name)), ""
        except DamageError as error:
            size, damage = 0, str(error)
        kept.append(KeptFile(name=name, size=size, damage=damage))
    return tuple(kept)


def _stands(ledger: Ledger, id: str) -> tuple[tuple[TableSlot, ...], str]:
    """Where the trial stands, each place once, the newest form of each study first.

    And the flat search of which alone it is, if there is one.
    """
    found, seen = dict[tuple[str, SnapshotTrial], TableSlot](), set[str]()
    flat, others = list[str](), False
    for snapshot in ledger.studies.snapshots():
        newest = snapshot.study not in seen
        seen.add(snapshot.study)
        for trial in snapshot.all_trials:
            if trial.id == id:
                place = TableSlot(study=snapshot.study, trial=trial, newest=newest)
                found.setdefault((snapshot.study, trial), place)
                if snapshot.search is not None and snapshot.search.selection == "flat":
                    flat.append(snapshot.study)
                else:
                    others = True
    places = tuple(sorted(found.values(), key=lambda place: not place.newest))
    return places, "" if others or not flat else flat[0]
