"""A search proposes the same, whatever order its trials end in and however often it is stopped."""

import json
import random
import time
import warnings
from collections.abc import Callable
from dataclasses import replace
from math import log10

import pytest

from orchestrator.search.proposals import GENERATION, Evaluated, propose
from orchestrator.study.reader import parse_study
from orchestrator.study.search_key.space import Point, Search

optuna = pytest.importorskip("optuna")

TEXT = """\
study: best
baseline: {{fa_layer: last}}
search:
  axes:
    lr: {{low: 1e-4, high: 1e-2, log: true}}
    layers: {{low: 2, high: 6}}
    fa_layer: {{choices: [none, last, antepenultimate], when: layers >= 3}}
    aggregators: simplex
    hidden: [64, 128, 256]
  budget: {{trials: 40}}
  sampler: {sampler}
  seed: {seed}
"""
NUMBERS = """\
study: best
search:
  axes:
    lr: {low: 1e-4, high: 1e-2, log: true}
    hidden: {low: 64, high: 256}
  budget: {trials: 40}
  sampler: cmaes
"""


def search(sampler: str = "tpe", seed: int = 0) -> Search:
    text = NUMBERS if sampler == "cmaes" else TEXT.format(sampler=sampler, seed=seed)
    found = parse_study(text, "best.yaml").search
    assert found is not None
    return found


def score(point: Point) -> float:
    """Better near lr 0.002 and four layers, with a noise that belongs to the point."""
    noise = random.Random(json.dumps(point, sort_keys=True)).gauss(0, 0.02)
    return (
        -((log10(float(point["lr"])) + 2.7) ** 2) - 0.05 * abs(int(point.get("layers", 4)) - 4)
    ) + noise


Arrive = Callable[[list[Point]], list[Point]]


def walk(space: Search, count: int, arrive: Arrive, group: int = 0) -> list[Point]:
    """A search, generation after generation; nothing outlives one but what a ledger would hold."""
    ledger: dict[str, float] = {}
    proposed: list[Point] = []
    while len(proposed) < count:
        kept = json.loads(json.dumps(proposed))  # interrupted: read again from what was written
        told = [Evaluated(point=p, score=ledger[json.dumps(p, sort_keys=True)]) for p in kept]
        new = list(propose(space, group, told, count - len(told)))
        for point in arrive(new):
            ledger[json.dumps(point, sort_keys=True)] = score(point)
        proposed += new
    return proposed


def in_order(points: list[Point]) -> list[Point]:
    return points


@pytest.mark.parametrize(
    "sampler", ["tpe", "random", "cmaes", pytest.param("gp", marks=pytest.mark.bench)]
)
def test_forty_of_forty_are_proposed_again_under_any_order_and_interruption(sampler: str) -> None:
    count = 15 if sampler == "gp" else 40  # its proposals take a second each
    space = search(sampler)
    first = walk(space, count, in_order)
    for seed in range(1 if sampler == "gp" else 3):
        draw = random.Random(seed)
        shuffled = walk(space, count, lambda points: draw.sample(points, len(points)))  # noqa: B023
        assert sum(a == b for a, b in zip(first, shuffled, strict=True)) == count
    assert len({json.dumps(p, sort_keys=True) for p in first}) > count / 2


def test_plain_parallel_tpe_is_another_search_on_every_run() -> None:
    """What the generations are for: four in flight, each told as it ends, one seed."""

    def plain(order: int) -> list[dict[str, float]]:
        draw = random.Random(order)
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        study = optuna.create_study(
            direction="maximize", sampler=optuna.samplers.TPESampler(seed=0)
        )
        kinds = {
            "lr": optuna.distributions.FloatDistribution(1e-4, 1e-2, log=True),
            "layers": optuna.distributions.IntDistribution(2, 6),
        }
        flying, snapshot = [], []
        while len(snapshot) < 40:
            while len(flying) < 4 and len(snapshot) < 40:
                flying.append(study.ask(kinds))
                snapshot.append(flying[-1].params)
            done = flying.pop(draw.randrange(len(flying)))
            study.tell(done, score(done.params))
        return snapshot

    first = plain(0)
    same = [sum(a == b for a, b in zip(first, plain(k), strict=True)) for k in range(1, 4)]
    assert max(same) < 40


def test_another_seed_or_another_group_is_another_search() -> None:
    first = walk(search(), 10, in_order)
    assert walk(search(seed=1), 10, in_order) != first
    assert walk(search(), 10, in_order, group=1) != first


def test_a_budget_that_grows_goes_on_as_if_it_had_been_so_from_the_start() -> None:
    space = search()
    whole = walk(space, 20, in_order)
    told = [Evaluated(point=p, score=score(p)) for p in whole[:12]]  # ended inside a generation
    assert list(propose(space, 0, told, 99)) == whole[12:15]
    assert len(propose(space, 0, told, 1)) == 1


def test_a_sampler_learns_from_what_it_is_told() -> None:
    first, last = [], []
    for seed in range(5):
        scores = [score(point) for point in walk(search(seed=seed), 40, in_order)]
        first.append(sum(scores[:10]) / 10)
        last.append(sum(scores[-10:]) / 10)
    assert sum(last) / 5 > sum(first) / 5 + 0.1


def test_a_failed_configuration_is_told_as_that_and_stops_nothing() -> None:
    space = search()
    told: list[Evaluated] = []
    while len(told) < 20:
        told += [
            Evaluated(point=p, score=None if i % 2 else score(p))
            for i, p in enumerate(propose(space, 0, told, GENERATION))
        ]
    assert len(propose(space, 0, told, GENERATION)) == GENERATION


@pytest.mark.parametrize("sampler", ["tpe", "cmaes", pytest.param("gp", marks=pytest.mark.bench)])
def test_a_sampler_learns_from_what_a_pruned_one_is_expected_to_score(sampler: str) -> None:
    """If it were told nothing of them, it would come back to where they are."""

    def is_pruned(point: Point) -> bool:
        return score(point) < -0.1

    late = {True: 0, False: 0}
    for seed in range(2 if sampler == "gp" else 6):
        space = replace(search(sampler), seed=seed)
        for knows in late:
            told: list[Evaluated] = []
            while len(told) < 30:
                told += [
                    Evaluated(point=p, score=score(p) if knows or not is_pruned(p) else None)
                    for p in propose(space, 0, told, GENERATION)
                ]
            late[knows] += sum(is_pruned(one.point) for one in told[10:])
    assert late[True] < 0.8 * late[False], late


def test_every_point_is_in_its_space_and_has_no_inactive_axis() -> None:
    space = search()
    for point in walk(space, 40, in_order):
        assert 1e-4 <= float(point["lr"]) <= 1e-2 and 2 <= int(point["layers"]) <= 6
        assert ("fa_layer" in point) == (int(point["layers"]) >= 3)
        space.settings(point)


@pytest.mark.bench
def test_a_proposal_takes_less_than_50_ms_at_1000_configurations() -> None:
    known = search("random")
    told: list[Evaluated] = []
    while len(told) < 1000:
        told += [
            Evaluated(point=p, score=score(p)) for p in propose(known, len(told), [], GENERATION)
        ]
    propose(search(), 0, told, GENERATION)
    began = time.process_time()
    propose(search(), 0, told, GENERATION)
    assert (time.process_time() - began) / GENERATION < 0.050
