"""Same id, same bits: fresh or resumed, in any order, whatever the process was before."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.faults import checker
from tests.faults.driver import Settings
from tests.faults.matrix import Matrix
from tests.faults.rounds import Begin, tell

ORDERS = [Settings(shuffle=n) for n in range(1, 7)]


@pytest.mark.faults
@pytest.mark.parametrize("settings", ORDERS)
def test_in_any_order(begin: Begin, matrix: Matrix, settings: Settings) -> None:
    rounds = begin()
    assert rounds.once(settings=settings).code == 0
    rounds.judged()
    matrix.tell("28 trials in six orders", struck=1)


@pytest.mark.faults
@pytest.mark.parametrize("epoch", [1, 2, 3])
def test_resumed_after_any_epoch(begin: Begin, matrix: Matrix, epoch: int) -> None:
    rounds = begin()
    assert rounds.once(f"checkpointed:{epoch}:kill").code == -9
    rounds.to_the_end()
    judgement = rounds.judged()
    assert judgement.repeated == 0
    tell(matrix, "1 resumed after each epoch", judgement)


@pytest.mark.faults
def test_by_a_process_that_an_earlier_trial_left_astray(begin: Begin, matrix: Matrix) -> None:
    rounds = begin()
    assert rounds.once(settings=Settings(polluted=True)).code == 0
    rounds.judged()
    matrix.tell("29 threads, precision, random state astray", struck=1)


@pytest.mark.faults
def test_on_one_core_or_two(begin: Begin, matrix: Matrix) -> None:
    for cpus in [(0,), tuple(sorted(os.sched_getaffinity(0)))]:
        rounds = begin()
        assert rounds.once(settings=Settings(cpus=cpus)).code == 0
        rounds.judged()
        matrix.tell("28 on one core, on all", struck=1)


@pytest.mark.faults
@pytest.mark.parametrize("variable", ["OMP_NUM_THREADS=2", "ATEN_CPU_CAPABILITY=default"])
def test_of_another_class_only_where_the_table_says_so(
    begin: Begin, matrix: Matrix, reference: Path, variable: str
) -> None:
    """Threads are pinned, whatever the environment wants; another CPU capability is a class."""
    rounds = begin()
    assert rounds.once("claimed:3:kill").code == -9
    name, _, value = variable.partition("=")
    done = subprocess.run(
        [
            Path(sys.executable).with_name("ablate"),
            "run",
            rounds.study,
            "--inline",
            "--store",
            rounds.store,
        ],
        env={**os.environ, name: value},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    table = checker.printed(rounds.store, "tiny")
    if name == "OMP_NUM_THREADS":
        assert checker.differing(rounds.store, reference) == []
        assert table == checker.printed(reference, "tiny")
        matrix.tell("30 two threads wanted by the environment", struck=1)
    else:
        line, *_ = [line for line in table.splitlines() if line.startswith("WARNING")]
        matrix.tell("30 another CPU capability: another class", struck=1, said=line)
