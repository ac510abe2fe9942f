"""The output of `ablate status`: state of every study and trial in the store, as JSON and text."""

import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.text import Text

from orchestrator.planning.status import Holder, StudyStatus, TrialState, TrialStatus
from orchestrator.planning.trial_details import SHORT_ID
from orchestrator.printable import clean
from orchestrator.report.console import duration, print_columns
from orchestrator.report.tables.headings import label, protocol_line
from orchestrator.store.snapshot import SnapshotTrial

STATES: tuple[TrialState, ...] = ("done", "failed", "in flight", "to do")
"""The states of a trial, in the order of the table's columns."""
MOST = 20
"""Most trials of one state that are printed one by one; of the others only the number is."""


def where(trial: SnapshotTrial) -> str:
    """Row, fold (from 1) and seed (from 0) of a trial: ``no attention, fold 2, seed 0``."""
    return f"{trial.row}, {trial.fold_name}, seed {trial.seed}"


def held(holder: Holder) -> str:
    """The process that trains a trial, as text: its machine, since when, its last sign of life."""
    if holder.gone:
        return f"left by a process on {holder.host} that is gone"
    since = ""
    if holder.since is not None:
        age = duration(max(0.0, time.time() - holder.since))
        since = f" since {moment(holder.since)} ({age})"
    sign = f", last sign of life {duration(holder.silent)} ago"
    return f"on {holder.host}{since}{sign}{': perhaps dead' if holder.lost else ''}"


def moment(seconds: float) -> str:
    """Seconds since 1970 as local date and time: ``2024-05-03 14:07:52``."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(seconds))


def records(studies: Iterable[StudyStatus]) -> list[dict[str, Any]]:
    """Every study as JSON values: counts of its trials by state, and every trial with its state."""
    return [
        {
            "study": s.snapshot.study,
            "question": s.snapshot.question,
            "title": {
                "corpus": s.snapshot.corpus,
                "profile": s.snapshot.profile,
                "reading": s.snapshot.reading,
            },
            "trials": len(s.trials),
            **{state.replace(" ", "_"): s.count(state) for state in STATES},
            "each": [_trial(trial) for trial in s.trials],
        }
        for s in studies
    ]


def _trial(trial: TrialStatus) -> dict[str, Any]:
    return {
        "id": trial.trial.id,
        **trial.trial.slot,
        "state": trial.state,
        "epoch": trial.epoch,
        "why": trial.why or None,
        "holder": holder_json(trial.holder),
    }


def holder_json(holder: Holder | None) -> dict[str, Any] | None:
    """The process that trains a trial as JSON values; None if no process does.

    ``since`` is in seconds since 1970, ``silent_s`` the seconds since its last sign of life.
    """
    if holder is None:
        return None
    return {
        "host": holder.host,
        "since": holder.since,
        "silent_s": round(holder.silent, 1),
        "gone": holder.gone,
        "lost": holder.lost,
    }


def show(console: Console, studies: Sequence[StudyStatus]) -> None:
    """Print a table for each study, with the number of trials in each state for every row.

    Below it stand the trials that train now, those that an ended process left unfinished, and those
    that failed.
    """
    if not studies:
        console.print("No study has run in this store.")
    for index, study in enumerate(studies):
        if index:
            console.print()
        _show_study(console, study)


def _show_study(console: Console, study: StudyStatus) -> None:
    snapshot = study.snapshot
    numbered = "" if label(snapshot) == snapshot.study else f"{label(snapshot)}. "
    console.print(Text(clean(f"{snapshot.study}: {numbered}{snapshot.question}"), style="bold"))
    console.print(Text(clean(protocol_line(snapshot)), style="dim"))
    console.print()
    rows: Mapping[str, list[TrialStatus]] = {name: [] for name in snapshot.overview_lines}
    for trial in study.trials:
        rows.get(snapshot.overview_line(trial.trial.row), []).append(trial)
    cells = [
        (name, *(str(sum(t.state == state for t in own)) for state in STATES))
        for name, own in rows.items()
    ]
    cells.append(("all", *(str(study.count(state)) for state in STATES)))
    print_columns(console, ["row", *STATES], cells, numeric=[False, True, True, True, True])
    flying = [t for t in study.trials if t.state == "in flight"]
    _list(console, "in flight", flying, lambda t: f"epoch {t.epoch}, {_held(t)}")
    left = [t for t in study.trials if t.state == "to do" and (t.holder or t.epoch)]
    _list(
        console,
        "goes on from a checkpoint, `ablate run` takes it over",
        left,
        lambda t: f"epoch {t.epoch}{', ' + _held(t) if t.holder else ''}",
    )
    failed = [t for t in study.trials if t.state == "failed"]
    _list(console, "failed, `ablate logs ID` says why", failed, lambda t: t.why)


def _held(trial: TrialStatus) -> str:
    return held(trial.holder) if trial.holder else ""


def _list(console: Console, what: str, trials: Sequence[TrialStatus], about: Any) -> None:
    if not trials:
        return
    console.print()
    console.print(Text(f"{what}:"))
    for trial in trials[:MOST]:
        console.print(
            Text.assemble((f"  {trial.trial.id[:SHORT_ID]}  ", "dim"), clean(where(trial.trial)))
        )
        console.print(Text(f"    {clean(about(trial))}"))
    if len(trials) > MOST:
        console.print(f"  and {len(trials) - MOST} more")
