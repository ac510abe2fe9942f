"""``ablate cluster check``: checks of a cluster file, offline, before a machine is paid for."""

from pathlib import Path
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add ``ablate cluster check`` to the command line."""
    group = typer.Typer(help="Check cluster files.", no_args_is_help=True)
    group.command("check")(check)
    app.add_typer(group, name="cluster")


def check(
    file: Annotated[Path, typer.Argument(help="A cluster file, see cluster.yaml.", metavar="FILE")],
) -> None:
    """Check FILE offline: Ray's schema, and who can reach the cluster."""
    from orchestrator.execution.cluster.cluster_file import check as judge
    from orchestrator.report.console import say

    judge(file)
    say(f"{file} is a cluster that `ray up` accepts, closed to strangers.")
