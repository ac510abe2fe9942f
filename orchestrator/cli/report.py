"""``ablate report``: the tables, from the ledger alone."""

import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.cli.options import DEFAULT_STORE, StoreOption, is_file
from orchestrator.errors import LackError, RequestError
from orchestrator.printable import clean_lines

if TYPE_CHECKING:
    from orchestrator.ledger import Ledger
    from orchestrator.snapshot import Asked
    from orchestrator.study import Study

STUDIES = Path("studies")


class Form(StrEnum):
    """How a table is printed."""

    RICH = "rich"
    MARKDOWN = "markdown"
    LATEX = "latex"
    HTML = "html"
    CSV = "csv"
    JSON = "json"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("report")(report)


def report(
    study: Annotated[
        str | None, typer.Argument(help="A study file or the name of a study.", metavar="[STUDY]")
    ] = None,
    table: Annotated[
        int | None, typer.Option("--table", help="A table of the paper.", metavar="N")
    ] = None,
    figure: Annotated[
        int | None, typer.Option("--figure", help="A figure of the paper.", metavar="N")
    ] = None,
    store: StoreOption = DEFAULT_STORE,
    details: Annotated[
        bool,
        typer.Option(
            "--details",
            help="Also by segment, last epoch, best on test, and what the verdicts rest on.",
        ),
    ] = False,
    form: Annotated[Form, typer.Option("--format", help="How to print it.")] = Form.RICH,
) -> None:
    """Print a measured table beside the paper's."""
    from orchestrator.ledger import Ledger
    from orchestrator.report import rows, text
    from orchestrator.report.latex import latex
    from orchestrator.summary import summarise

    if sum(given is not None for given in (study, table, figure)) != 1:
        raise RequestError(
            "`ablate report` needs a STUDY, `--table N` or `--figure N`, one of the three."
        )
    by_number = study is None
    ledger = Ledger.look(store, needed=not (by_number and STUDIES.is_dir()))
    found = _by_number(table, figure, ledger) if by_number else by_name(str(study), ledger)
    summaries, outcomes = [], {}
    for asked in found:
        ids = [trial.id for trial in asked.trials]
        outcomes[asked.study] = ledger.outcomes(ids)
        summaries.append(summarise(asked, outcomes[asked.study], ledger.alarms(ids)))
    if by_number:  # studies that never ran are shown when none did: a table of dashes
        summaries = [s for s in summaries if any(row.n for row in s.rows)] or summaries
    if form is Form.JSON:
        print(text.json_text(summaries), end="")
    elif form is Form.CSV:
        print(text.csv_text(summaries), end="")
    elif form is Form.HTML:
        from orchestrator.report.html.page import page, shown

        print(page([shown(ledger, s, outcomes[s.asked.study]) for s in summaries]), end="")
    elif form is Form.LATEX:
        print(latex([t for s in summaries for t in rows.tables(s, details=details)]), end="")
    elif form is Form.MARKDOWN:
        tables = [t for s in summaries for t in rows.tables(s, details=details)]
        print("\n".join(text.markdown(t) for t in tables), end="")
    else:
        console = text.console_for()
        for index, found_table in enumerate(
            t for s in summaries for t in rows.tables(s, details=details)
        ):
            if index:
                console.print()
            text.print_table(console, found_table)


def _by_number(table: int | None, figure: int | None, ledger: "Ledger") -> "list[Asked]":
    """Every study that declares it: from ./studies if there, else from the store."""
    from orchestrator.status import newest_snapshots
    from orchestrator.study import read_study

    newest = newest_snapshots(ledger)
    studies = [read_study(path) for path in sorted(STUDIES.glob("*.yaml"))]
    wanted = [s for s in studies if (s.table, s.figure) == (table, figure)]
    found = {s.name: _asked(s, ledger, newest) for s in wanted}
    for name, asked in newest.items():
        if (asked.table, asked.figure) == (table, figure):
            found.setdefault(name, asked)
    if not found:
        kind, number = ("table", table) if table is not None else ("figure", figure)
        numbers = {getattr(s, kind) for s in (*studies, *newest.values())} - {None}
        known = ", ".join(map(str, sorted(numbers))) or "none yet"
        raise RequestError(
            f"No study declares {kind} {number}. {kind.capitalize()}s of known studies: {known}."
        )
    return list(found.values())


def _asked(study: "Study", ledger: "Ledger", newest: "dict[str, Asked]") -> "Asked":
    """A study as its file asks for it; as it last ran, where its corpus is not at hand."""
    from features.errors import FeatureError
    from orchestrator.plan import make

    try:
        return make(study, ledger, allow_config=True).asked  # read for its digest, never run
    except (FeatureError, LackError) as error:
        if study.name not in newest:
            raise
        said = f"`{study.name}` is shown as it last ran: {error}"
        print(clean_lines(said), file=sys.stderr)
        return newest[study.name]


def by_name(study: str, ledger: "Ledger") -> "list[Asked]":
    """A study by its file, or by its name from the store."""
    from orchestrator.errors import nearest
    from orchestrator.status import newest_snapshots
    from orchestrator.study import read_study

    newest = newest_snapshots(ledger)
    if is_file(study):
        return [_asked(read_study(Path(study)), ledger, newest)]
    if study in newest:
        return [newest[study]]
    hint = nearest(study, newest) if newest else "None has run yet."
    raise RequestError(f"No study `{study}` has run in this store. {hint}")
