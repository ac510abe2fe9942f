"""``ablate submit``: train studies on a remote cluster, each as a Ray job."""

import contextlib
import json
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.cli.options import DEFAULT_STORE, JsonLinesOption, StoreOption
from orchestrator.cli.streams import go_on_without_reader
from orchestrator.errors import Interrupted, RequestError

if TYPE_CHECKING:
    from orchestrator.execution.cluster.jobs import JobEnd


def register(app: typer.Typer) -> None:
    """Add ``ablate submit`` to the command line."""
    app.command("submit")(submit)


def submit(
    studies: Annotated[list[Path], typer.Argument(help="Study files.", metavar="STUDY...")],
    address: Annotated[
        str, typer.Option("--address", help="The job server, http://127.0.0.1:8265.")
    ],
    store: StoreOption = DEFAULT_STORE,
    gpus: Annotated[
        int | None, typer.Option("--gpus", min=0, help="As of `run`; 1 waits for a GPU machine.")
    ] = None,
    gpus_per_trial: Annotated[
        float | None, typer.Option("--gpus-per-trial", help="As of `run`.")
    ] = None,
    wait: Annotated[
        bool, typer.Option("--wait", help="Show the jobs until they end; Ctrl-C only detaches.")
    ] = False,
    as_json: JsonLinesOption = False,
) -> None:
    """Train every STUDY on the cluster at ADDRESS, in a job of its own.

    A job that is live already is joined. The store must be one that the whole cluster reaches.
    """
    from orchestrator.execution.cluster import jobs
    from orchestrator.report.console import say
    from orchestrator.study.reader import read_study

    go_on_without_reader()
    _refuse_a_store_here(store)
    options = [f"--gpus={gpus}"] if gpus is not None else []
    options += [f"--gpus-per-trial={gpus_per_trial:g}"] if gpus_per_trial is not None else []
    requests = []
    for file in studies:  # all are read before the first is submitted
        requests.append(
            jobs.JobRequest(
                name=read_study(file).name,
                study=file.read_text(encoding="utf-8"),
                store=store,
                options=tuple(options),
            )
        )
    ids = []
    for request in requests:
        job = jobs.submit(address, request)
        if as_json:
            print(
                json.dumps({"study": request.name, "job": job.id, "joined": job.joined}), flush=True
            )
        else:
            say(f"{'Joined' if job.joined else 'Submitted'} {job.id}.")
        ids.append(job.id)
    if not wait:
        if not as_json:
            say("`ablate status` tells how far they are; the same command with --wait shows them.")
        return
    try:
        codes = [_show(address, id, as_json) for id in ids]
    except KeyboardInterrupt:
        raise Interrupted(
            "Detached: the cluster goes on. `ablate status`, or the same command, shows it again; "
            f"`ray job stop {ids[-1]}` would end it."
        ) from None
    if worst := max(codes):
        raise typer.Exit(worst)


def _show(address: str, id: str, as_json: bool) -> int:
    """Show a job's progress until it ends, as `ablate run` shows its own.

    Args:
        address: the job server, such as ``http://127.0.0.1:8265``.
        id: id of the job.
        as_json: whether to print the job's events as JSON lines instead.

    Returns:
        The job's exit code; 3 if it has none.
    """
    from orchestrator.execution.cluster import jobs
    from orchestrator.execution.events import from_line, print_line
    from orchestrator.report.console import console_for, say
    from orchestrator.report.terminal.live import View

    view = View(console_for())
    other: deque[str] = deque(maxlen=20)

    def on_line(line: str) -> None:
        if (event := from_line(line)) is not None:
            (print_line if as_json else view.show)(event)
        elif line.strip():
            other.append(line)

    with contextlib.nullcontext() if as_json else view:
        end: JobEnd = jobs.tail(address, id, on_line)
    if end.code not in (0, 1):
        for line in other:
            say(line, stderr=as_json)
        say(f"{id}: {end.sentence}", stderr=as_json)
    return end.code if end.code >= 0 else 3


def _refuse_a_store_here(store: str) -> None:
    """Refuse a relative folder as store: it would be deleted with the job's own folder.

    Raises:
        RequestError: ``store`` is neither an address nor an absolute path.
    """
    if "://" not in store and not Path(store).is_absolute():
        raise RequestError(
            "`--store` must be s3://BUCKET/PATH or a folder that every machine of the cluster "
            f"mounts, by its full path, but is `{store}` instead."
        )
