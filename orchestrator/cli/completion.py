"""What the shell completes from the store: studies, rows, trials. A store that cannot be read
completes nothing; a Tab prints no error.
"""

import os
from collections.abc import Iterable
from pathlib import Path

import typer

from orchestrator.errors import AblateError


def studies(ctx: typer.Context, incomplete: str) -> list[str]:
    """Studies of the store, and study files that begin so."""
    files = sorted(Path(".").glob("*.yaml")) + sorted(Path(".").glob("studies/*.yaml"))
    return _matching([*_studies(ctx), *map(str, files)], incomplete)


def rows(ctx: typer.Context, incomplete: str) -> list[str]:
    """Rows of the study that was named before, or of all."""
    wanted = Path(str(ctx.params.get("study") or "")).stem
    known = _studies(ctx)
    chosen = {wanted: known[wanted]} if wanted in known else known
    return _matching([row for names in chosen.values() for row in names], incomplete)


def trials(ctx: typer.Context, incomplete: str) -> list[str]:
    """First digits of the trials in the store."""
    from orchestrator.store import files
    from orchestrator.store.ledger import Ledger

    try:
        ids = files.folders_in(Ledger.open_readonly(_store(ctx)).paths.trials)
    except (AblateError, OSError):
        return []
    return _matching((id[:12] for id in sorted(ids)), incomplete)


def logs(incomplete: str) -> list[str]:
    """Systems that ``--log`` knows."""
    return _matching(("mlflow", "optuna", "tensorboard"), incomplete)


def _studies(ctx: typer.Context) -> dict[str, list[str]]:
    """Study -> its rows, newest first."""
    from orchestrator.planning.status import newest_snapshots
    from orchestrator.store.ledger import Ledger

    try:
        newest = newest_snapshots(Ledger.open_readonly(_store(ctx)))
    except (AblateError, OSError):
        return {}
    return {name: [row.name for row in snapshot.rows] for name, snapshot in newest.items()}


def _store(ctx: typer.Context) -> str:
    return str(ctx.params.get("store") or os.environ.get("ABLATE_STORE") or ".ablate")


def _matching(words: Iterable[str], beginning: str) -> list[str]:
    return [word for word in dict.fromkeys(words) if word.startswith(beginning)]
