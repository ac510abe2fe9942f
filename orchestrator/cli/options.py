"""Options and arguments that several commands share, and checks of their combinations."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.cli import completion
from orchestrator.errors import RequestError

if TYPE_CHECKING:
    from orchestrator.planning.lookup import FoundStudy
    from orchestrator.store.ledger import Ledger
    from orchestrator.store.snapshot import Snapshot
    from orchestrator.study.study import Study

StoreOption = Annotated[
    str,
    typer.Option(
        "--store",
        envvar="ABLATE_STORE",
        help="A folder, or s3://BUCKET/PATH.",
        metavar="STORE",
    ),
]
StudyArgument = Annotated[Path, typer.Argument(help="A study file, see studies/.", metavar="STUDY")]
_NAMED = "A study file or the name of a study."
NamedStudyArgument = Annotated[
    str, typer.Argument(help=_NAMED, metavar="STUDY", autocompletion=completion.studies)
]
AnyStudyArgument = Annotated[
    str | None, typer.Argument(help=_NAMED, metavar="[STUDY]", autocompletion=completion.studies)
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]

JsonLinesOption = Annotated[bool, typer.Option("--json", help="Print what happens as JSON lines.")]

CpusOption = Annotated[int | None, typer.Option("--cpus", min=1, help="CPUs; all by default.")]
GpusOption = Annotated[int | None, typer.Option("--gpus", min=0, help="GPUs; all by default.")]
BudgetOption = Annotated[
    str | None,
    typer.Option(
        "--budget", help="Wall time, such as 3h: train what tells most in it.", metavar="TIME"
    ),
]

AllowConfigOption = Annotated[
    bool,
    typer.Option("--allow-config", help="Run the study's openSMILE configuration: you read it."),
]

DEFAULT_STORE = ".ablate"
"""Folder of the store below the working folder, if neither `--store` nor ABLATE_STORE is given."""


def refuse_config_elsewhere(allow_config: bool, address: str | None) -> None:
    """Refuse `--allow-config` with `--address`: a configuration runs on this machine only.

    An openSMILE configuration is a program, and the user has read it for this machine alone.

    Args:
        allow_config: whether `--allow-config` is given.
        address: value of `--address`; None if it is not given.

    Raises:
        RequestError: both options are given.
    """
    if allow_config and address is not None:
        raise RequestError(
            "`--allow-config` must not stand with `--address`: an openSMILE configuration is a "
            "program, and runs on this machine only. Build its features first, with "
            "`ablate features build STUDY --allow-config`."
        )


def refuse_two_budgets(budget: str | None, study: "Study") -> None:
    """Refuse `--budget` for a search, which has a budget of its own in its study file.

    Args:
        budget: value of `--budget`, such as ``3h``; None if it is not given.
        study: the study to run.

    Raises:
        RequestError: both budgets are given.
    """
    if budget is not None and study.search is not None:
        raise study.fault(
            "search.budget",
            "`--budget` must not stand with a search, whose `search.budget` decides what is tried: "
            "change that. What is trained stays, and is not trained again.",
        )


def study_name(study: str | None) -> str | None:
    """Return the name of the study that the argument STUDY names, by its file or directly.

    Args:
        study: path of a study file, a study's name, or None, which stays None.

    Raises:
        RequestError: the file is no study.
    """
    from orchestrator.planning.lookup import is_study_file
    from orchestrator.study.reader import read_study

    return read_study(Path(study)).name if study is not None and is_study_file(study) else study


def named_snapshot(study: str, ledger: "Ledger") -> "Snapshot":
    """Return the snapshot (a study as a run was asked for it, all resolved) that STUDY names.

    If it is the snapshot of the last run and not that of the file, a notice on stderr says why.

    Args:
        study: path of a study file, or a study's name.
        ledger: the store.

    Raises:
        RequestError, StudyError, LackError, FeatureError: see ``planning.lookup.find_study``.
    """
    from orchestrator.planning.lookup import find_study

    return with_notice(find_study(study, ledger))


def with_notice(found: "FoundStudy") -> "Snapshot":
    """Return the snapshot that was found; print its notice first, if it has one."""
    from orchestrator.report.console import notice

    if found.notice:
        notice(found.notice)
    return found.snapshot
