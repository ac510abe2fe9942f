import json
from dataclasses import fields, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from features.config import FeatureConfig
from model.config import Aggregators, ModelConfig, TrainConfig
from orchestrator.study.canonical import canonical
from orchestrator.study.reader import parse_study, read_study
from orchestrator.study.resolve import resolve
from orchestrator.study.trials import (
    ADDED,
    OWN_SEMANTICS,
    SEMANTICS,
    Trial,
    from_identity,
    is_current,
    variants,
)

TRIAL = Trial(
    corpus="c" * 64,
    classes=("angry", "sad"),
    extractor="x 1",
    features=FeatureConfig(),
    model=ModelConfig(),
    training=TrainConfig(),
    train=("s1", "s2"),
    a=("s3",),
    b=("s4",),
    seed=0,
)


def test_an_id_is_a_fixed_string() -> None:
    """When this changes, every outcome ever trained is orphaned: raise SEMANTICS on purpose."""
    assert TRIAL.id == "2d77073436420ed7a389b4b7ab0ad9c6889cee72fb817afacebe6daa47892734"


@pytest.mark.parametrize(
    "change",
    [
        {"corpus": "d" * 64},
        {"classes": ("angry", "happy")},
        {"extractor": "x 2"},
        {"train": ("s1", "s5")},
        {"a": ("s5",)},
        {"b": ("s5",)},
        {"seed": 1},
        {"features": FeatureConfig(node_step=50)},
        {"features": FeatureConfig(padding="nodes")},
        {"features": FeatureConfig(scaling="speaker")},
        {"features": FeatureConfig(segment_nodes=60)},
        {"features": FeatureConfig(tail="drop")},
        {"features": FeatureConfig(tail="overlap")},
        {"features": FeatureConfig(features="is10")},
        {"model": ModelConfig(layers=3)},
        {"model": ModelConfig(hidden=64)},
        {"model": ModelConfig(fa_layers=())},
        {"model": ModelConfig(fa_self=False)},
        {"model": ModelConfig(graph="line")},
        {"model": ModelConfig(pooling="sum")},
        {"model": ModelConfig(stage_loss=False)},
        {"model": ModelConfig(layer_norm=True)},
        {"model": ModelConfig(attention=False)},
        {"model": ModelConfig(bigru=False)},
        {"model": ModelConfig(residual=False)},
        {"model": ModelConfig(dropout=0.1)},
        {"model": ModelConfig(deep_heads=True)},
        {"model": ModelConfig(attention_output=True)},
        {"model": ModelConfig(model="gcn")},
        {
            "model": ModelConfig(
                aggregators=Aggregators(softmax=Fraction(1), sum=Fraction(0), mean=Fraction(0))
            )
        },
        {"training": TrainConfig(lr=1e-3)},
        {"training": TrainConfig(weight_decay=0.0)},
        {"training": TrainConfig(batch=32)},
        {"training": TrainConfig(epochs=2)},
        {"training": TrainConfig(patience=2)},
        {"training": TrainConfig(class_weights="inverse")},
    ],
)
def test_everything_that_moves_a_number_moves_the_id(change: dict[str, Any]) -> None:
    assert replace(TRIAL, **change).id != TRIAL.id


def test_random_draws_are_shared_on_a_seed_and_a_held_out_group() -> None:
    shared = [
        {"model": ModelConfig(hidden=64)},
        {"training": TrainConfig(lr=1e-3)},
        {"features": FeatureConfig(features="is10")},
        {"a": TRIAL.b, "b": TRIAL.a},
        {"a": ("s4", "s3"), "b": ()},
        {"train": ("s1",)},
    ]
    assert {replace(TRIAL, **change).random_seed for change in shared} == {TRIAL.random_seed}
    assert TRIAL.random_seed == 3569820678704600665  # a change here changes every result


def test_random_draws_are_others_with_another_seed_or_held_out_group() -> None:
    others = [{"seed": 1}, {"a": ("s5",)}, {"b": ("s5",)}, {"a": ("s3", "s5")}, {"b": ()}]
    assert len({replace(TRIAL, **change).random_seed for change in [{}, *others]}) == 6


def test_a_trial_comes_back_from_its_identity_as_json() -> None:
    compared = replace(TRIAL, model=ModelConfig(model="l-grin"))
    dropped = replace(TRIAL, features=FeatureConfig(tail="drop"))
    without = replace(TRIAL, model=ModelConfig(bigru=False))
    for trial in (TRIAL, dropped, compared, without):
        again = from_identity(json.loads(canonical(trial.identity)))
        assert again == trial and again.id == trial.id


def test_a_field_that_came_later_is_silent_at_the_value_it_always_had() -> None:
    for part, first in ADDED.items():
        for field, value in first.items():
            assert field not in TRIAL.identity[part]
            assert getattr(getattr(TRIAL, part), field) == value
    dropped = replace(TRIAL, features=FeatureConfig(tail="drop"))
    assert dropped.identity["features"]["tail"] == "drop"


def test_a_compared_system_is_its_name_and_nothing_of_wma_gin() -> None:
    compared = replace(TRIAL, model=ModelConfig(model="gcn"))
    assert compared.identity["model"] == {"model": "gcn"}
    assert compared.id == "9f98baf0aa4b070f45783b8c9b317abc7670b39f10be09396d4449850fb1283f"


STUDY = "study: s\ntable: 1\nbaseline: {%s}\nrows: [{name: a, set: {%s}}]\n"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("fa_layer: last", "fa_layer: 4"),
        (
            "aggregators: {softmax: 1/3, sum: 1/3, mean: 1/3}",
            "aggregators: {mean: 0.333, sum: 0.333, softmax: 0.333}",
        ),
        ("aggregators: {softmax: 1, sum: 0, mean: 0}", "aggregators: {softmax: 1.0}"),
        ("stage_loss: true", "stage_loss: on"),
        ("training: {lr: 1e-4}", "training: {lr: 0.0001}"),
    ],
)
def test_spelling_and_key_order_do_not_move_the_id(one: str, other: str) -> None:
    found = [variants(parse_study(STUDY % ("layers: 4", s), "s"), "paper")[0] for s in (one, other)]
    assert found[0] == found[1]


def test_defaults_written_out_are_the_defaults() -> None:
    plain = resolve("paper", {}, {})
    written = resolve("paper", {"layers": 4, "hidden": 256, "fa_layer": "antepenultimate"}, {})
    assert plain == written
    assert (plain.model, plain.training) == (ModelConfig(), TrainConfig())


def test_rows_that_several_shipped_studies_share_are_the_same_variant(root: Path) -> None:
    def row(study: str, name: str) -> tuple[FeatureConfig, ModelConfig, TrainConfig]:
        read = read_study(root / "studies" / f"{study}.yaml")
        pairs = zip(read.rows, variants(read, "paper"), strict=True)
        (found,) = (variant for each, variant in pairs if each.name == name)
        return found.features, found.model, found.training

    full = row("components", "WMA-GIN")
    assert full == row("fa_position", "Antepenultimate layer")
    assert full == row("aggregator_weights", "1/3 1/3 1/3")
    assert row("components", "w/o FA") == row("layers_hidden", "4 x 256") != full


def test_names_of_profiles_and_readings_stay_out_of_the_id() -> None:
    quick = resolve("quick", {}, {})
    spelled = resolve(
        "paper",
        {"training": {"lr": 1e-3, "batch": 16, "epochs": 15, "patience": quick.training.patience}},
        {},
    )
    assert quick.training == spelled.training
    assert "quick" not in canonical(TRIAL.identity) and "as-written" not in canonical(
        TRIAL.identity
    )


ORIGINAL = {
    "features": {"features", "node_step", "segment_nodes", "padding", "scaling"},
    "model": {
        "model",
        "layers",
        "hidden",
        "aggregators",
        "fa_layers",
        "fa_self",
        "graph",
        "pooling",
        "stage_loss",
        "layer_norm",
        "deep_heads",
        "attention_output",
    },
    "training": {"lr", "weight_decay", "batch", "epochs", "patience", "class_weights"},
}
"""Fields that every identity has had since SEMANTICS 1."""


@pytest.mark.parametrize(
    ("part", "field"),
    [(part, f.name) for part in ORIGINAL for f in fields(getattr(TRIAL, part))],
)
def test_a_new_field_leaves_the_ids_of_trained_trials_as_they_are(part: str, field: str) -> None:
    told = f"orchestrator/study/trials.py: `ADDED` must have a line for `{field}` of {part}"
    assert (field in ORIGINAL[part]) != (field in ADDED.get(part, {})), told


def test_a_system_whose_results_alone_have_changed_has_a_version_of_its_own() -> None:
    machine = replace(TRIAL, model=ModelConfig(model="svm"))
    assert machine.identity["semantics"] == OWN_SEMANTICS["svm"] > SEMANTICS
    assert TRIAL.identity["semantics"] == SEMANTICS
    assert is_current(TRIAL.identity) and is_current(machine.identity)
    assert not is_current({**machine.identity, "semantics": SEMANTICS})
    assert from_identity(machine.identity) == machine
