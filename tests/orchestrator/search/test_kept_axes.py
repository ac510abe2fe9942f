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
from tests.searches import TEXT, cli, go, kept, study

pytestmark = pytest.mark.usefixtures("drawn_trainings")

AXES = TEXT.replace(
    "    layers: [2, 3]\n",
    "    layers: [3, 2]\n    hidden: {low: 16, high: 64, step: 16}\n    aggregators: simplex\n"
    "    fa_layer: {choices: [none, last], when: layers >= 3}\n",
)
REFUSED = "this: is\nno: study\n"


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


def test_every_kind_of_axis_comes_back(store: Path) -> None:
    wanted = study(AXES, **{"{trials: 12}": "{trials: 1}"})
    go(wanted, store)
    assert wanted.search is not None
    found = kept(store)[1].axes
    assert found == wanted.search.axes
    assert {type(axis.kind) for axis in found} == {Range, Choice, Simplex}
    orders = [list(axis.kind.values) for axis in found if isinstance(axis.kind, Choice)]
    assert orders == [["3", "2"], ["none", "last"]]  # as they were written, not by their letters


def test_a_text_that_is_refused_costs_no_table(searched: Path) -> None:
    before = importances(searched)
    as_written(searched, axes=True, text=REFUSED)
    assert importances(searched) == before and len(before) == 2
    said = report(searched, "--details")
    assert "Which axes mattered" in said and UNKNOWN_AXES not in said


def test_of_an_older_snapshot_the_text_is_read(searched: Path) -> None:
    before = importances(searched)
    snapshot = as_written(searched, axes=False)
    assert "axes" not in snapshot.to_json()["search"]
    assert importances(searched) == before
    assert "Which axes mattered" in report(searched, "--details")


def test_axes_that_nothing_tells_are_said_to_be_unknown(searched: Path) -> None:
    snapshot = as_written(searched, axes=False, text=REFUSED)
    assert search_axes(snapshot) is None and importances(searched) == ()
    said = report(searched, "--details")
    assert "Which axes mattered" not in said and UNKNOWN_AXES in said
    picture = searched / "slices.svg"
    report(searched, "--picture", "slices", "--output", str(picture))
    drawn_words = " ".join(picture.read_text().split())
    assert "axes of this search are unknown" in drawn_words


def test_an_older_store_gains_one_form_and_no_second(searched: Path) -> None:
    as_written(searched, axes=False)
    for _ in range(3):
        assert go(study(), searched).trained == 0
        assert len(list((searched / "studies").iterdir())) == 2
        assert kept(searched)[1].axes is not None


def test_optuna_is_given_the_configurations_or_told_why_not(searched: Path) -> None:
    journal = searched / "optuna"
    OptunaTracker(str(journal)).write_search(as_written(searched, axes=True, text=REFUSED))
    assert journal.joinpath("journal.log").read_text().count("tiny_search, group") >= 2
    with pytest.raises(LackError, match="axes of this search are unknown"):
        OptunaTracker(str(journal)).write_search(as_written(searched, axes=False, text=REFUSED))
