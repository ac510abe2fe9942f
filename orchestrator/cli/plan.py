"""``ablate plan`` and ``ablate schema``: what a study would do, before it does it."""

import json

import typer

from orchestrator.cli.options import (
    DEFAULT_STORE,
    AllowConfigOption,
    JsonOption,
    StoreOption,
    StudyArgument,
)
from orchestrator.printable import clean


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("plan")(plan)
    app.command("schema")(schema)


def plan(
    study: StudyArgument,
    store: StoreOption = DEFAULT_STORE,
    as_json: JsonOption = False,
    allow_config: AllowConfigOption = False,
) -> None:
    """Say what `ablate run STUDY` would train, and why. Trains nothing."""
    from orchestrator.ledger import Ledger
    from orchestrator.plan import make
    from orchestrator.study import read_study

    found = make(read_study(study), Ledger.look(store), allow_config=allow_config)
    counts = {
        "trials": len({item.id for item in found.placed}),
        "done": len(found.done),
        "failed": len(found.failed),
        "stale": len(found.stale),
        "to_do": len(found.to_do),
    }
    if as_json:
        asked = found.asked
        title = {"corpus": asked.corpus, "profile": asked.profile, "reading": asked.reading}
        print(json.dumps({"study": asked.study, "title": title, **counts}))
        return
    from orchestrator.report.text import console_for, print_columns, print_pairs

    console = console_for()
    for sentence in found.loud:
        console.print(clean(sentence), style="bold yellow")
    print_pairs(console, [(key.replace("_", " "), str(n)) for key, n in counts.items()])
    reasons = sorted(set(found.stale.values()))
    print_pairs(console, [("stale", reason) for reason in reasons])
    console.print()
    lacking = {item.id for item in found.to_train}
    cells = []
    for row in found.asked.rows:
        ids = [t.id for t in found.asked.trials if t.row == row.name]
        missing = sum(id in lacking for id in ids)
        cells.append((row.name, str(len(ids) - missing), str(missing)))
    print_columns(console, ["row", "done", "to train"], cells, numeric=[False, True, True])


def schema() -> None:
    """Print the JSON Schema of a study file, for your editor."""
    from orchestrator.schema import schema as study_schema

    print(json.dumps(study_schema(), indent=2))
