"""Numbers that must not move: the loss curves of three readings on synthetic segments.

Source: this file, on the code it stands beside. To record anew, delete `golden.json` and run it:
the tests fail once and write it; with RECORD_GOLDEN=1 they add this machine's class to it. Read the
difference, and raise SEMANTICS if results changed. Bits are demanded in a class that is recorded
(the oldest record did not ask for the arithmetic); all others agree to rtol 1e-4.
"""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from model.config import ModelConfig, TrainConfig
from model.training.fingerprint import fingerprint
from model.training.fit import fit, initialise

GOLDEN = Path(__file__).with_name("golden.json")
READINGS = {
    "R0": ModelConfig(hidden=32),
    "R*": ModelConfig(hidden=32, layer_norm=True, deep_heads=True, attention_output=True),
    "line, without self": ModelConfig(hidden=32, graph="line", fa_self=False),
}
CLASS = (
    f"cpu {torch.backends.cpu.get_cpu_capability()}, torch {torch.__version__.split('+')[0]}, "
    f"arithmetic {fingerprint()}"
)


@pytest.mark.parametrize("reading", READINGS)
def test_losses_are_the_recorded_ones(segments_of: Callable, reading: str) -> None:
    network = initialise(READINGS[reading], 6, 4, seed=0, nodes=120)
    config = TrainConfig(lr=1e-3, batch=8, epochs=4)
    sets = segments_of(32), segments_of(12, seed=1), segments_of(14, seed=2)
    result = fit(network, *sets, config, classes=4, seed=0)
    got = [loss for epoch in result.history for loss in (epoch.loss, epoch.a.loss, epoch.b.loss)]
    golden = json.loads(GOLDEN.read_text()) if GOLDEN.exists() else {}
    if not golden or "RECORD_GOLDEN" in os.environ:
        golden[CLASS] = golden.get(CLASS, {}) | {reading: got}
        GOLDEN.write_text(json.dumps(golden, indent=1) + "\n")
        pytest.fail(f"recorded {reading} anew, in {CLASS}: read the difference and run again")
    for recorded, losses in golden.items():
        exact = recorded == CLASS
        print(f"{'bits' if exact else 'rtol 1e-4'} ({CLASS}; recorded in {recorded})")
        assert got == (losses[reading] if exact else pytest.approx(losses[reading], rel=1e-4))
