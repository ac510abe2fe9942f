"""``ablate status``, ``watch`` and ``gc``: progress of studies, and removal of unneeded files."""

import contextlib
import json
import socket
import sys
from typing import Annotated

import typer

from orchestrator.cli import completion
from orchestrator.cli.options import (
    DEFAULT_STORE,
    AnyStudyArgument,
    JsonLinesOption,
    JsonOption,
    StoreOption,
    study_name,
)
from orchestrator.cli.streams import end_without_reader


def register(app: typer.Typer) -> None:
    """Add ``ablate status``, ``watch`` and ``gc`` to the command line."""
    app.command("status")(status)
    app.command("watch")(watch)
    app.command("gc")(gc)


def status(
    study: AnyStudyArgument = None,
    store: StoreOption = DEFAULT_STORE,
    as_json: JsonOption = False,
) -> None:
    """Count the trials of each study: done, failed, in flight, to do.

    Reads the store alone.
    """
    from orchestrator.planning.status import study_statuses
    from orchestrator.report.console import console_for
    from orchestrator.report.terminal import studies as view
    from orchestrator.store.ledger import Ledger

    name = study_name(study)
    found = study_statuses(Ledger.open_existing(store), name)
    if as_json:
        print(json.dumps(view.records(found), indent=2))
    else:
        view.show(console_for(), found)


def watch(
    study: Annotated[
        str | None,
        typer.Argument(
            help="A study file or name; the newest if none.",
            metavar="[STUDY]",
            autocompletion=completion.studies,
        ),
    ] = None,
    store: StoreOption = DEFAULT_STORE,
    every: Annotated[
        float, typer.Option("--every", min=0.2, help="Seconds between two reads of the store.")
    ] = 2.0,
    as_json: JsonLinesOption = False,
) -> None:
    """Show a study while it trains, from the store alone. Ends when nothing is left to train.

    Exit code 1: it ended with failed trials.
    """
    from orchestrator.errors import Interrupted
    from orchestrator.execution.events import Event, print_line
    from orchestrator.execution.monitor.run_state import RunState
    from orchestrator.execution.monitor.watch import watch
    from orchestrator.planning.cost.machine import cpu_count, usage_here
    from orchestrator.planning.cost.resources import Usage
    from orchestrator.report.console import console_for
    from orchestrator.report.terminal.live import View
    from orchestrator.store.ledger import Ledger

    end_without_reader()
    name = study_name(study)
    ledger = Ledger.open_existing(store)
    state = RunState(None if as_json else ledger)

    def usage() -> Usage | None:
        """Measure the use of this machine; None if no trial of the study trains here."""
        here = list(state.hosts.values()).count(socket.gethostname())
        return usage_here(cpus=here, cpus_there=cpu_count()) if here else None

    def print_event(event: Event) -> None:
        state.apply(event)
        print_line(event)

    view = View(console_for(), state, usage, watching=True)
    try:
        with contextlib.nullcontext() if as_json else view:
            for event in watch(ledger, name, every):
                (print_event if as_json else view.show)(event)
    except KeyboardInterrupt:
        raise Interrupted("No longer watched; the training goes on.") from None
    if state.failed:
        raise typer.Exit(1)


def gc(
    store: StoreOption = DEFAULT_STORE,
    yes: Annotated[bool, typer.Option("--yes", help="Remove it without asking.")] = False,
    keep_newest: Annotated[
        bool,
        typer.Option("--keep-newest", help="Keep only what the newest form of a study needs."),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Show what no study refers to, and remove it after a yes.

    Trials, features and selections that a snapshot names stay, and what a running process uses.
    """
    from orchestrator.report.console import console_for, say
    from orchestrator.report.terminal import gc as view
    from orchestrator.store import gc as collector
    from orchestrator.store.ledger import Ledger

    ledger, console = Ledger.open_existing(store), console_for()
    found = collector.scan(ledger, newest_only=keep_newest)
    if not as_json:
        view.show(console, found)
    if found.unneeded and not yes and not as_json and sys.stdin.isatty():
        yes = typer.confirm("Remove it?", default=False)
    if found.unneeded and yes:
        found = collector.remove(ledger, found, newest_only=keep_newest)
    if as_json:
        print(json.dumps(view.record(found, removed=yes), indent=2))
    elif not found.unneeded:
        print("Nothing is unneeded.")
    elif yes:
        say(f"Removed: {view.amount(sum(item.size for item in found.unneeded))}.")
    else:
        print("Nothing was removed; `--yes` removes it.")
