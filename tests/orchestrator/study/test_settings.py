from fractions import Fraction
from typing import get_args

import pytest
from annotated_types import Interval

from features.config import FeatureConfig
from model.config import Aggregators, ModelConfig, TrainConfig
from model.systems.catalogue import SYSTEMS
from orchestrator.study.keys.settings import PROFILES, READINGS, SETTINGS
from orchestrator.study.keys.values import as_fraction
from orchestrator.study.resolve import ImpossibleError, fa_layers, resolve


@pytest.mark.parametrize(
    ("written", "fraction"),
    [
        (0.333, Fraction(1, 3)),
        (0.334, Fraction(1, 3)),
        ("1/3", Fraction(1, 3)),
        ("2 / 6", Fraction(1, 3)),
        (0.5, Fraction(1, 2)),
        (1, Fraction(1)),
        (0, Fraction(0)),
        (0.167, Fraction(1, 6)),
        (0.33, Fraction(33, 100)),
        ("x", None),
        (True, None),
        ("501/1000", Fraction(501, 1000)),
        (1.5, None),
        (-0.1, None),
        ("1/0", None),
        (None, None),
    ],
)
def test_a_weight_is_the_fraction_a_person_means(written: object, fraction: object) -> None:
    assert as_fraction(written) == fraction


def test_layers_of_settings_override_each_other_in_order() -> None:
    study = {"profile": "quick", "hidden": 64, "training": {"lr": 0.5}}
    row = {"reading": "size-matched", "training": {"epochs": 3}}
    found = resolve("paper", study, row)
    assert (found.training.lr, found.training.epochs) == (0.5, 3)
    assert found.training.batch == PROFILES["quick"]["training"]["batch"]
    assert found.model.layer_norm and found.model.deep_heads and found.model.attention_output
    assert (found.model.hidden, found.profile, found.reading) == (64, "quick", "size-matched")


def test_a_row_may_go_back_to_another_reading() -> None:
    found = resolve("quick", {"reading": "size-matched"}, {"reading": "as-written"})
    assert not found.model.layer_norm and found.features.node_step == 10


def test_readings_and_profiles_spell_out_the_same_keys() -> None:
    for table in (READINGS, PROFILES):
        assert len({tuple(sorted(values)) for values in table.values()}) == 1


def test_a_profile_never_touches_network_features_or_reading() -> None:
    assert all(set(values) == {"training"} for values in PROFILES.values())


@pytest.mark.parametrize(
    ("word", "layers", "found"),
    [
        ("last", 4, (4,)),
        ("antepenultimate", 4, (2,)),
        ("penultimate", 2, (1,)),
        ("all", 3, (1, 2, 3)),
        ("none", 3, ()),
        ((4, 2, 2), 4, (2, 4)),
    ],
)
def test_fa_words_are_layer_numbers(word: object, layers: int, found: object) -> None:
    assert fa_layers(word, layers) == found  # type: ignore[arg-type]


def test_a_layer_beyond_the_last_is_refused() -> None:
    sentence = "^`fa_layer` must be one of the 2 layers, but is `antepenultimate` instead.$"
    with pytest.raises(ValueError, match=sentence):
        fa_layers("antepenultimate", 2)


TWO_VALUES = {
    "profile": ("paper", "quick"),
    "reading": ("as-written", "size-matched"),
    "features": ("lld78", "is10"),
    "segment_nodes": (60, 120),
    "tail": ("drop", "overlap"),
    "node_step": (10, 50),
    "padding": ("masked", "nodes"),
    "scaling": ("train", "speaker"),
    "class_weights": ("off", "inverse"),
    "training": ({"lr": 0.1}, {"lr": 0.2}),
    "layers": (3, 4),
    "hidden": (64, 128),
    "fa_layer": ("none", "last"),
    "fa_self": (True, False),
    "graph": ("cycle", "line"),
    "pooling": ("mean", "sum"),
    "model": ("wma-gin", "gcn"),
    "stage_loss": (True, False),
    "layer_norm": (False, True),
    "deep_heads": (False, True),
    "attention_output": (False, True),
    "attention": (True, False),
    "bigru": (True, False),
    "residual": (True, False),
    "dropout": (0.0, 0.3),
    "aggregators": (
        Aggregators(),
        Aggregators(softmax=Fraction(1), sum=Fraction(0), mean=Fraction(0)),
    ),
}


def two_values(key: str) -> tuple[object, object]:
    """Of a switch, words or numbers they follow from the declaration."""
    if key in TWO_VALUES:
        return TWO_VALUES[key]  # type: ignore[return-value]
    kind, *metadata = get_args(SETTINGS[key].kind)
    if kind is bool:
        return True, False
    limits = [m for m in metadata if isinstance(m, Interval)]
    return (limits[0].ge, limits[0].le) if limits else (kind, metadata[0])


@pytest.mark.parametrize("key", sorted(k for k, s in SETTINGS.items() if s.in_rows))
def test_no_setting_of_a_row_is_dead(key: str) -> None:
    """That a configuration's field moves forward, loss or data is held in its own room."""
    one, other = (resolve("quick", {}, {key: value}) for value in two_values(key))
    assert (one.features, one.model, one.training) != (other.features, other.model, other.training)


def test_a_setting_that_acts_nowhere_is_its_default() -> None:
    none = resolve("quick", {"fa_layer": "none"}, {"fa_self": False})
    everywhere = resolve("quick", {"fa_layer": "all"}, {"graph": "line"})
    assert none.model.fa_self and everywhere.model.graph == "cycle"
    alone = resolve("quick", {"layers": 1, "fa_layer": "last"}, {"residual": False})
    pooled = resolve("quick", {"reading": "size-matched"}, {"attention": False})
    assert alone.model.residual and not pooled.model.attention_output and pooled.model.deep_heads


COMPARED = [name for name, system in SYSTEMS.items() if system.network and name != "wma-gin"]


@pytest.mark.parametrize("name", COMPARED)
def test_no_key_of_wma_gin_reaches_a_rival(name: str) -> None:
    """Not from the baseline, not from a reading: two studies share the trial."""
    plain = resolve("quick", {}, {"model": name})
    study = {"layers": 1, "hidden": 8, "pooling": "sum", "reading": "size-matched"}
    other = resolve("quick", study, {"model": name})
    assert plain.model == other.model == ModelConfig(model=name)
    assert plain.training == other.training == resolve("quick", {}, {}).training
    assert plain.features == resolve("quick", {}, {}).features


OWN = sorted(k for k, s in SETTINGS.items() if s.home == "baseline" and k != "model")


@pytest.mark.parametrize("key", OWN)
def test_a_row_that_sets_a_key_of_wma_gin_for_a_rival_is_refused(key: str) -> None:
    sentence = (
        f"^`{key}` must stand beside `model: wma-gin`, but stands beside `model: gcn` instead, "
        "whose sizes are fixed: leave it out.$"
    )
    with pytest.raises(ImpossibleError, match=sentence) as caught:
        resolve("quick", {"model": "gcn"}, {key: two_values(key)[0]})
    assert caught.value.key == key


def test_functionals_are_neither_stepped_nor_cut_nor_padded() -> None:
    study = {"node_step": 50, "segment_nodes": 60, "tail": "drop", "padding": "nodes"}
    found = resolve("quick", study, {"model": "svm", "features": "egemaps"})
    assert found.features == FeatureConfig(features="egemaps")


def test_of_training_only_class_weights_reach_a_machine_without_epochs() -> None:
    row = {"model": "svm", "features": "egemaps", "class_weights": "inverse"}
    one, other = (resolve(profile, {"training": {"lr": 0.5}}, row) for profile in PROFILES)
    assert one.training == other.training == TrainConfig(class_weights="inverse")


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        (
            {"model": "svm"},
            "^`features` must be functionals for `model: svm`, but is `lld78` "
            "instead: set `features: egemaps`.$",
        ),
        (
            {"model": "gat", "features": "egemaps"},
            "^`features` must give frames for `model: gat`, "
            "but is `egemaps` instead, one row an utterance: `model: svm` reads it.$",
        ),
        ({"features": "egemaps"}, "^`features` must give frames for `model: wma-gin`, "),
    ],
)
def test_a_system_reads_its_own_kind_of_descriptors(row: dict[str, str], sentence: str) -> None:
    with pytest.raises(ImpossibleError, match=sentence):
        resolve("quick", {}, row)
