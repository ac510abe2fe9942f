"""The options of `ablate corpus add` about names spelled two ways; each may be repeated."""

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
