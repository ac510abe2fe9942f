"""``ablate show``, ``logs``, ``rerun``: show, read the log of, or retrain one trial, by its ID."""

import json
from typing import Annotated

import typer

from orchestrator.cli import completion
from orchestrator.cli.options import DEFAULT_STORE, JsonOption, StoreOption
from orchestrator.cli.streams import go_on_without_reader

IdArgument = Annotated[
    str,
    typer.Argument(
        help="A trial's ID, or its first digits (6 or more).",
        metavar="ID",
        autocompletion=completion.trials,
    ),
]


def register(app: typer.Typer) -> None:
    """Add ``ablate show``, ``logs`` and ``rerun`` to the command line."""
    app.command("show")(show)
    app.command("logs")(logs)
    app.command("rerun")(rerun)


def show(id: IdArgument, store: StoreOption = DEFAULT_STORE, as_json: JsonOption = False) -> None:
    """Show a trial's settings, scores, files and environment."""
    from orchestrator.planning import trial_details
    from orchestrator.report.console import console_for
    from orchestrator.report.terminal import trial as view
    from orchestrator.store.ledger import Ledger

    ledger = Ledger.open_existing(store)
    trial = trial_details.read_trial(ledger, ledger.find_trial(id))
    files = trial_details.check_files(ledger, trial.outcome)
    if as_json:
        print(json.dumps(view.record(trial, files), indent=2))
    else:
        view.show(console_for(), trial, files)
    if any(file.damage for file in files):
        raise typer.Exit(4)


def logs(id: IdArgument, store: StoreOption = DEFAULT_STORE, as_json: JsonOption = False) -> None:
    """Print a trial's epochs, why its attempts failed, where it runs."""
    from orchestrator.planning import trial_details
    from orchestrator.report.console import console_for
    from orchestrator.report.terminal import trial as view
    from orchestrator.store.ledger import Ledger
    from orchestrator.store.paths import LOG

    ledger = Ledger.open_existing(store)
    trial = trial_details.read_trial(ledger, ledger.find_trial(id))
    log = "\n".join(trial.progress.log)
    if trial.outcome is not None:
        log = ledger.attempts.read_file(trial.outcome, LOG).decode("utf-8", "replace")
    if as_json:
        print(json.dumps(view.log_record(trial, log), indent=2))
    else:
        view.print_logs(console_for(), trial, log)


def rerun(
    id: IdArgument,
    store: StoreOption = DEFAULT_STORE,
    gpus: Annotated[
        int | None,
        typer.Option("--gpus", min=0, max=1, help="0 or 1; as the record says by default."),
    ] = None,
    keep: Annotated[
        bool, typer.Option("--keep", help="Keep the files of this training, also if equal.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Train a finished trial once more and compare the results.

    The record stays as it is; the two are compared bit by bit.

    Exit code 0: equal, or within the tolerance where bits are not promised; 4: they differ.
    """
    from orchestrator.errors import Interrupted, RequestError
    from orchestrator.execution import rerun as retraining
    from orchestrator.execution.cluster.gpu import cuda_works
    from orchestrator.execution.events import Epoch, Event
    from orchestrator.report.console import console_for, progress
    from orchestrator.report.terminal import rerun as view
    from orchestrator.store.ledger import Ledger

    go_on_without_reader()
    ledger = Ledger.open_existing(store)
    whole = ledger.find_trial(id)
    record = ledger.outcomes.read(whole)
    gpu = bool(gpus) if gpus is not None else record is not None and retraining.was_on_gpu(record)
    if gpu and not cuda_works():
        raise RequestError(
            "The record was made on a GPU, and PyTorch can use none here: `--gpus 0` trains on the "
            "CPU and compares within a tolerance."
        )
    try:
        with progress("training again") as count:

            def on_event(event: Event) -> None:
                if isinstance(event, Epoch):
                    count(event.epoch, event.epochs)

            found = retraining.rerun(ledger, whole, on_event, gpu=gpu, keep=keep)
    except KeyboardInterrupt:
        raise Interrupted("Interrupted. Nothing was changed.") from None
    if as_json:
        print(json.dumps(view.record(found), indent=2))
    else:
        view.show(console_for(), found)
    if found.verdict == "differs":
        raise typer.Exit(4)
