"""What commands print for people: safe for a terminal, and wrapped only where one shows it."""

import ast
import fcntl
import io
import math
import os
import pty
import struct
import subprocess
import termios
import wave
from pathlib import Path

import pytest

import orchestrator.cli
from tests.commands import ABLATE, execute

COMMAND_FILES = sorted(Path(orchestrator.cli.__path__[0]).glob("*.py"))
SAFE = {"clean", "dumps", "write", "csv_text"}
"""What `print` may be given: JSON, a table in the form of a file, or text that `clean` returned."""


def shown(*words: object, cwd: Path) -> list[str]:
    """The lines of a command's output on a terminal of 80 columns."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    variables = {name: value for name, value in os.environ.items() if name != "COLUMNS"}
    with subprocess.Popen(
        [str(ABLATE), *map(str, words)],
        cwd=cwd,
        env=variables,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    ):
        os.close(theirs)
        output = b""
        try:
            while part := os.read(ours, 65536):
                output += part
        except OSError:  # the command has ended, and with it the terminal
            pass
    os.close(ours)
    return output.decode().split("\r\n")[:-1]


LONG = "/a folder with a name as long/as some people's folders have, on some servers/smoke.yaml"


@pytest.mark.parametrize(
    ("words", "code", "kept"),
    [
        (["status", "nosuch", "--store", "none"], 3, "`ablate run STUDY`"),
        (["model", "show", LONG], 2, f"`{LONG}`"),
        (["plan", "unheard.yaml", "--store", "none"], 3, "`ablate corpus add ravdess FOLDER`"),
    ],
)
def test_an_error_is_wrapped_on_a_terminal_and_one_line_in_a_pipe(
    words: list[str], code: int, kept: str, root: Path, tmp_path: Path
) -> None:
    smoke = (root / "studies" / "smoke.yaml").read_text()
    (tmp_path / "unheard.yaml").write_text(smoke.replace("corpus: demo", "corpus: ravdess"))
    (sentence,) = execute(*words, code=code, cwd=tmp_path).stderr.splitlines()
    assert len(sentence) > 80
    lines = shown(*words, cwd=tmp_path)
    assert " ".join(lines) == sentence
    assert [part for part in lines if len(part) > 80 and kept not in part] == []
    assert any(kept in part for part in lines)


def test_a_fault_keeps_its_position_and_its_caret(root: Path, tmp_path: Path) -> None:
    text = (root / "studies" / "smoke.yaml").read_text()
    study = tmp_path / "smoke.yaml"
    study.write_text(text + "hiden_layers_of_the_network_after_the_graph_convolutions: {a: 1}\n")
    piped = execute("plan", study, code=2).stderr.splitlines()
    lines = shown("plan", study, cwd=tmp_path)
    assert len(piped[0]) > 80
    assert lines[-2:] == piped[1:]
    assert " ".join(lines[:-2]) == piped[0]


def test_every_print_of_a_command_is_safe_for_a_terminal() -> None:
    """Sentences go through `say`, which cleans them; what `print` gets is JSON or is clean."""
    unsafe = [
        f"{file.name}:{call.lineno}"
        for file in COMMAND_FILES
        for call in ast.walk(ast.parse(file.read_text()))
        if isinstance(call, ast.Call) and _prints(call.func)
        if not all(map(_is_safe, call.args))
    ]
    assert unsafe == []


def _prints(function: ast.expr) -> bool:
    """Whether it is `print`, `typer.echo`, or `print` of a Rich console."""
    if isinstance(function, ast.Name):
        return function.id == "print"
    return isinstance(function, ast.Attribute) and function.attr in ("print", "echo", "secho")


def _is_safe(argument: ast.expr) -> bool:
    """Whether a printed value is a constant, or what one of the functions of ``SAFE`` returns."""
    if isinstance(argument, ast.Call):
        function = argument.func
        name = function.attr if isinstance(function, ast.Attribute) else ast.unparse(function)
        return name in SAFE
    return isinstance(argument, ast.Constant)


def test_a_name_cannot_paint_on_the_terminal(root: Path, tmp_path: Path) -> None:
    (tmp_path / "\x1b[31mred.yaml").write_text((root / "cluster.yaml").read_text())
    said = execute("cluster", "check", "\x1b[31mred.yaml", cwd=tmp_path).stdout
    assert said.startswith("?[31mred.yaml is a cluster")
    (tmp_path / "\x1b[31mred.wav").write_bytes(_tone())
    said = execute("features", "show", "\x1b[31mred.wav", "-o", "\x9b1m.svg", cwd=tmp_path).stdout
    assert said.startswith("Drew ?[31mred")
    assert "\x1b" not in said
    assert "\x9b" not in said


def _tone() -> bytes:
    """A file of audio: one second of 200 Hz."""
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setparams((1, 2, 16_000, 0, "NONE", ""))
        for n in range(16_000):
            out.writeframes(struct.pack("<h", int(8000 * math.sin(2 * math.pi * 200 * n / 16_000))))
    return file.getvalue()
