"""Several rows compared with one: their p are adjusted for each other, and for no other pair."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from orchestrator.analysis.comparison import compare_rows
from orchestrator.analysis.differences import compare_with_reference
from orchestrator.analysis.row_scores import row_uas
from orchestrator.cli.app import app
from orchestrator.errors import RequestError
from orchestrator.store.ledger import Ledger
from orchestrator.store.snapshot import Snapshot
from tests import stores

ROWS = {name: {"hidden": width} for name, width in zip("abcd", (8, 16, 32, 64), strict=True)}
SKILL = {"a": 0.7, "b": 0.9, "c": 1.6, "d": 1.1}
Made = tuple[Ledger, Snapshot]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return stores.made(tmp_path_factory.mktemp("made") / "store", ROWS, skill=SKILL, seeds=2)


def printed(store: Path, *words: str) -> str:
    done = CliRunner().invoke(app, ["compare", "made", *words, "--store", str(store)])
    assert done.exit_code == 0, done.output
    return done.stdout


def test_all_others_compared_with_a_are_judged_as_a_table_with_that_reference(made: Made) -> None:
    ledger, snapshot = made
    outcomes = ledger.outcomes.read_all(trial.id for trial in snapshot.trials)
    expected = compare_with_reference(snapshot, row_uas(snapshot, outcomes))
    found = compare_rows(snapshot, ledger, "a", ["b", "c", "d"])
    assert [one.b for one in found] == ["b", "c", "d"]
    assert {one.b: one.difference for one in found} == expected


def test_p_is_adjusted_for_the_rows_that_were_asked_for_alone(made: Made) -> None:
    ledger, snapshot = made
    (alone,) = compare_rows(snapshot, ledger, "a", ["c"])
    assert alone.difference is not None and alone.asked == 1
    assert alone.difference.p == alone.difference.p_alone
    two = compare_rows(snapshot, ledger, "a", ["c", "d"])
    ps = sorted((one.difference.p_alone, one.difference.p) for one in two if one.difference)
    (first, adjusted), _ = ps
    assert first is not None and adjusted == pytest.approx(min(1.0, 2 * first))
    assert two[0].folds == alone.folds and two[0].flips == alone.flips


def test_the_terminal_has_all_differences_first_and_fits(made: Made) -> None:
    text = printed(made[0].root, "a", "b", "c")
    assert text.startswith("Table 7. 2 rows beside a\n") and max(map(len, text.splitlines())) <= 80
    plain = " ".join(text.split())
    assert "after Holm over these 2 of 6 comparisons that the 4 rows allow" in plain
    assert "after Holm over the 2 that were asked for, of 6" in plain
    assert "utterances flip" not in text
    assert "utterances flip" in printed(made[0].root, "a", "b", "c", "--limit", "1")


def test_json_of_several_has_each_comparison(made: Made) -> None:
    several = json.loads(printed(made[0].root, "a", "b", "c", "--json"))
    assert (several["a"], several["asked"], several["comparisons"]) == ("a", 2, 6)
    assert [one["b"] for one in several["compared"]] == ["b", "c"]
    one = json.loads(printed(made[0].root, "a", "b", "--json", "--limit", "0"))
    same = several["compared"][0]
    assert {key: one[key] for key in same if key != "difference"} == {
        key: value for key, value in same.items() if key != "difference"
    }


def test_a_row_that_is_not_there_or_named_twice_is_refused(made: Made) -> None:
    ledger, snapshot = made
    with pytest.raises(RequestError, match="`made` has no row `e`"):
        compare_rows(snapshot, ledger, "a", ["b", "e"])
    for others in (["a"], ["b", "b"], ["b", "a"]):
        with pytest.raises(RequestError, match="must be different rows, but `[ab]` is named twice"):
            compare_rows(snapshot, ledger, "a", others)


def test_none_of_several_has_a_p_while_trainings_are_missing(tmp_path: Path) -> None:
    ledger, snapshot = stores.made(tmp_path / "store", ROWS, missing=[("d", 0, 0)])
    found = compare_rows(snapshot, ledger, "a", ["b", "c"])
    assert [one.open for one in found] == ["open, 5 of 5"] * 2
    assert all(one.difference is not None and one.difference.p is None for one in found)
    assert "None is given of b, c: p waits for every" in " ".join(
        printed(ledger.root, "a", "b", "c").split()
    )
