"""``ablate plan`` and ``ablate schema``: what a study would do and cost, before it does it."""

import contextlib
import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.cli.options import (
    DEFAULT_STORE,
    AllowConfigOption,
    BudgetOption,
    CpusOption,
    GpusOption,
    JsonOption,
    StoreOption,
    StudyArgument,
    refuse_two_budgets,
)
from orchestrator.errors import Interrupted, RequestError
from orchestrator.printable import clean

if TYPE_CHECKING:
    from orchestrator.planning.cost.quote import Quote
    from orchestrator.store.ledger import Ledger
    from orchestrator.study.study import Study


def register(app: typer.Typer) -> None:
    """Add ``ablate plan`` and ``ablate schema`` to the command line."""
    app.command("plan")(plan)
    app.command("schema")(schema)


def plan(
    study: StudyArgument,
    store: StoreOption = DEFAULT_STORE,
    probe: Annotated[
        bool, typer.Option("--probe", help="Measure epochs here: trains a few, keeps no numbers.")
    ] = False,
    budget: BudgetOption = None,
    cpus: CpusOption = None,
    gpus: GpusOption = None,
    rate: Annotated[
        float | None,
        typer.Option("--rate", help="What this machine costs an hour, such as 0.50."),
    ] = None,
    as_json: JsonOption = False,
    allow_config: AllowConfigOption = False,
) -> None:
    """Say what `ablate run STUDY` would train, why, and what it costs. Trains nothing."""
    from orchestrator.planning.copies import compare_recordings
    from orchestrator.planning.cost.budget import seconds_of
    from orchestrator.planning.cost.quote import quote_study
    from orchestrator.report.console import progress
    from orchestrator.store.ledger import Ledger
    from orchestrator.study.reader import read_study

    if rate is not None and not 0 <= rate < float("inf"):
        raise RequestError(f"`--rate` must be a price an hour, but is `{rate:g}` instead.")
    budget_s = seconds_of(budget) if budget is not None else None
    parsed = read_study(study)
    refuse_two_budgets(budget, parsed)
    ledger = Ledger.open(store) if probe else Ledger.open_readonly(store)
    compare_recordings(parsed, ledger, lambda: progress("comparing recordings"))
    if probe:
        _probe(parsed, ledger, cpus, gpus, allow_config=allow_config, quiet=as_json)
    quote = quote_study(
        parsed, ledger, allow_config=allow_config, cpus=cpus, gpus=gpus, budget_s=budget_s
    )
    if as_json:
        _print_json(quote, rate, has_budget=budget_s is not None)
    else:
        _print(quote, rate, f"ablate plan {study} --probe")


def _probe(
    study: "Study",
    ledger: "Ledger",
    cpus: int | None,
    gpus: int | None,
    *,
    allow_config: bool,
    quiet: bool,
) -> None:
    """Measure what the study's trainings take here, and show the progress on stderr.

    Args:
        study: the study to plan.
        ledger: the store.
        cpus: CPUs to use; all if None.
        gpus: GPUs to use; all if None.
        allow_config: whether the study's own openSMILE configuration may run.
        quiet: whether to show no progress.

    Raises:
        Interrupted: Ctrl-C; what was measured before is kept.
    """
    from orchestrator.execution.probe import probe_study
    from orchestrator.report.console import console_for
    from orchestrator.report.terminal.live import View

    view = View(console_for(stderr=True))
    on_event = (lambda event: None) if quiet else view.show
    try:
        with contextlib.nullcontext() if quiet else view:
            probe_study(study, ledger, on_event, cpus, gpus, allow_config=allow_config)
    except KeyboardInterrupt:
        raise Interrupted(
            "Interrupted. What was measured is kept; the same command measures again."
        ) from None


def _print_json(quote: "Quote", rate: float | None, *, has_budget: bool) -> None:
    """Print a plan and its price as one JSON object.

    Args:
        quote: the plan with its price.
        rate: price of an hour of this machine; None if unknown.
        has_budget: whether `--budget` was given, so that ``left_out`` is printed.
    """
    from features.corpora.notes import in_no_class
    from orchestrator.report.terminal.price import as_json

    snapshot = quote.plan.snapshot
    record = {
        "study": snapshot.study,
        "title": {
            "corpus": snapshot.corpus,
            "profile": snapshot.profile,
            "reading": snapshot.reading,
            "score": snapshot.score,
            "replicates": snapshot.replicates,
        },
        **quote.counts,
        "price": as_json(quote.price, rate),
        "notices": list(quote.plan.notices),
        "in_no_class": [
            {"path": note.path, "reason": note.reason}
            for note in in_no_class(quote.plan.selection.corpus, quote.plan.emotions)
        ],
    }
    if has_budget:
        record["left_out"] = quote.left_out
    if quote.shortage:
        record["short"] = quote.shortage
    if quote.deals:
        record["deals"] = asdict(quote.deals)
    print(json.dumps(record))


def _print(quote: "Quote", rate: float | None, probe: str) -> None:
    """Print a plan and its price for people.

    Args:
        quote: the plan with its price.
        rate: price of an hour of this machine; None if unknown.
        probe: the command to type that measures unknown timings, `ablate plan STUDY --probe`.
    """
    from orchestrator.report.console import console_for, print_columns, print_pairs
    from orchestrator.report.tables.headings import trainings
    from orchestrator.report.terminal import price as shown

    console, plan, snapshot = console_for(), quote.plan, quote.plan.snapshot
    for sentence in plan.notices:
        console.print(clean(sentence), style="bold yellow")
    if snapshot.replicates == "adaptive":
        console.print(clean(_adaptive(snapshot.seeds)), style="bold yellow")
    print_pairs(console, [(key.replace("_", " "), str(n)) for key, n in quote.counts.items()])
    if snapshot.search is not None:
        print_pairs(console, [("budget", snapshot.search.budget)])
    if snapshot.deals > 1:
        print_pairs(console, [("a row", trainings(snapshot))])
    print_pairs(console, [("stale", reason) for reason in sorted(set(plan.stale.values()))])
    console.print()
    if quote.price.rows:
        print_pairs(console, shown.pairs(quote.price, rate, probe))
        console.print()
    if quote.deals:
        console.print(clean(quote.deals.sentence), style="dim")
        console.print()
    if warning := quote.left_out or quote.shortage:
        console.print(clean(warning), style="bold yellow")
        console.print()
    heads = ["row", "done", "to train", "a trial"]
    print_columns(console, heads, _lines(quote), numeric=[False, True, True, True])


def _lines(quote: "Quote") -> list[tuple[str, str, str, str]]:
    """Make the lines of the table: one for each row, or for each held-out group of a search.

    Returns:
        (name, trials done, trials to train, time of a trial), as text.
    """
    from orchestrator.report.terminal.price import each

    plan, snapshot = quote.plan, quote.plan.snapshot
    to_train = {item.id for item in plan.to_train}
    seconds = {row.name: row.seconds for row in quote.price.rows}
    lines = []
    for name in snapshot.overview_lines:
        own = [item for item in plan.trials if snapshot.overview_line(item.row) == name]
        missing = sum(item.id in to_train for item in own)
        length = each(seconds, [item.row for item in own])
        lines.append((name, str(len(own) - missing), str(missing), length))
    return lines


def _adaptive(cap: int) -> str:
    """Return a sentence: after how many seeds the rows of an adaptive study are compared.

    Args:
        cap: the most seeds of a row.
    """
    from orchestrator.analysis.sequential import interim_seeds

    when = ", ".join(map(str, interim_seeds(cap)))
    return f"Adaptive replicates: at most {cap} seeds a row, looked at after {when}."


def schema() -> None:
    """Print the JSON Schema of a study file, for your editor."""
    from orchestrator.study.schema import schema as study_schema

    print(json.dumps(study_schema(), indent=2))
