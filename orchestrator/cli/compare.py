"""``ablate compare``: two rows of a study compared by fold, emotion and utterance."""

import json
from typing import Annotated

import typer

from orchestrator.cli import completion
from orchestrator.cli.options import (
    DEFAULT_STORE,
    JsonOption,
    NamedStudyArgument,
    StoreOption,
    named_snapshot,
)


def register(app: typer.Typer) -> None:
    """Add ``ablate compare`` to the command line."""
    app.command("compare")(compare)


def compare(
    study: NamedStudyArgument,
    a: Annotated[str, typer.Argument(help="A row.", autocompletion=completion.rows)],
    b: Annotated[
        str,
        typer.Argument(help="The row that is set beside it.", autocompletion=completion.rows),
    ],
    store: StoreOption = DEFAULT_STORE,
    limit: Annotated[
        int, typer.Option("--limit", min=0, help="How many flipped utterances are listed.")
    ] = 20,
    as_json: JsonOption = False,
) -> None:
    """Compare row B with row A: by fold, emotion and utterance."""
    from orchestrator.analysis.comparison import compare_rows
    from orchestrator.report.console import console_for
    from orchestrator.report.tables import comparison as report
    from orchestrator.store.ledger import Ledger

    ledger = Ledger.open_existing(store)
    snapshot = named_snapshot(study, ledger)
    found = compare_rows(snapshot, ledger, a, b)
    if as_json:
        print(json.dumps(report.record(found, limit), indent=2))
    else:
        report.show(console_for(), found, limit)
