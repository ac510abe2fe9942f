"""SIGKILL at named points, at every change of the store, and at seeded instants: without Ray."""

import os
import random
import shutil

import pytest

from tests.faults import checker, probe
from tests.faults.matrix import Matrix
from tests.faults.rounds import Begin, Ended, tell

POINTS = {
    "claimed": "14 killed right after the claim",
    "epoch": "1 killed in an epoch",
    "checkpointed": "1 killed after a checkpoint",
    "results": "2 killed between results and record",
    "committed": "3 killed between record and clean-up",
    "swept": "3 killed between clean-up and word",
    "released": "6 killed after the last word",
}
EPOCHS = {"epoch", "checkpointed"}


def test_killed_at_one_point_after_another(begin: Begin, matrix: Matrix) -> None:
    """One store, a kill a round, each further on."""
    rounds = begin()
    for point in POINTS:
        assert rounds.once(f"{point}:1+:kill").code == -9
    rounds.to_the_end()
    judgement = rounds.judged()
    assert judgement.fired == len(POINTS)
    tell(matrix, "6 killed at one point after another", judgement)


@pytest.mark.faults
@pytest.mark.parametrize("point", POINTS)
def test_killed_at_a_named_point_of_every_trial(begin: Begin, matrix: Matrix, point: str) -> None:
    """n = 1, 2, 3, ... on one store each, until a round completes without the fault."""
    for nth in range(1, 20):
        rounds = begin()
        if rounds.once(f"{point}:{nth}:kill").code == 0:
            break
        rounds.to_the_end()
        judgement = rounds.judged()
        assert judgement.repeated == (point == "epoch")
        tell(matrix, POINTS[point], judgement)
    assert nth == (13 if point in EPOCHS else 5), "the sweep must reach every trial and epoch"


def test_killed_before_every_change_of_the_store(begin: Begin, matrix: Matrix) -> None:
    """Every open to write, rename, link and unlink of the first trial, and of what precedes it."""
    _sweep(begin, matrix, step=9, most=3)


@pytest.mark.faults
def test_killed_before_every_change_of_the_store_without_a_gap(
    begin: Begin, matrix: Matrix
) -> None:
    assert _sweep(begin, matrix, step=1, most=10_000) > 150


def _sweep(begin: Begin, matrix: Matrix, *, step: int, most: int) -> int:
    """n = 1, 1 + step, ... until a round completes without the fault."""
    for count in range(most):
        rounds = begin()
        if rounds.once(f"disk:{1 + count * step}:kill").code == 0:
            assert checker.judge(rounds.log).fired == 0
            return count
        rounds.to_the_end()
        tell(matrix, "4 killed before the nth change of the store", rounds.judged())
    return most


SEED = int(os.environ.get("ABLATE_FAULT_SEED", "2026"))


@pytest.mark.parametrize("kills", [12, pytest.param(1000, marks=pytest.mark.faults)])
def test_killed_at_seeded_instants_until_done(
    begin: Begin, matrix: Matrix, seconds: float, kills: int
) -> None:
    """One study after another, each killed again and again, until so many kills have struck.

    Instants are uniform from the start to an end that begins at a third of what the study takes
    and moves out with each round: where starting takes longer than a third, a study that is always
    killed sooner would never end. In a tenth of the rounds a change of the store is refused too.
    """
    draw = random.Random(SEED)
    struck = 0
    while struck < kills:
        rounds = begin()
        ended = Ended(-9, "")
        latest = seconds / 3
        while ended.code != 0:
            fault = ""
            if draw.random() < 0.1:
                fault = f"disk:{draw.randint(1, 120)}:{draw.choice(['enospc', 'eio', 'erofs'])}"
            ended = rounds.killed_after(draw.uniform(0.05, latest), fault)
            latest += seconds / 20
            assert ended.code in (0, 1, 3, 4, -9), ended
        judgement = rounds.judged()
        struck += sum(line["event"] == "killed" for line in probe.lines(rounds.log))
        if judgement.fired:  # a quick machine may finish first
            tell(matrix, f"36 killed at random instants, seed {SEED}", judgement)
        shutil.rmtree(rounds.store)
