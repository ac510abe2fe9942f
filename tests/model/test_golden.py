"""Numbers that must not move: the loss curves of three readings on synthetic segments.

Source: this file, on the code it stands beside. To record anew, delete `golden.json` and run it:
the tests fail once and write it. Read the difference, and raise SEMANTICS if results changed.
Bits are demanded in the class they were made in (CPU capability and torch); elsewhere rtol 1e-4.
"""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from model.config import ModelConfig, TrainConfig
from model.training import fit, initialise

GOLDEN = Path(__file__).with_name("golden.json")
READINGS = {
    "R0": ModelConfig(hidden=32),
    "R*": ModelConfig(hidden=32, layer_norm=True, deep_heads=True, attention_output=True),
    "line, without self": ModelConfig(hidden=32, graph="line", fa_self=False),
}
CLASS = f"cpu {torch.backends.cpu.get_cpu_capability()}, torch {torch.__version__.split('+')[0]}"


@pytest.mark.parametrize("reading", READINGS)
def test_losses_are_the_recorded_ones(segments_of: Callable, reading: str) -> None:
    network = initialise(READINGS[reading], 6, 4, seed=0)
    config = TrainConfig(lr=1e-3, batch=8, epochs=4)
    sets = segments_of(32), segments_of(12, seed=1), segments_of(14, seed=2)
    result = fit(network, *sets, config, classes=4, seed=0)
    got = [loss for epoch in result.history for loss in (epoch.loss, epoch.a.loss, epoch.b.loss)]
    golden = json.loads(GOLDEN.read_text()) if GOLDEN.exists() else {"class": CLASS}
    if reading not in golden:
        GOLDEN.write_text(json.dumps(golden | {reading: got}, indent=1) + "\n")
        pytest.fail(f"recorded {reading} anew, in {CLASS}: read the difference and run again")
    if golden["class"] == CLASS:
        print(f"bits demanded ({CLASS})")
        assert got == golden[reading]
    else:
        print(f"rtol 1e-4 ({CLASS}; recorded in {golden['class']})")
        assert got == pytest.approx(golden[reading], rel=1e-4)
