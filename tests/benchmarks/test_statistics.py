"""What the verdicts promise, on tables whose truth is known: at most one in twenty is false."""

import pytest

from tests.benchmarks.null_tables import PARAMETERS, count

TABLES = 1000
MOST_FALSE = 67
"""Of 1,000 tables at a level of 5 %, more false ones would be seen in 1 of 100 only."""


@pytest.mark.bench
@pytest.mark.parametrize("rows", [2, 6])
def test_at_most_one_table_in_twenty_shows_what_is_not_there(rows: int) -> None:
    found = count(tables=TABLES, rows=rows, shift=0.0, seed=1)
    print(f"\n{PARAMETERS}\n{rows} rows: {found.verdicts} of {TABLES} tables with a false verdict")
    _print(found.by_test)
    assert found.verdicts <= MOST_FALSE
    assert found.by_test["pairs"] <= MOST_FALSE / TABLES
    assert found.by_test["naive t"] > 0.3 > found.by_test["flat"] > found.by_test["pairs"]


@pytest.mark.bench
@pytest.mark.parametrize("points", [4, 8, 12])
def test_pairing_shows_more_of_a_true_difference(points: int) -> None:
    found = count(tables=TABLES, rows=1, shift=points / 100, seed=2)
    print(f"\n{PARAMETERS}\na true difference of {points} points is shown:")
    _print(found.by_test)
    assert found.by_test["pairs"] > found.by_test["unpaired"]


def test_four_hundred_tables_in_short() -> None:
    null = count(tables=400, rows=2, shift=0.0, seed=3)
    true = count(tables=400, rows=1, shift=0.04, seed=4)
    assert null.verdicts <= 34  # more in 1 of 1,000 runs at 5 %
    assert null.by_test["naive t"] > 0.3
    assert true.by_test["pairs"] > true.by_test["unpaired"]


def _print(by_test: dict[str, float]) -> None:
    said = {
        "naive t": "naive t over 30 units",
        "flat": "Nadeau and Bengio over 30 flat units",
        "pairs": "Nadeau and Bengio over 5 pairs (the product's)",
        "unpaired": "the same, unpaired",
    }
    for name, share in by_test.items():
        print(f"  {said[name]}: {100 * share:.1f} %")
