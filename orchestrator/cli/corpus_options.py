"""The options of `ablate corpus add` about tables and about names spelled two ways."""

from typing import Annotated

import typer

SameSpeakers = Annotated[
    list[str] | None,
    typer.Option("--same-speaker", metavar="A=B", help="B is another spelling of speaker A."),
]
DistinctSpeakers = Annotated[
    list[str] | None,
    typer.Option("--distinct-speakers", metavar="A,B", help="A and B are two speakers."),
]
KeptSpeakers = Annotated[
    list[str] | None,
    typer.Option("--keep-speaker", metavar="NAME", help="NAME, such as NA, is a speaker."),
]
SameSessions = Annotated[
    list[str] | None,
    typer.Option("--same-session", metavar="A=B", help="B is another spelling of session A."),
]
DistinctSessions = Annotated[
    list[str] | None,
    typer.Option("--distinct-sessions", metavar="A,B", help="A and B are two sessions."),
]
KeptSessions = Annotated[
    list[str] | None,
    typer.Option("--keep-session", metavar="NAME", help="NAME, such as NA, is a session."),
]
Columns = Annotated[
    list[str] | None,
    typer.Option(
        "--columns",
        metavar="OURS=YOURS,...",
        help="Columns of a `table`: speaker=speaker_id,emotion=label.",
    ),
]
Root = Annotated[
    str,
    typer.Option("--root", metavar="FOLDER", help="Paths of a `table` may lead into this folder."),
]
Tables = Annotated[
    list[str] | None,
    typer.Option("--table", metavar="NAME", help="Table of an audformat folder; repeatable."),
]
LabelColumnName = Annotated[
    str, typer.Option("--column", metavar="NAME", help="Its column with the emotions.")
]
