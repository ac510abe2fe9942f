"""The sentence under a table on what its verdicts keep, by the table's own spread."""

import json
import math
from pathlib import Path

import pytest

from orchestrator.analysis.family import Promise
from orchestrator.report.tables.headings import points_below, promise_notes
from tests import stores
from tests.commands import ablate

ROWS = {"full": {"hidden": 64}, "small": {"hidden": 32}, "smaller": {"hidden": 16}}


@pytest.mark.parametrize("comparisons", [1, 2, 45])
@pytest.mark.parametrize("luck", [0.00049, 0.0179, 0.123])
def test_it_is_two_lines_at_most(comparisons: int, luck: float) -> None:
    (note,) = promise_notes(Promise(comparisons=comparisons, luck=luck))
    assert len(note) <= 160
    assert ("one comparison: corrected t" in note) == (comparisons == 1)
    assert promise_notes(None) == []


def test_the_luck_is_rounded_down() -> None:
    assert [points_below(x) for x in (0.0179, 0.00459, 0.1239)] == ["1.7", "0.45", "12"]


def test_it_is_that_of_the_row_with_the_least_spread(tmp_path: Path) -> None:
    ledger, _ = stores.made(tmp_path / "store", ROWS, folds=5, seeds=2)
    words = ("report", "made", "--store", ledger.root, "--format")
    numbers = json.loads(ablate(*words, "json"))
    differences = [row["difference"] for row in numbers["rows"][1:]]
    assert numbers["promise"]["comparisons"] == 2
    assert numbers["promise"]["luck"] == min(d["luck"] for d in differences)
    assert all(d["df"] > 4 and math.isfinite(d["df"]) for d in differences)
    text = numbers["promise"]["text"]
    assert text in numbers["notes"] and "2 comparisons: moderated t" in text
    for form in ("csv", "html", "latex", "markdown"):
        assert points_below(numbers["promise"]["luck"]) + " points" in ablate(*words, form)


def test_an_open_table_promises_nothing(tmp_path: Path) -> None:
    ledger, _ = stores.made(tmp_path / "store", ROWS, folds=5, missing=[("small", 2, 0)])
    numbers = json.loads(ablate("report", "made", "--store", ledger.root, "--format", "json"))
    assert numbers["promise"] is None
    assert not any("Promise" in note for note in numbers["notes"])
