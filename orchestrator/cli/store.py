"""``ablate status``: where the studies of a store stand."""

import json
from pathlib import Path
from typing import Annotated

import typer

from orchestrator.cli.options import DEFAULT_STORE, JsonOption, StoreOption


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("status")(status)


def status(
    study: Annotated[
        str | None, typer.Argument(help="A study file or the name of a study.", metavar="[STUDY]")
    ] = None,
    store: StoreOption = DEFAULT_STORE,
    as_json: JsonOption = False,
) -> None:
    """Say how far every study is, from the store alone: done, failed, in flight, to do."""
    from orchestrator.ledger import Ledger
    from orchestrator.report import studies as view
    from orchestrator.report.text import console_for
    from orchestrator.status import status as where_studies_stand
    from orchestrator.study import read_study

    name = study
    if study is not None and (Path(study).suffix in (".yaml", ".yml") or Path(study).is_file()):
        name = read_study(Path(study)).name
    found = where_studies_stand(Ledger.look(store, needed=True), name)
    if as_json:
        print(json.dumps(view.records(found), indent=2))
    else:
        view.show(console_for(), found)
