"""``ablate report``: a study's table or picture, made from the store alone."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from orchestrator.cli import completion
from orchestrator.cli.options import (
    DEFAULT_STORE,
    AnyStudyArgument,
    StoreOption,
    named_snapshot,
    with_notice,
)
from orchestrator.errors import RequestError

if TYPE_CHECKING:
    from orchestrator.report.results import StudyResults
    from orchestrator.store.ledger import Ledger
    from orchestrator.store.snapshot import Snapshot
    from orchestrator.study.protocol import ScoreRule


class TableFormat(StrEnum):
    """Values of ``--format``: how a table is printed."""

    RICH = "rich"
    MARKDOWN = "markdown"
    LATEX = "latex"
    HTML = "html"
    CSV = "csv"
    JSON = "json"


class ScoreName(StrEnum):
    """Values of ``--score``: another score than the study's own, to look at."""

    AVERAGED = "averaged"
    """The mean of the weights over the second half of the epochs."""
    CHOSEN = "chosen"
    """The epoch that the other half of the held-out group chose."""
    LAST = "last"
    """The last epoch."""


ScoreOption = Annotated[
    ScoreName | None,
    typer.Option("--score", help="Look at another score; nothing is judged by it."),
]


class PictureName(StrEnum):
    """Values of ``--picture``: which picture is drawn."""

    FOREST = "forest"
    """Each row's UA and its difference from the reference row's, with intervals."""
    SWEEP = "sweep"
    """WA and UA by hidden size, as in Figure 2 of the paper."""
    AXES = "axes"
    """UA by each axis (a setting that spans a grid) and each pair of axes."""
    SLICES = "slices"
    """UA by each axis of a search, one point a configuration."""
    CURVES = "curves"
    """UA and loss by epoch."""
    CONFUSION = "confusion"
    """Confusion matrices: true by predicted classes, over all held-out utterances."""


def register(app: typer.Typer) -> None:
    """Add ``ablate report`` to the command line."""
    app.command("report")(report)


def report(
    study: AnyStudyArgument = None,
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
            help="Also by segment, by every score, and what the verdicts rest on.",
        ),
    ] = False,
    score: ScoreOption = None,
    form: Annotated[
        TableFormat | None, typer.Option("--format", help="How to print it; rich by default.")
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help="Write this file: a table (.md, .tex, .html, .csv, .json, .txt) or a picture "
            "(.png, .svg, .pdf), as it ends.",
        ),
    ] = None,
    picture: Annotated[
        PictureName | None,
        typer.Option("--picture", help="What to draw; what fits the study by default."),
    ] = None,
    row: Annotated[
        str | None,
        typer.Option(
            "--row",
            help="Draw one row: curves, confusion.",
            metavar="NAME",
            autocompletion=completion.rows,
        ),
    ] = None,
) -> None:
    """Print a measured table beside the paper's, or draw it."""
    from orchestrator.report.results import measure

    picture_file = output if output is not None and _is_picture(output) else None
    _refuse_contradictions(output, picture_file is not None, form, picture, row, details)
    ledger, found = _find(study, table, figure, store)
    if picture_file is not None and len(found) == 1:
        _refuse_no_picture(found[0], picture, row)
    other = cast("ScoreRule | None", score and score.value)
    studies = [measure(ledger, snapshot, other) for snapshot in found]
    if study is None:  # those that never ran only where none did
        studies = [one for one in studies if _has_run(one)] or studies
    if picture_file is not None:
        _draw(studies, picture_file, picture, row)
    else:
        _print(studies, form or TableFormat.RICH, output, details)
    _say_other_forms([one for one in studies if not _has_run(one)], ledger)


def _find(
    study: str | None, table: int | None, figure: int | None, store: str
) -> "tuple[Ledger, list[Snapshot]]":
    """Open the store, and find the snapshots of the studies to report.

    A study file shows a table of dashes before anything has run: the store need not exist then.

    Args:
        study: path of a study file or a study's name; None if ``table`` or ``figure`` is given.
        table: number of a table of the paper; None if another argument is given.
        figure: number of a figure of the paper; None if another argument is given.
        store: path or address of the store.

    Raises:
        RequestError: not exactly one of the three was given, or there is no such study.
    """
    from orchestrator.planning.lookup import STUDIES, find_numbered, is_study_file
    from orchestrator.store.ledger import Ledger

    if sum(given is not None for given in (study, table, figure)) != 1:
        raise RequestError(
            "`ablate report` needs a STUDY, `--table N` or `--figure N`, one of the three."
        )
    has_files = STUDIES.is_dir() if study is None else is_study_file(study)
    ledger = Ledger.open_readonly(store) if has_files else Ledger.open_existing(store)
    if study is None:
        return ledger, [with_notice(one) for one in find_numbered(table, figure, ledger)]
    return ledger, [named_snapshot(study, ledger)]


def _has_run(study: "StudyResults") -> bool:
    """Whether a trial of the study is done."""
    return any(row.n for row in study.summary.rows)


def _say_other_forms(studies: "list[StudyResults]", ledger: "Ledger") -> None:
    """Say which studies without results here ran before in another form, such as on other speech.

    Args:
        studies: studies of which no trial is done as they are asked for now.
        ledger: the store.
    """
    from orchestrator.planning.status import newest_snapshots
    from orchestrator.report.console import notice
    from orchestrator.report.tables.headings import protocol_line

    for study in studies:
        last = newest_snapshots(ledger).get(study.snapshot.study)
        if last is not None and last.trials != study.snapshot.trials:
            notice(
                f"`{last.study}` last ran here in another form ({protocol_line(last)}): "
                f"`ablate report {last.study}` shows that."
            )


def _is_picture(output: Path) -> bool:
    """Whether the ending of ``--output`` is that of a picture (.png, .svg, .pdf).

    Raises:
        RequestError: it is neither that of a picture nor of a table, or the folder is missing.
    """
    from orchestrator.report.figures import canvas
    from orchestrator.report.formats import FORMS, by_ending

    canvas.refuse_no_picture(output, also=[known.ending for known in FORMS.values()])
    return by_ending(output) is None


def _refuse_contradictions(
    output: Path | None,
    drawn: bool,
    form: TableFormat | None,
    picture: PictureName | None,
    row: str | None,
    details: bool,
) -> None:
    """Refuse options that contradict each other.

    Args:
        output: value of `--output`; None to print.
        drawn: whether ``output`` is a picture.
        form: value of `--format`.
        picture: value of `--picture`.
        row: value of `--row`.
        details: whether `--details` is given.

    Raises:
        RequestError: two options contradict each other.
    """
    if not drawn and (picture is not None or row is not None):
        given = "--picture" if picture is not None else "--row"
        raise RequestError(f"`{given}` draws: `-o FILE.png`, `.svg` or `.pdf` says where to.")
    if output is not None and form is not None:
        raise RequestError(
            "`--format` must not stand with `--output`, whose ending says the form: leave it out."
        )
    if drawn and details:
        raise RequestError("`--details` is of tables: leave it out, or write a table.")


def _refuse_no_picture(snapshot: "Snapshot", picture: PictureName | None, row: str | None) -> str:
    """Return the name of the picture to draw: ``picture``, or what fits the study if it is None.

    Args:
        snapshot: the study.
        picture: value of `--picture`.
        row: value of `--row`, the one row to draw.

    Raises:
        RequestError: the study has no such picture or row.
    """
    from orchestrator.report.figures import gallery

    name = str(picture or gallery.fitting(snapshot))
    gallery.refuse_no_picture_of(snapshot, name, row)
    return name


def _draw(
    studies: "list[StudyResults]", output: Path, picture: PictureName | None, row: str | None
) -> None:
    """Draw the picture of one study into a file, and print what was drawn.

    Args:
        studies: the study; several are refused.
        output: the file to write.
        picture: what to draw; None for what fits the study.
        row: the one row to draw; None for all.

    Raises:
        RequestError: there are several studies, or the study has no such picture or row.
    """
    from orchestrator.report.console import say
    from orchestrator.report.figures import canvas, gallery

    if len(studies) > 1:
        names = ", ".join(f"`{study.snapshot.study}`" for study in studies)
        raise RequestError(f"A picture is of one study, but {names} declare this table: name one.")
    (study,) = studies
    name = _refuse_no_picture(study.snapshot, picture, row)
    canvas.write(gallery.PICTURES[name].draw(study, row), output)
    whose = f"the row `{row}` of `{study.snapshot.study}`" if row else f"`{study.snapshot.study}`"
    say(f"Drew {whose} ({name}) in {output}.")


def _print(
    studies: "list[StudyResults]", form: TableFormat, output: Path | None, details: bool
) -> None:
    """Print the tables of studies, or write them to a file whose ending says the form.

    Args:
        studies: one study, or all that declare a table of the paper.
        form: how to print; ignored if ``output`` is given.
        output: the file to write; None to print.
        details: whether to add the tables of `--details`.
    """
    from orchestrator.report import formats
    from orchestrator.report.console import console_for, say
    from orchestrator.store.files import replace_file

    if output is not None and (by_ending := formats.by_ending(output)) is not None:
        replace_file(output, by_ending.write(studies, details).encode())
        names = ", ".join(f"`{one.snapshot.study}`" for one in studies)
        say(f"Wrote {names} in {output}.")
    elif form is TableFormat.RICH:
        formats.print_all(console_for(), studies, details)
    else:
        print(formats.FORMS[form].write(studies, details), end="")
