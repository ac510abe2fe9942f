"""``ablate export``: a study's results as a bundle, a folder that can be read without ablate."""

import json
from pathlib import Path
from typing import Annotated

import typer

from orchestrator.cli.options import (
    DEFAULT_STORE,
    JsonOption,
    NamedStudyArgument,
    StoreOption,
    named_snapshot,
)


def register(app: typer.Typer) -> None:
    """Add ``ablate export`` to the command line."""
    app.command("export")(export)


def export(
    study: NamedStudyArgument,
    output: Annotated[Path, typer.Option("--output", "-o", help="A new folder.", metavar="FOLDER")],
    store: StoreOption = DEFAULT_STORE,
    as_json: JsonOption = False,
) -> None:
    """Write STUDY's results, with a script that recomputes them.

    The folder holds tables, pictures, predictions and provenance of finished trials alone; what is
    missing is said.
    """
    from orchestrator.errors import Interrupted
    from orchestrator.report.console import say
    from orchestrator.report.export import bundle
    from orchestrator.report.results import measure
    from orchestrator.store.ledger import Ledger

    bundle.refuse_no_folder(output)
    ledger = Ledger.open_existing(store)
    snapshot = named_snapshot(study, ledger)
    found = measure(ledger, snapshot)
    try:
        names = bundle.export(found, output)
    except KeyboardInterrupt:
        raise Interrupted(f"Interrupted. Nothing was written to {output}.") from None
    missing = sum(row.missing for row in found.summary.rows)
    if as_json:
        print(json.dumps({"folder": str(output), "files": names, "missing": missing}, indent=2))
        return
    lacks = f" {missing} trainings are missing in it." if missing else ""
    say(f"Wrote {len(names)} files to {output}; README.md says what they are.{lacks}")
