from fractions import Fraction

import pytest

from model.config import Aggregators
from orchestrator.settings import PROFILES, READINGS, SETTINGS, fa_layers, resolve
from orchestrator.values import as_fraction


@pytest.mark.parametrize(
    ("written", "fraction"),
    [
        (0.333, Fraction(1, 3)), (0.334, Fraction(1, 3)), ("1/3", Fraction(1, 3)),
        ("2 / 6", Fraction(1, 3)), (0.5, Fraction(1, 2)), (1, Fraction(1)), (0, Fraction(0)),
        (0.167, Fraction(1, 6)), (0.33, Fraction(33, 100)), ("x", None), (True, None),
        ("501/1000", Fraction(501, 1000)), (1.5, None), (-0.1, None), ("1/0", None), (None, None),
    ],
)  # fmt: skip
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
    [("last", 4, (4,)), ("antepenultimate", 4, (2,)), ("penultimate", 2, (1,)), ("all", 3,
     (1, 2, 3)), ("none", 3, ()), ((4, 2, 2), 4, (2, 4))],
)  # fmt: skip
def test_fa_words_are_layer_numbers(word: object, layers: int, found: object) -> None:
    assert fa_layers(word, layers) == found  # type: ignore[arg-type]


def test_a_layer_beyond_the_last_is_refused() -> None:
    sentence = "^`fa_layer` must be one of the 2 layers, but is `antepenultimate` instead.$"
    with pytest.raises(ValueError, match=sentence):
        fa_layers("antepenultimate", 2)


TWO_VALUES = {
    "profile": ("paper", "quick"), "reading": ("as-written", "size-matched"),
    "features": ("lld78", "is10"), "segment_nodes": (60, 120), "tail": ("drop", "overlap"),
    "node_step": (10, 50), "padding": ("masked", "nodes"), "scaling": ("train", "speaker"),
    "class_weights": ("off", "inverse"), "training": ({"lr": 0.1}, {"lr": 0.2}),
    "layers": (3, 4), "hidden": (64, 128), "fa_layer": ("none", "last"),
    "fa_self": (True, False), "graph": ("cycle", "line"), "pooling": ("mean", "sum"),
    "stage_loss": (True, False), "layer_norm": (False, True), "deep_heads": (False, True),
    "attention_output": (False, True), "attention": (True, False), "bigru": (True, False),
    "residual": (True, False),
    "aggregators": (Aggregators(), Aggregators(softmax=Fraction(1), sum=Fraction(0),
                                               mean=Fraction(0))),
}  # fmt: skip
ONE_VALUE = {"model"}
"""Settings that know a single value so far: there is nothing to vary."""


@pytest.mark.parametrize("key", sorted(k for k, s in SETTINGS.items() if s.in_rows))
def test_no_setting_of_a_row_is_dead(key: str) -> None:
    """That a configuration's field moves forward, loss or data is held in its own room."""
    if key in ONE_VALUE:
        assert len(SETTINGS[key].schema["enum"]) == 1
        return
    one, other = (resolve("quick", {}, {key: value}) for value in TWO_VALUES[key])
    assert (one.features, one.model, one.training) != (other.features, other.model, other.training)


def test_a_setting_that_acts_nowhere_is_its_default() -> None:
    none = resolve("quick", {"fa_layer": "none"}, {"fa_self": False})
    everywhere = resolve("quick", {"fa_layer": "all"}, {"graph": "line"})
    assert none.model.fa_self and everywhere.model.graph == "cycle"
    alone = resolve("quick", {"layers": 1, "fa_layer": "last"}, {"residual": False})
    pooled = resolve("quick", {"reading": "size-matched"}, {"attention": False})
    assert alone.model.residual and not pooled.model.attention_output and pooled.model.deep_heads
