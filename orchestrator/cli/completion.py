"""Completion in the shell: names of studies and rows, and ids of trials, in the store.

With a store that cannot be read nothing is completed: pressing Tab must print no error.
"""

import os
from collections.abc import Iterable
from pathlib import Path

import typer

from orchestrator.errors import AblateError


def studies(ctx: typer.Context, incomplete: str) -> list[str]:
    """Complete the name of a study in the store, or the path of a study file.

    Args:
        ctx: holds the options that were typed before, such as ``--store``.
        incomplete: the text that was typed so far.

    Returns:
        The names that begin with it.
    """
    files = sorted(Path(".").glob("*.yaml")) + sorted(Path(".").glob("studies/*.yaml"))
    return _matching([*_studies(ctx), *map(str, files)], incomplete)


def rows(ctx: typer.Context, incomplete: str) -> list[str]:
    """Complete the name of a row of the study that was typed before, else of any study."""
    wanted = Path(str(ctx.params.get("study") or "")).stem
    known = _studies(ctx)
    chosen = {wanted: known[wanted]} if wanted in known else known
    return _matching([row for names in chosen.values() for row in names], incomplete)


def trials(ctx: typer.Context, incomplete: str) -> list[str]:
    """Complete the id of a trial in the store, shortened to its first twelve digits."""
    from orchestrator.store import files
    from orchestrator.store.ledger import Ledger

    try:
        ids = files.folders_in(Ledger.open_readonly(_store(ctx)).paths.trials)
    except (AblateError, OSError):
        return []
    return _matching((id[:12] for id in sorted(ids)), incomplete)


def logs(incomplete: str) -> list[str]:
    """Complete the name of a tracker (experiment tracker) for ``--log``."""
    from orchestrator.report.trackers.tracker import TRACKERS

    return _matching(TRACKERS, incomplete)


def _studies(ctx: typer.Context) -> dict[str, list[str]]:
    """Map the name of each study in the store to the names of its rows, the newest study first.

    Empty where the store cannot be read.
    """
    from orchestrator.planning.status import newest_snapshots
    from orchestrator.store.ledger import Ledger

    try:
        newest = newest_snapshots(Ledger.open_readonly(_store(ctx)))
    except (AblateError, OSError):
        return {}
    return {name: [row.name for row in snapshot.rows] for name, snapshot in newest.items()}


def _store(ctx: typer.Context) -> str:
    """Return the store that was typed, else that of ``ABLATE_STORE``, else ``.ablate``."""
    return str(ctx.params.get("store") or os.environ.get("ABLATE_STORE") or ".ablate")


def _matching(candidates: Iterable[str], typed: str) -> list[str]:
    """Return the candidates that begin with ``typed``, each once, in their order."""
    return [name for name in dict.fromkeys(candidates) if name.startswith(typed)]
