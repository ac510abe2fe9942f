"""What pruning by paired folds buys a search, where the truth is known."""

from dataclasses import dataclass
from statistics import median

import pytest
from benchmarks.drawn_search import (
    CONFIGURATIONS,
    PARAMETERS,
    Walk,
    at_random,
    by_generations,
    by_study,
    groups,
    plain_optuna,
)

STUDIES = 20
SHARE = 0.60
"""Of the folds of an unpruned search, at most."""
TOLERANCE = 0.5
"""Points of regret, mean over the studies, that pruning may cost."""
KEPT = 0.80
"""Of the configurations that would have been chosen, at least."""


@dataclass(frozen=True)
class Spared:
    """A pruned search beside the whole one, of as many configurations."""

    share: float
    """Of the folds of the whole one."""
    whole: float
    """Regret in points: the median over the studies, of their mean over the groups."""
    pruned: float
    cost: float
    """What the pruned one's regret has more, mean over the studies."""
    kept: float
    """Where the whole one's own configurations are pruned: how often the same one is chosen."""
    lost: float
    """What the regret has more there, mean over the studies: nothing else differs."""

    def __str__(self) -> str:
        return (
            f"{100 * self.share:.1f} % of the folds; regret {self.pruned:.2f} points (median), "
            f"unpruned {self.whole:.2f}, mean difference {self.cost:+.2f}; the configuration that "
            f"the unpruned search chose is kept in {100 * self.kept:.0f} % of its searches, and "
            f"regret there grows by {self.lost:.2f} points (mean)"
        )


def spared(studies: int, inner: int) -> Spared:
    """Search with and without pruning, and prune what the whole search tried."""
    walks = []
    for number, group in groups(studies, inner):
        whole, pruned = (
            by_generations(group, number, pruning=on, configurations=CONFIGURATIONS)
            for on in (False, True)
        )
        again = by_generations(group, number, configurations=CONFIGURATIONS, again=whole.tried)
        walks.append((whole, pruned, again))
    regrets = [by_study([walk[which].regret() for walk in walks]) for which in (0, 1, 2)]
    return Spared(
        share=sum(p.folds for _, p, _ in walks) / sum(w.folds for w, _, _ in walks),
        whole=median(regrets[0]),
        pruned=median(regrets[1]),
        cost=(sum(regrets[1]) - sum(regrets[0])) / studies,
        kept=sum(again.chosen == whole.chosen for whole, _, again in walks) / len(walks),
        lost=(sum(regrets[2]) - sum(regrets[0])) / studies,
    )


@pytest.mark.bench
def test_as_many_folds_find_a_better_configuration_than_plain_optuna() -> None:
    inner = 3
    budget = CONFIGURATIONS * inner
    walks: dict[str, list[Walk]] = {
        "generations and pruning": [
            by_generations(group, number, folds=budget) for number, group in groups(STUDIES, inner)
        ],
        "generations": [
            by_generations(group, number, pruning=False, folds=budget)
            for number, group in groups(STUDIES, inner)
        ],
        "plain Optuna": [plain_optuna(g, folds=budget) for _, g in groups(STUDIES, inner)],
        "plain Optuna, MedianPruner": [
            plain_optuna(g, folds=budget, median=True) for _, g in groups(STUDIES, inner)
        ],
    }
    print(f"\n{PARAMETERS}\n{inner} inner folds, {budget} folds trained a group, {STUDIES} studies")
    regrets = {}
    for name, walked in walks.items():
        regrets[name] = by_study([walk.regret(budget) for walk in walked])
        tried = sum(len(walk.tried) for walk in walked) / len(walked)
        print(
            f"  {name:27s} regret {median(regrets[name]):.2f} points (median; mean "
            f"{sum(regrets[name]) / STUDIES:.2f}), {tried:.0f} configurations a group"
        )
    ours, plain = regrets["generations and pruning"], regrets["plain Optuna"]
    lower = sum(a < b for a, b in zip(ours, plain, strict=True))
    print(f"  lower than plain Optuna in {lower} of {STUDIES} studies")
    assert median(ours) < median(plain)
    assert sum(ours) < sum(plain)


@pytest.mark.bench
@pytest.mark.parametrize("inner", [3, 4, 8])
def test_a_pruned_search_ends_where_the_whole_one_does(inner: int) -> None:
    found = spared(STUDIES, inner)
    print(
        f"\n{PARAMETERS}\n{inner} inner folds, {CONFIGURATIONS} configurations, {STUDIES} studies"
    )
    print(f"  {found}")
    if inner < 8:
        assert found.share <= SHARE
    assert found.cost <= TOLERANCE
    assert found.kept >= KEPT


def test_pruning_spares_a_third_of_the_folds_and_keeps_the_best() -> None:
    walks = []
    for number, group in groups(10, 3):
        points = at_random(group)
        walks.append(
            [
                by_generations(
                    group, number, pruning=on, configurations=CONFIGURATIONS, again=points
                )
                for on in (False, True)
            ]
        )
    whole, pruned = (sum(walk[which].folds for walk in walks) for which in (0, 1))
    lost = [pruned.regret() - whole.regret() for whole, pruned in walks]
    assert pruned <= 0.66 * whole
    assert sum(pruned.chosen == whole.chosen for whole, pruned in walks) >= KEPT * len(walks)
    assert sum(lost) / len(lost) <= TOLERANCE
