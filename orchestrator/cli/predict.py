"""``ablate predict``: the emotion of any recordings, by the trained networks of a row."""

import json
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.cli import completion
from orchestrator.cli.options import DEFAULT_STORE, CpusOption, StoreOption, named_snapshot
from orchestrator.errors import Interrupted, RequestError
from orchestrator.printable import clean

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestrator.report.trained.predict import Ensemble, Prediction, Unusable


class AnswerFormat(StrEnum):
    """Values of ``--format``: how predictions are printed."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"


def register(app: typer.Typer) -> None:
    """Add ``ablate predict`` to the command line."""
    app.command("predict")(predict)


def predict(
    study: Annotated[
        str,
        typer.Option(
            "--study", help="A study file or a study's name.", autocompletion=completion.studies
        ),
    ],
    files: Annotated[
        list[Path] | None, typer.Argument(help="Recordings, or folders.", metavar="FILE...")
    ] = None,
    row: Annotated[
        str | None,
        typer.Option(
            "--row",
            help="Which row; needed where there are several.",
            autocompletion=completion.rows,
        ),
    ] = None,
    store: StoreOption = DEFAULT_STORE,
    segments: Annotated[
        bool, typer.Option("--segments", help="Also the course, segment by segment.")
    ] = False,
    form: Annotated[
        AnswerFormat, typer.Option("--format", help="How to print it.")
    ] = AnswerFormat.TABLE,
    to: Annotated[
        Path | None, typer.Option("--export", help="Write the networks and a card to this folder.")
    ] = None,
    mend_headers: Annotated[
        bool, typer.Option("--mend-headers", help="Read speech behind headers that say 0 samples.")
    ] = False,
    cpus: CpusOption = None,
) -> None:
    """Predict the emotion of recordings with a trained row. Folders are searched to the bottom.

    Exit code 1: some files could not be used; they are named at the end.
    """
    from orchestrator.report.console import notice
    from orchestrator.report.trained import card
    from orchestrator.report.trained import predict as trained
    from orchestrator.store.ledger import Ledger

    ledger = Ledger.open_existing(store)
    snapshot = named_snapshot(study, ledger)
    if not files and to is None:
        raise RequestError(
            "`FILE` must name recordings or folders to listen to, but there is none: name some, "
            "or `--export FOLDER` to take the networks away."
        )
    recordings = trained.find_recordings(files) if files else None
    ensemble = trained.assemble(ledger, snapshot, trained.choose_row(snapshot, row))
    for note in ensemble.notes:
        notice(note)
    if to is not None:
        written = card.export(ledger, ensemble, to)
        notice(f"Wrote {len(written)} files to {to}; README.md says what they are.")
    if recordings is not None:
        if recordings.omission:
            notice(recordings.omission)
        found, unusable = _predict(ensemble, recordings.paths, cpus, mend=mend_headers)
        _print(ensemble, found, unusable, form, segments=segments)
        if unusable:
            raise typer.Exit(1)


def _predict(
    ensemble: "Ensemble", paths: "Sequence[Path]", cpus: int | None, *, mend: bool
) -> "tuple[list[Prediction], list[Unusable]]":
    """Predict all recordings and show a progress bar.

    Args:
        ensemble: the trained networks of the row.
        paths: the recordings.
        cpus: CPUs to use; all if None.
        mend: read what lies behind headers that say 0.

    Returns:
        The predictions, and the recordings that could not be used with the reason.

    Raises:
        Interrupted: Ctrl-C.
    """
    from orchestrator.planning.cost.machine import cpu_count
    from orchestrator.report.console import progress
    from orchestrator.report.trained import predict as trained

    found: list[Prediction] = []
    unusable: list[Unusable] = []
    try:
        with progress("listening") as count:
            threads = cpus or cpu_count()
            for answer in trained.predict(ensemble, paths, threads=threads, mend=mend, tell=count):
                if isinstance(answer, trained.Unusable):
                    unusable.append(answer)
                else:
                    found.append(answer)
    except KeyboardInterrupt:
        raise Interrupted("Interrupted. Nothing was changed.") from None
    return found, unusable


def _print(
    ensemble: "Ensemble",
    found: "list[Prediction]",
    unusable: "list[Unusable]",
    form: AnswerFormat,
    *,
    segments: bool,
) -> None:
    """Print the predictions, and three kinds of warnings on stderr.

    The warnings are of recordings by speakers of the study's own corpus, of recordings that look
    wrong, and of recordings that could not be used.

    Args:
        ensemble: the trained networks of the row.
        found: the predictions.
        unusable: the recordings that could not be used.
        form: how to print the predictions.
        segments: whether to print each segment too.
    """
    from orchestrator.report.console import console_for, notice
    from orchestrator.report.terminal import predict as view

    if form is AnswerFormat.JSON:
        print(json.dumps(view.record(ensemble, found, unusable, segments=segments), indent=2))
    elif form is AnswerFormat.CSV:
        print(view.csv_text(ensemble, found, segments=segments), end="")
    elif found:
        view.show(console_for(), ensemble, found, segments=segments)
    sys.stdout.flush()
    for sentence in view.known_voices(found, len(found) + len(unusable)):
        notice(sentence)
    for sentence in view.doubtful(found):
        notice(sentence)
    for recording in unusable:  # a line each, however long: for whoever counts them
        print(clean(f"unusable: {recording.path}: {recording.reason}"), file=sys.stderr)
