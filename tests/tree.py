"""The tree of commands and options, which typer builds anew at each call: 8 ms, half of a command.

A user calls once in a process; a test calls twenty times, and a hundred forks share one parent.
"""

from functools import cache

import typer.main


def build_once() -> None:
    """Let all calls in this process share one tree. Before anything imports `typer.testing`."""
    typer.main.get_command = cache(typer.main.get_command)
