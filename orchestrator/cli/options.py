"""Options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

from orchestrator.errors import RequestError

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
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]

JsonLinesOption = Annotated[bool, typer.Option("--json", help="Print what happens as JSON lines.")]

AllowConfigOption = Annotated[
    bool,
    typer.Option("--allow-config", help="Let `features: opensmile:PATH.conf` run: you read it."),
]

DEFAULT_STORE = ".ablate"


def refuse_config_elsewhere(allow_config: bool, address: str | None) -> None:
    """A configuration runs on the machine of the person who read it, and nowhere else.

    Raises:
        RequestError: both were asked for.
    """
    if allow_config and address is not None:
        raise RequestError(
            "`--allow-config` must not stand with `--address`: an openSMILE configuration is a "
            "program, and runs on this machine only. Build its features first, with "
            "`ablate features build STUDY --allow-config`."
        )


def is_file(study: str) -> bool:
    """Whether a STUDY of the command line is a file; else it is a study's name."""
    return Path(study).suffix in (".yaml", ".yml") or Path(study).is_file()


def study_name(study: str | None) -> str | None:
    """The name of a STUDY that was given as a file or by its name.

    Raises:
        RequestError: the file is no study.
    """
    from orchestrator.study import read_study

    return read_study(Path(study)).name if study is not None and is_file(study) else study
