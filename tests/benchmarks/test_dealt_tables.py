"""What the verdicts promise where speakers are dealt several times, on tables of known truth."""

import math
from dataclasses import replace

import pytest

from tests.benchmarks.dealt_tables import Design, count

TABLES = 10_000
LUCK = 0.015
"""1.5 points. Where it is divided by the root of the number of speakers, it shrinks with them."""


@pytest.mark.bench
@pytest.mark.parametrize("comparisons", [1, 2, 6])
@pytest.mark.parametrize("deals", [3, 6])
@pytest.mark.parametrize("speakers", [10, 24])
def test_at_most_one_table_in_twenty_shows_what_is_not_there(
    speakers: int, deals: int, comparisons: int
) -> None:
    for luck in (0.0, LUCK / math.sqrt(speakers)):
        design = Design(
            speakers=speakers,
            folds=speakers // 2,
            deals=deals,
            comparisons=comparisons,
            luck=luck,
        )
        found = count(design, TABLES)
        print(
            f"\n{speakers} speakers, {deals} deals, {comparisons} comparisons, luck "
            f"{100 * luck:.2f}: {100 * found.false:.2f} % false tables, coverage "
            f"{100 * found.coverage:.1f} %, ± {100 * found.half:.1f}"
        )
        assert found.false_at_least(TABLES) <= 0.05
        assert found.coverage >= 0.935


@pytest.mark.bench
@pytest.mark.parametrize("folds", [2, 3, 6])
def test_larger_groups_are_judged_over_speakers_too(folds: int) -> None:
    """The ratio of test to training speakers stands for the luck that a group shares."""
    for comparisons in (1, 6):
        design = Design(speakers=24, folds=folds, deals=2, comparisons=comparisons)
        found = count(design, TABLES)
        print(f"\n{design}: {100 * found.false:.2f} % false, {100 * found.coverage:.1f} %")
        assert found.false_at_least(TABLES) <= 0.05
        assert found.coverage >= 0.935


@pytest.mark.bench
@pytest.mark.parametrize("comparisons", [1, 2, 6])
@pytest.mark.parametrize(("speakers", "trainings"), [(10, 3), (10, 6), (24, 3), (24, 6)])
def test_deals_show_more_than_as_many_seeds(
    speakers: int, trainings: int, comparisons: int
) -> None:
    for points in (4, 8):
        shown = []
        for deals, seeds in ((1, trainings), (trainings, 1)):
            design = Design(
                speakers=speakers,
                folds=speakers // 2,
                deals=deals,
                seeds=seeds,
                comparisons=comparisons,
            )
            shown.append(count(design, TABLES // 5, shift=points / 100, seed=2))
        as_seeds, as_deals = shown
        print(
            f"\n{speakers} speakers, {trainings} trainings, {comparisons} comparisons, {points} "
            f"points: shown in {100 * as_seeds.power:.1f} % as seeds (± "
            f"{100 * as_seeds.half:.1f}), {100 * as_deals.power:.1f} % as deals (± "
            f"{100 * as_deals.half:.1f})"
        )
        assert as_deals.half < as_seeds.half
        assert as_deals.power >= as_seeds.power - 0.02


@pytest.mark.bench
@pytest.mark.parametrize("comparisons", [1, 6])
@pytest.mark.parametrize(("speakers", "folds", "deals"), [(10, 5, 3), (24, 12, 3), (24, 6, 2)])
def test_the_promise_holds_at_the_luck_that_it_names(
    speakers: int, folds: int, deals: int, comparisons: int
) -> None:
    """Luck in equal measure for all rows, as the sentence under a table says."""
    plain = Design(speakers=speakers, folds=folds, deals=deals, comparisons=comparisons)
    found = count(replace(plain, luck=plain.tolerated), TABLES)
    print(f"\n{plain}, luck {100 * plain.tolerated:.2f}: {100 * found.false:.2f} % false")
    assert found.false_at_least(TABLES) <= 0.05


def test_four_hundred_tables_in_short() -> None:
    design = Design(deals=3, comparisons=2)
    assert count(design, 400, seed=3).false <= 34 / 400  # more in 1 of 1,000 runs at 5 %
    as_seeds = count(Design(seeds=3, comparisons=2), 400, shift=0.08, seed=4)
    as_deals = count(design, 400, shift=0.08, seed=4)
    assert as_deals.power > as_seeds.power
    assert as_deals.half < as_seeds.half
