"""What pruning by paired folds buys a search, where the truth is known."""

from dataclasses import dataclass
from statistics import mean, median

import pytest

from tests.benchmarks.drawn_search import (
    CONFIGURATIONS,
    PARAMETERS,
    Group,
    at_random,
    by_generations,
    by_seed,
    groups,
    plain_optuna,
)

SHARE = 0.60
"""Of the folds of an unpruned search, at most."""
TOLERANCE = 0.5
"""Points of regret that pruning may cost, in the mean."""
KEPT = 0.80
"""Searches in which the configuration that all of the folds would have chosen is chosen."""


@pytest.mark.bench
def test_as_many_folds_find_a_better_configuration_than_plain_optuna() -> None:
    inner, seeds = 3, 20
    budget = CONFIGURATIONS * inner
    searched = groups(seeds, inner)
    walks = {
        "generations and pruning": [by_generations(g, folds=budget) for g in searched],
        "generations": [by_generations(g, pruning=False, folds=budget) for g in searched],
        "plain Optuna, five at once": [plain_optuna(g, folds=budget, at_once=5) for g in searched],
        "plain Optuna": [plain_optuna(g, folds=budget) for g in searched],
        "plain Optuna, MedianPruner": [
            plain_optuna(g, folds=budget, median=True) for g in searched
        ],
    }
    print(f"\n{PARAMETERS}\n{inner} inner folds, {budget} of them trained a search, {seeds} seeds")
    regrets = {}
    for name, walked in walks.items():
        regrets[name] = by_seed([walk.regret(budget) for walk in walked])
        tried = mean(len(walk.tried) for walk in walked)
        print(
            f"  {name:27s} regret {median(regrets[name]):.2f} points (median; mean "
            f"{mean(regrets[name]):.2f}), {tried:.0f} configurations"
        )
    ours, plain = regrets["generations and pruning"], regrets["plain Optuna"]
    lower = sum(a < b for a, b in zip(ours, plain, strict=True))
    print(f"  lower than plain Optuna with {lower} of {seeds} seeds")
    parallel = regrets["plain Optuna, five at once"]
    assert median(ours) < median(plain)
    assert mean(ours) < mean(parallel) - 0.1


@pytest.mark.bench
@pytest.mark.parametrize(("inner", "seeds"), [(3, 20), (5, 5), (8, 5)])
def test_a_pruned_search_ends_where_the_whole_one_does(inner: int, seeds: int) -> None:
    found = spared(groups(seeds, inner), CONFIGURATIONS)
    print(f"\n{PARAMETERS}\n{inner} inner folds, {CONFIGURATIONS} configurations, {seeds} seeds")
    print(f"  {found}")
    if inner == 3:
        assert found.share <= SHARE
    assert found.pruned - found.whole <= TOLERANCE
    assert found.kept >= KEPT


def test_a_pruned_search_is_told_again_from_its_points_and_scores() -> None:
    group = Group(seed=7)
    walk = by_generations(group, configurations=20)
    assert walk.folds < 20 * group.folds
    assert by_generations(group, configurations=20) == walk
    assert by_generations(group, configurations=20, again=walk.tried) == walk


def test_pruning_spares_a_third_of_the_folds_and_keeps_the_best() -> None:
    folds, kept, lost = [0, 0], 0, 0.0
    searched = groups(5, 3)
    for group in searched:
        points = at_random(group)
        whole, pruned = (
            by_generations(group, pruning=on, configurations=CONFIGURATIONS, again=points)
            for on in (False, True)
        )
        folds = [folds[0] + whole.folds, folds[1] + pruned.folds]
        kept += pruned.chosen == whole.chosen
        lost += pruned.regret() - whole.regret()
    assert folds[1] <= 0.66 * folds[0]
    assert kept >= KEPT * len(searched)
    assert lost <= TOLERANCE * len(searched)


@dataclass(frozen=True)
class Spared:
    """Pruned searches beside whole ones of as many configurations."""

    share: float
    """Of the folds of the whole ones."""
    whole: float
    """Regret in points, mean over all searches."""
    pruned: float
    medians: tuple[float, float]
    """Of both, over the seeds."""
    kept: float
    """Where the whole search's own configurations are pruned: how often the same one is chosen."""
    lost: float
    """What the mean regret has more there: nothing else differs."""

    def __str__(self) -> str:
        return (
            f"{100 * self.share:.1f} % of the folds; regret {self.pruned:.2f} points, unpruned "
            f"{self.whole:.2f} (medians {self.medians[1]:.2f}, {self.medians[0]:.2f})\n"
            f"  of the unpruned search's own configurations, its choice is kept in "
            f"{100 * self.kept:.0f} % of the searches; regret grows by {self.lost:.2f} points"
        )


def spared(searched: list[Group], configurations: int) -> Spared:
    """Search with and without pruning, and prune what the whole search tried."""
    wholes = [by_generations(g, pruning=False, configurations=configurations) for g in searched]
    pruned = [by_generations(g, configurations=configurations) for g in searched]
    again = [
        by_generations(group, configurations=configurations, again=whole.tried)
        for group, whole in zip(searched, wholes, strict=True)
    ]
    regrets = [[walk.regret() for walk in walks] for walks in (wholes, pruned, again)]
    return Spared(
        share=sum(walk.folds for walk in pruned) / sum(walk.folds for walk in wholes),
        whole=mean(regrets[0]),
        pruned=mean(regrets[1]),
        medians=(median(by_seed(regrets[0])), median(by_seed(regrets[1]))),
        kept=mean(a.chosen == w.chosen for a, w in zip(again, wholes, strict=True)),
        lost=mean(regrets[2]) - mean(regrets[0]),
    )
