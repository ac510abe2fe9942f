"""``--help`` at 80 columns: every command and group has one line that is shown whole."""

import pytest
import typer
from typer.testing import CliRunner

from orchestrator.cli.app import app

GROUPS = [
    name
    for name, command in typer.main.get_command(app).commands.items()  # type: ignore[attr-defined]
    if hasattr(command, "commands")
]


def test_the_groups_are_found() -> None:
    assert {"corpus", "features", "model", "cluster"} <= set(GROUPS)


@pytest.mark.parametrize("words", [[], *([group] for group in GROUPS)])
def test_no_line_of_the_list_of_commands_is_cut_or_wrapped(words: list[str]) -> None:
    environment = {"COLUMNS": "80", "TERMINAL_WIDTH": "80"}
    shown = CliRunner().invoke(app, [*words, "--help"], env=environment, prog_name="ablate")
    assert shown.exit_code == 0
    commands = shown.output.rpartition("Commands:\n")[2].rstrip().splitlines()
    for line in commands:
        assert not line.endswith(("...", "…")), f"cut at 80 columns: {line.strip()}"
        assert line.endswith("."), f"wrapped at 80 columns, or no sentence: {line.strip()}"
