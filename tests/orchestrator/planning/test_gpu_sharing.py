"""How many trials share a GPU or a machine, by declared figures: no GPU is needed to hold this."""

from collections.abc import Callable

import pytest

from orchestrator.planning.cost.gpu_sharing import (
    HEADROOM,
    LEAST_GAIN,
    MOST,
    GpuSharing,
    measure_sharing,
    most_by_memory,
)
from orchestrator.planning.cost.resources import Resources, capacity, with_one_trial_fewer

GIB = 2.0**30


def speeds(*values: float) -> Callable[[int], float]:
    return lambda count: values[count - 1]


def test_as_many_share_a_gpu_as_one_more_is_worth_it() -> None:
    found = measure_sharing(2 * GIB, 80 * GIB, speeds(10.0, 18.0, 24.0, 25.0, 99.0))
    assert found == GpuSharing((10.0, 18.0, 24.0, 25.0))
    assert found.trials == 3, "the fourth gained 4 %"
    assert measure_sharing(2 * GIB, 80 * GIB, speeds(10.0, 9.0, 99.0)).trials == 1


def test_no_more_are_tried_than_the_memory_holds() -> None:
    tried: list[int] = []

    def measure(count: int) -> float:
        tried.append(count)
        return 10.0 * count

    assert measure_sharing(10 * GIB, 40 * GIB, measure).trials == 3 == tried[-1]
    assert 3 * HEADROOM * 10 <= 40 < 4 * HEADROOM * 10
    assert most_by_memory(50 * GIB, 40 * GIB) == 1
    assert most_by_memory(1.0, 40 * GIB) == MOST


def test_memory_that_runs_out_while_measuring_ends_the_climb() -> None:
    found = measure_sharing(1 * GIB, 80 * GIB, lambda count: None if count == 3 else 10.0 * count)
    assert found.trials == 2
    assert measure_sharing(1 * GIB, 80 * GIB, lambda count: None).trials == 1


def test_a_gain_of_exactly_the_least_is_worth_it() -> None:
    assert GpuSharing((10.0, 10.0 * (1 + LEAST_GAIN))).trials == 2


@pytest.mark.parametrize("sharing", range(2, MOST + 1))
def test_out_of_memory_takes_one_from_a_gpu_until_each_has_its_own(sharing: int) -> None:
    node = Resources(cpus=64, memory=256 * GIB, gpus=2, name="n")
    trial: Resources | None = Resources(cpus=1, memory=GIB, gpus=1 / sharing)
    counts = []
    while trial is not None:
        counts.append(capacity(node, trial))
        trial = with_one_trial_fewer([node], trial)
    assert counts == [2 * share for share in range(sharing, 0, -1)]


def test_out_of_memory_takes_one_from_the_fullest_machine_until_it_trains_one() -> None:
    nodes = [
        Resources(cpus=4, memory=8 * GIB, name="a"),
        Resources(cpus=8, memory=6 * GIB, name="b"),
    ]
    trial: Resources | None = Resources(cpus=1, memory=0.75 * GIB)
    most = []
    while trial is not None:
        most.append(max(capacity(node, trial) for node in nodes))
        assert any(capacity(node, trial) for node in nodes)
        trial = with_one_trial_fewer(nodes, trial)
    assert most == [8, 7, 6, 5, 4, 3, 2, 1]


def test_a_trial_that_has_a_whole_gpu_or_several_gets_no_more() -> None:
    node = Resources(cpus=8, memory=64 * GIB, gpus=4)
    assert with_one_trial_fewer([node], Resources(cpus=1, memory=GIB, gpus=1)) is None
    assert with_one_trial_fewer([node], Resources(cpus=1, memory=GIB, gpus=2)) is None
    assert with_one_trial_fewer([], Resources(cpus=1, memory=GIB)) is None
