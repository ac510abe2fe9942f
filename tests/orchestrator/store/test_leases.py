import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from orchestrator.store import leases
from orchestrator.store.leases import LeaseObserver, acquire, break_lease, is_gone, read_lease


def test_one_of_two_gets_the_claim(tmp_path: Path) -> None:
    path = tmp_path / "claim.json"
    first = acquire(path)
    assert first is not None and first.held and first.still_mine()
    assert acquire(path) is None
    first.release()
    assert not path.exists()
    second = acquire(path)
    assert second is not None
    second.release()


def test_a_claim_of_a_killed_process_is_taken_over_at_once(tmp_path: Path) -> None:
    path = tmp_path / "claim.json"
    program = (
        "import sys, time; from pathlib import Path; from orchestrator.store.leases import acquire;"
        "acquire(Path(sys.argv[1])); print('held', flush=True); time.sleep(60)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, str(path)], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None and process.stdout.readline() == "held\n"
        assert acquire(path) is None
        process.send_signal(signal.SIGKILL)
        process.wait()
    claim = acquire(path)
    assert claim is not None
    claim.release()


def test_an_owner_that_lost_its_claim_notices(tmp_path: Path) -> None:
    path = tmp_path / "claim.json"
    claim = acquire(path)
    assert claim is not None
    path.write_text(json.dumps({"owner": "somebody", "host": "elsewhere", "beat": 1}))
    assert not claim.still_mine() and not claim.held
    claim.release()
    assert path.exists()


def test_an_owner_that_cannot_renew_fences_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leases, "LEASE_S", 0.5)
    monkeypatch.setattr(leases, "BEAT_S", 0.05)

    def refuse(path: Path, blob: bytes) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(leases, "replace_file", refuse)
    claim = acquire(tmp_path / "claim.json")
    assert claim is not None and claim.held
    claim._stop.wait(0.6)
    assert not claim.held
    claim.release()


def foreign(path: Path, beat: int) -> None:
    path.write_text(json.dumps({"owner": "o", "host": "another-machine", "beat": beat}))


def test_a_foreign_claim_is_stale_only_after_standing_still_for_a_lease(tmp_path: Path) -> None:
    path = tmp_path / "claim.json"
    watch = LeaseObserver(lease_s=0.2)
    for beat in range(4):
        foreign(path, beat)
        assert not watch.is_stale(path)
        leases.threading.Event().wait(0.1)  # type: ignore[attr-defined]
    assert not watch.is_stale(path)
    leases.threading.Event().wait(0.25)  # type: ignore[attr-defined]
    assert watch.is_stale(path) and not path.exists()


def test_a_claim_that_changed_is_put_back(tmp_path: Path) -> None:
    path = tmp_path / "claim.json"
    foreign(path, 1)
    seen = read_lease(path)
    assert seen is not None
    foreign(path, 2)
    break_lease(path, seen)
    assert read_lease(path) == {"owner": "o", "host": "another-machine", "beat": 2}


def test_a_damaged_claim_stands_until_its_lease_is_over(tmp_path: Path) -> None:
    path = tmp_path / "claim.json"
    path.write_bytes(b"{")
    assert acquire(path) is None and not is_gone({})
    watch = LeaseObserver(lease_s=0.0)
    watch.is_stale(path)
    leases.threading.Event().wait(0.01)  # type: ignore[attr-defined]
    assert watch.is_stale(path)


def test_a_process_number_used_again_is_not_the_owner() -> None:
    claim = {
        "host": socket.gethostname(),
        "boot": leases._boot(),
        "processes": leases._processes(),
        "pid": os.getpid(),
        "started": 1.0,
    }
    assert is_gone(claim)
    one_of_ours = {**claim, "started": leases._started(os.getpid()), "owner": "o"}
    leases._own.add("o")
    assert not is_gone(one_of_ours)
    leases._own.discard("o")
    assert is_gone(one_of_ours)


def test_a_claim_that_could_not_be_removed_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file system that turned read-only: the process would wait for itself, for a whole lease."""
    path = tmp_path / "claim.json"
    claim = acquire(path)
    assert claim is not None

    def refuse(path: Path, missing_ok: bool = False) -> None:
        raise OSError(30, "Read-only file system")

    with monkeypatch.context() as read_only:
        read_only.setattr(Path, "unlink", refuse)
        claim.release()
    assert path.exists()
    again = acquire(path)
    assert again is not None and again.still_mine()
    again.release()
    assert not path.exists()


def test_a_process_of_another_container_is_not_provably_gone() -> None:
    claim = {
        "host": socket.gethostname(),
        "boot": leases._boot(),
        "processes": "pid:[1]",
        "pid": 1,
        "started": 1.0,
    }
    assert not is_gone(claim)


def test_a_clock_that_is_set_does_not_make_a_living_owner_seem_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Boot time, from which psutil reckons start times, moves with the clock."""
    import psutil._pslinux as system

    claim = acquire(tmp_path / "claim.json")
    found = read_lease(tmp_path / "claim.json")
    assert claim is not None and found is not None
    boot = system.boot_time()
    for step in (-3600.0, 3600.0, 1.0):
        monkeypatch.setattr(system, "boot_time", lambda step=step: boot + step)
        monkeypatch.setattr(leases.time, "time", lambda step=step: boot + 1e4 + step)  # type: ignore[attr-defined]
        assert not is_gone(found)
    claim.release()
