"""What a table's promise is worth: ten thousand drawn tables in every cell of a grid of designs."""

import math
from functools import lru_cache

import numpy as np
import pytest

from orchestrator.analysis.family import Contrast, judge_family, promise_of
from orchestrator.analysis.statistics import mean
from tests.benchmarks.family_page import page
from tests.benchmarks.family_tables import (
    COMPARISONS,
    LEVEL,
    LUCKS,
    Cell,
    Design,
    cells,
    designs,
    draw,
    errors,
    least_rate,
)


@lru_cache
def every_cell() -> tuple[Cell, ...]:
    return tuple(cell for design in designs() for cell in cells(design))


def of(method: str) -> list[Cell]:
    return [cell for cell in every_cell() if cell.method == method]


@pytest.mark.parametrize("pairs", [3, 5, 12])
@pytest.mark.parametrize("shape", ["normal", "one row 2.5 x"])
@pytest.mark.parametrize("rows", [2, 3, 8])
def test_arrays_are_judged_as_the_product_judges(pairs: int, shape: str, rows: int) -> None:
    design = Design(pairs, 3, "IEMOCAP", shape)
    scores = (
        draw(design, rows, 40, np.random.default_rng(pairs)) + 4 * (np.arange(rows) == 0)[:, None]
    )
    differences = scores[:, :-1] - scores[:, -1:]
    found = errors(scores, design.ratio, "moderated t")
    gap = differences.mean(axis=2)
    shown, some = found.shown(gap), found.any_shown(gap)
    for n, table in enumerate(differences):
        contrasts = {
            row: Contrast.of_units(
                groups.tolist(), centre=mean(groups.tolist()), test_to_train=design.ratio
            )
            for row, groups in enumerate(table)
        }
        judged = judge_family(contrasts)
        promise = promise_of(one.luck for one in judged.values())
        assert promise is not None and promise.luck == pytest.approx(found.luck[n], rel=1e-9)
        assert some[n] == any((one.p or 0) < LEVEL for one in judged.values())
        for row, one in judged.items():
            assert one.high is not None and one.df is not None and one.p is not None
            assert one.df == pytest.approx(found.df[n, 0], rel=1e-7)
            assert (one.p < LEVEL) == shown[n, row]
            detected = (one.high - contrasts[row].estimate) / found.error[n, row]
            assert detected == pytest.approx(-student(one.df), rel=1e-7)


def student(df: float) -> float:
    from scipy.special import stdtrit

    return float(stdtrit(df, LEVEL / 2))


@pytest.mark.bench
def test_the_generator_draws_the_tables_of_the_first_measurement() -> None:
    """An independent simulation, of utterances one by one, gave these shares before this one."""
    (then,) = cells(Design(5, 5), methods=["moderated t"], comparisons=[6], lucks=["0"])
    assert then.power[8] == pytest.approx(0.40, abs=0.05)
    (alone,) = cells(Design(5, 5), methods=["corrected t"], comparisons=[6], lucks=["0"])
    assert alone.power[8] == pytest.approx(0.13, abs=0.03)
    for seeds, false in ((1, 0.062), (3, 0.112), (5, 0.123), (10, 0.153)):
        (cell,) = cells(Design(12, seeds), methods=["corrected t"], comparisons=[6], lucks=["1.5"])
        assert cell.rate == pytest.approx(false, abs=0.03)


@pytest.mark.bench
def test_every_promised_cell_keeps_its_promise() -> None:
    promised = [cell for cell in of("moderated t") if cell.is_promised]
    print(
        f"\n{len(promised)} of {len(of('moderated t'))} cells are promised; the most false tables "
        f"{max(c.rate for c in promised):.1%}, coverage {min(c.coverage for c in promised):.1%}"
    )
    assert [cell for cell in promised if cell.least > LEVEL] == []
    assert [cell for cell in promised if cell.coverage < 0.935] == []


@pytest.mark.bench
def test_a_table_that_prints_enough_luck_is_false_in_one_of_twenty() -> None:
    """Of every cell, promised or not: only those tables that say that they tolerate its luck."""
    told = [cell for cell in of("moderated t") if cell.told]
    assert len(told) > 1000
    assert [cell for cell in told if least_rate(cell.told_false, cell.told) > LEVEL] == []


@pytest.mark.bench
def test_small_corpora_are_promised_whatever_seeds_and_rows() -> None:
    small = [c for c in of("moderated t") if c.design.pairs in (5, 12) and c.luck in LUCKS[:2]]
    assert len(small) == 2 * 4 * 2 * 3 * len(COMPARISONS) * 2
    assert all(cell.is_promised for cell in small)


@pytest.mark.bench
def test_shared_variances_make_intervals_narrower_and_power_greater() -> None:
    at = {(c.design, c.comparisons, c.method): c for c in every_cell() if c.luck == "0"}
    for design in designs():
        before, after = (at[design, 6, method] for method in ("corrected t", "moderated t"))
        if design.pairs == 5:
            assert after.half <= 0.85 * before.half
        if design.shape == "normal" and design.pairs == 5 and design.seeds > 1:
            assert after.power[8] >= 2.5 * before.power[8]
    for design in designs():
        if design.shape == "one row 2.5 x":
            shared, pooled = (at[design, 6, method] for method in ("moderated t", "pooled"))
            assert shared.power[8] >= pooled.power[8]


def test_the_page_is_made_of_the_cells() -> None:
    drawn = [cell for pairs in (5, 12) for cell in cells(Design(pairs, 3), tables=1000)]
    text = page(drawn)
    assert text.count("| 5 |") and "of 1,000 tables" in text and not math.isnan(drawn[0].half)
