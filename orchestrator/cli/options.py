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
