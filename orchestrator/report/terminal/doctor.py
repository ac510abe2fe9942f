"""The output of `ablate doctor`: a line for each check, and a remedy below one that failed."""

from rich.console import Console
from rich.text import Text

from orchestrator.execution.cluster.doctor import CheckResult
from orchestrator.report.console import print_beside

MARKS = {"good": ("✓", "green"), "optional": ("–", "yellow"), "bad": ("✗", "bold red")}
"""Result of a check -> the sign before it, and the sign's style."""
WIDTH = 9
"""Characters of the longest name of a check."""


def show(console: Console, result: CheckResult) -> None:
    """Print the result of one check: sign, name, what was found, and a remedy if there is one."""
    mark, style = MARKS[result.state]
    head = Text.assemble((f"{mark} ", style), (f"{result.name:<{WIDTH}}  ", "dim"))
    print_beside(console, head, result.found)
    if result.remedy:
        print_beside(console, Text(" " * head.cell_len), f"-> {result.remedy}")
