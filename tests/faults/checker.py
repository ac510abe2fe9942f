"""Was the promise kept? Judges the log that probes wrote, and two stores, from outside.

`judge(log)` reads the log alone; `differing(store, reference)` compares the scored
parts byte by byte; `printed(store, study)` gives the table that a person sees.

An *execution* of a trial is one process between its `claimed` and its last line about that trial.
"""

import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

from orchestrator.store.ledger import Ledger
from orchestrator.study.canonical import canonical
from tests.faults import probe


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """What a log shows. `broken` holds a sentence for each promise that was not kept."""

    fired: int
    """Faults that struck, by a probe or by the test itself (`killed`)."""
    executions: int
    epochs: int
    """Epochs trained, the repeated ones among them."""
    repeated: int
    """Epochs trained again."""
    retrained: int
    """Executions that began after their trial had been finished."""
    lost: int
    """Outcomes that were seen in the store and later were not (`gone`)."""
    overlaps: int
    """Pairs of executions of one trial that were alive at the same time."""
    broken: tuple[str, ...] = field(default=())


@dataclass
class _Execution:
    pid: int
    id: str
    start: int
    end: int
    epochs: list[int] = field(default_factory=list)


def judge(log: Path | str, *, overlaps: bool = False, restarts: bool = False) -> Judgement:
    """Read a log.

    Args:
        log: what probes and the test wrote.
        overlaps: whether two executions of one trial may overlap (a node or the head died, a
            lease was lost); they are counted, and what they repeat is theirs.
        restarts: whether a trial may begin again at its first epoch (its checkpoint was damaged).
    """
    lines = probe.lines(log)
    executions = _executions(lines)
    finished: dict[str, int] = {}
    for line in lines:
        if line["event"] in ("committed", "kept"):
            finished.setdefault(line["id"], line["t"])
    broken = []
    retrained = [e for e in executions if e.start > finished.get(e.id, e.start)]
    broken += [f"trial {e.id[:12]} was started again after it was finished" for e in retrained]
    lost = [line["id"] for line in lines if line["event"] == "gone"]
    broken += [f"the outcome of trial {id[:12]} is gone" for id in lost]
    alive = _overlapping(executions)
    if not overlaps:
        broken += [f"trial {id[:12]} was trained by two at once" for id in alive]
    if not overlaps and not restarts:
        broken += _restarted(lines, executions)
    seen = [(e.id, epoch) for e in executions for epoch in e.epochs]
    return Judgement(
        fired=sum(line["event"] in ("fired", "killed") for line in lines),
        executions=len(executions),
        epochs=len(seen),
        repeated=len(seen) - len(set(seen)),
        retrained=len(retrained),
        lost=len(lost),
        overlaps=len(alive),
        broken=tuple(broken),
    )


def _executions(lines: Iterable[Mapping[str, Any]]) -> list[_Execution]:
    found: list[_Execution] = []
    current: dict[tuple[int, str], _Execution] = {}
    for line in lines:
        id, pid, t = line.get("id"), line["pid"], line["t"]
        if line["event"] == "claimed":
            current[pid, id] = _Execution(pid, id, t, t)
            found.append(current[pid, id])
        elif (pid, id) in current:
            current[pid, id].end = t
            if line["event"] == "epoch":
                current[pid, id].epochs.append(line["epoch"])
    return found


def _overlapping(executions: list[_Execution]) -> list[str]:
    """The id of each pair that was alive at once: one spoke between the other's first and last."""
    by_id: dict[str, list[_Execution]] = {}
    for e in executions:
        by_id.setdefault(e.id, []).append(e)
    return [
        id
        for id, own in by_id.items()
        for n, e in enumerate(own)
        for other in own[n + 1 :]
        if e.pid != other.pid and other.start < e.end
    ]


def _restarted(lines: list[dict[str, Any]], executions: list[_Execution]) -> list[str]:
    """P4: an execution goes on after the last whole checkpoint, so redoes at most one epoch."""
    whole: dict[str, list[tuple[int, int]]] = {}
    for line in lines:
        if line["event"] == "checkpointed":
            whole.setdefault(line["id"], []).append((line["t"], line["epoch"]))
    broken = []
    for e in executions:
        before = [epoch for t, epoch in whole.get(e.id, []) if t < e.start]
        if e.epochs and before and e.epochs[0] <= max(before):
            broken.append(
                f"trial {e.id[:12]} went on at epoch {e.epochs[0]}, though epoch {max(before)} "
                "had been kept"
            )
        if any(after != epoch + 1 for epoch, after in pairwise(e.epochs)):
            broken.append(f"trial {e.id[:12]} trained the epochs {e.epochs}")
    return broken


def keep(log: Path | str, store: Path | str, known: Mapping[str, bytes]) -> dict[str, bytes]:
    """Look at the store between two rounds: note what is finished, and what is so no more.

    Args:
        log: the log.
        store: the store.
        known: what the last look gave; start with ``{}``.

    Returns:
        Trial -> bytes of its outcome. A changed or missing one is noted as ``gone``.
    """
    found = {p.parent.name: p.read_bytes() for p in Path(store).glob("trials/*/outcome.json")}
    for id, blob in known.items():
        if found.get(id) != blob:
            probe.note(log, "gone", id=id)
    for id in found.keys() - known.keys():
        probe.note(log, "kept", id=id)
    return found


def differing(store: Path | str, reference: Path | str) -> list[str]:
    """Ids of the reference whose scored part is missing in the store, or is not byte-equal."""
    one, other = Ledger.open_unchecked(str(store)), Ledger.open_unchecked(str(reference))
    ids = sorted(path.parent.name for path in other.paths.trials.glob("*/outcome.json"))
    assert ids, f"{reference} holds no outcome"
    return [id for id in ids if _scored(one, id) != _scored(other, id)]


def _scored(ledger: Ledger, id: str) -> str | None:
    outcome = ledger.outcomes.read(id)
    return None if outcome is None else canonical(outcome.scored_part)


def printed(store: Path | str, study: str) -> str:
    """The table of a study, as `ablate report NAME --details` prints it."""
    from rich.console import Console

    from orchestrator.analysis.summary import summarise
    from orchestrator.report.tables import headline, text

    ledger = Ledger.open_unchecked(str(store))
    snapshot = ledger.studies.snapshots(study)[0]
    ids = [trial.id for trial in snapshot.trials]
    summary = summarise(snapshot, ledger.outcomes.read_all(ids), ledger.outcomes.alarms(ids))
    page = io.StringIO()
    console = Console(file=page, width=80)
    text.print_table(console, headline.table(summary))
    text.print_table(console, headline.table(summary, details=True))
    return page.getvalue()
