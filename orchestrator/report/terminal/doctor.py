"""What the doctor found: a tick or a cross a line, and under a cross its remedy."""

from rich.console import Console
from rich.text import Text

from orchestrator.execution.cluster.doctor import CheckResult
from orchestrator.report.console import print_beside

MARKS = {"good": ("✓", "green"), "optional": ("–", "yellow"), "bad": ("✗", "bold red")}
WIDTH = 9
"""Of the longest name of a check."""


def show(console: Console, result: CheckResult) -> None:
    """One check."""
    mark, style = MARKS[result.state]
    head = Text.assemble((f"{mark} ", style), (f"{result.name:<{WIDTH}}  ", "dim"))
    print_beside(console, head, result.found)
    if result.remedy:
        print_beside(console, Text(" " * head.cell_len), f"-> {result.remedy}")
