"""``ablate plan`` and ``ablate schema``: what a study would do and cost, before it does it."""

import contextlib
import json
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
    from orchestrator.planning.cost.price import Price
    from orchestrator.planning.plan import Plan
    from orchestrator.store.ledger import Ledger


def register(app: typer.Typer) -> None:
    """Add the commands."""
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
    from orchestrator.planning.cost import budget as budgets
    from orchestrator.planning.cost import price as prices
    from orchestrator.planning.plan import plan_study
    from orchestrator.report.terminal import price as shown
    from orchestrator.store.ledger import Ledger
    from orchestrator.study.reader import read_study

    if rate is not None and not 0 <= rate < float("inf"):
        raise RequestError(f"`--rate` must be a price an hour, but is `{rate:g}` instead.")
    budget_s = budgets.seconds_of(budget) if budget is not None else None
    parsed = read_study(study)
    refuse_two_budgets(budget, parsed)
    ledger = Ledger.open(store) if probe else Ledger.open_readonly(store)
    found = plan_study(parsed, ledger, allow_config=allow_config)
    if probe:
        _probe(found, ledger, cpus, gpus, quiet=as_json)
    quote = prices.price_plan(found, ledger, cpus, gpus)
    if parsed.search is not None and parsed.search.unit != "trials":  # an hour is of all lanes
        sharing = prices.trials_per_budget_hour(quote, parsed.search)
        found = plan_study(parsed, ledger, allow_config=allow_config, trials_at_once=sharing)
        quote = prices.price_plan(found, ledger, cpus, gpus)
    short, left = prices.budget_shortage(found, quote), ""
    if budget_s is not None:
        part = prices.select_within_budget(found, quote, budget_s, str(study))
        quote, left = prices.price_plan(found, ledger, cpus, gpus, part.taken), part.describe()
    counts = {
        "trials": len({item.id for item in found.trials}),
        "done": len(found.done),
        "failed": len(found.failed),
        "stale": len(found.stale),
        "to_do": len(found.to_do),
    }
    if found.search is not None and (later := quote.later or found.search.remaining.certain):
        counts["proposed_later"] = later
    if as_json:
        kept = found.snapshot
        title = {"corpus": kept.corpus, "profile": kept.profile, "reading": kept.reading}
        title |= {"replicates": kept.replicates}
        costs = shown.as_json(quote, rate)
        part_told = {"left_out": left} if budget_s is not None else {}
        part_told |= {"short": short} if short else {}
        print(
            json.dumps({"study": kept.study, "title": title, **counts, "price": costs, **part_told})
        )
        return
    _print(found, counts, quote, rate, f"ablate plan {study} --probe", left or short)


def _probe(
    found: "Plan", ledger: "Ledger", cpus: int | None, gpus: int | None, *, quiet: bool
) -> None:
    """Make the features and measure; what was measured is in the store afterwards."""
    from orchestrator.execution import probe as probes
    from orchestrator.execution.events import Event
    from orchestrator.execution.prepare import prepare
    from orchestrator.planning.cost import price as prices
    from orchestrator.planning.cost.machine import cpu_count
    from orchestrator.report.console import console_for
    from orchestrator.report.terminal.live import View

    view = View(console_for(stderr=True))

    def hear(event: Event) -> None:
        if not quiet:
            view.hear(event)

    try:
        with contextlib.nullcontext() if quiet else view:
            items = tuple(probes.shapes(found))
            prepare(found, items, ledger, hear, cpus or cpu_count())
            assumed = prices.price_plan(found, ledger, cpus, gpus)
            probes.measure(found, ledger, assumed.machine, assumed.lanes, hear)
    except KeyboardInterrupt:
        raise Interrupted(
            "Interrupted. What was measured is kept; the same command measures again."
        ) from None


def _print(
    found: "Plan",
    counts: dict[str, int],
    quote: "Price",
    rate: float | None,
    probe: str,
    left: str,
) -> None:
    from orchestrator.report.console import console_for, print_columns, print_pairs
    from orchestrator.report.terminal import price as shown

    console = console_for()
    for sentence in found.notices:
        console.print(clean(sentence), style="bold yellow")
    if found.snapshot.replicates == "adaptive":
        console.print(clean(_adaptive(found.snapshot.seeds)), style="bold yellow")
    print_pairs(console, [(key.replace("_", " "), str(n)) for key, n in counts.items()])
    if found.snapshot.search is not None:
        print_pairs(console, [("budget", found.snapshot.search.budget)])
    reasons = sorted(set(found.stale.values()))
    print_pairs(console, [("stale", reason) for reason in reasons])
    console.print()
    if quote.rows:
        print_pairs(console, shown.pairs(quote, rate, probe))
        console.print()
    if left:
        console.print(clean(left), style="bold yellow")
        console.print()
    lacking = {item.id for item in found.to_train}
    each = {row.name: row.seconds for row in quote.rows}
    cells = []
    for name in found.snapshot.lines:
        own = [p for p in found.trials if found.snapshot.line_of(p.row) == name]
        missing = sum(item.id in lacking for item in own)
        cells.append(
            (
                name,
                str(len(own) - missing),
                str(missing),
                shown.each(each, [item.row for item in own]),
            )
        )
    heads = ["row", "done", "to train", "a trial"]
    print_columns(console, heads, cells, numeric=[False, True, True, True])


def _adaptive(cap: int) -> str:
    from orchestrator.analysis.sequential import interim_seeds

    when = ", ".join(map(str, interim_seeds(cap)))
    return f"Adaptive replicates: at most {cap} seeds a row, looked at after {when}."


def schema() -> None:
    """Print the JSON Schema of a study file, for your editor."""
    from orchestrator.study.schema import schema as study_schema

    print(json.dumps(study_schema(), indent=2))
