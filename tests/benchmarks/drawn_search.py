"""Searches of known truth: what configurations are worth is a formula, what they score is drawn.

A configuration's worth falls off from the best in steps of the size that the paper's tables show:
one to four points for a part of the network, twenty for a learning rate twenty times too small. Its
score is that and the difficulty of a speaker and of a fold (shared by all configurations) and, for
each configuration on its own, what it is to this speaker, to this fold, and to the seed of this
training, with the deviations of ``null_tables``.

A search is that of one held-out group, over the eight speakers left of ten. Its regret is what the
chosen configuration's worth lacks to the best, in points. The noise decides much of it (a mean over
eight speakers is off by 2.3 points), so that a seed stands for the mean of ten searches.
"""

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import log10

import numpy as np
import optuna

from orchestrator.analysis.statistics import mean
from orchestrator.search.proposals import GENERATION, Evaluated, propose
from orchestrator.search.pruning import ByFold, expected_score, should_prune
from orchestrator.study.reader import parse_study
from orchestrator.study.search_key.space import Point, Search
from tests.benchmarks.null_tables import DIFFICULTY, PAIR, SEED, SPEAKER

BEST = 0.67
SEARCHES, SPEAKERS = 10, 8
CONFIGURATIONS = 40
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
"""
PARAMETERS = f"""\
worth: {100 * BEST:g} points at lr 0.002, 4 layers, fa_layer antepenultimate, weights of 1/3, hidden 256
lost: lr 12 log10(lr / 0.002)^2; a layer more or less 1.5; fa_layer last 2 (also where 2 layers
  leave no choice), none 4; weights 6 times their squared distance; hidden 128 1, 64 3
deviations: difficulty of a speaker {100 * DIFFICULTY:g}, of a fold {100 * DIFFICULTY:g} (shared); \
of each configuration: to a
  speaker {100 * SPEAKER:g}, to a fold {100 * PAIR:g}, seed of a training {100 * SEED:g}
{SPEAKERS} speakers; a seed is the mean of {SEARCHES} searches"""  # noqa: E501


def _space() -> Search:
    """Numbers, whole and not, choices, a condition, weights."""
    found = parse_study(TEXT, "best.yaml").search
    assert found is not None
    return found


SPACE = _space()


def worth(point: Point) -> float:
    """The truth about a configuration, a fraction."""
    lost = 12 * log10(float(point["lr"]) / 0.002) ** 2
    lost += 1.5 * abs(int(point["layers"]) - 4)
    lost += {"antepenultimate": 0, "last": 2, "none": 4}[str(point.get("fa_layer", "last"))]
    weights = SPACE.settings(point)["aggregators"]
    lost += 6 * sum((float(w) - 1 / 3) ** 2 for w in (weights.softmax, weights.sum, weights.mean))
    lost += {"64": 3, "128": 1, "256": 0}[str(point["hidden"])]
    return BEST - lost / 100


@dataclass(frozen=True)
class Group:
    """What is drawn for one held-out group: its speakers, dealt into inner folds."""

    seed: int
    folds: int = 3
    speakers: int = SPEAKERS

    def train(self, point: Point, fold: int) -> list[float]:
        """The scores of one training: a value a held-out speaker."""
        name = json.dumps(point, sort_keys=True)
        level = worth(point) + self._draw(DIFFICULTY, "fold", fold)
        level += self._draw(PAIR, name, "fold", fold) + self._draw(SEED, name, "seed", fold)
        return [
            level + self._draw(DIFFICULTY, "speaker", s) + self._draw(SPEAKER, name, "speaker", s)
            for s in range(fold, self.speakers, self.folds)
        ]

    def _draw(self, deviation: float, *what: str | int) -> float:
        return random.Random(repr((self.seed, *what))).gauss(0, deviation)


@dataclass(frozen=True)
class Walk:
    """A search that is over."""

    chosen: Point
    tried: tuple[Point, ...]
    steps: tuple[tuple[int, float], ...]
    """Folds trained so far, and the regret of stopping there."""

    @property
    def folds(self) -> int:
        return self.steps[-1][0]

    def regret(self, folds: int | None = None) -> float:
        """Of stopping before more folds than these are trained."""
        return next(r for n, r in reversed(self.steps) if folds is None or n <= folds)


def by_generations(
    group: Group,
    *,
    pruning: bool = True,
    configurations: int = 10**6,
    folds: int = 10**6,
    again: Sequence[Point] = (),
) -> Walk:
    """The product's search: to so many configurations or folds, or of given configurations."""
    space = replace(SPACE, seed=group.seed)
    told: list[Evaluated] = []
    steps: list[tuple[int, float]] = []
    best: tuple[Point, ByFold] | None = None
    trained = 0
    while len(told) < configurations and trained < folds:
        first = len(told)
        points = again[first : first + GENERATION] or propose(space, 0, told, GENERATION)
        scores: list[list[list[float]]] = [[] for _ in points]
        alive = set(range(len(points)))
        for fold in range(group.folds):
            for index in alive:
                scores[index].append(group.train(points[index], fold))
            trained += len(alive)
            if pruning and best is not None:
                alive = {index for index in alive if not should_prune(scores[index], best[1])}
        leader = best
        for index, (point, own) in enumerate(zip(points, scores, strict=True)):
            if index in alive:
                told.append(Evaluated(point=point, score=_mean(own)))
                if leader is None or _mean(own) > _mean(leader[1]):
                    leader = (point, own)
            else:
                assert best is not None
                told.append(Evaluated(point=point, score=expected_score(own, best[1])))
        best = leader
        assert best is not None
        steps.append((trained, _regret(best[0])))
    return Walk(best[0], tuple(one.point for one in told), tuple(steps))


def plain_optuna(
    group: Group, *, folds: int, median: bool = False, at_once: int | None = None
) -> Walk:
    """What a user of Optuna writes: a trial's value is its mean over the folds, one after another.

    ``median``: with the pruner of Optuna's first examples, told the score of each fold as it is.
    ``at_once``: with so many workers, each trial told when all of them are through.
    """
    tried: list[Point] = []
    steps: list[tuple[int, float]] = []
    trained = 0

    def objective(trial: optuna.Trial) -> float:
        nonlocal trained
        point: dict[str, str | int | float] = {
            "lr": trial.suggest_float("lr", 1e-4, 1e-2, log=True),
            "layers": trial.suggest_int("layers", 2, 6),
            "aggregators.1": trial.suggest_float("aggregators.1", 0, 1),
            "aggregators.2": trial.suggest_float("aggregators.2", 0, 1),
            "hidden": trial.suggest_categorical("hidden", ["64", "128", "256"]),
        }
        if int(point["layers"]) >= 3:
            choices = ["none", "last", "antepenultimate"]
            point["fa_layer"] = trial.suggest_categorical("fa_layer", choices)
        tried.append(point)
        scores: list[list[float]] = []
        for fold in range(group.folds):
            scores.append(group.train(point, fold))
            trained += 1
            trial.report(mean(scores[-1]), fold)
            if median and fold < group.folds - 1 and trial.should_prune():
                raise optuna.TrialPruned
        return _mean(scores)

    def after(study: optuna.Study, trial: optuna.trial.FrozenTrial) -> None:
        steps.append((trained, _regret(tried[study.best_trial.number])))
        if trained >= folds:
            study.stop()

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    pruner = optuna.pruners.MedianPruner() if median else optuna.pruners.NopPruner()
    sampler = optuna.samplers.TPESampler(seed=group.seed)
    study = optuna.create_study(direction="maximize", sampler=sampler, pruner=pruner)
    if at_once is None:
        study.optimize(objective, callbacks=[after])
    while at_once is not None and trained < folds:
        snapshot = [study.ask() for _ in range(at_once)]
        values = [objective(trial) for trial in snapshot]
        for trial, value in zip(snapshot, values, strict=True):
            study.tell(trial, value)
        steps.append((trained, _regret(tried[study.best_trial.number])))
    return Walk(tried[study.best_trial.number], tuple(tried), tuple(steps))


def groups(seeds: int, folds: int) -> list[Group]:
    """What is searched for so many seeds."""
    return [Group(seed=number, folds=folds) for number in range(SEARCHES * seeds)]


def at_random(group: Group) -> list[Point]:
    """As many configurations as a search tries, none with the others in mind."""
    space = replace(SPACE, sampler="random", seed=group.seed)
    drawn = (propose(space, n, [], GENERATION) for n in range(CONFIGURATIONS // GENERATION))
    return [point for generation in drawn for point in generation]


def by_seed(of_searches: Sequence[float]) -> list[float]:
    """The mean over the searches of each seed."""
    return [float(m) for m in np.reshape(of_searches, (-1, SEARCHES)).mean(axis=1)]


def _mean(scores: ByFold) -> float:
    """Every speaker counts as much."""
    return mean([score for fold in scores for score in fold])


def _regret(point: Point) -> float:
    return 100 * (BEST - worth(point))
