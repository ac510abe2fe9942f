"""Two runs on one store, owners that are dead, stopped or only silent."""

import json
import signal
from pathlib import Path

import pytest

from tests.faults import probe
from tests.faults.driver import Settings
from tests.faults.matrix import Matrix
from tests.faults.rounds import Begin, Rounds, said, tell
from tests.tiny_study import Tiny

MORE = "  - {name: FA in layer 1, set: {fa_layer: 1}}\n"


@pytest.mark.faults
@pytest.mark.parametrize("runs", [2, 4])
def test_runs_at_once_share_the_work(begin: Begin, matrix: Matrix, runs: int) -> None:
    """Each trial is trained once, whoever comes first; both see the whole study finished."""
    rounds = begin()
    started = [rounds.start(settings=Settings(shuffle=n)) for n in range(runs)]
    assert [round.ended().code for round in started] == [0] * runs
    judgement = rounds.judged()
    assert judgement.executions == 4 and judgement.epochs == 12
    matrix.tell("13 several runs at once, same study", struck=runs)


def test_one_of_two_runs_is_killed(begin: Begin, matrix: Matrix) -> None:
    rounds = begin()
    dies = rounds.start("epoch:2:kill")
    goes_on = rounds.start(settings=Settings(shuffle=3))
    assert dies.ended().code == -9
    ended = goes_on.ended()
    assert ended.code == 0, ended
    tell(matrix, "13 one of two runs is killed", rounds.judged())


@pytest.mark.faults
def test_overlapping_studies_share_what_they_have_in_common(
    begin: Begin, matrix: Matrix, tiny: Tiny, tmp_path: Path
) -> None:
    more = tmp_path / "more.yaml"
    more.write_text(tiny.study.read_text().replace("study: tiny", "study: more") + MORE)
    text = more.read_text()
    more.write_text(text.replace(MORE, "").replace("reference: No FA", MORE + "reference: No FA"))
    rounds = begin()
    both = [rounds.start(), rounds.start(study=more, settings=Settings(shuffle=4))]
    assert [round.ended().code for round in both] == [0, 0]
    judgement = rounds.judged()
    assert judgement.executions == 6
    matrix.tell("13 overlapping studies at once", struck=2)


@pytest.mark.faults
def test_two_runs_build_the_same_features(begin: Begin, matrix: Matrix, bare: Path) -> None:
    rounds = begin(bare)
    both = [rounds.start(), rounds.start(settings=Settings(shuffle=1))]
    assert [round.ended().code for round in both] == [0, 0]
    rounds.judged()
    matrix.tell("13 two runs build features at once", struck=2)


@pytest.mark.parametrize("point", [pytest.param("epoch:2", marks=pytest.mark.faults), "results:1"])
def test_a_run_that_stood_still_past_its_lease_writes_nothing_more(
    begin: Begin, matrix: Matrix, point: str
) -> None:
    """SIGSTOP, a successor after one lease, SIGCONT: one record, and the late one yields."""
    rounds = begin()
    sleeper = rounds.start(f"{point}:stop", Settings(lease_s=1.0))
    rounds.wait_for("fired")
    successor = rounds.once(settings=Settings(lease_s=1.0))
    assert successor.code == 0, successor
    before = {p: p.read_bytes() for p in rounds.store.glob("trials/*/outcome.json")}
    sleeper.send(signal.SIGCONT)
    assert sleeper.ended().code == 0
    assert before == {p: p.read_bytes() for p in rounds.store.glob("trials/*/outcome.json")}
    judgement = rounds.judged(overlaps=True)
    assert judgement.overlaps == 1
    tell(matrix, "10 stopped past its lease, then goes on", judgement, said(successor, "Waiting"))


def _claimed(rounds: Rounds, **changes: object) -> None:
    """A claim of a dead process, made to look like one of another machine or boot."""
    assert rounds.once("epoch:2:kill").code == -9
    (path,) = rounds.store.glob("trials/*/claim.json")
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


@pytest.mark.faults
@pytest.mark.parametrize(
    ("row", "changes", "waits"),
    [
        ("14 stale claim: the process is gone", {}, False),
        ("14 stale claim: the machine started anew", {"boot": "before"}, False),
        ("14 stale claim: another machine's", {"host": "elsewhere"}, True),
        ("14 stale claim: another container's", {"processes": "pid:[1]"}, True),
    ],
)
def test_a_stale_claim_is_taken_over(
    begin: Begin, matrix: Matrix, row: str, changes: dict[str, object], waits: bool
) -> None:
    """At once where the owner is provably gone, else after one lease that is shown."""
    rounds = begin()
    _claimed(rounds, **changes)
    ended = rounds.once(settings=Settings(lease_s=1.0))
    assert ended.code == 0, ended
    assert ("Waiting for" in ended.said) == waits
    tell(matrix, row, rounds.judged(), said(ended, "Waiting for") if waits else "")


@pytest.mark.faults
def test_a_damaged_claim_stands_for_one_lease(begin: Begin, matrix: Matrix) -> None:
    rounds = begin()
    _claimed(rounds)
    (path,) = rounds.store.glob("trials/*/claim.json")
    path.write_bytes(path.read_bytes()[:11])
    ended = rounds.once(settings=Settings(lease_s=1.0))
    assert ended.code == 0, ended
    tell(matrix, "14 a damaged claim", rounds.judged(), said(ended, "Waiting for"))


def test_the_checker_sees_what_it_must(tmp_path: Path) -> None:
    """Each promise, broken on purpose in a log: the judge says so."""
    from tests.faults.checker import judge

    def log(*events: tuple[int, str, int]) -> Path:
        path = tmp_path / "log"
        path.unlink(missing_ok=True)
        for pid, event, epoch in events:
            probe.note(path, event, pid=pid, id="t", epoch=epoch)
        return path

    one = [(1, "claimed", 0), (1, "epoch", 1), (1, "checkpointed", 1), (1, "committed", 0)]
    assert judge(log(*one)).broken == ()
    assert judge(log(*one, (2, "claimed", 0))).retrained == 1
    assert "trained by two at once" in judge(log(*one[:2], (2, "claimed", 0), one[2])).broken[0]
    assert "had been kept" in judge(log(*one[:3], (2, "claimed", 0), (2, "epoch", 1))).broken[0]
    assert judge(log(*one, (9, "gone", 0))).lost == 1
