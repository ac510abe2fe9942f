"""A search's axes stand in its snapshot: a report needs no study text that this program accepts."""

import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from orchestrator.errors import LackError
from orchestrator.report.results import measure
from orchestrator.report.trackers.optuna import OptunaTracker
from orchestrator.search.result import UNKNOWN_AXES, search_axes
from orchestrator.store.ledger import Ledger
from orchestrator.store.snapshot import Snapshot
from orchestrator.study.search_key.space import Choice, Range, Simplex
from tests import searches
from tests.searches import TEXT, cli, drawn, go, kept, study

AXES = TEXT.replace(
    "    layers: [2, 3]\n",
    "    layers: [3, 2]\n    hidden: {low: 16, high: 64, step: 16}\n    aggregators: simplex\n"
    "    fa_layer: {choices: [none, last], when: layers >= 3}\n",
)
REFUSED = "this: is\nno: study\n"


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    store = tmp_path_factory.mktemp("kept_axes") / "store"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(searches.run_module, "train_one", drawn)
        go(study(), store)
    return store


@pytest.fixture
def store(trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(searches.run_module, "train_one", drawn)
    return Path(shutil.copytree(trained, tmp_path / "store"))


def as_written(store: Path, *, axes: bool, text: str | None = None) -> Snapshot:
    """The store with one snapshot: with or without axes, and with another text."""
    snapshot, search = kept(store)
    shutil.rmtree(store / "studies")
    snapshot = replace(
        snapshot,
        text=snapshot.text if text is None else text,
        search=search if axes else replace(search, axes=None),
    )
    Ledger.open(str(store)).studies.write_snapshot(snapshot.study, snapshot.to_json())
    return kept(store)[0]


def importances(store: Path) -> Sequence[Any]:
    ledger = Ledger.open_readonly(str(store))
    found = measure(ledger, kept(store)[0]).search
    assert found is not None
    return found.importances


def report(store: Path, *more: str) -> str:
    result = cli("report", "tiny_search", "--store", store, *more)
    assert result.exit_code == 0
    return " ".join(result.output.split())


def test_every_kind_of_axis_comes_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(searches.run_module, "train_one", drawn)
    wanted = study(AXES, **{"{trials: 12}": "{trials: 1}"})
    go(wanted, tmp_path)
    assert wanted.search is not None
    found = kept(tmp_path)[1].axes
    assert found == wanted.search.axes
    assert {type(axis.kind) for axis in found} == {Range, Choice, Simplex}
    orders = [list(axis.kind.values) for axis in found if isinstance(axis.kind, Choice)]
    assert orders == [["3", "2"], ["none", "last"]]  # as they were written, not by their letters


def test_a_text_that_is_refused_costs_no_table(store: Path) -> None:
    before = importances(store)
    as_written(store, axes=True, text=REFUSED)
    assert importances(store) == before and len(before) == 2
    said = report(store, "--details")
    assert "Which axes mattered" in said and UNKNOWN_AXES not in said


def test_of_an_older_snapshot_the_text_is_read(store: Path) -> None:
    before = importances(store)
    snapshot = as_written(store, axes=False)
    assert "axes" not in snapshot.to_json()["search"]
    assert importances(store) == before
    assert "Which axes mattered" in report(store, "--details")


def test_axes_that_nothing_tells_are_said_to_be_unknown(store: Path) -> None:
    snapshot = as_written(store, axes=False, text=REFUSED)
    assert search_axes(snapshot) is None and importances(store) == ()
    said = report(store, "--details")
    assert "Which axes mattered" not in said and UNKNOWN_AXES in said
    picture = store / "slices.svg"
    report(store, "--picture", "slices", "--output", str(picture))
    drawn_words = " ".join(picture.read_text().split())
    assert "axes of this search are unknown" in drawn_words


def test_an_older_store_gains_one_form_and_no_second(store: Path) -> None:
    as_written(store, axes=False)
    for _ in range(3):
        assert go(study(), store).trained == 0
        assert len(list((store / "studies").iterdir())) == 2
        assert kept(store)[1].axes is not None


def test_optuna_is_given_the_configurations_or_told_why_not(store: Path) -> None:
    journal = store / "optuna"
    OptunaTracker(str(journal)).write_search(as_written(store, axes=True, text=REFUSED))
    assert journal.joinpath("journal.log").read_text().count("tiny_search, group") >= 2
    with pytest.raises(LackError, match="axes of this search are unknown"):
        OptunaTracker(str(journal)).write_search(as_written(store, axes=False, text=REFUSED))
