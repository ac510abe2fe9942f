"""What the doctor found: a tick or a cross a line, and under a cross its remedy."""

from rich.console import Console
from rich.text import Text

from orchestrator.execution.cluster.doctor import Checkup
from orchestrator.report.console import print_beside

MARKS = {"good": ("✓", "green"), "optional": ("–", "yellow"), "bad": ("✗", "bold red")}
WIDTH = 9
"""Of the longest name of a check."""


def show(console: Console, checkup: Checkup) -> None:
    """One check."""
    mark, style = MARKS[checkup.state]
    head = Text.assemble((f"{mark} ", style), (f"{checkup.name:<{WIDTH}}  ", "dim"))
    print_beside(console, head, checkup.found)
    if checkup.remedy:
        print_beside(console, Text(" " * head.cell_len), f"-> {checkup.remedy}")
