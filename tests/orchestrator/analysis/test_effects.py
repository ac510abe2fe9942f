"""What an axis does, computed once more with NumPy and SciPy from the trials' own confusions."""

from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from orchestrator.analysis.effects import axes_of, estimate_effects, level_label
from orchestrator.analysis.row_scores import Interval
from orchestrator.errors import RequestError
from orchestrator.store.ledger import Ledger
from orchestrator.store.snapshot import Snapshot
from tests import stores

WIDTHS, LAYERS = (64, 128, 256), ("none", "last")
Made = tuple[Ledger, Snapshot]


def grid(root: Path, *, missing: Any = (), seeds: int = 1) -> Made:
    rows = {f"{w} {fa}": {"hidden": w, "fa_layer": fa} for w, fa in product(WIDTHS, LAYERS)}
    skill = {f"{w} {fa}": w / 100 if fa == "last" else 0.7 for w, fa in product(WIDTHS, LAYERS)}
    return stores.made(
        root, rows, skill=skill, folds=5, seeds=seeds, missing=missing, axes=("hidden", "fa_layer")
    )


def uas(made: Made) -> dict[tuple[Any, ...], float]:
    """(width, FA, fold, speaker, seed) -> UA, by NumPy."""
    ledger, snapshot = made
    settings = {row.name: row.settings for row in snapshot.rows}
    found = {}
    for trial in snapshot.trials:
        outcome = ledger.outcomes.read(trial.id)
        for s in outcome.scores if outcome else ():
            if (s.choice, s.unit) == ("chosen", "utterance"):
                counts = np.array(s.confusion)
                at = settings[trial.row]
                key = (at["hidden"], at["fa_layer"], trial.fold, s.speaker, trial.seed)
                found[key] = float(np.mean(np.diag(counts) / counts.sum(axis=1)))
    return found


def told(values: dict[tuple[Any, ...], float]) -> tuple[float, float, float, float]:
    """(fold, speaker, seed) -> value: mean, low, high, p of the corrected t over folds."""
    folds = sorted({fold for fold, _, _ in values})
    groups = [np.mean([v for (f, _, _), v in values.items() if f == fold]) for fold in folds]
    error = np.sqrt((1 / len(groups) + 2 / 8) * np.var(groups, ddof=1))
    centre = np.mean(groups)
    low, high = stats.t.interval(0.95, len(groups) - 1, loc=centre, scale=error)
    return centre, low, high, 2 * stats.t.sf(abs(centre) / error, len(groups) - 1)


def three(interval: Interval | None) -> tuple[float, Any, Any]:
    assert interval is not None
    return interval.mean, interval.low, interval.high


def cell(found: dict[tuple[Any, ...], float], width: int, fa: str) -> dict[tuple[Any, ...], float]:
    return {key[2:]: v for key, v in found.items() if key[:2] == (width, fa)}


def test_a_level_is_the_mean_of_all_rows_that_have_it(tmp_path: Path) -> None:
    made = grid(tmp_path / "store", seeds=2)
    found, seen = (
        uas(made),
        estimate_effects(made[1], made[0].outcomes.read_all(t.id for t in made[1].trials)),
    )
    assert [axis.levels for axis in seen.axes] == [("64", "128", "256"), LAYERS]
    for width, shown in zip(WIDTHS, seen.main["hidden"], strict=True):
        none, last = (cell(found, width, fa) for fa in LAYERS)
        mean, low, high, _ = told({key: (none[key] + last[key]) / 2 for key in none})
        assert three(shown.ua) == pytest.approx((mean, low, high), abs=1e-9)
        assert shown.speakers == 10


def test_dependence_is_the_difference_of_differences_after_holm(tmp_path: Path) -> None:
    made = grid(tmp_path / "store")
    found, seen = (
        uas(made),
        estimate_effects(made[1], made[0].outcomes.read_all(t.id for t in made[1].trials)),
    )
    (one,) = seen.interactions
    ps = {}
    for width in WIDTHS[1:]:
        steps = {}
        for fa in LAYERS:
            here, first = cell(found, width, fa), cell(found, 64, fa)
            steps[fa] = {key: here[key] - first[key] for key in here}
            expected = told(steps[fa])[:3]
            assert three(one.effects_of_a[str(width), fa]) == pytest.approx(expected, abs=1e-9)
        both = {key: steps["last"][key] - steps["none"][key] for key in steps["last"]}
        mean, low, high, ps[str(width)] = told(both)
        (shown,) = (d for d in one.dependences if d.a == str(width))
        assert three(shown.difference) == pytest.approx((mean, low, high), abs=1e-9)
    small, large = sorted(ps.values())
    holm = {small: min(1, 2 * small), large: max(min(1, 2 * small), large)}
    for shown in one.dependences:
        assert shown.p == pytest.approx(holm[ps[shown.a]], abs=1e-9)
    assert one.strongest is not None and one.strongest.p == pytest.approx(2 * small, abs=1e-9)


def test_levels_are_compared_on_what_all_their_rows_have(tmp_path: Path) -> None:
    """A fold that one row lacks is left out of its level, or the level would show speakers."""
    made = grid(tmp_path / "store", missing=[("64 none", 2, 0)])
    found, seen = (
        uas(made),
        estimate_effects(made[1], made[0].outcomes.read_all(t.id for t in made[1].trials)),
    )
    none, last = (cell(found, 64, fa) for fa in LAYERS)
    mean, low, high, _ = told({key: (v + last[key]) / 2 for key, v in none.items()})
    first, second, _ = seen.main["hidden"]
    assert three(first.ua) == pytest.approx((mean, low, high), abs=1e-9)
    assert (first.speakers, second.speakers) == (8, 10)


def test_nothing_run_is_levels_without_numbers(tmp_path: Path) -> None:
    _, snapshot = grid(tmp_path / "store")
    seen = estimate_effects(snapshot, {})
    assert all(shown.ua is None for levels in seen.main.values() for shown in levels)
    assert seen.interactions[0].strongest is None


def test_listed_rows_that_are_a_whole_grid_are_one_and_others_are_refused(tmp_path: Path) -> None:
    rows = {"a": {"pooling": "mean"}, "b": {"pooling": "sum"}}
    _, snapshot = stores.made(tmp_path / "one", rows, folds=2)
    assert [axis.key for axis in axes_of(snapshot)] == ["pooling"]
    ragged = {"a": {"pooling": "mean"}, "b": {"hidden": 8}}
    _, snapshot = stores.made(tmp_path / "two", ragged, folds=2)
    with pytest.raises(RequestError, match="are no grid: `--picture forest` draws any rows"):
        estimate_effects(snapshot, {})
    _, snapshot = stores.made(tmp_path / "three", {"a": {}, "b": {}}, folds=2)
    with pytest.raises(RequestError, match="was not kept when it last ran: name its file"):
        estimate_effects(snapshot, {})


def test_a_setting_is_a_short_label() -> None:
    assert level_label({"softmax": "1", "sum": "0"}) == "softmax" and level_label(False) == "no"
    assert level_label("last") == "last" and level_label(4) == "4"
