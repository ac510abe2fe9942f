"""The main effects of a grid in every form: they come first, and before any interaction."""

import csv
import io
import json
import math
import re
from dataclasses import replace
from itertools import product
from pathlib import Path

import pytest
from typer.testing import CliRunner

from orchestrator.cli.app import app
from orchestrator.report.figures.gallery import PICTURES
from orchestrator.report.formats import FORMS
from orchestrator.report.results import StudyResults, measure
from orchestrator.report.tables.headline import tables
from orchestrator.store.ledger import Ledger
from orchestrator.store.snapshot import Snapshot
from orchestrator.study.trials import SEMANTICS
from tests import stores

WIDTHS, LAYERS = (64, 128, 256), ("none", "last")
ROWS = {f"{w} {fa}": {"hidden": w, "fa_layer": fa} for w, fa in product(WIDTHS, LAYERS)}
SKILL = {f"{w} {fa}": w / 100 if fa == "last" else 0.7 for w, fa in product(WIDTHS, LAYERS)}
QUESTION = "Does the fully adjacent layer earn its place?"


def made(root: Path, *, missing: tuple[tuple[str, int, int], ...] = (), **changes: object) -> Path:
    """A grid of two axes without a reference, whose effects are clear and depend on each other."""
    changes = {"reference": None, "question": QUESTION, "table": None, **changes}
    axes = ("hidden", "fa_layer")
    stores.made(root, ROWS, skill=SKILL, seeds=3, missing=missing, axes=axes, **changes)
    return root


def results(store: Path) -> StudyResults:
    ledger = Ledger.open(str(store))
    (snapshot,) = ledger.studies.snapshots("made")
    return measure(ledger, snapshot)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made(tmp_path_factory.mktemp("grid") / "store")


@pytest.fixture(scope="module")
def study(store: Path) -> StudyResults:
    return results(store)


def printed(store: Path, *words: str) -> str:
    done = CliRunner().invoke(app, ["report", "made", "--store", str(store), *words])
    assert done.exit_code == 0, done.output
    return done.stdout


def test_the_terminal_answers_the_question_before_it_lists_rows(store: Path) -> None:
    text = printed(store)
    assert text.startswith(f"made. {QUESTION}\n") and text.count(QUESTION) == 1
    assert max(map(len, text.splitlines())) <= 80
    effects, _, rows = text.partition("made. Every row of the grid\n")
    assert re.search(r"^64 +\d+\.\d ± \d+\.\d +first$", effects, re.MULTILINE)
    assert re.search(r"^256 +\S+ ± \S+ +\+\d+\.\d ± \d+\.\d +yes +fa layer$", effects, re.MULTILINE)
    assert "differs: p < 0.05\nafter Holm over these 3" in effects
    assert "2 differences of differences" in effects.replace("\n", " ")
    assert "differs" not in rows and "ΔUA" not in rows and "64 none" in rows


def test_details_have_the_tests_and_then_the_interactions(study: StudyResults) -> None:
    titles = [table.title for table in tables(study.summary, details=True)]
    assert titles[:4] == [
        QUESTION,
        "Every row of the grid",
        "What the main effects in UA rest on",
        "Whether what one axis does depends on another",
    ]
    _, _, tests, dependences = tables(study.summary, details=True)[:4]
    assert tests.headings == {0: "hidden, against 64", 2: "fa layer, against none"}
    assert [cells[0] for cells in tests.cells] == ["128", "256", "last"]
    assert dependences.headings == {0: "hidden x fa layer, against 64 and none"}
    assert [cells[0] for cells in dependences.cells] == ["128, last", "256, last"]
    (pair,) = study.summary.effects.interactions
    lucks = [d.difference.luck for d in pair.dependences]
    promise = study.summary.effects.dependence_promise
    assert promise is not None and promise.luck is not None
    assert promise.luck * math.sqrt(2) == pytest.approx(min(lucks))
    assert dependences.footnotes[1].startswith("Promise: at most 1 such table in 20")


def test_json_has_main_effects_and_dependences(study: StudyResults) -> None:
    found = json.loads(FORMS["json"].write([study], False))
    assert study.summary.effects is not None
    named = [(one["axis"], one["value"], one["against"]) for one in found["main_effects"]]
    assert named == [("hidden", "128", "64"), ("hidden", "256", "64"), ("fa_layer", "last", "none")]
    for one, effect in zip(found["main_effects"], study.summary.effects.main, strict=True):
        d = effect.difference
        assert d is not None and one["difference"]["ua"] == d.ua
        assert (one["difference"]["p"], one["difference"]["p_holm"]) == (d.p_alone, d.p)
        assert one["verdict"] == effect.verdict
        assert one["depends_on"] == [axis.key for axis in effect.depends_on]
    assert {one["verdict"] for one in found["dependences"]} <= {"yes", "cannot tell"}
    assert found["dependences"][1]["axes"] == ["hidden", "fa_layer"]
    assert found["dependences"][1]["values"] == ["256", "last"]
    assert all(row["verdict"] is None for row in found["rows"])


def test_csv_has_a_line_of_every_main_effect_before_the_rows(study: StudyResults) -> None:
    lines = list(csv.DictReader(io.StringIO(FORMS["csv"].write([study], False))))
    effects, rows = lines[:3], lines[3:]
    assert [line["name"] for line in effects][-1] == "fa_layer: last against none"
    assert {line["blocks"] for line in effects} == {"main effect, the mean over the other axes"}
    assert all(line["difference_p_holm"] and line["verdict"] for line in effects)
    assert effects[1]["depends_on"] == "fa_layer"
    assert [line["name"] for line in rows] == list(ROWS)
    assert not any(line["verdict"] for line in rows)


@pytest.mark.parametrize("form", ["markdown", "latex", "html"])
def test_forms_of_texts_have_the_main_effects_first(form: str, study: StudyResults) -> None:
    text = FORMS[form].write([study], False)
    rows = "Every row of the grid"
    assert text.index("Main effects: each value") < text.index(rows) < text.index("64 none")
    if form == "html":
        assert text.index("Main effects: each value") < text.index("dependence: ")  # the picture
        assert text.index("dependence: ") < text.index(f">{rows}</h2>")


def test_the_picture_says_the_main_effects(study: StudyResults) -> None:
    figure = PICTURES["axes"].draw(study, None)
    first, _, _, last = figure.axes
    small, large = first.get_title(loc="left").split("\n")
    assert re.match(r"128: \+\S+ ± \S+, ", small)
    assert re.fullmatch(r"256: \+\S+ ± \S+, yes, depends on fa layer", large)
    assert last.get_title(loc="left").endswith("depends on hidden")


def test_rows_have_verdicts_where_a_reference_is_written_and_the_head_says_so(
    tmp_path: Path,
) -> None:
    found = results(made(tmp_path / "store", reference="64 none"))
    effects, rows = tables(found.summary, details=False)
    assert "differs" in [column.head for column in rows.columns]
    assert rows.title == "Every row of the grid against `64 none`: a second family of comparisons"
    assert "after Holm over these 3" in effects.footnotes[0]
    bare = replace(found.snapshot, reference=None)
    assert measure(found.ledger, bare).summary.effects is not None
    same = measure(found.ledger, bare).summary.effects
    assert same is not None and found.summary.effects is not None
    assert same.main == found.summary.effects.main


@pytest.mark.parametrize("form", list(FORMS))
def test_an_open_grid_says_so_and_has_no_p(form: str, tmp_path: Path) -> None:
    found = results(made(tmp_path / "store", missing=(("128 none", 2, 0),)))
    text = FORMS[form].write([found], True)
    for trainings in ("59 of 60", "60 of 60", "89 of 90"):
        assert f"open, {trainings}" in text
    if form == "json":
        for one in json.loads(text)["main_effects"] + json.loads(text)["dependences"]:
            assert one["difference"]["p"] is None and one["difference"]["p_holm"] is None
            assert one["difference"]["p_sign_flip"] is None
            assert one.get("new_seeds", {"p": None})["p"] is None


def test_a_cell_given_up_leaves_its_main_effects_open(tmp_path: Path) -> None:
    store = made(tmp_path / "store", missing=(("128 none", 2, 0),))
    snapshot: Snapshot = results(store).snapshot
    gone = next(t.id for t in snapshot.trials if (t.row, t.fold, t.seed) == ("128 none", 2, 0))
    stores.failed(Ledger.open(str(store)), gone, "diverged", {"semantics": SEMANTICS})
    text = printed(store)
    assert "open, 59 of 60 (1 diverged)" in text and "open, 89 of 90 (1 diverged)" in text
    assert max(map(len, text.splitlines())) <= 80
    assert re.search(r"^256 .* yes", text, re.MULTILINE)


def test_another_score_than_the_study_s_judges_no_main_effect(store: Path) -> None:
    found = json.loads(printed(store, "--score", "last", "--format", "json"))
    for one in found["main_effects"] + found["dependences"]:
        assert one["verdict"] == "exploratory" and one["difference"]["p"] is None
    assert {tuple(one["depends_on"]) for one in found["main_effects"]} == {()}
    effects, _, _ = printed(store, "--score", "last").partition("Every row of the grid")
    assert "Holm" not in effects


def test_a_main_effect_of_a_row_without_a_score_has_none(tmp_path: Path) -> None:
    """Averaged weights are lacking where a training stopped early."""
    store = made(tmp_path / "store", short=(("128 none", 2, 0),), score="averaged")
    found = json.loads(printed(store, "--format", "json"))
    assert [one["verdict"] for one in found["main_effects"]] == ["no score", "yes", "no score"]
    assert found["dependences"][0]["verdict"] == "no score"
    assert found["main_effects"][0]["difference"]["ua"] is None


def test_outcomes_of_earlier_code_count_in_no_main_effect(study: StudyResults) -> None:
    old = {id: replace(o, identity={"semantics": 1}) for id, o in study.outcomes.items()}
    from orchestrator.analysis.summary import summarise

    effects = summarise(study.snapshot, old).effects
    assert effects is not None
    assert {effect.verdict for effect in effects.main} == {"open, 0 of 60", "open, 0 of 90"}
    assert {effect.difference for effect in effects.main} == {None}


def test_a_grid_without_a_training_is_a_table_of_dashes(tmp_path: Path) -> None:
    gone = tuple((name, fold, seed) for name in ROWS for fold in range(5) for seed in range(3))
    text = printed(made(tmp_path / "store", missing=gone))
    assert re.search(r"^128 +– +– +open, 0 of 60$", text, re.MULTILINE)
