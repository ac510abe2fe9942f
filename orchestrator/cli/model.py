"""``ablate model show``: the networks of a study, their layers and numbers of parameters."""

import json
from typing import Annotated

import typer

from orchestrator.cli.options import AllowConfigOption, JsonOption, StudyArgument


def register(app: typer.Typer) -> None:
    """Add ``ablate model show`` to the command line."""
    group = typer.Typer(help="Show the networks.", no_args_is_help=True)
    group.command("show")(show)
    app.add_typer(group, name="model")


def show(
    study: StudyArgument,
    row: Annotated[
        str | None, typer.Argument(help="A row of the study: its parts.", metavar="[ROW]")
    ] = None,
    as_json: JsonOption = False,
    allow_config: AllowConfigOption = False,
) -> None:
    """Show the networks of STUDY and their parameters; of ROW, every part. Trains nothing."""
    from orchestrator.report.console import console_for
    from orchestrator.report.terminal import model as report
    from orchestrator.report.trained.describe import architectures
    from orchestrator.study.reader import read_study

    parsed = read_study(study)
    found = architectures(parsed, row, allow_config=allow_config)
    if as_json:
        print(json.dumps(report.record(parsed.name, found), indent=2))
    elif row is None:
        report.show_rows(console_for(), found)
    else:
        report.show_row(console_for(), found[0])
