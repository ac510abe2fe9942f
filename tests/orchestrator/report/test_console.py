"""Tables and sentences in a terminal: what is narrow breaks between words."""

import io

import pytest
from rich.console import Console

from orchestrator.report.console import print_columns


def lines_of(width: int, heads: list[str], cells: list[list[str]]) -> list[str]:
    console = Console(width=width, file=io.StringIO(), highlight=False, no_color=True)
    print_columns(console, heads, cells)
    assert isinstance(console.file, io.StringIO)
    return [line.rstrip() for line in console.file.getvalue().splitlines()]


NAMES = ["Antepenultimate layer", "Last layer", "Bidirectional-recurrence", "Donaudampfschifffahrt"]


@pytest.mark.parametrize("width", [100, 60, 50, 40, 30])
def test_a_cell_breaks_between_words_alone(width: int) -> None:
    heads = ["row", "weighted accuracy", "disappointment", "verdict"]
    lines = lines_of(width, heads, [[name, "71.3 ± 12.0", "12", "cannot tell"] for name in NAMES])
    words = {word for line in lines for word in line.split()}
    assert {word for name in NAMES for word in name.split()} <= words
    assert {"weighted", "accuracy", "disappointment", "verdict"} <= words
    assert max(map(len, lines)) <= width


def test_the_first_column_is_narrowed_to_its_longest_word() -> None:
    lines = lines_of(30, ["row", "UA"], [["Antepenultimate layer of four", "71.3 ± 12.0"]])
    assert lines == ["row                UA", "Antepenultimate    71.3 ± 12.0", "layer of four"]
