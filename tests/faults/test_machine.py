"""What a machine refuses: space, writing, reading, memory, time; and what it asks: to end."""

import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from tests.faults.driver import Settings
from tests.faults.matrix import Matrix
from tests.faults.rounds import Begin, Rounds, said, tell
from tests.tiny_study import Tiny


def _first_in_short(cases: list[tuple[Any, ...]]) -> list[Any]:
    """The first case runs in `make test` as well, the others in `make faults`."""
    return [cases[0], *(pytest.param(*case, marks=pytest.mark.faults) for case in cases[1:])]


ONCE = [
    ("15 disk full once: checkpoint", "disk=checkpoint:2:enospc"),
    ("16 disk full once: predictions", "disk=predictions:1:enospc"),
    ("16 disk full once: outcome", "disk=outcome.json:2:enospc"),
    ("16 disk full once: claim", "disk=claim.json:1:enospc"),
    ("17 EIO once: reading the selection", "read=selections:1:eio"),
    ("17 EIO once: reading the checkpoint", "read=checkpoint:1:eio"),
    ("17 EIO once: writing the outcome", "disk=outcome.json:1:eio"),
    ("26 an error of the code, once", "epoch:2:raise"),
]


@pytest.mark.parametrize(("row", "fault"), _first_in_short(ONCE))
def test_a_fault_that_passes_is_waited_out_in_the_same_run(
    begin: Begin, matrix: Matrix, row: str, fault: str
) -> None:
    rounds = begin()
    ended = rounds.once(fault)
    assert ended.code == 0, ended
    line = said(ended, "Again ") if "checkpoint:1:eio" not in fault else ""
    tell(matrix, row, rounds.judged(), line)


LASTING = [
    ("15 disk full: checkpoints", "disk=checkpoint:4+:enospc", 1),
    ("16 disk full: outcomes", "disk=outcome.json:3+:enospc", 1),
    ("17 store turns read-only", "disk:40+:erofs", 1),
    ("17 store is read-only", "disk:1+:erofs", 3),
    ("25 an error of the code, always", "epoch:5+:raise", 1),
]


@pytest.mark.parametrize(("row", "fault", "code"), _first_in_short(LASTING))
def test_a_fault_that_lasts_ends_the_run_in_a_sentence_and_the_next_goes_on(
    begin: Begin, matrix: Matrix, row: str, fault: str, code: int
) -> None:
    rounds = begin()
    ended = rounds.once(fault)
    assert ended.code == code, ended
    rounds.to_the_end()
    tell(matrix, row, rounds.judged(), said(ended, "FAILED", "refused", "cannot be"))


@pytest.mark.faults
def test_no_file_may_grow(begin: Begin, matrix: Matrix) -> None:
    """RLIMIT_FSIZE: a checkpoint does not fit, half of it is refused by the system itself."""
    rounds = begin()
    ended = rounds.once("claimed:1:slow", Settings(file_bytes=20_000))
    assert ended.code == 1, ended
    assert not list(rounds.store.rglob("*.tmp")) and not list(rounds.store.rglob("checkpoint*"))
    rounds.to_the_end()
    tell(matrix, "15 RLIMIT_FSIZE: no checkpoint fits", rounds.judged(), said(ended, "FAILED"))


@pytest.mark.faults
def test_memory_runs_out(begin: Begin, matrix: Matrix) -> None:
    """RLIMIT_AS a little above what the process has already.

    Who finds no memory is a matter of kilobytes: Python and PyTorch raise; glibc and Arrow abort
    the process, which is a death like any other.
    """
    told = []
    for more in (9_000_000, 12_000_000, 16_000_000, 24_000_000, 48_000_000):
        rounds = begin()
        ended = rounds.once("claimed:1:slow", Settings(more_memory=more))
        if ended.code not in (127, -signal.SIGABRT):
            assert ended.code == 1 and "(infrastructure)" in ended.said, ended
            assert "(data)" not in ended.said, ended
            told.append(ended)
        rounds.to_the_end()
        row = f"24 out of memory (RLIMIT_AS, {more / 1e6:.0f} MB more)"
        tell(matrix, row, rounds.judged(), said(ended, "FAILED") if ended in told else "(aborted)")
    assert told


@pytest.mark.faults
def test_every_change_of_the_store_is_slow(begin: Begin, matrix: Matrix) -> None:
    rounds = begin()
    assert rounds.once("disk:1+:slow").code == 0
    tell(matrix, "34 a slow file system (20 ms a call)", rounds.judged())


NOTICES = [
    ("27 SIGTERM (a spot machine's notice)", "epoch:5:term"),
    ("7 Ctrl-C", "epoch:5:int"),
    ("27 SIGTERM while the outcome is written", "disk=outcome.json:2:term"),
]


@pytest.mark.parametrize(("row", "fault"), _first_in_short(NOTICES))
def test_asked_to_end_it_ends_resumable(begin: Begin, matrix: Matrix, row: str, fault: str) -> None:
    rounds = begin()
    ended = rounds.once(fault)
    assert ended.code == 130, ended
    assert not list(rounds.store.glob("trials/*/claim.json")), "the claim is given back"
    rounds.to_the_end()
    tell(matrix, row, rounds.judged(), said(ended, "Interrupted."))


@pytest.mark.faults
def test_ctrl_c_twice(begin: Begin, matrix: Matrix) -> None:
    rounds = begin()
    round = rounds.start("epoch:2:int")
    rounds.wait_for("fired")
    round.send(signal.SIGINT)
    ended = round.ended()
    assert ended.code in (130, -signal.SIGINT), ended
    rounds.to_the_end()
    tell(matrix, "7 Ctrl-C twice", rounds.judged())


@pytest.mark.faults
def test_the_clock_is_wrong_by_an_hour_to_either_side(begin: Begin, matrix: Matrix) -> None:
    """Killed, then resumed by a process that believes it is an hour earlier; and two at once."""
    rounds = begin()
    assert rounds.once("epoch:2:kill", Settings(clock_s=3600)).code == -9
    assert rounds.once("epoch:2+:kill", Settings(clock_s=-3600)).code == -9
    ahead = rounds.start(settings=Settings(clock_s=3600, shuffle=1))
    rounds.wait_for("claimed", 3)
    behind = rounds.start(settings=Settings(clock_s=-3600, shuffle=2))
    assert (ahead.ended().code, behind.ended().code) == (0, 0)
    tell(matrix, "31 clock an hour off, either way", rounds.judged())


BUILDING = [
    ("36 killed while features are written", "disk=.arrow:2:kill", -9),
    ("36 killed before a shard's manifest", "disk=.json:3:kill", -9),
    ("15 disk full while a shard is written", "disk=.arrow:1:enospc", 3),
]


@pytest.mark.faults
@pytest.mark.parametrize(("row", "fault", "code"), BUILDING)
def test_features_are_whole_or_absent(
    begin: Begin, bare: Path, matrix: Matrix, row: str, fault: str, code: int
) -> None:
    rounds = begin(bare)
    ended = rounds.once(fault)
    assert ended.code == code, ended
    rounds.to_the_end()
    tell(matrix, row, rounds.judged(), said(ended, "refused") if code == 3 else "")


def _mounted(folder: Path, size: str) -> None:
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "ablate", folder], capture_output=True
    )
    if done.returncode:
        pytest.skip("needs root: mount")


def _remount(folder: Path, options: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{options}", folder], check=True)


@pytest.fixture
def on_tmpfs(begin: Begin, tmp_path: Path, tiny: Tiny, ready: Path, reference: Path):  # type: ignore[no-untyped-def]
    """A store on a file system of its own that has room for its features and little else."""
    folder = tmp_path / "disk"
    folder.mkdir()
    have = sum(p.stat().st_size + 8192 for p in ready.rglob("*"))
    _mounted(folder, f"{have // 1024 + 400}k")
    shutil.copytree(ready, folder / "store")
    yield folder, Rounds(tmp_path, tiny.study, folder / "store", reference)
    for _ in range(50):
        if subprocess.run(["umount", folder], capture_output=True).returncode == 0:
            break
        time.sleep(0.1)


@pytest.mark.faults
def test_a_small_disk_fills_up(on_tmpfs: tuple[Path, Rounds], matrix: Matrix) -> None:
    folder, rounds = on_tmpfs
    ended = rounds.once("claimed:1:slow")
    assert ended.code == 1 and "No space left on device" in ended.said, ended
    _remount(folder, "size=64m")
    rounds.to_the_end()
    tell(matrix, "16 a tmpfs fills up, then grows", rounds.judged(), said(ended, "FAILED"))


@pytest.mark.faults
def test_a_mount_turns_read_only(on_tmpfs: tuple[Path, Rounds], matrix: Matrix) -> None:
    folder, rounds = on_tmpfs
    _remount(folder, "size=64m")
    assert rounds.once("epoch:4:kill").code == -9
    _remount(folder, "ro")
    ended = rounds.once()
    assert ended.code == 3, ended
    _remount(folder, "rw")
    rounds.to_the_end()
    tell(matrix, "17 a mount turns read-only", rounds.judged(), said(ended, "store"))
