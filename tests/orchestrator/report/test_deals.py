"""What is printed and written of a study whose speakers are dealt several times."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from orchestrator.execution.cluster.inline import InlineCluster
from orchestrator.execution.run import run
from orchestrator.report.export import bundle as bundle_module
from orchestrator.store.ledger import Ledger
from orchestrator.study.reader import parse_study
from tests import stores
from tests.orchestrator.report.test_export import ablate
from tests.tiny_study import STUDY, Tiny

ROWS = {"full": {"hidden": 64}, "small": {"hidden": 32}, "smaller": {"hidden": 16}}
"""Name of a drawn row -> what it sets."""


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten speakers in five pairs, dealt three times, two seeds each; one training is missing."""
    root = tmp_path_factory.mktemp("dealt") / "store"
    skill = {"full": 1.6, "small": 1.1, "smaller": 0.6}
    stores.made(root, ROWS, seeds=2, deals=3, skill=skill, missing=(("smaller", 4, 1, 2),))
    return root


@pytest.fixture
def one_form(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pictures are drawn in one form alone: they are not the subject."""
    monkeypatch.setattr(bundle_module, "FORMATS", (".svg",))


def joined(text: str) -> str:
    """Printed text in one line, without the breaks of a terminal."""
    return " ".join(text.split())


def test_a_table_says_how_often_speakers_were_dealt_and_what_is_a_unit(store: Path) -> None:
    said = joined(ablate("report", "made", "--details", "--store", store))
    assert "n: finished trainings of 3 deals of 5 folds x 2 seeds." in said
    assert "corrected t over 10 speakers over all deals" in said
    assert "open, 29 of 30" in said
    assert "new deals: another question, these speakers dealt and trained again" in said
    assert "a dash here, since speakers who share trainings do not flip alone" in said
    assert "over speakers, Hedges-corrected" in said
    assert "held-out groups" not in said


def test_json_and_csv_count_deals(store: Path, tmp_path: Path) -> None:
    study = json.loads(ablate("report", "made", "--format", "json", "--store", store))
    assert (study["folds"], study["deals"], study["seeds"]) == (5, 3, 2)
    small = {row["name"]: row for row in study["rows"]}["small"]
    assert small["n"] == 30 and small["difference"]["groups"] == small["speakers"] == 10
    assert (small["new_seeds"]["seeds"], small["new_seeds"]["deals"]) == (2, 3)
    ablate("report", "made", "-o", tmp_path / "t.csv", "--store", store)
    assert "new_seeds_deals" in (tmp_path / "t.csv").read_text().splitlines()[0]


def test_the_page_and_the_status_name_the_deal_of_a_fold(store: Path, tmp_path: Path) -> None:
    ablate("report", "made", "-o", tmp_path / "t.html", "--store", store)
    page = (tmp_path / "t.html").read_text()
    assert "<td>group 2 of deal 3</td>" in page
    assert "Missing: group 5 of deal 3 seed 1." in page
    (study,) = json.loads(ablate("status", "--json", "--store", store))
    (missing,) = (t for t in study["each"] if t["state"] == "to do")
    assert (missing["row"], missing["deal"], missing["fold"], missing["seed"]) == (
        "smaller",
        3,
        5,
        1,
    )


def test_rows_are_compared_on_each_fold_of_each_deal(store: Path) -> None:
    said = joined(ablate("compare", "made", "full", "small", "--store", store))
    assert "held-out group 2 of deal 3" in said
    assert "corrected t over 10 speakers" in said


@pytest.mark.usefixtures("one_form")
def test_a_bundle_of_deals_is_recomputed_from_its_predictions(store: Path, tmp_path: Path) -> None:
    folder = tmp_path / "bundle"
    ablate("export", "made", "-o", folder, "--store", store)
    assert "Deals and their folds count from 1" in (folder / "README.md").read_text()
    assert recomputed(folder) == 0


@pytest.mark.usefixtures("one_form")
def test_a_grid_of_deals_is_recomputed_too(tmp_path: Path) -> None:
    rows = {f"{a} {b}": {"layers": a, "hidden": b} for a in (2, 3) for b in (32, 64)}
    grid = {"axes": ("layers", "hidden"), "reference": None}
    ledger, _ = stores.made(tmp_path / "store", rows, deals=3, seeds=2, **grid)
    said = joined(ablate("report", "made", "--details", "--store", ledger.root))
    assert "new deals" in said and "held-out groups" not in said
    ablate("export", "made", "-o", tmp_path / "bundle", "--store", ledger.root)
    assert recomputed(tmp_path / "bundle") == 0


@pytest.mark.usefixtures("one_form")
def test_speakers_are_really_trained_in_two_deals(tiny: Tiny, tmp_path: Path) -> None:
    """What the first deal has of another study is taken; every form follows from the rest."""
    text = STUDY.replace("study: tiny", "study: dealt").replace("seeds: 1", "seeds: 1, deals: 2")
    ledger = Ledger.open(str(copy_of(tiny.store, tmp_path)))
    result = run(parse_study(text, "dealt.yaml"), ledger, InlineCluster(), lambda event: None)
    assert (result.trained, result.failed) == (4, ())  # 2 rows x 2 folds of the second deal
    study = json.loads(ablate("report", "dealt", "--format", "json", "--store", ledger.root))
    assert [row["n"] for row in study["rows"]] == [4, 4]
    other = study["rows"][1]
    assert other["difference"]["groups"] == 4 and other["verdict"] in ("yes", "cannot tell", None)
    shared = json.loads(ablate("report", "tiny", "--format", "json", "--store", ledger.root))
    assert shared["deals"] == 1 and shared["rows"][0]["n"] == 2
    trial = next(t for t in ledger.studies.snapshots("dealt")[0].trials if t.deal == 1)
    said = joined(ablate("show", trial.id[:12], "--store", ledger.root))
    assert f"{trial.row}, {trial.fold_name}, seed 0" in said
    again = joined(ablate("rerun", trial.id[:12], "--store", ledger.root))
    assert "same" in again
    ablate("export", "dealt", "-o", tmp_path / "bundle", "--store", ledger.root)
    assert recomputed(tmp_path / "bundle") == 0


def copy_of(store: Path, folder: Path) -> Path:
    return Path(shutil.copytree(store, folder / "store"))


def recomputed(folder: Path) -> int:
    """The exit code of a bundle's own script."""
    done = subprocess.run(
        [sys.executable, folder / "recompute.py"], capture_output=True, text=True, check=False
    )
    assert not done.stderr, done.stderr
    return done.returncode
