"""``ablate compare``: rows of a study compared with one of them."""

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
        list[str],
        typer.Argument(help="The rows that are set beside it.", autocompletion=completion.rows),
    ],
    store: StoreOption = DEFAULT_STORE,
    limit: Annotated[
        int | None,
        typer.Option(
            "--limit",
            min=0,
            help="How many flipped utterances are listed; by default 20 of one B, none of several.",
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Compare rows with row A: by fold, emotion and utterance.

    With several, p is adjusted for all of them (Holm).
    """
    from orchestrator.analysis.comparison import compare_rows
    from orchestrator.report.console import console_for
    from orchestrator.report.tables import comparison as report
    from orchestrator.store.ledger import Ledger

    ledger = Ledger.open_existing(store)
    snapshot = named_snapshot(study, ledger)
    found = compare_rows(snapshot, ledger, a, b)
    most = limit if limit is not None else 20 if len(found) == 1 else 0
    if as_json:
        one, *more = found
        record = report.records(found, most) if more else report.record(one, most)
        print(json.dumps(record, indent=2))
    else:
        report.show(console_for(), found, most)
