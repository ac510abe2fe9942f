"""The output of `ablate rerun`: a trial trained again beside its record, as JSON and as text."""

from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.text import Text

from orchestrator.execution.rerun import TOLERANCE, Rerun
from orchestrator.printable import clean
from orchestrator.report.console import duration, print_pairs
from orchestrator.report.terminal.studies import moment


def record(found: Rerun) -> dict[str, Any]:
    """The comparison of a retrained trial with its record as JSON values.

    ``verdict`` is ``equal``, ``close`` or ``differs``; ``tolerance`` is the largest difference of a
    probability that counts as close.
    """
    return {
        "id": found.record.id,
        "verdict": found.verdict,
        "differ": list(found.differ),
        "closeness": asdict(found.closeness) if found.closeness else None,
        "tolerance": TOLERANCE,
        "same_class": found.same_class,
        "changes": [asdict(change) for change in found.changes],
        "record": found.record.attempt,
        "again": found.retrained.attempt,
        "seconds": found.retrained.seconds,
        "kept": found.folder or None,
        "alarm": found.alarm or None,
    }


def show(console: Console, found: Rerun) -> None:
    """Print the verdict, what differs between the two environments, and where the files lie."""
    style = "bold red" if found.verdict == "differs" else "bold green"
    console.print(Text(clean(_verdict(found)), style=style))
    first, second = found.record, found.retrained
    pairs = [
        ("record", f"{moment(first.finished)} on {first.host}, {duration(first.seconds)}"),
        ("again", f"{moment(second.finished)} on {second.host}, {duration(second.seconds)}"),
        ("class", ", ".join(f"{k} {v}" for k, v in sorted(first.environment.items()))),
    ]
    for change in found.changes:
        what = "class" if change.name in {*first.environment, *second.environment} else "library"
        pairs.append((f"other {what}", f"{change.name}: {change.then} then, {change.now} now"))
    if not found.changes:
        known = "class and libraries" if first.libraries else "class (libraries were not kept)"
        pairs.append(("environment", f"the same {known}"))
    pairs += [("kept in", found.folder)] if found.folder else []
    pairs += [("alarm", f"{found.alarm}: every report names it")] if found.alarm else []
    print_pairs(console, pairs)


def _verdict(found: Rerun) -> str:
    close = found.closeness
    if close is None:
        return "Equal: predictions, history and weights have the same bits."
    what = " and ".join(found.differ)
    measured = (
        f"the largest difference of a probability is {close.largest:.2g}, {close.decisions} of "
        f"{close.segments} segments are taken for another class"
    )
    since = f", the history from epoch {close.first_epoch} on" if close.first_epoch else ""
    if found.verdict == "close":
        why = "on a GPU" if found.same_class else "between determinism classes"
        return (
            f"Close: other bits in {what}, which are not promised {why}; {measured} (up to "
            f"{TOLERANCE:g} counts as close){since}."
        )
    differs = f"DIFFERS in {what}: {measured}{since}."
    if found.same_class:
        return differs
    return (
        f"{differs} Between determinism classes small differences grow from epoch to epoch: a "
        "machine of the record's class would tell."
    )
