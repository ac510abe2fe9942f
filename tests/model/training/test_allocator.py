import re
import sys
from multiprocessing.queues import SimpleQueue
from pathlib import Path

import pytest
import torch

from model.training.allocator import keep_freed_memory, return_freed_memory
from tests.forks import FORKS, check_warm

linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc's allocator")


def resident() -> int:
    """The memory of this process, in MiB."""
    found = re.search(r"RssAnon:\s+(\d+)", Path("/proc/self/status").read_text())
    assert found is not None
    return int(found[1]) // 1024


def hold_in_pieces(told: "SimpleQueue[tuple[int, int, int, int]]") -> None:
    check_warm()
    keep_freed_memory()
    before = resident()
    tensors = [torch.ones(1 << 18) for _ in range(400)]
    pieces = tensors[::40]
    del tensors
    kept = resident()
    return_freed_memory()
    told.put((before, kept, resident(), int(sum(piece.sum() for piece in pieces))))


@linux
def test_memory_can_be_held_twice() -> None:
    assert keep_freed_memory() == keep_freed_memory()


@linux
def test_what_is_held_in_pieces_is_given_back() -> None:
    """400 MiB of which every fortieth tensor lives on."""
    told = FORKS.SimpleQueue()
    process = FORKS.Process(target=hold_in_pieces, args=(told,))
    process.start()
    process.join()
    assert process.exitcode == 0
    before, kept, after, ones = told.get()
    assert kept - before > 300 and after - before < 60, (before, kept, after)
    assert ones == 10 << 18
