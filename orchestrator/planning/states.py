"""The state of each trial of a study in a store: done, failed, stale (and why), or to do."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from orchestrator.errors import DamageError
from orchestrator.store.ledger import Ledger
from orchestrator.store.paths import FAILURE, OUTCOME
from orchestrator.store.snapshot import SnapshotTrial
from orchestrator.study.trials import PlannedTrial

Slot = tuple[str, int, int, int]
"""(row, index of the deal, index of the fold in it, seed): where a trial stands in its study."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TrialStates:
    """The ids of a study's trials by state, each in exactly one, in the order of the table."""

    done: tuple[str, ...]
    """Ids of trials that have an outcome."""
    failed: tuple[str, ...]
    """Ids of trials that have failed attempts and no outcome."""
    stale: Mapping[str, str]
    """Id of a trial -> what changed since its slot was trained under an earlier id, such as
    ``changed: training.lr``."""
    to_do: tuple[str, ...]
    """Ids of all other trials."""


def sort_trials(
    study: str, trials: Iterable[PlannedTrial], ledger: Ledger, *, by_slot: bool
) -> TrialStates:
    """Sort the trials of a study by their state in the store.

    Args:
        study: the name of the study.
        trials: its trials; of several with one id the first counts.
        ledger: the store.
        by_slot: whether an earlier trial in the same slot makes a trial stale. False in a search,
            whose slots hold one proposal after another.
    """
    done: list[str] = []
    failed: list[str] = []
    to_do: list[str] = []
    stale: dict[str, str] = {}
    first: dict[str, PlannedTrial] = {}
    for item in trials:
        first.setdefault(item.id, item)
    names = ledger.files_of(first)
    earlier: Mapping[Slot, list[str]] | None = None if by_slot else {}
    for item in first.values():
        if OUTCOME in names[item.id]:
            done.append(item.id)
        elif any(map(FAILURE.fullmatch, names[item.id])):
            failed.append(item.id)
        else:
            earlier = _earlier_ids(study, ledger) if earlier is None else earlier
            if why := _why_stale(item, earlier, ledger):
                stale[item.id] = why
            else:
                to_do.append(item.id)
    return TrialStates(done=tuple(done), failed=tuple(failed), stale=stale, to_do=tuple(to_do))


def _slot(trial: PlannedTrial | SnapshotTrial) -> Slot:
    return trial.row, trial.deal or 0, trial.fold, trial.seed


def _earlier_ids(study: str, ledger: Ledger) -> dict[Slot, list[str]]:
    """Slot -> ids of the trials there in all snapshots of the study, the newest first."""
    found: dict[Slot, list[str]] = {}
    for snapshot in ledger.studies.snapshots(study):
        for trial in snapshot.trials:
            found.setdefault(_slot(trial), []).append(trial.id)
    return found


def _why_stale(item: PlannedTrial, earlier: Mapping[Slot, list[str]], ledger: Ledger) -> str:
    """What changed since the slot was trained, such as ``changed: training.lr``; else empty."""
    for id in earlier.get(_slot(item), []):
        try:
            outcome = ledger.outcomes.read(id) if id != item.id else None
        except DamageError:
            continue  # a record that this plan does not rest on
        if outcome is not None:
            return "changed: " + ", ".join(_changed_keys(outcome.identity, item.trial.identity))
    return ""


def _changed_keys(old: Mapping[str, Any], new: Mapping[str, Any], prefix: str = "") -> list[str]:
    """Keys whose values differ between two identities, nested ones with dots: ``training.lr``."""
    keys = []
    for key in sorted({*old, *new}):
        before, after = old.get(key), new.get(key)
        if isinstance(before, Mapping) and isinstance(after, Mapping):
            keys += _changed_keys(before, after, f"{prefix}{key}.")
        elif key == "patience" and (before, after) == (old.get("epochs"), new.get("epochs")):
            continue  # beside averaged weights it follows from the epochs
        elif before != after:
            keys.append(f"{prefix}{key}")
    return keys
