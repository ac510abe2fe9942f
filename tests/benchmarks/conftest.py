"""Fixtures of the benchmarks: a process pinned as for a trial, and the slope of a fit."""

from collections.abc import Callable, Iterator

import pytest
import torch

from model.training.allocator import keep_freed_memory
from model.training.seeding import pin
from tests.benchmarks.network_work import Bench, exponent


@pytest.fixture
def bench_on() -> Iterator[Callable[[str], Bench]]:
    """The measure for a device; the process is pinned as for a trial, and put back."""
    before = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    pin()
    keep_freed_memory()
    yield Bench
    torch.set_num_threads(before[0])
    torch.use_deterministic_algorithms(before[1])


@pytest.fixture
def fitted_exponent() -> Callable[[list[int], list[float]], float]:
    return exponent
