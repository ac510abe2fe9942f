"""`ablate` as a person meets it: in a process of its own, by its output and its exit code."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.forks import FORKS, check_warm

ABLATE = Path(sys.executable).with_name("ablate")
"""The console script, for tests of signals, terminals, imports and working folders."""
LIMIT_S = 300.0
"""A command that takes longer hangs."""


class Command:
    """`ablate` without input, in a fork of a process that has imported its libraries.

    It is killed where its context ends.

    Args:
        words: the command's arguments.
        cwd: its working folder; that of the tests if None.
        columns: the width of its terminal.
        environment: variables beside those of the tests.
    """

    def __init__(
        self, *words: object, cwd: Path | None = None, columns: int = 80, **environment: str
    ) -> None:
        self._line = list(map(str, words))
        self._folder = tempfile.TemporaryDirectory()
        self._streams = [Path(self._folder.name, name) for name in ("stdout", "stderr")]
        variables = {**os.environ, "COLUMNS": str(columns), **environment}
        variables.pop("ABLATE_STORE", None)
        where = str(cwd or Path.cwd())
        self._process = FORKS.Process(
            target=_run, args=(self._line, where, variables, self._streams)
        )
        self._process.start()

    def __enter__(self) -> "Command":
        return self

    def __exit__(self, *error: object) -> None:
        self.kill()
        self._folder.cleanup()

    def kill(self) -> None:
        """Send SIGKILL, and wait for the end."""
        self._process.kill()
        self._process.join()

    def finished(self) -> subprocess.CompletedProcess[str]:
        """Wait for the end."""
        self._process.join(LIMIT_S)
        printed = [path.read_text() if path.exists() else "" for path in self._streams]
        assert not self._process.is_alive(), (self._line, printed)
        return subprocess.CompletedProcess(self._line, self._process.exitcode or 0, *printed)


def execute(
    *words: object, code: int = 0, cwd: Path | None = None, columns: int = 80, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end; ``code`` is the exit code that it must have."""
    with Command(*words, cwd=cwd, columns=columns, **environment) as command:
        done = command.finished()
    assert done.returncode == code, (done.returncode, done.stdout, done.stderr)
    assert "Traceback" not in done.stdout + done.stderr
    assert " \n" not in done.stdout + done.stderr
    return done


def ablate(
    *words: object, code: int = 0, cwd: Path | None = None, columns: int = 80, **environment: str
) -> str:
    """What a command prints: standard output, then standard error."""
    done = execute(*words, code=code, cwd=cwd, columns=columns, **environment)
    return done.stdout + done.stderr


def _run(
    words: Sequence[str], cwd: str, environment: Mapping[str, str], streams: Sequence[Path]
) -> None:
    """In the fork: be the console script."""
    check_warm()
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(cwd)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    for number, path in enumerate(streams, start=1):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), number)
    sys.argv = ["ablate", *words]
    from orchestrator.cli.main import main

    main()
