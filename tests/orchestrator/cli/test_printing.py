"""What commands print for people: safe for a terminal, and wrapped only where one shows it."""

import fcntl
import os
import pty
import struct
import subprocess
import termios
from pathlib import Path

import pytest

from tests.commands import ABLATE, execute


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
