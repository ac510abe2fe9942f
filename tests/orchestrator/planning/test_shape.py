"""A probe is found by the shape of its trial: digests stay, or old probes are lost."""

from dataclasses import replace
from fractions import Fraction

import pytest

from features.config import FeatureConfig
from model.config import Aggregators, ModelConfig, TrainConfig
from orchestrator.planning.cost.timings import shape
from orchestrator.study.trials import Trial

TRIAL = Trial(
    corpus="c" * 64,
    classes=("angry", "sad"),
    extractor="x 1",
    features=FeatureConfig(),
    model=ModelConfig(dropout=0.1),
    training=TrainConfig(),
    train=("s1", "s2"),
    a=("s3",),
    b=("s4",),
    seed=0,
)
HALVES = Aggregators(softmax=Fraction(1, 2), sum=Fraction(1, 2), mean=Fraction(0))
QUARTERS = replace(HALVES, softmax=Fraction(1, 4), sum=Fraction(3, 4))


def test_digests_are_those_of_the_probes_that_stores_have() -> None:
    assert shape(TRIAL) == "be9e3ab2612a8f6bebf4776691c319f407d653e242731fd88a668399b68d1bfa"
    halves = replace(TRIAL, model=ModelConfig(aggregators=HALVES))
    assert shape(halves) == "29a3fb20726d4bb46b450d5a37b7b8dbc1b6178b14938b27d41331da77014b07"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (ModelConfig(dropout=0.1), ModelConfig(dropout=0.3)),
        (ModelConfig(fa_layers=(1,)), ModelConfig(fa_layers=(4,))),
        (ModelConfig(aggregators=HALVES), ModelConfig(aggregators=QUARTERS)),
    ],
)
def test_how_large_a_weight_or_a_rate_is_costs_nothing(
    one: ModelConfig, other: ModelConfig
) -> None:
    assert shape(replace(TRIAL, model=one)) == shape(replace(TRIAL, model=other))


@pytest.mark.parametrize(
    "model",
    [
        ModelConfig(),
        ModelConfig(dropout=0.1, fa_layers=()),
        ModelConfig(dropout=0.1, aggregators=HALVES),
        ModelConfig(dropout=0.1, bigru=False),
        ModelConfig(dropout=0.1, hidden=64),
        ModelConfig(model="gcn"),
    ],
)
def test_what_costs_time_makes_another_shape(model: ModelConfig) -> None:
    assert shape(replace(TRIAL, model=model)) != shape(TRIAL)
