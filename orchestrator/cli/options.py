"""Options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

StoreOption = Annotated[
    str,
    typer.Option("--store", envvar="ABLATE_STORE", help="Folder of the store.", metavar="FOLDER"),
]
StudyArgument = Annotated[Path, typer.Argument(help="A study file, see studies/.", metavar="STUDY")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]

DEFAULT_STORE = ".ablate"
