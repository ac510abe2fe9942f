"""Real processes of a real Ray are killed: workers, drivers, nodes, the head, everything.

One kill of a worker and one notice run in `make test`; all else in `make faults`.
"""

import os
import random
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from tests.faults import probe
from tests.faults.matrix import Matrix
from tests.faults.ray_rounds import RayRounds, flat, outlived, strike, two_nodes
from tests.faults.rounds import Rounds, tell
from tests.tiny_study import STUDY

pytestmark = [pytest.mark.ray, pytest.mark.usefixtures("quiet_home")]
SEED = int(os.environ.get("ABLATE_FAULT_SEED", "2026"))

BeginRay = Callable[[], RayRounds]


@pytest.fixture(scope="module")
def longer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The study with two seeds and eight epochs: eight trials, long enough to be hit in."""
    path = tmp_path_factory.mktemp("study") / "longer.yaml"
    path.write_text(STUDY.replace("seeds: 1", "seeds: 2").replace("epochs: 3", "epochs: 8"))
    return path


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory, ready: Path, longer: Path) -> Path:
    """A store in which nothing disturbed it, trained without Ray."""
    folder = tmp_path_factory.mktemp("undisturbed")
    shutil.copytree(ready, folder / "store")
    Rounds(folder, longer, folder / "store", folder / "store").to_the_end()
    return folder / "store"


@pytest.fixture
def begin_ray(tmp_path: Path, longer: Path, ready: Path, undisturbed: Path) -> BeginRay:
    """Gives a new store, with features and no trial, as often as it is called."""
    made: list[Path] = []

    def make() -> RayRounds:
        folder = tmp_path / f"store-{len(made)}"
        folder.mkdir()
        made.append(folder)
        shutil.copytree(ready, folder / "store")
        return RayRounds(folder, longer, folder / "store", undisturbed)

    return make


def spoken(said: str, *words: str) -> str:
    """The lines that a person saw with one of these words in them, each form once."""
    return "\n".join(
        dict.fromkeys(line for line in said.splitlines() if any(word in line for word in words))
    )


@pytest.mark.faults  # `make test` has it in contracts/test_cluster.py
def test_a_worker_killed_in_an_epoch_is_replaced(tiny_ray: RayRounds, matrix: Matrix) -> None:
    ended = tiny_ray.once("epoch:2:kill")
    assert ended.code == 0, ended
    judgement = tiny_ray.judged()
    assert judgement.fired == 1 and judgement.repeated == 1
    said = spoken(ended.said, "Again")
    assert "Its worker died. Attempt 2 of 3 in 1 s." in flat(ended.said)
    assert "Traceback" not in ended.said and "(raylet)" not in ended.said, ended.said
    tell(matrix, "1 Ray: worker killed in an epoch", judgement, said)


@pytest.mark.faults
@pytest.mark.parametrize("point", ["claimed", "results", "committed", "swept", "released"])
def test_a_worker_killed_at_a_named_point(tiny_ray: RayRounds, matrix: Matrix, point: str) -> None:
    rounds = tiny_ray
    ended = rounds.once(f"{point}:2:kill")
    assert ended.code == 0, ended
    tell(matrix, "2 Ray: worker killed at named points", rounds.judged())


@pytest.mark.faults
def test_where_every_worker_dies_each_trial_fails_with_its_attempts(
    tiny_ray: RayRounds, matrix: Matrix
) -> None:
    """Every worker is killed at its first claim: nothing can be trained, and that is said."""
    rounds = tiny_ray
    ended = rounds.once("claimed:1+:kill")
    assert ended.code == 1, ended
    said = spoken(ended.said, "3 attempts", "failed;")
    assert "Its worker died. (3 attempts)" in flat(ended.said)
    rounds.to_the_end()
    judgement = rounds.judged()
    tell(matrix, "24 Ray: every worker dies", judgement, said.splitlines()[-1])


@pytest.mark.faults
def test_three_drivers_killed_in_one_study(begin_ray: BeginRay, matrix: Matrix) -> None:
    rounds = begin_ray()
    outlasted = 0.0
    for kill in range(3):
        round = rounds.start()
        round.until_event("committed", 1 + kill)
        outlasted = max(outlasted, round.kill_driver())
        assert round.ended().code == -signal.SIGKILL
    ended = rounds.to_the_end()
    judgement = rounds.judged()
    assert judgement.fired == 3
    said = f"workers outlived it by {outlasted:.1f} s\n{spoken(ended.said, 'to train')}"
    tell(matrix, "6 Ray: three drivers killed", judgement, said)


@pytest.mark.faults
def test_everything_killed_at_once(tiny_ray: RayRounds, matrix: Matrix) -> None:
    rounds = tiny_ray
    round = rounds.start()
    round.until_event("committed")
    round.kill_everything()
    ended = rounds.to_the_end()
    tell(
        matrix, "6 Ray: everything killed at once", rounds.judged(), spoken(ended.said, "to train")
    )


@pytest.mark.faults  # `make test` has Ctrl-C there, and SIGTERM without Ray in test_machine.py
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_notice_to_the_driver_ends_it_soon_and_it_can_go_on(
    tiny_ray: RayRounds, matrix: Matrix, number: signal.Signals
) -> None:
    rounds = tiny_ray
    round = rounds.start()
    round.until_event("committed")
    others = round.tree()[1:]
    probe.note(rounds.log, "killed", target=round.pid)
    os.kill(round.pid, number)
    ended = round.ended(90)
    assert ended.code == 130, ended
    outlived(others)
    rounds.to_the_end()
    judgement = rounds.judged()
    tell(matrix, f"7 Ray: {number.name} once", judgement, spoken(ended.said, "Interrupted"))


@pytest.mark.faults
def test_ctrl_c_twice_ends_it_at_once(tiny_ray: RayRounds, matrix: Matrix) -> None:
    rounds = tiny_ray
    round = rounds.start()
    round.until_event("committed")
    others = round.tree()[1:]
    probe.note(rounds.log, "killed", target=round.pid)
    os.killpg(round.pid, signal.SIGINT)  # a terminal sends it to the whole group
    time.sleep(0.5)
    os.killpg(round.pid, signal.SIGINT)
    ended = round.ended(30)
    assert ended.code in (130, -signal.SIGINT), ended
    outlived(others)
    rounds.to_the_end()
    tell(matrix, "7 Ray: Ctrl-C twice", rounds.judged(), ended.said.splitlines()[-1])


@pytest.mark.faults
def test_a_spot_notice_to_every_process_and_20_s_later_the_end(
    tiny_ray: RayRounds, matrix: Matrix
) -> None:
    rounds = tiny_ray
    round = rounds.start()
    round.until_event("committed")
    tree = round.tree()
    for process in tree:
        try:
            process.terminate()
        except psutil.NoSuchProcess:
            continue
    end = time.monotonic() + 20
    while round.alive and time.monotonic() < end:
        time.sleep(0.1)
    left = [process.pid for process in tree if process.is_running()]
    round.kill(*left)
    ended = round.ended()
    assert ended.code == 130, ended
    outlived(tree[1:])
    rounds.to_the_end()
    judgement = rounds.judged()
    assert judgement.repeated <= 2  # at most the epoch in flight of each of two trials
    tell(
        matrix,
        "27 Ray: spot notice, SIGKILL after 20 s",
        judgement,
        spoken(ended.said, "Interrupted"),
    )


@pytest.mark.faults
def test_a_lost_node_and_what_it_trained_goes_on_elsewhere(
    tmp_path: Path, tiny_ray: RayRounds, matrix: Matrix
) -> None:
    """Trials of seconds, in a cluster that sees within two that a node is gone.

    By default it sees that after fourteen: the worker, an orphan, has finished by then.
    """
    study = tmp_path / "slow.yaml"
    study.write_text(STUDY.replace("epochs: 3", "epochs: 200"))
    undisturbed = tmp_path / "undisturbed"
    shutil.copytree(tiny_ray.store, undisturbed)
    Rounds(tmp_path, study, undisturbed, undisturbed).to_the_end()
    (tmp_path / "rounds").mkdir()
    rounds = RayRounds(tmp_path / "rounds", study, tiny_ray.store, undisturbed)
    with two_nodes(rounds.log, alert=True) as cluster:
        rounds.options = ("--address", cluster.address, "--gpus", "0")
        round = rounds.start(**cluster.environment)
        lost = cluster.raylets[1]
        round.until(lambda: lost in {psutil.Process(pid).ppid() for pid in round.busy()})
        cluster.kill(rounds.log, lost)
        ended = round.ended()
    assert ended.code == 0, ended
    judgement = rounds.judged(overlaps=True)
    assert judgement.overlaps == 0, "a claim of a living process of this machine is never taken"
    said = spoken(ended.said, "Again", "Interrupted", "Waiting")
    assert said, ended
    tell(matrix, "8 Ray: raylet of one of two nodes killed", judgement, said)


@pytest.mark.faults
def test_without_its_head_a_run_ends_within_90_s_and_can_go_on(
    tiny_ray: RayRounds, matrix: Matrix
) -> None:
    rounds = tiny_ray
    with two_nodes(rounds.log) as cluster:
        rounds.options = ("--address", cluster.address, "--gpus", "0")
        round = rounds.start(**cluster.environment)
        round.until_event("committed")
        began = time.monotonic()
        cluster.kill(rounds.log, cluster.gcs)
        ended = round.ended(90)
        took = time.monotonic() - began
    assert ended.code != 0, ended
    rounds.options = RayRounds.options
    rounds.to_the_end()
    judgement = rounds.judged(overlaps=True)
    said = f"ended with {ended.code} after {took:.0f} s\n{ended.said.splitlines()[-1]}"
    tell(matrix, "9 Ray: head killed", judgement, said)


@pytest.mark.faults
def test_thirty_seeded_kills(begin_ray: BeginRay, matrix: Matrix) -> None:
    """Workers, drivers, everything, at seeded instants, one study after another."""
    draw = random.Random(SEED)
    struck = 0
    while struck < 30:
        rounds = begin_ray()
        code = -9
        while code != 0:
            round = rounds.start()
            try:
                while round.alive and struck < 30:
                    struck += strike(round, draw) != "nobody"
            except AssertionError:
                assert not round.alive, round.said  # it ended while a strike was waiting
            code = round.ended().code
            assert code in (0, 1, -9), round.said
        judgement = rounds.judged()
        tell(matrix, f"36 Ray: killed at random instants, seed {SEED}", judgement)
        shutil.rmtree(rounds.store)
