"""What ``ablate model show`` tells is what is built and trained."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from orchestrator.errors import RequestError
from orchestrator.report.trained.describe import SIZE_NOTES, architectures
from orchestrator.study.reader import parse_study, read_study
from orchestrator.study.study import Study


def study(**keys: Any) -> Study:
    text = "".join(f"{key}: {json.dumps(value)}\n" for key, value in keys.items())
    return parse_study(f"study: s\ntable: 1\n{text}rows: [{{name: Full}}]\n", "s.yaml")


@pytest.fixture(scope="module")
def components(root: Path) -> Study:
    return read_study(root / "studies" / "components.yaml")


def test_each_row_of_table_3_has_its_own_network(components: Study) -> None:
    sizes = {found.row: found.parameters for found in architectures(components)}
    assert sizes == {
        "WMA-GIN": 579_864,
        "w/o FA": 579_864,
        "w/o multi-stage loss": 579_864,
        "128 log-Mel": 631_064,
        "w/o attention": 428_056,
        "w/o Bi-GRU": 440_344,
    }


def test_channels_nodes_and_classes_are_the_rows_own() -> None:
    emotions = ["angry", "bored", "sad"]
    (found,) = architectures(study(features="is10", segment_nodes=60, emotions=emotions))
    assert (found.inputs, found.nodes, found.classes) == (76, 60, ("angry", "bored", "sad"))
    assert found.parts[-1].shape == "(B, 3)" and found.parts[-1].parameters == 3 * 257


def test_the_note_on_the_papers_size_counts_right() -> None:
    """Every number of the note is one that the networks have."""
    (literal,) = architectures(study(reading="as-written"))
    (matched,) = architectures(study(reading="size-matched"))
    (wide,) = architectures(study(features="logmel128"))
    size = {part.title: part.parameters for part in literal.parts}
    layers = sum(n for title, n in size.items() if title.startswith("WMA-GIN"))
    heads = sum(n for title, n in size.items() if title.startswith("head"))
    more = {
        title: part.parameters - size[title]
        for part in wide.parts
        if (title := part.title) in ("Bi-GRU", "attention")
    }
    counted = [
        literal.parameters,
        size["Bi-GRU"],
        layers,
        size["attention"],
        heads,
        wide.parameters - literal.parameters,
        more["Bi-GRU"],
        more["attention"],
        matched.parameters,
    ]
    told = re.findall(r"\d+,\d{3}", " ".join(SIZE_NOTES["wma-gin"]))
    assert told == [f"{number:,}" for number in counted]


def test_an_unknown_row_names_its_neighbour(components: Study) -> None:
    with pytest.raises(RequestError, match=r"has no row `w/o F`\. Did you mean `w/o FA`\?$"):
        architectures(components, "w/o F")


def test_every_system_of_table_3_is_shown_with_its_own_size(root: Path) -> None:
    found = {f.row: f for f in architectures(read_study(root / "studies" / "graph_systems.yaml"))}
    sizes = {row: one.parameters for row, one in found.items() if one.parts}
    assert sizes == {
        "GCN": 76_916,
        "GAT": 44_164,
        "PATCHY-Diff": 67_586,
        "GA-GRU": 227_076,
        "Amir et al.": 38_660,
        "Amir et al., lld78": 44_420,
        "L-GrIN": 92_072,
        "L-GrIN, lld78": 115_784,
        "LSTM-GIN": 889_358,
        "WMA-GIN": 579_864,
    }
    assert found["eGeMAPS + SVM"].parts == ()
    assert all(part.shape for row, one in found.items() for part in one.parts), "a part is unused"


def test_a_published_count_stands_beside_what_it_was_printed_of_alone(root: Path) -> None:
    compared = architectures(read_study(root / "studies" / "graph_systems.yaml"))
    parts = architectures(read_study(root / "studies" / "components.yaml"))
    assert {f.row: f.published for f in (*compared, *parts)} == {
        "GCN": 78_000,
        "GAT": None,
        "PATCHY-Diff": 68_000,
        "GA-GRU": None,
        "Amir et al.": 30_000,
        "Amir et al., lld78": None,
        "L-GrIN": 92_000,
        "L-GrIN, lld78": None,
        "LSTM-GIN": 890_000,
        "WMA-GIN": 980_000,
        "eGeMAPS + SVM": None,
        "w/o FA": 980_000,
        "w/o multi-stage loss": 980_000,
        "128 log-Mel": 980_000,
        "w/o attention": None,
        "w/o Bi-GRU": None,
    }
