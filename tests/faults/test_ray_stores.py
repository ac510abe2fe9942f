"""Runs under a real Ray that meet on one store, and a machine that has no memory left."""

import json
import socket
import time
from pathlib import Path

import psutil
import pytest

from orchestrator.store.leases import LEASE_S, acquire, read_lease
from orchestrator.store.ledger import Ledger
from tests.faults import probe
from tests.faults.matrix import Matrix
from tests.faults.ray_rounds import RayRounds, flat
from tests.faults.rounds import tell
from tests.tiny_study import STUDY

pytestmark = [pytest.mark.ray, pytest.mark.faults, pytest.mark.usefixtures("quiet_home")]

GIB = 1024**3


def test_two_runs_of_one_study_share_it(tiny_ray: RayRounds, matrix: Matrix) -> None:
    tiny_ray.options = ("--cpus", "1", "--gpus", "0")
    first, second = tiny_ray.start(), tiny_ray.start()
    ended = first.ended(), second.ended()
    assert [e.code for e in ended] == [0, 0], ended
    probe.note(tiny_ray.log, "killed", target="nobody: two drivers")
    judgement = tiny_ray.judged()
    assert judgement.executions == 4 and judgement.repeated == 0
    said = "\n".join(e.said.splitlines()[-1] for e in ended)
    tell(matrix, "13 Ray: two drivers, one study", judgement, said)


def test_two_studies_that_share_trials_train_them_once(
    tiny_ray: RayRounds, matrix: Matrix, tmp_path: Path
) -> None:
    other = tmp_path / "other.yaml"
    other.write_text(
        STUDY.replace("study: tiny", "study: other").replace(
            "{name: No FA, set: {fa_layer: none}}", "{name: No FA, set: {fa_layer: 1}}"
        )
    )
    tiny_ray.options = ("--cpus", "1", "--gpus", "0")
    first, second = tiny_ray.start(), tiny_ray.start(study=other)
    ended = first.ended(), second.ended()
    assert [e.code for e in ended] == [0, 0], ended
    probe.note(tiny_ray.log, "killed", target="nobody: two studies")
    judgement = tiny_ray.judged()
    assert judgement.executions == 6 and judgement.repeated == 0
    tell(matrix, "13 Ray: two drivers, overlapping studies", judgement)


@pytest.mark.parametrize("where", ["here", "elsewhere"])
def test_a_claim_of_a_dead_run_is_taken_over(
    tiny_ray: RayRounds, matrix: Matrix, where: str
) -> None:
    """At once when its process was on this machine; else within a lease, and that is shown."""
    ledger = Ledger.open_unchecked(str(tiny_ray.store))
    id = sorted(path.name for path in (tiny_ray.reference / "trials").iterdir())[0]
    path = ledger.paths.lease_file(id)
    path.parent.mkdir(parents=True)
    claim = acquire(path)
    assert claim is not None
    record = dict(read_lease(path) or {})
    claim.release()
    if where == "here":
        record |= {"host": socket.gethostname(), "pid": 2**22 + 1}
    else:
        record |= {"host": "elsewhere", "boot": "another"}
    path.write_text(json.dumps(record))
    probe.note(tiny_ray.log, "killed", target="a run before this one")
    began = time.monotonic()
    ended = tiny_ray.to_the_end()
    took = time.monotonic() - began
    shown = [line for line in ended.said.splitlines() if "Waiting for" in line]
    if where == "here":
        assert shown == []
    else:
        assert shown and "Taken over after 120 s without a sign of that run." in flat(ended.said)
        assert took > LEASE_S
    said = f"done after {took:.0f} s in all\n" + "\n".join(shown)
    tell(matrix, f"14 Ray: claim of a dead run {where}", tiny_ray.judged(), said)


def test_what_ray_kills_for_memory_is_tried_again(tiny_ray: RayRounds, matrix: Matrix) -> None:
    """The test itself takes memory while trials train, beyond a threshold 4 GiB above what is used.

    Ray's monitor then kills workers until the memory is given back. Half of it is taken before,
    since the study lasts seconds; and as much in the end as it takes, since others give some back.
    """
    memory = psutil.virtual_memory()
    threshold = (memory.total - memory.available + 4 * GIB) / memory.total
    hog = [b"x" * (2 * GIB)]
    round = tiny_ray.start(
        RAY_memory_usage_threshold=f"{threshold:.4f}", RAY_memory_monitor_refresh_ms="100"
    )
    round.until_event("claimed")
    while psutil.virtual_memory().available > memory.total * (1 - threshold) - GIB:
        hog.append(b"x" * (GIB // 4))
    round.until(lambda: "Again" in round.said or "Interrupted" in round.said)
    hog.clear()
    probe.note(tiny_ray.log, "killed", target="by Ray's memory monitor")
    ended = round.ended()
    assert ended.code in (0, 1), ended
    if ended.code:
        tiny_ray.to_the_end()
    lines = [line for line in ended.said.splitlines() if "Again" in line or "Interrupt" in line]
    said = "\n".join(dict.fromkeys(lines))
    assert "a machine ran low on memory and Ray ended a worker" in flat(ended.said)
    tell(matrix, "23 Ray: memory monitor kills", tiny_ray.judged(), said)
