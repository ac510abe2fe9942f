"""The recipes of CONTRIBUTING.md: a step that is forgotten fails a test that names the place.

Corpora, descriptor sets and study keys have such tests where they are at home.
"""

import inspect
import re
import tomllib
from pathlib import Path

import pytest
from typer.testing import CliRunner

from features.corpora import catalogue as corpora
from features.descriptors.catalogue import FEATURE_SETS
from orchestrator.cli.app import app
from orchestrator.cli.report import PictureName
from orchestrator.report.figures import gallery
from orchestrator.report.figures.gallery import PICTURES
from orchestrator.report.trackers.tracker import TRACKERS

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
NOUNS = [
    path.stem
    for path in sorted((ROOT / "orchestrator" / "cli").glob("*.py"))
    if "\ndef register(" in path.read_text(encoding="utf-8")
]


PICTURE_FUNCTIONS = re.findall(r"lambda study, row: (\w+)\(", inspect.getsource(gallery))
"""Names of the functions that draw the pictures."""


def row_of(name: str, page: str) -> str | None:
    """The row of a page's table that begins with the name."""
    text = (DOCS / page).read_text(encoding="utf-8")
    found = re.search(rf"^\| `{re.escape(name)}` \|.*$", text, re.MULTILINE)
    return found and found[0]


@pytest.mark.parametrize("name", corpora.names())
def test_a_corpus_stands_in_the_docs(name: str) -> None:
    assert row_of(name, "corpora.md"), f"docs/corpora.md needs a row for `{name}`"


@pytest.mark.parametrize("name", FEATURE_SETS)
def test_a_descriptor_set_stands_in_the_docs(name: str) -> None:
    assert row_of(name, "descriptors.md"), f"docs/descriptors.md needs a row for `{name}`"


@pytest.mark.parametrize("noun", NOUNS)
def test_a_file_of_commands_is_registered(noun: str) -> None:
    text = (ROOT / "orchestrator" / "cli" / "app.py").read_text(encoding="utf-8")
    assert f"{noun}.register(app)" in text, f"cli/app.py must call `{noun}.register(app)`"


@pytest.mark.parametrize("name", corpora.names())
def test_a_corpus_has_tests_of_its_own(name: str) -> None:
    tests = ROOT / "tests" / "features" / "corpora" / "readers" / f"test_{name}.py"
    assert tests.is_file(), f"{tests.relative_to(ROOT)} must exist"


def test_a_file_with_a_picture_is_in_the_gallery() -> None:
    folder = ROOT / "orchestrator" / "report" / "figures"
    shared = {"canvas", "frame", "gallery", "utterance", "__init__"}
    gallery = (folder / "gallery.py").read_text(encoding="utf-8")
    for path in sorted(folder.glob("*.py")):
        assert path.stem in shared or path.stem in gallery, f"gallery.py must use {path.name}"


@pytest.mark.parametrize("name", PICTURE_FUNCTIONS)
def test_a_picture_is_drawn_in_one_style_and_shows_what_a_table_would_warn_of(name: str) -> None:
    function = getattr(gallery, name)
    module = inspect.getmodule(inspect.unwrap(function))
    text = inspect.getsource(module)
    where = f"`{name}` of {module.__name__}"
    assert hasattr(function, "__wrapped__"), f"{where} must be marked `@canvas.drawn`"
    assert "framed(" in text, f"{where} must draw into `framed`"
    if "Summary" in str(inspect.signature(function)):
        assert "remarks(summary" in text, f"{where} must have `remarks(summary)` in its caption"


def test_a_picture_can_be_asked_for() -> None:
    asked = {name.value for name in PictureName}
    assert asked == set(PICTURES), "cli/report.PictureName and gallery.PICTURES must agree"


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_stands_in_the_docs(name: str) -> None:
    assert row_of(name, "commands.md"), f"docs/commands.md needs a row for `--picture {name}`"


def test_a_file_with_a_tracker_is_among_the_trackers() -> None:
    folder = ROOT / "orchestrator" / "report" / "trackers"
    files = {
        p.stem
        for p in folder.glob("*.py")
        if re.search(r"^class \w+Tracker\b", p.read_text(), re.M)
    }
    assert files - {"tracker"} == set(TRACKERS), "`TRACKERS` in tracker.py must name them all"


@pytest.mark.parametrize("name", TRACKERS)
def test_a_tracker_has_an_extra_help_docs_and_tests(name: str) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    assert name in extras, f"pyproject.toml needs the extra `{name}`; empty without a library"
    for_all = next(x for x in extras["dev"] if x.startswith("ablate-ser["))
    assert name in re.findall(r"\w+", for_all), f"the extra `dev` must hold `{name}`"
    tests = ROOT / "tests" / "orchestrator" / "report" / "test_trackers.py"
    assert f'"{name}"' in tests.read_text(encoding="utf-8"), f"{tests.name} must test `{name}`"
    assert name in CliRunner().invoke(app, ["run", "--help"]).output, "cli/run: help of --log"
    assert row_of(name, "commands.md"), f"docs/commands.md needs a row for `--log {name}`"
