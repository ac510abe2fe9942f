"""What an axis does, averaged once more with NumPy from the trials' own confusions.

Differences of groups are judged by `family.judge_family`, which has tests of its own.
"""

from collections.abc import Mapping
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from orchestrator.analysis.differences import Difference
from orchestrator.analysis.family import Contrast, Judgement, judge_family
from orchestrator.analysis.grid.axes import axes_of, grid_points, level_label
from orchestrator.analysis.grid.effects import Effects, estimate_effects
from orchestrator.analysis.row_scores import score_interval
from orchestrator.analysis.summary import Summary, summarise
from orchestrator.errors import RequestError
from orchestrator.store.ledger import Ledger
from orchestrator.store.records import CHOICE_OF, Outcome
from orchestrator.store.snapshot import Snapshot
from tests import stores

WIDTHS, LAYERS = (64, 128, 256), ("none", "last")
Made = tuple[Ledger, Snapshot]
Values = Mapping[tuple[int, str, int], float]
"""(fold, speaker, seed) -> UA, or a difference."""


def grid(root: Path, *, missing: Any = (), seeds: int = 1, **changes: Any) -> Made:
    """Six rows, of which wide ones gain with `fa_layer: last` and lose nothing without."""
    rows = {f"{w} {fa}": {"hidden": w, "fa_layer": fa} for w, fa in product(WIDTHS, LAYERS)}
    skill = {f"{w} {fa}": w / 100 if fa == "last" else 0.7 for w, fa in product(WIDTHS, LAYERS)}
    changes = {"reference": None, "axes": ("hidden", "fa_layer"), "skill": skill, **changes}
    return stores.made(root, rows, seeds=seeds, missing=missing, **changes)


def outcomes(made: Made) -> dict[str, Outcome]:
    ledger, snapshot = made
    return ledger.outcomes.read_all(trial.id for trial in snapshot.trials)


def effects(made: Made, given_up: Any = ()) -> Effects:
    return estimate_effects(made[1], outcomes(made), given_up)


def uas(made: Made) -> dict[tuple[int, str], dict[tuple[int, str, int], float]]:
    """(width, FA) -> (fold, speaker, seed) -> UA, by NumPy."""
    ledger, snapshot = made
    settings = {row.name: row.settings for row in snapshot.rows}
    found: dict[tuple[int, str], dict[tuple[int, str, int], float]] = {
        at: {} for at in product(WIDTHS, LAYERS)
    }
    for trial in snapshot.trials:
        outcome = ledger.outcomes.read(trial.id)
        for s in outcome.scores if outcome else ():
            if (s.choice, s.unit) == (CHOICE_OF[snapshot.score], "utterance"):
                counts, at = np.array(s.confusion), settings[trial.row]
                recall = np.diag(counts) / counts.sum(axis=1)
                key = trial.fold, s.speaker, trial.seed
                found[at["hidden"], at["fa_layer"]][key] = float(np.mean(recall))
    return found


def mean_of(*rows: Values) -> Values:
    """The mean on what all have."""
    shared = set.intersection(*(set(row) for row in rows))
    return {key: float(np.mean([row[key] for row in rows])) for key in shared}


def minus(one: Values, other: Values) -> Values:
    return {key: one[key] - other[key] for key in one.keys() & other.keys()}


def judged(family: Mapping[Any, Values]) -> dict[Any, tuple[float, Judgement]]:
    """Each mean difference, and what the family's test says; folds are the units."""
    contrasts = {}
    for name, values in family.items():
        folds = sorted({fold for fold, _, _ in values})
        units = [float(np.mean([v for (f, _, _), v in values.items() if f == n])) for n in folds]
        centre = float(np.mean(list(values.values())))
        contrasts[name] = Contrast.of_units(units, centre=centre, test_to_train=2 / 8)
    found = judge_family(contrasts)
    return {name: (contrasts[name].estimate, found[name]) for name in family}


def numbers(found: Difference | None) -> tuple[Any, ...]:
    assert found is not None
    return found.ua, found.low, found.high, found.p_alone, found.p, found.effect, found.detectable


def numbers_of(pair: tuple[float, Judgement]) -> tuple[Any, ...]:
    mean, j = pair
    return mean, j.low, j.high, j.p_alone, j.p, j.effect, j.detectable


def test_a_level_is_the_mean_of_all_rows_that_have_it(tmp_path: Path) -> None:
    made = grid(tmp_path / "store", seeds=2)
    found, seen = uas(made), effects(made)
    assert [axis.levels for axis in seen.axes] == [("64", "128", "256"), LAYERS]
    for width, shown in zip(WIDTHS, seen.levels["hidden"], strict=True):
        values = mean_of(*(found[width, fa] for fa in LAYERS))
        by_speaker = {
            name: float(np.mean([v for (_, s, _), v in values.items() if s == name]))
            for _, name, _ in values
        }
        expected = score_interval(made[1], by_speaker)
        assert shown.ua is not None and shown.speakers == 10
        assert (shown.ua.mean, shown.ua.low, shown.ua.high) == pytest.approx(
            (expected.mean, expected.low, expected.high), abs=1e-9
        )


def test_the_interval_of_a_level_ends_at_0_and_1(tmp_path: Path) -> None:
    skill = {f"{w} {fa}": 2.2 if w > 64 else -1.5 for w, fa in product(WIDTHS, LAYERS)}
    seen = effects(grid(tmp_path / "store", folds=3, skill=skill))
    ends = [
        end
        for levels in seen.levels.values()
        for level in levels
        if level.ua is not None
        for end in (level.ua.low, level.ua.high)
        if end is not None
    ]
    assert {min(ends), max(ends)} == {0.0, 1.0}


def test_main_effects_of_all_axes_are_one_family(tmp_path: Path) -> None:
    """Three comparisons: two widths with the first, and one FA layer with none."""
    made = grid(tmp_path / "store", seeds=3)
    found, seen = uas(made), effects(made)
    widths = {w: mean_of(*(found[w, fa] for fa in LAYERS)) for w in WIDTHS}
    layers = {fa: mean_of(*(found[w, fa] for w in WIDTHS)) for fa in LAYERS}
    family = {
        ("hidden", "128"): minus(widths[128], widths[64]),
        ("hidden", "256"): minus(widths[256], widths[64]),
        ("fa_layer", "last"): minus(layers["last"], layers["none"]),
    }
    expected = judged(family)
    assert [(effect.axis.key, effect.level) for effect in seen.main] == list(family)
    for effect in seen.main:
        at = effect.axis.key, effect.level
        assert numbers(effect.difference) == pytest.approx(numbers_of(expected[at]), abs=1e-9)
        p = expected[at][1].p
        assert p is not None and effect.verdict == ("yes" if p < 0.05 else "cannot tell")
        assert effect.difference is not None and effect.difference.over_seeds is not None
        assert effect.difference.over_seeds.seeds == 3
    assert "yes" in {effect.verdict for effect in seen.main}


def test_a_main_effect_is_of_the_speakers_that_all_of_its_cells_have(tmp_path: Path) -> None:
    """A fold that one row lacks is left out, or the difference would show speakers."""
    made = grid(tmp_path / "store", missing=[("64 none", 2, 0)], seeds=1)
    found, seen = uas(made), effects(made)
    assert {key[0] for key in found[64, "none"]} == {0, 1, 3, 4}
    widths = {w: mean_of(*(found[w, fa] for fa in LAYERS)) for w in WIDTHS}
    for effect in seen.effects_of(seen.axes[0]):
        assert effect.difference is not None and effect.difference.groups == 4
        expected = np.mean(list(minus(widths[int(effect.level)], widths[64]).values()))
        assert effect.difference.ua == pytest.approx(expected, abs=1e-9)
    first, second, _ = seen.levels["hidden"]
    assert (first.speakers, second.speakers) == (8, 10)


def test_dependences_are_differences_of_differences_and_one_family(tmp_path: Path) -> None:
    made = grid(tmp_path / "store")
    found, seen = uas(made), effects(made)
    (one,) = seen.interactions
    steps = {(w, fa): minus(found[w, fa], found[64, fa]) for w in WIDTHS[1:] for fa in LAYERS}
    alone = judged(steps)
    for (w, fa), (mean, judgement) in alone.items():
        shown = one.effects_of_a[str(w), fa]
        assert shown is not None and shown.p is None
        assert (shown.ua, shown.low, shown.high) == pytest.approx(
            (mean, judgement.low, judgement.high), abs=1e-9
        )
    expected = judged({str(w): minus(steps[w, "last"], steps[w, "none"]) for w in WIDTHS[1:]})
    assert [(d.a, d.b) for d in one.dependences] == [("128", "last"), ("256", "last")]
    for dependence in one.dependences:
        want = numbers_of(expected[dependence.a])
        assert numbers(dependence.difference) == pytest.approx(want, abs=1e-9)
    strongest = one.strongest
    assert strongest is not None and strongest.difference is not None
    assert strongest.difference.p == min(j.p for _, j in expected.values() if j.p is not None)


def test_a_main_effect_says_on_which_axis_it_depends(tmp_path: Path) -> None:
    """One width gains with the FA layer: its line says so, and that of the layer, not the other."""
    skill = {f"{w} {fa}": 0.7 for w, fa in product(WIDTHS, LAYERS)} | {"256 last": 2.6}
    seen = effects(grid(tmp_path / "store", seeds=3, skill=skill))
    (one,) = seen.interactions
    assert [d.verdict for d in one.dependences] == ["cannot tell", "yes"]
    said = {effect.level: [axis.key for axis in effect.depends_on] for effect in seen.main}
    assert said == {"128": [], "256": ["fa_layer"], "last": ["hidden"]}


def test_dependences_of_three_axes_count_those_of_all_pairs(tmp_path: Path) -> None:
    points = list(product((2, 3), (8, 16), ("none", "last")))
    rows = {f"{n} {h} {fa}": {"layers": n, "hidden": h, "fa_layer": fa} for n, h, fa in points}
    made = stores.made(tmp_path / "store", rows, axes=("layers", "hidden", "fa_layer"))
    seen = effects(made)
    assert [(one.a.key, one.b.key) for one in seen.interactions] == [
        ("layers", "hidden"),
        ("layers", "fa_layer"),
        ("hidden", "fa_layer"),
    ]
    found = [d.difference for one in seen.interactions for d in one.dependences]
    assert len(found) == 3 and all(found)
    least = min(d.p_alone for d in found if d and d.p_alone is not None)
    assert min(d.p for d in found if d and d.p is not None) == pytest.approx(min(1, 3 * least))


def test_a_cell_that_is_missing_leaves_all_open_and_one_given_up_what_it_takes_part_in(
    tmp_path: Path,
) -> None:
    made = grid(tmp_path / "store", missing=[("128 none", 2, 0)])
    seen = effects(made)
    assert [e.verdict for e in seen.main] == ["open, 19 of 20", "open, 20 of 20", "open, 29 of 30"]
    assert all(e.difference is not None and e.difference.p is None for e in seen.main)
    assert {d.verdict for d in seen.interactions[0].dependences} == {
        "open, 19 of 20",
        "open, 20 of 20",
    }
    gone = next(t.id for t in made[1].trials if (t.row, t.fold) == ("128 none", 2))
    seen = effects(made, given_up={gone})
    small, large, layer = seen.main
    assert small.verdict == "open, 19 of 20 (1 diverged)"
    assert layer.verdict == "open, 29 of 30 (1 diverged)"
    assert large.verdict in ("yes", "cannot tell") and large.difference is not None
    alone = large.difference.p_alone
    assert alone is not None and large.difference.p == pytest.approx(min(1, 3 * alone))


def test_the_summary_has_main_effects_of_a_grid_of_axes_alone(tmp_path: Path) -> None:
    """Listed rows that happen to be a grid are rows; of one axis its rows say it all."""

    def summary(made: Made) -> Summary:
        return summarise(made[1], outcomes(made))

    made = grid(tmp_path / "grid")
    found = summary(made).effects
    assert found is not None and found == effects(made)
    assert summary(grid(tmp_path / "rows", axes=())).effects is None
    rows = {str(width): {"hidden": width, "layers": 2} for width in WIDTHS}
    one = stores.made(tmp_path / "one", rows, axes=("hidden", "layers"))
    assert [axis.key for axis in axes_of(one[1])] == ["hidden"]
    assert summary(one).effects is None


def test_seeds_without_effect_and_adaptive_seeds_are_no_test_over_seeds(tmp_path: Path) -> None:
    ledger, snapshot = grid(tmp_path / "store", seeds=3, reference="64 none")
    records = ledger.outcomes.read_all(trial.id for trial in snapshot.trials)
    same = dict(records)
    for trial in snapshot.trials:
        if trial.row == "256 last":
            digests = {**records[trial.id].digests, "predictions": f"{trial.fold}"}
            same[trial.id] = replace(records[trial.id], digests=digests)
    seen = summarise(snapshot, same).effects
    assert seen is not None
    over = [e.difference and e.difference.over_seeds for e in seen.main]
    assert over[0] is not None and over[1:] == [None, None]
    seen = summarise(replace(snapshot, replicates="adaptive"), records).effects
    assert seen is not None
    assert {e.difference and e.difference.over_seeds for e in seen.main} == {None}


def test_nothing_run_is_levels_without_numbers(tmp_path: Path) -> None:
    _, snapshot = grid(tmp_path / "store")
    seen = estimate_effects(snapshot, {})
    assert all(shown.ua is None for levels in seen.levels.values() for shown in levels)
    assert seen.interactions[0].strongest is None
    assert [effect.difference for effect in seen.main] == [None] * 3
    assert {effect.verdict for effect in seen.main} == {"open, 0 of 20", "open, 0 of 30"}


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
    assert level_label({"softmax": "1", "sum": "0"}) == "softmax" and level_label(False) == "off"
    assert level_label("last") == "last" and level_label(4) == "4"


def test_values_whose_labels_are_equal_are_told_apart(tmp_path: Path) -> None:
    values = (True, "on", [1, 3], "1+3")
    rows = {f"row {n}": {"pooling": value} for n, value in enumerate(values)}
    _, snapshot = stores.made(tmp_path / "store", rows, folds=2, axes=("pooling",))
    (axis,) = axes_of(snapshot)
    assert axis.levels == ("true", '"on"', "[1,3]", '"1+3"')
    assert list(grid_points(snapshot, [axis]).values()) == [(label,) for label in axis.levels]
