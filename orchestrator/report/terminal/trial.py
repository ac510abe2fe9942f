"""The output of `ablate show` and `ablate logs` on one trial, as JSON and in the terminal."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.text import Text

from model.evaluation.metrics import ua, wa
from orchestrator.planning.trial_details import SHORT_ID, KeptFile, TrialDetails
from orchestrator.printable import clean, clean_lines
from orchestrator.report.console import duration, print_columns, print_pairs
from orchestrator.report.tables.cells import percent, setting_text
from orchestrator.report.tables.headings import DASH
from orchestrator.report.terminal.studies import held, holder_json, moment, where
from orchestrator.store.records import CHOICE_OF, Failure, Outcome, Scores, is_stale


def record(trial: TrialDetails, files: Sequence[KeptFile]) -> dict[str, Any]:
    """A trial as JSON values: state, rows, settings, scores, files and failures.

    Scores are confusion matrices of counts; they are None while a search hides them.

    Args:
        trial: everything that the store knows of the trial.
        files: its files, each checked against its digest.
    """
    return {
        "id": trial.id,
        "state": trial.state,
        "stale": trial.outcome is not None and is_stale(trial.outcome),
        "epoch": trial.status.epoch,
        "holder": holder_json(trial.status.holder),
        "stands": [
            {
                "study": slot.study,
                **slot.trial.slot,
                "newest": slot.newest,
            }
            for slot in trial.slots
        ],
        "identity": dict(trial.identity),
        "outcome": _outcome(trial),
        "sealed": trial.blinded_by or None,
        "files": [asdict(file) for file in files],
        "failures": [asdict(failure) for failure in trial.failures],
        "alarms": list(trial.alarms),
        "again": trial.command,
    }


def _outcome(trial: TrialDetails) -> dict[str, Any] | None:
    if trial.outcome is None:
        return None
    found = asdict(trial.outcome)
    return {**found, "scores": None} if trial.blinded_by else found


def show(console: Console, trial: TrialDetails, files: Sequence[KeptFile]) -> None:
    """Print a trial: state, rows, settings, scores in percent, environment and files.

    Args:
        console: where to print.
        trial: everything that the store knows of the trial.
        files: its files, each checked against its digest.
    """
    state: str = trial.state
    if trial.status.holder is not None:
        state = f"{state}, epoch {trial.status.epoch}, {held(trial.status.holder)}"
    if trial.outcome is not None and is_stale(trial.outcome):
        state = f"{state}, but stale: an earlier version of the training code made it"
    print_pairs(console, [("trial", trial.id), ("state", state)])
    pairs = []  # on their own, so that no study's name pushes the id over the edge
    for slot in trial.slots:
        form = "" if slot.newest else " (an earlier form of the study)"
        pairs.append((slot.study, f"{where(slot.trial)}{form}"))
    if not trial.slots:
        pairs.append(("study", "none asks for it: `ablate gc` would remove it"))
    print_pairs(console, pairs)
    if trial.identity:
        console.print()
        print_pairs(console, list(_identity(trial.identity)))
    if trial.outcome is not None:
        _show_outcome(console, trial.outcome, files, trial.blinded_by)
    for failure in trial.failures[-1:]:
        console.print()
        console.print(Text(clean(f"last failure: {failure.cause}: {failure.sentence}"), "bold red"))
    for alarm in trial.alarms:
        console.print(Text(clean(f"another record with other numbers: {alarm}"), "bold red"))
    console.print()
    print_pairs(console, [("again", trial.command), ("log", f"ablate logs {trial.id[:SHORT_ID]}")])


def _show_outcome(
    console: Console, outcome: Outcome, files: Sequence[KeptFile], blinded_by: str
) -> None:
    console.print()
    if blinded_by:
        console.print(Text(clean(_blinded_sentence(blinded_by)), style="bold yellow"))
    cells = [
        (
            s.speaker,
            name,
            str(s.epoch),
            str(sum(map(sum, s.confusion))),
            _score(ua, s),
            _score(wa, s),
        )
        for name, choice in CHOICE_OF.items()
        for s in outcome.scores
        if s.choice == choice and s.unit == "utterance"
    ]
    heads = ["test speaker", "score", "epoch", "utterances", "UA", "WA"]
    if not blinded_by:
        print_columns(console, heads, cells, numeric=[False, False, True, True, True, True])
    console.print()
    resumed = f", {outcome.resumed} of them by an earlier attempt" if outcome.resumed else ""
    made = [
        ("epochs", f"{outcome.epochs}{resumed}"),
        ("took", f"{duration(outcome.seconds)} on {outcome.host}"),
        ("finished", moment(outcome.finished)),
        ("parameters", f"{outcome.parameters:,}" if outcome.parameters else DASH),
        *((key, value) for key, value in sorted(outcome.environment.items())),
    ]
    versions = ", ".join(f"{k} {v}" for k, v in sorted(outcome.libraries.items()) if v)
    made.append(("libraries", versions or "not kept by the version that trained it"))
    print_pairs(console, made)
    console.print()
    print_pairs(
        console,
        [(file.name, file.damage or f"{file.size:,} bytes, whole") for file in files],
    )


def _score(metric: Any, scores: Scores) -> str:
    try:
        return percent(metric(scores.confusion))
    except (ValueError, ZeroDivisionError):
        return DASH


def _identity(identity: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The identity of a trial (all that its numbers depend on) as pairs of name and text."""
    fold = identity.get("fold", {})
    for key in ("corpus", "classes", "extractor", "features", "model", "training"):
        part = identity.get(key)
        if isinstance(part, Mapping) and key in part:  # what it is, then how it is set
            rest = {name: item for name, item in part.items() if name != key}
            yield key, ", ".join(filter(None, (setting_text(part[key]), setting_text(rest))))
        elif part is not None:
            yield key, setting_text(part)
    for side in ("train", "a", "b"):
        if side in fold:
            yield f"fold {side}", setting_text(fold[side])
    yield "seed", str(identity.get("seed", DASH))


def log_record(trial: TrialDetails, log: str) -> dict[str, Any]:
    """The log of a trial's last attempt and all failed attempts, oldest first, as JSON values.

    Args:
        trial: everything that the store knows of the trial.
        log: the text of the log.
    """
    return {
        "id": trial.id,
        "state": trial.state,
        "stale": trial.outcome is not None and is_stale(trial.outcome),
        "epoch": trial.status.epoch,
        "holder": holder_json(trial.status.holder),
        "failures": [asdict(failure) for failure in trial.failures],
        "sealed": trial.blinded_by or None,
        "log": _unscored(log, trial.blinded_by).splitlines(),
    }


def _blinded_sentence(search: str) -> str:
    return f"Its test scores are sealed by the search `{search}`."


def _unscored(log: str, blinded_by: str) -> str:
    """The log; if a search hides the trial's test scores, without the dev scores of each epoch.

    The dev scores of one half of the held-out group are test scores of the other half.

    Args:
        log: the text of the log.
        blinded_by: the name of the search that hides the scores; empty if none does.
    """
    return re.sub(r"(?m)^(epoch [0-9]+: loss [^,]*),.*$", r"\1", log) if blinded_by else log


def print_logs(console: Console, trial: TrialDetails, log: str) -> None:
    """Print the failed attempts of a trial, oldest first, then the log of its last attempt.

    Args:
        console: where to print.
        trial: everything that the store knows of the trial.
        log: the text of the log; empty if there is none.
    """
    for number, failure in enumerate(trial.failures, start=1):
        _print_failure(console, number, len(trial.failures), failure)
    if trial.state == "in flight" and trial.status.holder is not None:
        console.print(Text(clean(f"in flight {held(trial.status.holder)}"), style="bold"))
    if trial.blinded_by:
        console.print(Text(clean(_blinded_sentence(trial.blinded_by)), style="bold yellow"))
    if log:
        shown = clean_lines(_unscored(log, trial.blinded_by).rstrip("\n"))
        console.print(Text(shown), soft_wrap=True)
    elif trial.state == "in flight":
        console.print("No epoch is finished yet.")
    elif not trial.failures:
        console.print(f"It has not been trained yet: `{trial.command}` does.")


def _print_failure(console: Console, number: int, total: int, failure: Failure) -> None:
    when = moment(failure.finished)
    head = f"failed attempt {number} of {total}: {failure.cause}, after epoch {failure.epoch}"
    console.print(Text(clean(f"{head}, on {failure.host}, {when}"), style="bold red"))
    console.print(Text(clean_lines(str(failure.sentence))))
    if failure.traceback:
        console.print(
            Text(clean_lines(str(failure.traceback).rstrip("\n")), style="dim"), soft_wrap=True
        )
    console.print()
