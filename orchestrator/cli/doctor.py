"""``ablate doctor``: checks whether this machine can train, one tick or remedy each."""

import json
from dataclasses import asdict
from typing import Annotated

import typer

from orchestrator.cli.options import DEFAULT_STORE, JsonOption, StoreOption


def register(app: typer.Typer) -> None:
    """Add ``ablate doctor`` to the command line."""
    app.command("doctor")(doctor)


def doctor(
    store: StoreOption = DEFAULT_STORE,
    deep: Annotated[bool, typer.Option("--deep", help="Also start Ray, and end it.")] = False,
    address: Annotated[
        str | None,
        typer.Option("--address", help="A job server: check that it refuses who has no token."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Check whether this machine can train; change nothing.

    Python, libraries, machine and store get a tick or a remedy each.
    """
    from orchestrator.execution.cluster.doctor import CheckResult, run_checks
    from orchestrator.report.console import console_for
    from orchestrator.report.terminal import doctor as view

    console, found = console_for(), list[CheckResult]()
    for result in run_checks(store, deep=deep, address=address):
        found.append(result)
        if not as_json:
            view.show(console, result)
    if as_json:
        print(json.dumps([asdict(result) for result in found], indent=2))
    if any(result.state == "bad" for result in found):
        raise typer.Exit(3)
