import functools
import os
import platform
import re
import subprocess
import sys

import pytest
import torch

from model.training.fingerprint import fingerprint

PROGRAM = """
import os
from model.training.fingerprint import fingerprint
if not os.fork():
    os.environ["MKL_CBWR"] = "COMPATIBLE"  # which the library reads where it first computes
    print(fingerprint(), flush=True)
    os._exit(0)
os.wait()
print(fingerprint())
"""


@functools.cache
def elsewhere(**variables: str) -> tuple[str, str]:
    """The fingerprint in a process of its own, as it is and with MKL's code for any processor."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=True,
    )
    other, found = done.stdout.split()
    return found, other


def test_it_is_the_same_in_every_process_and_disturbs_no_draw() -> None:
    here = set()
    for flushed in (True, False):  # as a worker is pinned, and as `ablate doctor` is not
        torch.set_flush_denormal(flushed)
        torch.manual_seed(3)
        fingerprint.cache_clear()
        here.add(fingerprint())
        drawn = torch.rand(1)
        torch.manual_seed(3)
        assert torch.equal(drawn, torch.rand(1))
    here.add(elsewhere(OMP_NUM_THREADS="2", PYTHONHASHSEED="7")[0])
    assert len(here) == 1 and re.fullmatch("[0-9a-f]{8}", here.pop())


@pytest.mark.skipif(platform.machine() != "x86_64", reason="MKL and AVX are code of x86-64")
def test_code_that_computes_other_bits_is_told_apart() -> None:
    """As another maker's processor would choose it; PyTorch's name for all these is one."""
    _, mkl = elsewhere(OMP_NUM_THREADS="2", PYTHONHASHSEED="7")
    aten, both = elsewhere(ATEN_CPU_CAPABILITY="default")
    told = {"": fingerprint(), "MKL": mkl, "ATen": aten, "both": both}
    assert len(set(told.values())) == 4, told
