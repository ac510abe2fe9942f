"""``ablate watch``: a study while it trains, by the store alone."""

import fcntl
import io
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from pathlib import Path

import pytest
from rich.console import Console

from orchestrator.claims import acquire
from orchestrator.ledger import Failure, Ledger
from orchestrator.report.watch import look, render, spark

ABLATE = Path(sys.executable).with_name("ablate")


def unfinished(store: Path) -> tuple[Ledger, list[str]]:
    """Two of the four trials are done."""
    ledger = Ledger.open(str(store))
    ids = [trial.place.id for trial in look(ledger, "smoke").study.trials]
    for id in ids[2:]:
        (ledger.trial_folder(id) / "outcome.json").unlink()
    return ledger, ids


def shown(ledger: Ledger, width: int) -> str:
    console = Console(file=io.StringIO(), width=width, highlight=False)
    console.print(render(look(ledger, None), width))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


@pytest.mark.parametrize("width", [80, 34])
def test_rows_fill_with_running_estimates_and_failures_name_their_log(
    store: Path, width: int
) -> None:
    ledger, ids = unfinished(store)
    ledger.fail(Failure(id=ids[3], cause="code", sentence="It broke.\nThere.", traceback="",
                        epoch=1, attempt="attempt-1", host="h"))  # fmt: skip
    claim = acquire(ledger.claim_file(ids[2]))
    assert claim is not None
    try:
        text = shown(ledger, width)
    finally:
        claim.release()
    assert max(map(len, text.splitlines())) <= width
    words = " ".join(text.split())
    assert "1/2" in words and "± –" in words  # one group bears no interval
    assert f"`ablate logs {ids[3][:12]}`" in words and "code: It broke." in words
    assert "2 of 4 trials done; 1 in flight; 1 failed; about" in words


def test_without_anyone_at_work_no_time_is_promised(store: Path) -> None:
    ledger, _ = unfinished(store)
    seen = look(ledger, "smoke")
    assert seen.left is None and not seen.over
    assert "2 of 4 trials done; nothing trains now" in shown(ledger, 80)


def test_a_curve_runs_from_its_least_to_its_greatest() -> None:
    assert (spark((0.2, 0.4, 0.3)), spark((0.5, 0.5)), spark(())) == ("▁█▄", "▁▁", "")


def test_a_pipe_gets_plain_lines_and_the_command_ends(trained_store: Path) -> None:
    done = subprocess.run(
        [str(ABLATE), "watch", "--store", str(trained_store)],
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    assert done.stdout == "4 of 4 trials done\n"


@pytest.mark.parametrize("extra", [{}, {"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_a_terminal_of_30_columns_is_kept_to(trained_store: Path, extra: dict[str, str]) -> None:
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 30, 0, 0))
    env = {k: v for k, v in os.environ.items() if k not in ("COLUMNS", "NO_COLOR")}
    process = subprocess.Popen(
        [str(ABLATE), "watch", "smoke", "--store", str(trained_store)],
        stdout=theirs, stderr=theirs, env={**env, "TERM": "xterm", **extra},
    )  # fmt: skip
    os.close(theirs)
    text = b""
    try:
        while chunk := os.read(ours, 65536):
            text += chunk
    except OSError:  # the other end is closed
        pass
    os.close(ours)
    assert process.wait(timeout=60) == 0
    assert b"4 of 4 trials done" in text
    lines = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text.decode()).splitlines()
    assert max(map(len, lines)) <= 30, lines
    if "NO_COLOR" in extra:  # bold and dim are no colours
        assert not re.search(rb"\x1b\[[0-9;]*3[0-7]m", text)
    if "TERM" in extra:
        assert b"\x1b[" not in text
