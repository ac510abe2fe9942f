"""Everything that a store holds about one trial: slots, settings, status, outcome and failures.

It is read from the store alone and verified: files against the digests in the outcome, the outcome
against its own digest and the id of the trial.
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
"""How many of the 64 digits of a trial id are printed; they suffice to name a trial."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TableSlot:
    """One place of the trial in a study's table."""

    study: str
    """Name of the study."""
    trial: SnapshotTrial
    """Row, fold and seed, with the trial's id."""
    newest: bool
    """Whether the newest snapshot of the study still has it there."""


@dataclass(frozen=True, kw_only=True, slots=True)
class KeptFile:
    """A file of a finished trial, and whether it is undamaged."""

    name: str
    """Its name, such as ``weights.safetensors``."""
    size: int
    """Its size in bytes; 0 where it is damaged or missing."""
    damage: str
    """Why it is not as it was written, as a sentence; empty where it is."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TrialDetails:
    """Everything that a store holds about a trial, except the bytes of its files."""

    id: str
    """The trial's id, 64 hex digits."""
    status: TrialStatus
    """Its state, and who trains it."""
    slots: tuple[TableSlot, ...]
    """Its places in the tables of studies, those in newest snapshots first."""
    identity: Mapping[str, Any]
    """All settings that its numbers depend on, as JSON values; empty where no attempt has ended
    yet."""
    outcome: Outcome | None
    """The record of the finished trial; None where it is not finished."""
    failures: tuple[Failure, ...]
    """Records of failed attempts, oldest first."""
    progress: TrainingProgress
    """How many epochs its newest checkpoint has; 0 without a checkpoint."""
    alarms: tuple[str, ...]
    """Paths of second outcomes with other numbers: the trial was finished twice and differs."""
    blinded_by: str = ""
    """Name of the study whose search blinds its test scores (`blinding.py`); empty where they may
    be shown."""

    @property
    def state(self) -> TrialState:
        """``done``, ``failed``, ``in flight`` (a process trains it now) or ``to do``."""
        return self.status.state

    @property
    def command(self) -> str:
        """The command line that trains the trial: again, if it is finished."""
        if self.outcome is not None:
            return rerun_command(self.id)
        return run_command(self.slots[0].study if self.slots else "STUDY")


def run_command(study: str) -> str:
    """The command line that trains what a study lacks, by the name of the study."""
    return f"ablate run studies/{study}.yaml"


def rerun_command(id: str) -> str:
    """The command line that trains a finished trial again beside its record, by the trial's id."""
    return f"ablate rerun {id[:SHORT_ID]}"


def read_trial(ledger: Ledger, id: str) -> TrialDetails:
    """Read everything about a trial from the store, except the bytes of its files.

    Args:
        ledger: the store.
        id: the trial's id, 64 hex digits.

    Raises:
        DamageError: its record, or a snapshot, is not what was written.
    """
    slots, flat = _slots(ledger, id)
    nowhere = SnapshotTrial("", 0, 0, id)
    outcome = ledger.outcomes.read(id)
    failures = tuple(
        ledger.attempts.read_failure(path) for path in ledger.attempts.failure_files(id)
    )
    known = [outcome.identity] if outcome else [f.identity for f in reversed(failures)]
    trial = slots[0].trial if slots else nowhere
    return TrialDetails(
        id=id,
        status=trial_status(ledger, trial, ledger.files_of([id])[id]),
        slots=slots,
        identity=next((identity for identity in known if identity), {}),
        outcome=outcome,
        failures=failures,
        progress=ledger.attempts.progress(id),
        alarms=tuple(ledger.outcomes.alarms([id])),
        blinded_by=blinding.blinded_trials(ledger).get(id) or flat,
    )


def check_files(ledger: Ledger, outcome: Outcome | None) -> tuple[KeptFile, ...]:
    """Read each file of a finished trial and verify its digest; empty where there is no outcome."""
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


def _slots(ledger: Ledger, id: str) -> tuple[tuple[TableSlot, ...], str]:
    """Find a trial in the tables of all studies in the store.

    Returns:
        Its slots, each once, those in newest snapshots first; and, where only flat searches have
        the trial, the name of one of them, else an empty text.
    """
    found, seen = dict[tuple[str, SnapshotTrial], TableSlot](), set[str]()
    flat, others = list[str](), False
    for snapshot in ledger.studies.snapshots():
        newest = snapshot.study not in seen
        seen.add(snapshot.study)
        for trial in snapshot.all_trials:
            if trial.id == id:
                slot = TableSlot(study=snapshot.study, trial=trial, newest=newest)
                found.setdefault((snapshot.study, trial), slot)
                if snapshot.search is not None and snapshot.search.selection == "flat":
                    flat.append(snapshot.study)
                else:
                    others = True
    slots = tuple(sorted(found.values(), key=lambda slot: not slot.newest))
    return slots, "" if others or not flat else flat[0]
