"""The network's speed, as ratios measured in one run, one thread.

    make bench

Beside the edge lists that it stands for (PyG), beside its own bare matrix products, against N.
"""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from model.config import ModelConfig
from model.systems import wma_gin

pytestmark = pytest.mark.bench

ROOT = Path(wma_gin.__file__).resolve().parents[2]
R0, WITHOUT_FA = ModelConfig(), ModelConfig(fa_layers=())
STEP = {"batch": 128, "nodes": 120}
EDGES_GIB = 18
"""What a step of 128 segments takes on the edge lists of a complete graph, and some to spare."""


@pytest.fixture
def bench(bench_on: Callable[[str], Any]) -> Any:
    return bench_on("cpu")


def test_the_fa_layer_beside_edge_lists(bench: Any) -> None:
    print("\nFA layer, B 16, N 120, H 256, forward and backward:")
    ratios = []
    for what, alone in (("whole layer", False), ("its aggregation alone", True)):
        forms = [
            bench.fa_layer(edges=edges, batch=16, nodes=120, alone=alone) for edges in (False, True)
        ]
        (closed,), (listed,) = bench.seconds(forms[0], tries=20), bench.seconds(forms[1], tries=3)
        ratios.append(listed / closed)
        print(
            f"  {what:<22} closed form {closed * 1000:6.1f} ms, edge lists "
            f"{listed * 1000:7.1f} ms: {ratios[-1]:.0f} x"
        )
    print("  target: whole layer 200 x")
    assert ratios[0] >= 200


MEMORY = """
import json, sys
from pathlib import Path
from model.training.seeding import pin
from tests.benchmarks.network_work import Bench
pin()
edges = json.loads(sys.argv[1])
Bench("cpu").fa_layer(edges=edges, batch=1, nodes=2)()
work = Bench("cpu").fa_layer(edges=edges, batch=16, nodes=120)
def mebibytes(key):
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith(key))) / 1024
before = mebibytes("VmRSS")
work()
print(mebibytes("VmHWM") - before)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="no /proc on this system")
def test_the_memory_of_the_fa_layer_beside_edge_lists() -> None:
    """Peak resident memory of a process above what it held before: 0 is never better than true.

    The peak may be an older one, of the imports; that can only count against the closed form.
    """
    extra = {}
    for form, edges in (("closed form", False), ("edge lists", True)):
        line = [sys.executable, "-c", MEMORY, json.dumps(edges)]
        extra[form] = float(subprocess.check_output(line, cwd=ROOT))
    closed, listed = extra.values()
    print(
        f"\nFA layer, B 16, N 120, H 256, forward and backward, extra memory (peak RSS):\n"
        f"  closed form  {closed:8.1f} MiB\n"
        f"  edge lists   {listed:8.1f} MiB, {listed / closed:.0f} x (target 20)"
    )
    assert listed / closed >= 20


def test_a_training_step_beside_edge_lists(bench: Any) -> None:
    parts = 1 if psutil.virtual_memory().available > EDGES_GIB * 2**30 else 4
    closed = bench.step(R0, **STEP)
    listed = bench.step(R0, **STEP, edges=True, parts=parts)
    (ours,), (theirs,) = bench.seconds(closed, tries=5), bench.seconds(listed, tries=1)
    gathered = "" if parts == 1 else f" (gradients gathered in {parts} parts, for want of memory)"
    print(
        f"\nTraining step, R0, B 128, N 120, FA at layer 2:\n"
        f"  closed forms  {ours:6.2f} s\n"
        f"  edge lists    {theirs:6.2f} s, {theirs / ours:.1f} x (target 15){gathered}"
    )
    assert theirs / ours >= 15


def test_a_training_step_without_fa_beside_edge_lists(bench: Any) -> None:
    # One after the other: beside edge lists the closed form would look for its memory anew.
    (ours,) = bench.seconds(bench.step(WITHOUT_FA, **STEP), tries=7)
    (theirs,) = bench.seconds(bench.step(WITHOUT_FA, **STEP, edges=True), tries=7)
    print(
        f"\nTraining step, R0 without FA, B 128, N 120:\n"
        f"  closed forms  {ours:6.2f} s\n"
        f"  edge lists    {theirs:6.2f} s, {theirs / ours:.2f} x (target 1.5)"
    )
    assert theirs / ours >= 1.5


def test_a_training_step_beside_its_bare_products(bench: Any) -> None:
    step, bare = bench.seconds(bench.step(R0, **STEP), bench.bare_products(R0, **STEP), tries=7)
    print(
        f"\nTraining step, R0, B 128, N 120, distance to the limit:\n"
        f"  whole step                    {step * 1000:6.0f} ms, "
        f"{step * 1000 / STEP['batch']:.1f} ms a segment\n"
        f"  matrix products and GRU alone {bare * 1000:6.0f} ms: {step / bare:.2f} x (target 1.5)"
    )
    assert step / bare < 1.5


def test_the_fa_layer_is_linear_in_the_nodes(
    bench: Any, fitted_exponent: Callable[[list[int], list[float]], float]
) -> None:
    sizes = [120, 240, 480, 960]
    print("\nFA layer, B 16, H 256, forward and backward, against N:")
    for what, alone in (("whole layer", False), ("its aggregation alone", True)):
        works = [bench.fa_layer(edges=False, batch=16, nodes=n, alone=alone) for n in sizes]
        seconds = bench.seconds(*works, tries=15)
        power = fitted_exponent(sizes, seconds)
        shown = ", ".join(f"{n}: {s * 1000:.1f} ms" for n, s in zip(sizes, seconds, strict=True))
        print(f"  {what:<22} {shown}\n  {'':<22} exponent {power:.2f} (target below 1.2)")
        assert power < 1.2
