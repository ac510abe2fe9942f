"""Which axes matter is told as it is, where it is known, and the same every time."""

import functools
import os
import random
import subprocess
import sys
from dataclasses import replace
from math import log10
from pathlib import Path

import pytest

from model.config import Aggregators
from orchestrator.search.importance import FEWEST, Importance, importances, slices
from orchestrator.search.proposals import GENERATION, Evaluated, propose
from orchestrator.study.reader import parse_study
from orchestrator.study.search_key.space import Point, Search

pytest.importorskip("optuna")

TEXT = """\
study: best
baseline: {fa_layer: last}
search:
  axes:
    lr: {low: 1e-4, high: 1e-2, log: true}
    layers: {low: 2, high: 6}
    fa_layer: {choices: [none, last, antepenultimate], when: layers >= 3}
    aggregators: simplex
    hidden: [64, 128, 256]
  budget: {trials: 40}
  sampler: random
"""


@functools.cache
def search() -> Search:
    found = parse_study(TEXT, "best.yaml").search
    assert found is not None
    return found


def score(point: Point) -> float:
    """Mostly the learning rate, somewhat the width and the FA layer, nothing else; and noise."""
    lost = 0.10 * (log10(float(point["lr"])) + 3) ** 2
    lost += {"64": 0.04, "128": 0.0, "256": 0.0}[str(point["hidden"])]
    lost += 0.04 if point.get("fa_layer") == "none" else 0.0
    return 0.6 - lost + random.Random(repr(sorted(point.items()))).gauss(0, 0.005)


def drawn(groups: int = 5, count: int = 40) -> list[list[Evaluated]]:
    """Configurations at random, and their scores."""
    found = []
    for group in range(groups):
        told: list[Evaluated] = []
        while len(told) < count:
            told += [
                Evaluated(point=p, score=score(p))
                for p in propose(search(), group, told, GENERATION)
            ]
        found.append(told[:count])
    return found


@pytest.fixture(scope="module")
def told() -> list[list[Evaluated]]:
    return drawn()


@pytest.fixture(scope="module")
def found(told: list[list[Evaluated]]) -> dict[str, Importance]:
    return {one.key: one for one in importances(search().axes, told)}


def test_the_axes_are_ranked_as_they_matter(found: dict[str, Importance]) -> None:
    assert list(found) == [axis.key for axis in search().axes]
    fanova = {key: one.fanova for key, one in found.items()}
    ped = {key: one.ped_anova for key, one in found.items()}
    for measure in (fanova, ped):
        of = {key: share for key, share in measure.items() if share is not None}
        assert len(of) == 5 and max(of, key=lambda k: of[k]) == "lr"
        assert min(of["hidden"], of["fa_layer"]) > max(of["layers"], of["aggregators"]) / 2
    assert fanova["lr"] is not None and fanova["lr"] > 0.4
    assert sum(share or 0 for share in ped.values()) == pytest.approx(1)


def test_an_axis_with_a_condition_is_judged_where_it_is_there(
    told: list[list[Evaluated]], found: dict[str, Importance]
) -> None:
    active = sum("fa_layer" in one.point for group in told for one in group)
    assert found["fa_layer"].n == active < found["lr"].n == 200


def test_harder_groups_change_no_share(
    told: list[list[Evaluated]], found: dict[str, Importance]
) -> None:
    """Each group is harder than the one before."""
    harder = [
        [replace(one, score=score(one.point) - 0.1 * group) for one in configurations]
        for group, configurations in enumerate(told)
    ]
    for ours, theirs in zip(found.values(), importances(search().axes, harder), strict=True):
        assert ours.fanova == pytest.approx(theirs.fanova, abs=0.02)
        assert ours.ped_anova == pytest.approx(theirs.ped_anova, abs=0.02)


def test_the_same_points_give_the_same_bits_in_another_process() -> None:
    other_seed = "2" if os.environ.get("PYTHONHASHSEED") == "1" else "1"
    program = (
        "from tests.orchestrator.search.test_importance import drawn, search\n"
        "from orchestrator.search.importance import importances\n"
        "print(importances(search().axes, drawn(groups=1)))"
    )
    said = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONHASHSEED": other_seed, "PYTHONPATH": str(Path(__file__).parents[3])},
    ).stdout
    assert said == f"{importances(search().axes, drawn(groups=1))}\n"


def test_what_so_few_do_not_bear_is_not_told() -> None:
    few = drawn(groups=1, count=FEWEST - 1)
    assert {(one.fanova, one.ped_anova) for one in importances(search().axes, few)} == {
        (None, None)
    }
    assert {one.n for one in importances(search().axes, [])} == {0}
    equal = [[replace(one, score=0.5) for one in drawn(groups=1)[0]]]
    assert {(one.fanova, one.ped_anova) for one in importances(search().axes, equal)} == {
        (None, None)
    }


def test_failed_ones_are_left_out() -> None:
    [group] = drawn(groups=1)
    failed = [[replace(one, score=None) if i % 4 == 0 else one for i, one in enumerate(group)]]
    assert importances(search().axes, failed)[0].n == 30
    assert len(slices(search().axes, failed)[0].seen) == 30


def test_a_slice_has_every_value_beside_its_score(told: list[list[Evaluated]]) -> None:
    of = {one.key: one.seen for one in slices(search().axes, told)}
    every = [one for group in told for one in group]
    assert of["lr"] == tuple((one.point["lr"], one.score) for one in every)
    assert len(of["fa_layer"]) == sum("fa_layer" in one.point for one in every)
    assert {value for value, _ in of["hidden"]} == {"64", "128", "256"}
    weights = [value for value, _ in of["aggregators"] if isinstance(value, Aggregators)]
    assert len(weights) == 200 and all(w.softmax + w.sum + w.mean == 1 for w in weights)
