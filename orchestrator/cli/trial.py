"""``ablate show``, ``ablate logs``: one trial, from the store alone."""

import json
from typing import Annotated

import typer

from orchestrator.cli.options import DEFAULT_STORE, JsonOption, StoreOption

IdArgument = Annotated[
    str, typer.Argument(help="A trial's ID, or its first digits (6 or more).", metavar="ID")
]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("show")(show)
    app.command("logs")(logs)


def show(id: IdArgument, store: StoreOption = DEFAULT_STORE, as_json: JsonOption = False) -> None:
    """Say what a trial is and what it gave: settings, scores, files, environment."""
    from orchestrator import trial_record
    from orchestrator.ledger import Ledger
    from orchestrator.report import trial as view
    from orchestrator.report.text import console_for

    ledger = Ledger.look(store, needed=True)
    trial = trial_record.read(ledger, ledger.find(id))
    files, parameters = trial_record.files_of(ledger, trial.outcome)
    if as_json:
        print(json.dumps(view.record(trial, files, parameters), indent=2))
    else:
        view.show(console_for(), trial, files, parameters)
    if any(file.damage for file in files):
        raise typer.Exit(4)


def logs(id: IdArgument, store: StoreOption = DEFAULT_STORE) -> None:
    """Print what a trial said: its epochs, why its attempts failed, where it is if in flight."""
    from orchestrator import trial_record
    from orchestrator.ledger import Ledger
    from orchestrator.report import trial as view
    from orchestrator.report.text import console_for

    ledger = Ledger.look(store, needed=True)
    trial = trial_record.read(ledger, ledger.find(id))
    log = "\n".join(trial.flight.log)
    if trial.outcome is not None:
        log = ledger.read_file(trial.outcome, "log.txt").decode("utf-8", "replace")
    view.print_logs(console_for(), trial, log)
