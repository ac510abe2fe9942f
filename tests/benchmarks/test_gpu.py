"""The same table on a GPU: ratios, steps a second, and how many trials one card holds.

    make bench-gpu

Without a GPU each measurement says so in one sentence.
"""

import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from model.config import ModelConfig
from orchestrator.execution import probe
from orchestrator.planning.cost import timings
from orchestrator.planning.cost.machine import this_machine
from orchestrator.planning.plan import plan_study
from orchestrator.store.ledger import Ledger
from orchestrator.study.reader import parse_study

pytestmark = [pytest.mark.bench, pytest.mark.gpu]

R0, WITHOUT_FA = ModelConfig(), ModelConfig(fa_layers=())
STEP = {"batch": 128, "nodes": 120}
NO_GPU = "No GPU was found here: this measurement waits for one."


@pytest.fixture
def bench(bench_on: Callable[[str], Any]) -> Any:
    return bench_on("cuda") if torch.cuda.is_available() else None


def held(work: Callable[[], object]) -> float:
    """Peak memory that a piece of work takes beyond what is there already, in MiB."""
    work()
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    work()
    return (torch.cuda.max_memory_allocated() - before) / 2**20


def timed_on_edges(bench: Any, work: Callable[[], object]) -> float:
    """Edge lists are let off determinism: not all of their scattering has a form that has it."""
    torch.use_deterministic_algorithms(False)
    try:
        return float(bench.seconds(work, tries=3)[0])
    finally:
        torch.use_deterministic_algorithms(True)


def test_the_fa_layer_beside_edge_lists(bench: Any) -> None:
    if bench is None:
        print(f"\n{NO_GPU}")
        return
    closed, listed = (bench.fa_layer(edges=e, batch=16, nodes=120) for e in (False, True))
    ours, theirs = bench.seconds(closed, tries=20)[0], timed_on_edges(bench, listed)
    torch.use_deterministic_algorithms(False)
    memory = held(listed) / held(closed)
    print(
        f"\nFA layer, B 16, N 120, H 256, forward and backward, {torch.cuda.get_device_name()}:\n"
        f"  closed form {ours * 1e3:.2f} ms, edge lists {theirs * 1e3:.2f} ms: "
        f"{theirs / ours:.1f} x the time, {memory:.0f} x the memory"
    )
    assert ours < theirs


def test_a_training_step(bench: Any) -> None:
    if bench is None:
        print(f"\n{NO_GPU}")
        return
    for what, config in (("R0", R0), ("R0 without FA", WITHOUT_FA)):
        ours = bench.seconds(bench.step(config, **STEP), tries=10)[0]
        theirs = timed_on_edges(bench, bench.step(config, **STEP, edges=True, parts=4))
        bare = bench.seconds(bench.bare_products(config, **STEP), tries=10)[0]
        print(
            f"\nTraining step, {what}, B 128, N 120, {torch.cuda.get_device_name()}:\n"
            f"  {1 / ours:.1f} steps a second; edge lists (in 4 parts) {theirs / ours:.1f} x the "
            f"time; {ours / bare:.2f} x the bare products and GRU"
        )
        assert ours < theirs


def test_how_many_trials_one_card_holds(bench: Any) -> None:
    if bench is None:
        print(f"\n{NO_GPU}")
        return
    free, total = torch.cuda.mem_get_info()
    context = (total - free) / 2**20
    before = torch.cuda.memory_allocated()
    work = bench.step(R0, **STEP)
    state = (torch.cuda.memory_allocated() - before) / 2**20
    each = state + held(work) + context
    print(
        f"\nTrials of R0, B 128, N 120, on {torch.cuda.get_device_name()}:\n"
        f"  each {each:.0f} MiB, {context:.0f} of them CUDA's own; "
        f"{int(total / 2**20 // each)} in its {total / 2**30:.0f} GiB"
    )
    assert each < total / 2**20


def test_how_many_trials_share_the_card_is_what_the_probe_measures(
    bench: Any, trained_store: Path, root: Path, tmp_path: Path
) -> None:
    if bench is None:
        print(f"\n{NO_GPU}")
        return
    shutil.copytree(trained_store, tmp_path / "store")
    ledger = Ledger.open(str(tmp_path / "store"))
    text = (root / "studies" / "smoke.yaml").read_text().replace("epochs: 2", "epochs: 4")
    plan = plan_study(parse_study(text, "smoke.yaml"), ledger)
    machine = this_machine()
    began = time.monotonic()
    probe.measure(plan, ledger, machine, 1, lambda event: None)
    found = timings.gather_timings(plan, ledger, machine)
    print(f"\n{machine}: {found.trials_per_gpu} trials share it; {time.monotonic() - began:.0f} s")
    for one in found.probes:
        told = ", ".join(f"{speed:.2f}" for speed in one.throughput)
        print(f"  epochs a second with 1, 2, ... trials: {told}; {one.gpu_memory >> 20} MiB each")
        assert one.throughput and one.sharing.trials <= len(one.throughput)
