"""Completion in the shell: studies, rows and trials of the store.

A store that cannot be read completes nothing: pressing Tab must print no error.
"""

import os
from collections.abc import Iterable
from pathlib import Path

import typer

from orchestrator.errors import AblateError


def studies(ctx: typer.Context, incomplete: str) -> list[str]:
    """Complete a study of the store, or a study file."""
    files = sorted(Path(".").glob("*.yaml")) + sorted(Path(".").glob("studies/*.yaml"))
    return _matching([*_studies(ctx), *map(str, files)], incomplete)


def rows(ctx: typer.Context, incomplete: str) -> list[str]:
    """Complete a row of the study that the line names already, else of any study."""
    wanted = Path(str(ctx.params.get("study") or "")).stem
    known = _studies(ctx)
    chosen = {wanted: known[wanted]} if wanted in known else known
    return _matching([row for names in chosen.values() for row in names], incomplete)


def trials(ctx: typer.Context, incomplete: str) -> list[str]:
    """Complete the id of a trial by its first twelve digits."""
    from orchestrator.store import files
    from orchestrator.store.ledger import Ledger

    try:
        ids = files.folders_in(Ledger.open_readonly(_store(ctx)).paths.trials)
    except (AblateError, OSError):
        return []
    return _matching((id[:12] for id in sorted(ids)), incomplete)


def logs(incomplete: str) -> list[str]:
    """Complete a tracker of ``--log``."""
    return _matching(("mlflow", "optuna", "tensorboard"), incomplete)


def _studies(ctx: typer.Context) -> dict[str, list[str]]:
    """Map each study of the store to its rows, the newest study first."""
    from orchestrator.planning.status import newest_snapshots
    from orchestrator.store.ledger import Ledger

    try:
        newest = newest_snapshots(Ledger.open_readonly(_store(ctx)))
    except (AblateError, OSError):
        return {}
    return {name: [row.name for row in snapshot.rows] for name, snapshot in newest.items()}


def _store(ctx: typer.Context) -> str:
    return str(ctx.params.get("store") or os.environ.get("ABLATE_STORE") or ".ablate")


def _matching(candidates: Iterable[str], typed: str) -> list[str]:
    return [name for name in dict.fromkeys(candidates) if name.startswith(typed)]
