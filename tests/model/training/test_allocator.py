import subprocess
import sys

import pytest

from model.training.allocator import keep_freed_memory

linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc's allocator")

IN_PIECES = """
import re
from pathlib import Path
import torch
from model.training.allocator import keep_freed_memory, return_freed_memory

def resident():
    return int(re.search(r"RssAnon:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) // 1024

keep_freed_memory()
before = resident()
tensors = [torch.ones(1 << 18) for _ in range(400)]
pieces = tensors[::40]
del tensors
kept = resident()
return_freed_memory()
print(before, kept, resident(), int(sum(piece.sum() for piece in pieces)))
"""


@linux
def test_memory_can_be_held_twice() -> None:
    assert keep_freed_memory() == keep_freed_memory()


@linux
def test_what_is_held_in_pieces_is_given_back() -> None:
    """400 MiB of which every fortieth tensor lives on."""
    done = subprocess.run([sys.executable, "-c", IN_PIECES], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    before, kept, after, ones = map(int, done.stdout.split())
    assert kept - before > 300 and after - before < 60, done.stdout
    assert ones == 10 << 18
