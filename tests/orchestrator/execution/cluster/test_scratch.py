"""The folder of a run: it goes with the run, and what a killed run left goes with a later one."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from orchestrator.execution.cluster.scratch import LEASE_FILE, folder

LIVE = """
import sys, time
from pathlib import Path
from orchestrator.execution.cluster.scratch import folder
with folder(Path(sys.argv[1])) as own:
    print(own, flush=True)
    time.sleep(600)
"""


def of_a_killed_run(home: Path) -> Path:
    with subprocess.Popen(
        [sys.executable, "-c", LIVE, str(home)], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        own = Path(process.stdout.readline().strip())
        process.send_signal(signal.SIGKILL)
    (own / "ray" / "session").mkdir(parents=True)
    assert own.parent == home and (own / LEASE_FILE).exists()
    return own


def age(own: Path, hours: float) -> None:
    then = time.time() - 3600 * hours
    os.utime(own / LEASE_FILE, (then, then))


def test_it_is_private_and_goes_with_its_run(tmp_path: Path) -> None:
    with folder(tmp_path) as own:
        assert own.stat().st_mode & 0o777 == 0o700
        (own / "token").write_text("secret")
        with folder(tmp_path) as other:
            assert own.exists() and other != own
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_run_left_goes_once_its_orphans_are_gone(tmp_path: Path) -> None:
    left = of_a_killed_run(tmp_path)
    with folder(tmp_path):
        assert left.exists()
    age(left, 2)
    with folder(tmp_path):
        assert not left.exists()


def test_nothing_else_is_touched(tmp_path: Path) -> None:
    left = of_a_killed_run(tmp_path)
    outside = tmp_path / "outside"
    left.rename(outside)
    (tmp_path / "ablate-link").symlink_to(outside)
    (tmp_path / "ablate-unclaimed").mkdir()
    torn = tmp_path / "ablate-torn"
    torn.mkdir()
    (torn / LEASE_FILE).write_text('{"host"')
    elsewhere = tmp_path / "ablate-elsewhere"
    elsewhere.mkdir()
    claim = json.loads((outside / LEASE_FILE).read_text())
    (elsewhere / LEASE_FILE).write_text(json.dumps({**claim, "host": "another"}))
    with folder(tmp_path) as live:
        for own in (outside, torn, elsewhere, live):
            age(own, 100)
        with folder(tmp_path):
            kept = {p.name for p in tmp_path.iterdir()}
    assert {"outside", "ablate-link", "ablate-unclaimed", "ablate-torn", "ablate-elsewhere"} < kept
    assert live.name in kept


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="only root gives files away")
def test_what_is_another_persons_stays(tmp_path: Path) -> None:
    left = of_a_killed_run(tmp_path)
    age(left, 2)
    os.chown(left, 12345, 12345)
    with folder(tmp_path):
        assert left.exists()
