"""The key `search` of a study: what it may say, and how its faults are told."""

import math
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from model.config import Aggregators
from orchestrator.errors import StudyError
from orchestrator.study.reader import parse_study
from orchestrator.study.schema import schema
from orchestrator.study.search_key.space import Choice, Range, Search, Simplex
from orchestrator.study.yaml_lines import read

GOOD = """\
study: best
corpus: demo
protocol: {folds: 5}
baseline: {fa_layer: last}
search:
  axes:
    lr: {low: 1e-4, high: 1e-2, log: true}
    layers: {low: 2, high: 6}
    fa_layer: {choices: [none, last, antepenultimate], when: layers >= 3}
    aggregators: simplex
    node_step: [10, 50]
  budget: {trials: 40}
  sampler: tpe
  seed: 1
  selection: nested
  inner_folds: 3
"""


def search(text: str = GOOD) -> Search:
    found = parse_study(text, "best.yaml").search
    assert found is not None
    return found


def faults(text: str) -> list[str]:
    with pytest.raises(StudyError) as caught:
        parse_study(text, "best.yaml")
    return [f"{f.line}:{f.column} {f.sentence}" for f in caught.value.faults]


def is_valid(text: str) -> bool:
    node, _ = read(text)
    assert node is not None
    return bool(Draft202012Validator(schema()).is_valid(node.plain()))


def test_a_search_reads_as_its_space_and_its_budget() -> None:
    found = search()
    assert [axis.key for axis in found.axes] == [
        "lr",
        "layers",
        "aggregators",
        "node_step",
        "fa_layer",
    ]
    lr, layers, weights, step, fa = found.axes
    assert lr.kind == Range(low=1e-4, high=1e-2, whole=False, log=True)
    assert layers.kind == Range(low=2, high=6, whole=True)
    assert weights.kind == Simplex()
    assert step.kind == Choice(values={"10": 10, "50": 50})
    assert str(fa.when) == "layers >= 3"
    assert (found.unit, found.amount, found.sampler, found.seed) == ("trials", 40, "tpe", 1)
    assert (found.selection, found.inner_folds, found.pruning) == ("nested", 3, True)


@pytest.mark.parametrize("selection", ["nested", "flat"])
def test_pruning_is_on_unless_it_is_turned_off(selection: str) -> None:
    text = GOOD.replace("selection: nested\n  inner_folds: 3", f"selection: {selection}")
    assert search(text).pruning
    off = text + "  pruning: false\n"
    assert not search(off).pruning and is_valid(off)


def test_a_point_sets_what_a_row_would_and_an_inactive_axis_nothing() -> None:
    point = {
        "lr": 0.002,
        "layers": 2,
        "aggregators.1": 0.25,
        "aggregators.2": 1.0,
        "node_step": "50",
    }
    assert search().settings(point) == {
        "training": {"lr": 0.002},
        "layers": 2,
        "aggregators": Simplex().weights(0.25, 1.0),
        "node_step": 50,
    }
    deeper = {**point, "layers": 3, "fa_layer": "none"}
    assert search().settings(deeper)["fa_layer"] == "none"
    assert search().describe(deeper) == (
        "lr 0.002, layers 3, aggregators softmax 1/2 mean 1/2, node step 50, fa layer none"
    )


def test_weights_on_the_simplex_sum_to_one_and_all_of_it_is_as_likely() -> None:
    counted: dict[Aggregators, int] = {}
    steps = [(i + 0.5) / 200 for i in range(200)]
    for first in steps:
        for second in steps:
            weights = Simplex().weights(first, second)
            assert weights.softmax + weights.sum + weights.mean == 1
            counted[weights] = counted.get(weights, 0) + 1
    assert len(counted) == 13 * 14 // 2  # every way to share twelve twelfths among three
    inside = [n for w, n in counted.items() if min(w.softmax, w.sum, w.mean) > 0]
    assert max(inside) < 1.25 * min(inside)


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        (
            "low: 1e-4, high: 1e-2",
            "low: 1e-2, high: 1e-4",
            "7:27 `search.axes.lr.high` must be more than `low` (0.01), but is `0.0001` instead.",
        ),
        (
            "lr: {low: 1e-4,",
            "weight_decay: {low: 0,",
            "7:25 `search.axes.weight_decay.low` must be more than 0 where `log` is true, "
            "but is `0` "
            "instead: give a small number, or leave `log` out.",
        ),
        (
            "high: 6",
            "high: 9",
            "8:28 `search.axes.layers.high` must be a whole number from 1 to 8, but is `9` "
            "instead.",
        ),
        (
            "high: 6",
            "high: 6, step: 3",
            "8:37 `search.axes.layers.step` must lead from 2 to 6, but is `3` instead.",
        ),
        (
            "high: 1e-2, log",
            "high: 1e-2, step: 2, log",
            "7:33 `search.axes.lr.step` has no meaning of a fraction: leave it out.",
        ),
        ("{low: 2, high: 6}", "{low: 2}", "8:13 `search.axes.layers` must have `low` and `high`."),
        (
            "node_step: [10, 50]",
            "node_step: {low: 10, high: 50}",
            "11:16 `search.axes.node_step` must be a list of values or "
            "`{choices: [...], when: ...}`, but is a mapping instead.",
        ),
        (
            "node_step: [10, 50]",
            "node_step: [10]",
            "11:16 `search.axes.node_step` must list at least two values.",
        ),
        (
            "node_step: [10, 50]",
            "node_step: [10, 10]",
            "11:21 `search.axes.node_step` must list `10` once.",
        ),
        (
            "node_step: [10, 50]",
            "node_stepp: [10, 50]",
            "11:5 `search.axes.node_stepp` is not an axis. Did you mean `node_step`?",
        ),
        (
            "node_step: [10, 50]",
            "training: {lr: 1}",
            "11:5 `search.axes.training` is not an axis. Name `lr`, `weight_decay`, `batch`, "
            "`epochs`, `patience` without it.",
        ),
        (
            "when: layers >= 3",
            "when: layers > 3",
            "9:62 `search.axes.fa_layer.when` must be `KEY = VALUE`, `KEY >= NUMBER` or "
            "`KEY <= NUMBER`, but is `layers > 3` instead.",
        ),
        (
            "when: layers >= 3",
            "when: hidden >= 3",
            "9:62 `search.axes.fa_layer.when` must name another axis without a condition, "
            "but names "
            "`hidden` instead. Known: `layers`, `lr`, `node_step`.",
        ),
        (
            "when: layers >= 3",
            "when: lr = 0.001",
            "9:62 `search.axes.fa_layer.when` must compare `lr` with what it may be, but is "
            "`lr = 0.001` instead.",
        ),
        (
            "high: 6}",
            "high: 6, step: 2}\n    dropout: {choices: [0.0, 0.3], when: layers = 3}",
            "9:42 `search.axes.dropout.when` must compare `layers` with what it may be, but is "
            "`layers = 3` instead.",
        ),
        (
            "when: layers >= 3",
            "when: layers >= 7",
            "9:62 `search.axes.fa_layer.when` must compare `layers` with what it may be, but is "
            "`layers >= 7` instead.",
        ),
        (
            ", when: layers >= 3",
            "",
            "9:5 `fa_layer` must be one of the 2 layers, but is `antepenultimate` instead. "
            "(layers 2, fa_layer antepenultimate) Let `when` leave that out, or change `baseline`, "
            "which holds where an axis is left out.",
        ),
        (
            "{fa_layer: last}",
            "{fa_layer: 4}",
            "9:5 `fa_layer` must be one of the 2 layers, but is `4` instead. (layers 2) Let `when` "
            "leave that out, or change `baseline`, which holds where an axis is left out.",
        ),
        (
            "trials: 40",
            "trials: 0",
            "12:20 `search.budget.trials` must be a whole number from 1 to 10000, "
            "but is `0` instead.",
        ),
        (
            "{trials: 40}",
            "{trials: 40, hours: 1}",
            "12:3 `search.budget` must be one of `trials: N` (configurations), `hours: N` and "
            "`gpu_hours: N`.",
        ),
        (
            "sampler: tpe",
            "sampler: tpee",
            "13:12 `search.sampler` must be a known word, but is `tpee` instead. "
            "Did you mean `tpe`?",
        ),
        (
            "sampler: tpe",
            "sampler: cmaes",
            "11:5 `search.axes.node_step` has choices, which `sampler: cmaes` cannot walk: "
            "use tpe.",
        ),
        (
            "selection: nested",
            "selection: flat",
            "16:3 `search.inner_folds` must stand beside `selection: nested`: a flat selection has "
            "none. Leave it out.",
        ),
        (
            "inner_folds: 3",
            "pruning: maybe",
            "16:12 `search.pruning` must be true or false, but is `maybe` instead.",
        ),
        (
            "inner_folds: 3",
            "inner_foldz: 3",
            "16:3 `search.inner_foldz` is not a key. Did you mean `inner_folds`?",
        ),
        (
            "corpus: demo",
            "corpus: demo\nreference: x",
            "3:1 `reference` must stand beside `rows` or `axes`: a search has no rows of its own. "
            "Leave it out.",
        ),
        (
            "corpus: demo",
            "corpus: demo\nrows: [{name: x}]",
            "6:1 A study must have one of `rows`, `axes` and `search`, "
            "but has `rows` and `search`.",
        ),
    ],
)
def test_a_fault_is_told_with_its_place_and_remedy(old: str, new: str, fault: str) -> None:
    assert old in GOOD
    assert fault in faults(GOOD.replace(old, new, 1))


FINITE = (
    GOOD[: GOOD.index("    lr:")]
    + """\
    layers: [2, 4, 6]
    node_step: [10, 50]
    dropout: {choices: [0.0, 0.3], when: layers >= 4}
    aggregators: simplex
"""
    + GOOD[GOOD.index("  budget:") :]
)


def test_a_condition_of_listed_numbers_compares_numbers() -> None:
    dropout = next(axis for axis in search(FINITE).axes if axis.key == "dropout")
    assert [dropout.is_active({"layers": label}) for label in ("2", "4", "6")] == [0, 1, 1]


def test_a_budget_above_all_configurations_is_refused() -> None:
    assert search().size == math.inf
    assert search(FINITE).size == (1 + 2 + 2) * 2 * 91
    few = FINITE.replace("    aggregators: simplex\n", "")
    assert faults(few) == [
        "10:20 `search.budget.trials` must be at most 10, the configurations that there are, but "
        "is `40` instead."
    ]
    assert search(few.replace("trials: 40", "trials: 10")).size == 10


def test_a_baseline_that_no_configuration_mends_is_told_as_such() -> None:
    text = GOOD[: GOOD.index("    layers:")] + GOOD[GOOD.index("  budget:") :]
    assert faults(text.replace("{fa_layer: last}", "{layers: 2, fa_layer: 4}")) == [
        "7:5 `fa_layer` must be one of the 2 layers, but is `4` instead. "
        "Change `baseline`, which holds where an axis is left out."
    ]


def test_an_axis_that_no_configuration_reads_is_refused() -> None:
    dead = GOOD.replace("node_step: [10, 50]", "fa_self: [true, false]")
    dead = dead.replace(
        "    fa_layer: {choices: [none, last, antepenultimate], when: layers >= 3}\n", ""
    )
    dead = dead.replace("{fa_layer: last}", "{fa_layer: none}")
    assert faults(dead) == [
        "10:5 `search.axes.fa_self` changes nothing: no configuration of this search reads it. "
        "Leave it out."
    ]
    alive = dead.replace("{fa_layer: none}", "{fa_layer: last}")
    assert search(alive).axes[-1].key == "fa_self"


def test_all_faults_are_told_at_once() -> None:
    bad = GOOD.replace("high: 1e-2", "high: 1e-5").replace("high: 6", "high: 1")
    bad = bad.replace("trials: 40", "trials: -1").replace("tpe", "gpx")
    assert [fault.split(" ")[0] for fault in faults(bad)] == ["7:27", "8:28", "12:20", "13:12"]


def test_the_schema_accepts_a_search_and_refuses_what_it_can_see() -> None:
    assert is_valid(GOOD)
    assert is_valid(GOOD.replace("aggregators: simplex", "hidden: {low: 64, high: 256, step: 64}"))
    for old, new in (
        ("trials: 40", "trials: 0"),
        ("sampler: tpe", "sampler: x"),
        ("inner_folds", "inner_fold"),
        ("node_step: [10, 50]", "node_step: [10]"),
        ("high: 6", "high: 9"),
        ("layers >= 3", "layers > 3"),
        ("aggregators: simplex", "aggregators: cube"),
        ("corpus: demo", "corpus: demo\nrows: [{name: x}]"),
        ("inner_folds: 3", "pruning: maybe"),
    ):
        assert not is_valid(GOOD.replace(old, new, 1)), new


def test_studies_of_rows_are_read_as_before(root: Path) -> None:
    assert parse_study((root / "studies" / "smoke.yaml").read_text(), "s").search is None
