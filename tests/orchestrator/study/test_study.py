import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from model.systems.catalogue import SYSTEMS
from orchestrator.errors import RequestError, StudyError
from orchestrator.study.reader import parse_study, read_study
from orchestrator.study.schema import schema
from orchestrator.study.yaml_lines import read

GOOD = """\
study: position
question: Where?
table: 1
corpus: demo
protocol: {folds: 5, seeds: 2}
baseline: {layers: 4, hidden: 64}
rows:
  - {name: Last, set: {fa_layer: last}, paper: {wa: 70.67}}
  - {name: None, set: {fa_layer: none}}
reference: Last
claim: {better: Last, than: rest, on: ua}
"""


def faults(text: str) -> list[str]:
    with pytest.raises(StudyError) as caught:
        parse_study(text, "s.yaml")
    return [f"{f.line}:{f.column} {f.sentence}" for f in caught.value.faults]


def test_a_study_is_read() -> None:
    study = parse_study(GOOD, "s.yaml")
    assert (study.name, study.table, study.corpus) == ("position", 1, "demo")
    assert (study.folds, study.seeds) == (5, 2)
    assert [row.name for row in study.rows] == ["Last", "None"]
    assert study.rows[0].paper == {"wa": 70.67}
    assert study.claim is not None and study.claim.than == ("None",)


def test_axes_span_a_grid() -> None:
    text = "study: g\nfigure: 2\naxes: {layers: [4, 5], fa_layer: [last, [1, 2]]}\n"
    names = [row.name for row in parse_study(text, "g.yaml").rows]
    assert names == [
        "layers 4, fa layer last",
        "layers 4, fa layer 1+2",
        "layers 5, fa layer last",
        "layers 5, fa layer 1+2",
    ]


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("protocol", "protocl", "5:1 `protocl` is not a key. Did you mean `protocol`?"),
        ("hidden: 64", "hiden: 64", "6:23 `baseline.hiden` is not a key. Did you mean `hidden`?"),
        (
            "hidden: 64",
            "node_step: 50",
            "6:23 `baseline.node_step` is not a key. It belongs at the top level.",
        ),
        (
            "table: 1",
            "table: 1\nlayers: 4",
            "4:1 `layers` is not a key. It belongs under `baseline`.",
        ),
        (
            "table: 1",
            "table: one",
            "3:8 `table` must be a whole number from 1 to 99, but is `one` instead.",
        ),
        (
            "table: 1",
            "table: 1\nfigure: 2",
            "4:1 A study may declare a table or a figure, not both.",
        ),
        (
            "corpus: demo",
            "corpus: ../x",
            "4:9 `corpus` must be `auto`, a known corpus or a table's own name of small letters, "
            "digits, `_` and `-`, but is `../x` instead.",
        ),
        (
            "folds: 5",
            "folds: publised",
            "5:19 `protocol.folds` must be a whole number from 2 to 100 or `published`, "
            "but is `publised` instead.",
        ),
        (
            "table: 1",
            "table: 1\ncorpus_part: script",
            "4:14 `corpus_part` must be `all` or `improvised` or `scripted`, "
            "but is `script` instead. Did you mean `scripted`?",
        ),
        (
            "folds: 5",
            "folds: 1",
            "5:19 `protocol.folds` must be a whole number from 2 to 100, but is `1` instead.",
        ),
        (
            "layers: 4",
            "layers: 9",
            "6:20 `layers` must be a whole number from 1 to 8, but is `9` instead.",
        ),
        (
            "layers: 4",
            "layers: true",
            "6:20 `layers` must be a whole number from 1 to 8, but is true instead.",
        ),
        (
            "set: {fa_layer: last}",
            "set: {fa_layer: 5}",
            "8:34 `fa_layer` must be one of the 4 layers, but is `5` instead. (row `Last`)",
        ),
        (
            "fa_layer: last",
            "fa_layer: lats",
            "8:34 `fa_layer` must be a layer number from 1, a list of them, `last`, `penultimate`, "
            "`antepenultimate`, `all` or `none`, but is `lats` instead. Did you mean `last`?",
        ),
        (
            "fa_layer: none",
            "fa_layer: 4",
            "9:5 The rows `Last` and `None` are the same variant: what `None` sets changes "
            "nothing.",
        ),
        ("name: None", "name: Last", "9:5 The row `Last` stands here twice."),
        ("wa: 70.67", "war: 70.67", "8:49 `paper.war` is not a key. Did you mean `wa`?"),
        (
            "wa: 70.67",
            "params: 0.98",
            "8:57 `paper.params` must be a whole number from 1 to 1000000000000, "
            "but is `0.98` instead.",
        ),
        (
            "set: {fa_layer: last}",
            "set: {model: gcn, layers: 4}",
            "8:44 `layers` must stand beside `model: wma-gin`, but stands beside `model: gcn` "
            "instead, whose sizes are fixed: leave it out. (row `Last`)",
        ),
        (
            "set: {fa_layer: last}",
            "set: {model: svm}",
            "8:31 `features` must be functionals for `model: svm`, but is `lld78` instead: "
            "set `features: egemaps`. (row `Last`)",
        ),
        (
            "set: {fa_layer: last}",
            "set: {model: gcm}",
            "8:31 `model` must be a known word, but is `gcm` instead. Did you mean `gcn`?",
        ),
        (
            "name: Last,",
            "name: Last, block: one,",
            "9:5 The row `None` must have a `block`, as others have.",
        ),
        (
            "name: Last,",
            "name: Last, block: 3,",
            "8:25 `block` must be a heading of 1 to 60 letters or a list of them, "
            "but is `3` instead.",
        ),
        ("wa: 70.67", "wa: 170", "8:53 `paper.wa` must be a percentage, but is `170` instead."),
        (
            "reference: Last",
            "reference: Lasst",
            "10:12 `reference` must be the name of a row, but is `Lasst` instead. "
            "Did you mean `Last`?",
        ),
        ("name: Last", "name: true", "8:12 A row must have a `name` of 1 to 60 letters."),
        ("name: Last", "name: ''", "8:12 A row must have a `name` of 1 to 60 letters."),
        (
            "than: rest",
            "then: rest",
            "11:1 `claim` must say `better` and `than`; `than` is missing.",
        ),
        (
            "rows:",
            "search: {layers: [4]}\nrows:",
            "7:1 A study must have one of `rows`, `axes` and `search`, but has `rows` and "
            "`search`.",
        ),
        (
            "study: position",
            "study: ../../etc",
            "1:8 `study` must be a name of small letters, digits, `_` and `-`, "
            "but is `../../etc` instead.",
        ),
        (
            "set: {fa_layer: none}",
            "set: {corpus: demo}",
            "9:24 `set.corpus` cannot differ between rows: they must score the same speech. "
            "Give it to a study of its own.",
        ),
    ],
)
def test_a_fault_is_told_with_its_place_and_remedy(old: str, new: str, fault: str) -> None:
    assert old in GOOD
    assert fault in faults(GOOD.replace(old, new, 1))


@pytest.mark.parametrize(
    ("weights", "fault"),
    [
        (
            "{softmax: 1/2, sum: 1/4}",
            "`aggregators` must sum to 1, but sums to 3/4 (0.75) instead.",
        ),
        ("{softmax: 1/2, sun: 1/2}", "`aggregators.sun` is not an aggregator. Did you mean `sum`?"),
        (
            "{softmax: -1, sum: 2}",
            "`aggregators.softmax` must be a number from 0 to 1 or a "
            "fraction such as 1/3, but is `-1` instead.",
        ),
        (
            "{softmax: 1/0, sum: 1}",
            "`aggregators.softmax` must be a number from 0 to 1 or a "
            "fraction such as 1/3, but is `1/0` instead.",
        ),
        ("3", "`aggregators` must map `softmax`, `sum` and `mean` to weights, but is `3` instead."),
    ],
)
def test_weights_must_make_sense(weights: str, fault: str) -> None:
    found = faults(GOOD.replace("layers: 4", f"aggregators: {weights}"))
    assert any(fault in f for f in found)


def test_all_faults_are_told_at_once_in_the_order_of_the_file() -> None:
    text = GOOD.replace("table: 1", "table: x").replace("seeds: 2", "seeds: 0")
    text = text.replace("hidden: 64", "hiden: 64").replace("reference: Last", "reference: Nope")
    assert [f.split(":")[0] for f in faults(text)] == ["3", "5", "6", "10"]


def test_an_error_shows_the_line_and_a_caret() -> None:
    with pytest.raises(StudyError) as caught:
        parse_study(GOOD.replace("corpus: demo", "corpus: Dmo"), "s.yaml")
    assert str(caught.value).splitlines()[1:] == ["  corpus: Dmo", "          ^"]


@pytest.mark.parametrize("wrong", ["studies/fa_postion.yaml", "fa_position", "fa_position.yaml"])
def test_a_missing_file_names_its_neighbour_and_the_neighbours_folder(
    root: Path, wrong: str
) -> None:
    right = root / "studies" / "fa_position.yaml"
    sentence = f"The study file `{root / wrong}` does not exist. Did you mean `{right}`?"
    with pytest.raises(RequestError) as caught:
        read_study(root / wrong)
    assert str(caught.value) == sentence


SHIPPED = (
    "aggregator_weights",
    "components",
    "fa_position",
    "graph_systems",
    "layers_hidden",
    "other_systems",
    "smoke",
)


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_studies_are_read_and_fit_the_schema(root: Path, name: str) -> None:
    path = root / "studies" / f"{name}.yaml"
    assert read_study(path).name == name
    node, _ = read(path.read_text())
    assert node is not None
    jsonschema.validate(node.plain(), schema())


def test_every_key_of_the_schema_says_what_it_is() -> None:
    def silent(part: dict[str, Any], path: str) -> Iterator[str]:
        for key, below in part.get("properties", {}).items():
            if not below.get("description"):
                yield f"{path}{key}"
            yield from silent(below, f"{path}{key}.")
        if "items" in part:
            yield from silent(part["items"], path)

    assert list(silent(schema(), "")) == []


def test_the_schema_is_json_and_refuses_what_the_reader_refuses() -> None:
    json.dumps(schema())
    node, _ = read(GOOD.replace("hidden: 64", "hiden: 64"))
    assert node is not None
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(node.plain(), schema())


def test_figure_2_is_nine_points_without_fa_from_the_lower_bounds_up(root: Path) -> None:
    study = read_study(root / "studies" / "layers_hidden.yaml")
    points = [(row.settings["layers"], row.settings["hidden"]) for row in study.rows]
    assert points == [
        (4, 64),
        (4, 128),
        (4, 256),
        (4, 512),
        (5, 128),
        (5, 256),
        (5, 512),
        (6, 256),
        (6, 512),
    ]
    assert (study.figure, study.settings["fa_layer"]) == (2, "none")
    assert not any(row.paper for row in study.rows)


def test_table_3_has_the_papers_rows_of_wma_gin_and_two_parts_more(root: Path) -> None:
    study = read_study(root / "studies" / "components.yaml")
    assert study.table == 3
    assert [(row.paper.get("wa"), row.paper.get("ua")) for row in study.rows] == [
        (72.48, 67.72),
        (70.19, 65.55),
        (70.25, 66.47),
        (65.61, 60.26),
        (None, None),
        (None, None),
    ]
    assert [dict(row.settings) for row in study.rows] == [
        {},
        {"fa_layer": "none"},
        {"stage_loss": False},
        {"features": "logmel128"},
        {"attention": False},
        {"bigru": False},
    ]


def test_every_row_of_table_2_is_there_with_the_weights_of_the_paper(root: Path) -> None:
    study = read_study(root / "studies" / "aggregator_weights.yaml")
    weights = [row.settings["aggregators"] for row in study.rows]
    shown = [f"{w.softmax} {w.sum} {w.mean}" for w in weights]
    assert shown == [
        "1/2 1/4 1/4",
        "1/4 1/2 1/4",
        "1/4 1/4 1/2",
        "3/5 1/5 1/5",
        "1/5 1/5 3/5",
        "1/5 3/5 1/5",
        "1/3 1/3 1/3",
        "1 0 0",
        "0 1 0",
        "0 0 1",
    ]
    assert [row.paper["ua"] for row in study.rows] == [
        66.52,
        65.31,
        65.30,
        65.78,
        66.24,
        65.15,
        67.72,
        66.59,
        66.38,
        65.89,
    ]
    assert [row.paper["wa"] for row in study.rows] == [
        68.46,
        67.67,
        67.26,
        67.88,
        70.76,
        69.31,
        72.48,
        71.42,
        71.26,
        69.86,
    ]


def test_table_3_has_every_system_with_the_figures_of_the_paper(root: Path) -> None:
    study = read_study(root / "studies" / "graph_systems.yaml")
    assert {row.settings["model"] for row in study.rows} == set(SYSTEMS)
    assert {row.name: dict(row.paper) for row in study.rows if row.paper} == {
        "GCN": {"wa": 61.16, "ua": 62.21, "params": 78_000},
        "GAT": {"wa": 60.93, "ua": 62.09},
        "PATCHY-Diff": {"wa": 63.23, "ua": 58.71, "params": 68_000},
        "GA-GRU": {"wa": 62.27, "ua": 63.80},
        "Amir et al.": {"wa": 63.69, "ua": 59.87, "params": 30_000},
        "L-GrIN": {"wa": 65.50, "params": 92_000},
        "LSTM-GIN": {"wa": 64.65, "ua": 65.53, "params": 890_000},
        "WMA-GIN": {"wa": 72.48, "ua": 67.72, "params": 980_000},
    }
    for row in study.rows:
        published = SYSTEMS[row.settings["model"]].parameters
        assert row.paper.get("params", published) == published


def test_each_block_of_table_3_compares_what_it_says(root: Path) -> None:
    study = read_study(root / "studies" / "graph_systems.yaml")
    blocks: dict[str, dict[str, str]] = {}
    for row in study.rows:
        for block in row.blocks:
            systems = blocks.setdefault(block, {})
            systems[row.settings["model"]] = row.settings.get("features", "lld78")
    own, same = blocks["own features"], blocks["all on lld78"]
    assert (own["compact"], own["l-grin"], own["svm"]) == ("lld35", "lld35", "egemaps")
    assert same == dict.fromkeys([name for name in SYSTEMS if name != "svm"], "lld78")
    assert set(own) == set(SYSTEMS)


def test_a_claim_over_no_rows_is_refused() -> None:
    text = GOOD.replace("  - {name: None, set: {fa_layer: none}}\n", "")
    assert "10:29 `claim.than` must name rows, but `rest` is none." in faults(text)


def test_a_fault_in_one_row_hides_no_other_and_makes_none_up() -> None:
    """The reference names the faulty row; the other row has a fault that needs the baseline."""
    text = GOOD.replace("set: {fa_layer: last}", "set: {fa_layer: lst}")
    text = text.replace("set: {fa_layer: none}", "set: {fa_layer: 5}")
    assert [f.split(" ")[0] for f in faults(text)] == ["8:34", "9:34"]
    both = text.replace("fa_layer: 5}", "fa_layer: x}").replace("hidden: 64", "fa_layer: 9")
    assert [f.split(" ")[0] for f in faults(both)] == ["6:33", "8:34", "9:34"]


ADAPTIVE = GOOD.replace("seeds: 2", "seeds: 10, replicates: adaptive")


def test_replicates_are_fixed_unless_they_are_said_to_be_adaptive() -> None:
    assert parse_study(GOOD, "s.yaml").replicates == "fixed"
    assert parse_study(GOOD.replace("seeds: 2", "replicates: fixed"), "s.yaml").seeds == 1
    study = parse_study(ADAPTIVE, "s.yaml")
    assert (study.replicates, study.seeds) == ("adaptive", 10)
    node, _ = read(ADAPTIVE)
    assert node is not None
    jsonschema.validate(node.plain(), schema())


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        (
            "adaptive",
            "adaptiv",
            "5:45 `protocol.replicates` must be `fixed` or `adaptive`, but is "
            "`adaptiv` instead. Did you mean `adaptive`?",
        ),
        (
            "seeds: 10",
            "seeds: 2",
            "5:29 `protocol.seeds` is the most that a row gets with "
            "`replicates: adaptive`: it must be 3 or more, such as 10, but is `2` instead.",
        ),
        (
            "seeds: 10, ",
            "",
            "5:34 `protocol.seeds` is the most that a row gets with `replicates: "
            "adaptive`: it must be 3 or more, such as 10, but is `1` instead.",
        ),
        (
            "reference: Last\n",
            "",
            "5:45 `protocol.replicates: adaptive` adds seeds to comparisons "
            "that are open, so a `reference` must say what rows are compared with.",
        ),
        (
            "  - {name: None, set: {fa_layer: none}}\n",
            "",
            "5:45 `protocol.replicates: adaptive` "
            "adds seeds to comparisons that are open, so there must be two rows, but is one.",
        ),
    ],
)
def test_adaptive_replicates_need_comparisons_and_a_cap(old: str, new: str, fault: str) -> None:
    text = ADAPTIVE.replace("claim: {better: Last, than: rest, on: ua}\n", "")
    assert old in text and faults(text.replace(old, new)) == [fault]
    node, _ = read(text.replace(old, new))
    assert node is not None
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(node.plain(), schema())


def test_all_that_adaptive_replicates_lack_is_told_at_once() -> None:
    text = ADAPTIVE.replace("  - {name: None, set: {fa_layer: none}}\n", "")
    text = text.replace("reference: Last\nclaim: {better: Last, than: rest, on: ua}\n", "")
    found = faults(text.replace("seeds: 10", "seeds: 1"))
    assert [f.split(" ")[0] for f in found] == ["5:29", "5:44", "5:44"]
    assert len(faults(ADAPTIVE.replace("seeds: 10", "seeds: ten"))) == 1


def test_a_search_has_no_comparisons_to_add_seeds_to() -> None:
    text = "study: s\nprotocol: {seeds: 10, replicates: adaptive}\nsearch:\n" + (
        "  axes: {hidden: [64, 128]}\n  budget: {trials: 2}\n"
    )
    (found,) = faults(text)
    assert found.startswith("2:35 ") and found.endswith("`rows` or `axes`: a search has none.")


def test_speakers_are_dealt_once_unless_deals_are_asked_for() -> None:
    assert parse_study(GOOD, "s.yaml").deals == 1
    text = GOOD.replace("seeds: 2", "seeds: 2, deals: 3")
    assert parse_study(text, "s.yaml").deals == 3
    node, _ = read(text)
    assert node is not None
    jsonschema.validate(node.plain(), schema())


SEARCH = "study: s\nprotocol: {deals: 2}\nsearch:\n" + (
    "  axes: {hidden: [64, 128]}\n  budget: {trials: 2}\n"
)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (
            GOOD.replace("seeds: 2", "deals: 0"),
            "5:29 `protocol.deals` must be a whole number from 1 to 100, but is `0` instead.",
        ),
        (
            GOOD.replace("seeds: 2", "deal: 3"),
            "5:22 `protocol.deal` is not a key. Did you mean `deals`?",
        ),
        (
            ADAPTIVE.replace("seeds: 10", "seeds: 10, deals: 2"),
            "5:40 `protocol.deals` must be 1 beside `replicates: adaptive`, which adds seeds "
            "alone, but is 2 instead. Leave one of the two out.",
        ),
        (
            GOOD.replace("folds: 5, seeds: 2", "folds: published, deals: 2"),
            "5:37 `protocol.deals` must be 1 beside `folds: published`, where the corpus's authors "
            "say who is held out, but is 2 instead. Leave it out; give `seeds`.",
        ),
        (
            SEARCH,
            "2:19 `protocol.deals` must be 1 beside `search`, which finds one configuration for "
            "each held-out group, but is 2 instead. Leave it out.",
        ),
    ],
)
def test_deals_are_refused_where_groups_or_trainings_must_stay(text: str, fault: str) -> None:
    assert faults(text) == [fault]
    node, _ = read(text)
    assert node is not None
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(node.plain(), schema())


PUBLISHED = GOOD + "published:\n  - {name: HNSD, paper: {wa: 70.50, ua: 72.50}}\n"


def test_a_published_system_is_figures_and_no_row() -> None:
    study = parse_study(PUBLISHED, "s.yaml")
    assert [(row.name, row.paper) for row in study.published] == [
        ("HNSD", {"wa": 70.5, "ua": 72.5})
    ]
    assert study.rows == parse_study(GOOD, "s.yaml").rows


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        (
            "paper: {wa: 70.50, ua: 72.50}",
            "set: {layers: 4}, paper: {ua: 1}",
            "`published.set` is not a key: what is published is not trained here. "
            "Make it one of `rows`.",
        ),
        ("HNSD", "Last", "The row `Last` stands here twice."),
        ("ua: 72.50", "ua: 172", "`paper.ua` must be a percentage, but is `172` instead."),
        (
            ", paper: {wa: 70.50, ua: 72.50}",
            "",
            "A published system must have a `name` and a `paper`",
        ),
    ],
)
def test_a_published_system_is_not_trained(old: str, new: str, fault: str) -> None:
    (found,) = faults(PUBLISHED.replace(old, new))
    assert fault in found
    root, _ = read(PUBLISHED.replace(old, new))
    if old != "HNSD":  # no schema sees two equal names
        assert root is not None
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(root.plain(), schema())


def test_table_4_prints_six_systems_with_the_figures_of_the_paper(root: Path) -> None:
    study = read_study(root / "studies" / "other_systems.yaml")
    assert study.table == 4 and [row.name for row in study.rows] == ["WMA-GIN"]
    assert {row.name: (row.paper["wa"], row.paper["ua"]) for row in study.published} == {
        "SegCNN": (64.53, 62.34),
        "LSTM + CTC": (69.00, 67.00),
        "Fine-tune Context Network": (66.90, 65.40),
        "Zhong et al.": (70.39, 71.72),
        "HNSD": (70.50, 72.50),
        "DAAE + CNN + Attention": (70.07, 70.67),
    }
