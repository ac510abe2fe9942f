"""``ablate run``: train the trials of a study that the store lacks."""

import contextlib
import signal
from types import FrameType
from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.cli import completion
from orchestrator.cli.options import (
    DEFAULT_STORE,
    AllowConfigOption,
    BudgetOption,
    CpusOption,
    JsonLinesOption,
    StoreOption,
    StudyArgument,
    refuse_config_elsewhere,
    refuse_two_budgets,
)
from orchestrator.cli.streams import go_on_without_reader
from orchestrator.errors import Interrupted, RequestError

if TYPE_CHECKING:
    from orchestrator.execution.cluster.protocol import OnEvent
    from orchestrator.execution.run import RunResult
    from orchestrator.report.trackers.tracker import TrackerThread
    from orchestrator.store.ledger import Ledger


_InlineOption = Annotated[
    bool, typer.Option("--inline", help="Train in this process, one after another, no Ray.")
]
_GpusOption = Annotated[
    int | None, typer.Option("--gpus", min=0, help="GPUs to use; Ray takes all by default.")
]
_GpusPerTrialOption = Annotated[
    float | None,
    typer.Option("--gpus-per-trial", help="Share of a GPU for a trial, such as 0.25."),
]
_AddressOption = Annotated[
    str | None, typer.Option("--address", help="A running Ray cluster, such as `auto`.")
]
_LogOption = Annotated[
    list[str] | None,
    typer.Option(
        "--log",
        help="Also write finished trials for mlflow, optuna, tensorboard; repeatable.",
        metavar="SYSTEM[:WHERE]",
        autocompletion=completion.logs,
    ),
]


def register(app: typer.Typer) -> None:
    """Add ``ablate run`` to the command line."""
    app.command("run")(run)


def run(
    study: StudyArgument,
    store: StoreOption = DEFAULT_STORE,
    inline: _InlineOption = False,
    cpus: CpusOption = None,
    gpus: _GpusOption = None,
    gpus_per_trial: _GpusPerTrialOption = None,
    budget: BudgetOption = None,
    address: _AddressOption = None,
    allow_config: AllowConfigOption = False,
    log: _LogOption = None,
    as_json: JsonLinesOption = False,
) -> None:
    """Train every trial of STUDY that the store lacks.

    Run it again to resume, to extend or to retry: finished trials are never trained again.
    """
    from orchestrator.execution.events import Event, print_line
    from orchestrator.execution.launch import Launch, Machines
    from orchestrator.execution.monitor.run_state import RunState
    from orchestrator.report.console import console_for
    from orchestrator.report.terminal.live import View
    from orchestrator.store.ledger import Ledger
    from orchestrator.study.reader import read_study

    go_on_without_reader()
    machines = Machines(
        inline=inline, cpus=cpus, gpus=gpus, gpus_per_trial=gpus_per_trial, address=address
    )
    refuse_config_elsewhere(allow_config, address)
    budget_s = _seconds(budget, address)
    parsed = read_study(study)
    refuse_two_budgets(budget, parsed)
    ledger = Ledger.open(store)
    launch = Launch(parsed, ledger, machines, budget_s=budget_s, allow_config=allow_config)
    export = _export(ledger, log or [], parsed.name)
    view = View(console_for(), RunState(ledger), launch.cluster.usage)
    show = print_line if as_json else view.show

    def on_event(event: Event) -> None:
        show(event)
        if export is not None:
            export.on_event(event)

    _interrupt_on_notice()
    unlogged: tuple[str, ...] = ()
    try:
        with contextlib.nullcontext() if as_json else view:
            try:
                result = launch.run(on_event)
            finally:
                unlogged = export.close() if export is not None else ()
    except KeyboardInterrupt:
        raise Interrupted(
            f"Interrupted. {view.kept} The same command goes on from there."
        ) from None
    if code := _conclude(result, parsed.name, export, unlogged, on_event):
        raise typer.Exit(code)


def _conclude(
    result: "RunResult",
    study: str,
    export: "TrackerThread | None",
    unlogged: tuple[str, ...],
    on_event: "OnEvent",
) -> int:
    """Tell the user how a run ended, as events, and return the exit code.

    Args:
        result: the number of trained trials, and those that failed or differ from their record.
        study: name of the study.
        export: the trackers of `--log`; None without them.
        unlogged: a sentence for each trial or tracker whose logging failed.
        on_event: prints or shows an event.

    Returns:
        0 done; 1 trials failed; 3 a tracker failed; 4 a result differs, or files are damaged.
    """
    from orchestrator.execution.events import Note

    for sentence in unlogged:
        on_event(Note(sentence, loud=True))
    if result.differs:
        on_event(Note("A trial was finished twice with different numbers; both are kept:"))
        for record in result.differs:
            on_event(Note(f"  {record}"))
        return 4
    if result.failed:
        count = len(result.failed)
        some = f"{count} trial{'s' if count > 1 else ''}"
        on_event(Note(f"{some} failed; running again tries once more."))
        return 1
    done = f"Done: {result.trained} trained." if result.trained else "Done."
    on_event(Note(f"{done} `ablate report {study}` prints the table."))
    for command in export.view_commands if export is not None else ():
        on_event(Note(f"Logged: `{command}` shows it."))
    if unlogged:
        return 4 if export is not None and export.damaged else 3
    return 0


def _seconds(budget: str | None, address: str | None) -> float | None:
    """Convert `--budget`, such as ``3h``, to seconds; None without one.

    Raises:
        RequestError: it is no time, or `--address` is given too.
    """
    if budget is None:
        return None
    from orchestrator.planning.cost.budget import seconds_of

    if address is not None:
        raise RequestError(
            "`--budget` must not stand with `--address`: what a trial takes is known of this "
            "machine only. Ask `ablate plan STUDY --budget TIME` on one of the cluster's."
        )
    return seconds_of(budget)


def _export(ledger: "Ledger", words: list[str], study: str) -> "TrackerThread | None":
    """Open the trackers that ``--log`` names, before anything trains.

    Args:
        ledger: the store.
        words: values of `--log`, such as ``mlflow:http://host``.
        study: name of the study.

    Returns:
        A thread that passes finished trials to the trackers; None without `--log`.
    """
    if not words:
        return None
    from orchestrator.report.trackers.tracker import TrackerThread, open_tracker

    trackers = [open_tracker(word, ledger, study) for word in dict.fromkeys(words)]
    return TrackerThread(ledger, trackers)


def _interrupt_on_notice() -> None:
    """Make SIGTERM (of a spot machine or scheduler) and SIGHUP (a closed terminal) act like Ctrl-C.

    A signal that is ignored, as under `nohup`, stays ignored.
    """

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    for notice in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(notice) is signal.SIG_DFL:
            signal.signal(notice, interrupt)
