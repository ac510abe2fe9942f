"""``ablate run``: train what a study lacks."""

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
    JsonLinesOption,
    StoreOption,
    StudyArgument,
    refuse_config_elsewhere,
    refuse_two_budgets,
)
from orchestrator.errors import Interrupted, RequestError

if TYPE_CHECKING:
    from orchestrator.report.trackers.tracker import Export
    from orchestrator.store.ledger import Ledger


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("run")(run)


def run(
    study: StudyArgument,
    store: StoreOption = DEFAULT_STORE,
    inline: Annotated[
        bool, typer.Option("--inline", help="Train in this process, one after another, no Ray.")
    ] = False,
    cpus: Annotated[
        int | None, typer.Option("--cpus", min=1, help="CPUs to use; all by default.")
    ] = None,
    gpus: Annotated[
        int | None,
        typer.Option("--gpus", min=0, help="GPUs to use; Ray takes all by default."),
    ] = None,
    gpus_per_trial: Annotated[
        float | None,
        typer.Option("--gpus-per-trial", help="Share of a GPU for a trial, such as 0.25."),
    ] = None,
    budget: BudgetOption = None,
    address: Annotated[
        str | None, typer.Option("--address", help="A running Ray cluster, such as `auto`.")
    ] = None,
    allow_config: AllowConfigOption = False,
    log: Annotated[
        list[str] | None,
        typer.Option(
            "--log",
            help="Also write finished trials for mlflow, optuna, tensorboard; repeatable.",
            metavar="SYSTEM[:WHERE]",
            autocompletion=completion.logs,
        ),
    ] = None,
    as_json: JsonLinesOption = False,
) -> None:
    """Train every trial of STUDY that the store lacks.

    Run it again to resume, to extend or to retry: finished trials are never trained again.
    """
    from orchestrator.execution.cluster.inline import InlineCluster
    from orchestrator.execution.cluster.protocol import Cluster
    from orchestrator.execution.cluster.ray_cluster import RayCluster
    from orchestrator.execution.events import Event, Note, print_line
    from orchestrator.execution.monitor.run_state import RunState
    from orchestrator.execution.run import everything
    from orchestrator.execution.run import run as run_study
    from orchestrator.planning.cost import price as prices
    from orchestrator.planning.cost.budget import BudgetSelection
    from orchestrator.planning.cost.machine import MEMORY_PER_TRIAL, cpu_count
    from orchestrator.planning.cost.price import Price
    from orchestrator.planning.cost.resources import Resources
    from orchestrator.planning.plan import Plan, plan_study
    from orchestrator.report.console import console_for
    from orchestrator.report.terminal.live import View
    from orchestrator.store.ledger import Ledger
    from orchestrator.study.reader import read_study

    if gpus_per_trial is not None and not (
        0 < gpus_per_trial <= 1 or gpus_per_trial == int(gpus_per_trial) > 0
    ):
        raise RequestError(
            "`--gpus-per-trial` must be a share such as 0.25 or a whole number, "
            f"but is `{gpus_per_trial:g}` instead."
        )
    refuse_config_elsewhere(allow_config, address)
    budget_s = _seconds(budget, address)
    parsed = read_study(study)
    refuse_two_budgets(budget, parsed)
    ledger = Ledger.open(store)
    threads = cpus or cpu_count()

    def quote(plan: Plan) -> Price:
        lanes = 1 if inline else cpus
        return prices.price_plan(plan, ledger, lanes, gpus, gpus_per_trial=gpus_per_trial)

    def choose(plan: Plan) -> BudgetSelection:
        if address is None and (short := prices.budget_shortage(plan, quote(plan))):
            hear(Note(short, loud=True))
        if budget_s is None:
            return everything(plan)
        return prices.select_within_budget(plan, quote(plan), budget_s, str(study))

    room = Resources(cpus=1, memory=MEMORY_PER_TRIAL, gpus=gpus_per_trial or 0.0)
    if address is None and ledger.has_probes:
        room = quote(plan_study(parsed, ledger, allow_config=allow_config)).per_trial
    cluster: Cluster
    if inline:
        cluster = InlineCluster(gpus or 0)
    else:
        cluster = RayCluster(
            cpus=threads,
            gpus=gpus,
            gpus_per_trial=room.gpus or 1.0,
            memory_per_trial=room.memory,
            address=address,
            store=ledger.root,
        )
    export = _export(ledger, log or [], parsed.name)
    view = View(console_for(), RunState(ledger), cluster.usage)
    _interrupt_on_notice()
    show = print_line if as_json else view.hear

    def hear(event: Event) -> None:
        show(event)
        if export is not None:
            export.hear(event)

    unlogged: tuple[str, ...] = ()
    try:
        with contextlib.nullcontext() if as_json else view:
            try:
                result = run_study(
                    parsed,
                    ledger,
                    cluster,
                    hear,
                    threads=threads,
                    allow_config=allow_config,
                    choose=choose,
                )
            finally:
                unlogged = export.close() if export is not None else ()
    except KeyboardInterrupt:
        raise Interrupted(
            f"Interrupted. {view.kept} The same command goes on from there."
        ) from None
    for sentence in unlogged:
        hear(Note(sentence, loud=True))
    if result.differs:
        hear(Note("A trial was finished twice with different numbers; both are kept:"))
        for record in result.differs:
            hear(Note(f"  {record}"))
        raise typer.Exit(4)
    if result.failed:
        count = len(result.failed)
        some = f"{count} trial{'s' if count > 1 else ''}"
        hear(Note(f"{some} failed; running again tries once more."))
        raise typer.Exit(1)
    done = f"Done: {result.trained} trained." if result.trained else "Done."
    hear(Note(f"{done} `ablate report {parsed.name}` prints the table."))
    for look in export.looks if export is not None else ():
        hear(Note(f"Logged: `{look}` shows it."))
    if unlogged:
        raise typer.Exit(4 if export is not None and export.damage else 3)


def _seconds(budget: str | None, address: str | None) -> float | None:
    """A budget in seconds; None without one."""
    if budget is None:
        return None
    from orchestrator.planning.cost.budget import seconds_of

    if address is not None:
        raise RequestError(
            "`--budget` must not stand with `--address`: what a trial takes is known of this "
            "machine only. Ask `ablate plan STUDY --budget TIME` on one of the cluster's."
        )
    return seconds_of(budget)


def _export(ledger: "Ledger", words: list[str], study: str) -> "Export | None":
    """What ``--log`` asks for, ready before anything trains; None when it asks for nothing."""
    if not words:
        return None
    from orchestrator.report.trackers.tracker import Export, open_log

    return Export(ledger, [open_log(word, ledger, study) for word in dict.fromkeys(words)])


def _interrupt_on_notice() -> None:
    """A notice to end (a spot machine's, a scheduler's, a closed terminal) is like Ctrl-C.

    What is set to be ignored, as under `nohup`, stays ignored.
    """

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    for notice in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(notice) is signal.SIG_DFL:
            signal.signal(notice, interrupt)
