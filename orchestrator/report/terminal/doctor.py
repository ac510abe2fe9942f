"""The checks of `ablate doctor`: a line each, and below a failed one its remedy."""

from rich.console import Console
from rich.text import Text

from orchestrator.execution.cluster.doctor import CheckResult
from orchestrator.report.console import print_beside

MARKS = {"good": ("✓", "green"), "optional": ("–", "yellow"), "bad": ("✗", "bold red")}
WIDTH = 9
"""Characters of the longest name of a check."""


def show(console: Console, result: CheckResult) -> None:
    """Print one check."""
    mark, style = MARKS[result.state]
    head = Text.assemble((f"{mark} ", style), (f"{result.name:<{WIDTH}}  ", "dim"))
    print_beside(console, head, result.found)
    if result.remedy:
        print_beside(console, Text(" " * head.cell_len), f"-> {result.remedy}")
