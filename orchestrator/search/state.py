"""Where a search stands: its held-out groups, the configurations it tried, and the winners."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from features.corpora.folds import Fold
from orchestrator.search.remaining import RemainingBudget
from orchestrator.study.search_key.space import Point
from orchestrator.study.trials import PlannedTrial

ConfigurationState = Literal["trained", "pruned", "failed", "training"]


class TrialBuilder(Protocol):
    """Builds the trials of a configuration, one for each fold and seed."""

    def __call__(
        self, row: str, point: Point, folds: Sequence[Fold], seeds: int
    ) -> tuple[PlannedTrial, ...]:
        """The trials of the configuration ``point`` under the name ``row``, by seed, then fold."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Group:
    """A held-out group of speakers, for which a configuration is searched on all the others."""

    index: int
    name: str
    """``group 2``; in a flat search ``all folds``."""
    folds: tuple[Fold, ...]
    """The folds on which configurations are scored, in the order in which they are trained."""
    outer: Fold | None
    """The fold that tests the winner on the held-out group; None in a flat search."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Configuration:
    """One configuration that was proposed for a group, and how its trials ended."""

    group: Group
    number: int
    """Its place among the proposals of the group, from 1."""
    point: Point
    """The value of each axis."""
    trials: tuple[PlannedTrial, ...]
    """Its trials, by fold; with pruning only those that are wanted so far."""
    state: ConfigurationState
    score: float | None
    """The mean UA over all folds, 0 to 1; of a pruned one the mean it was expected to reach; None
    where it is still training or failed."""

    @property
    def name(self) -> str:
        """``group 2 #7``."""
        return configuration_name(self.group, self.number)


@dataclass(frozen=True, kw_only=True, slots=True)
class SearchState:
    """How far a search has come, by the records of its trials."""

    tried: tuple[Configuration, ...]
    """All configurations so far, by generation, then group, then number."""
    winners: tuple[Configuration, ...]
    """The best configuration of each group; empty until the budget is used."""
    remaining: RemainingBudget
    """What the search may still propose."""
    final: tuple[PlannedTrial, ...]
    """The trainings that test the winners; empty until they are known, and in a flat search."""
    hopeless: str
    """Why the search cannot go on: no configuration of some group could be trained. Else empty."""

    @property
    def configurations(self) -> int:
        """How many configurations the group with most of them has tried."""
        return max((one.number for one in self.tried), default=0)

    @property
    def given_up(self) -> frozenset[str]:
        """Ids of trials that a run leaves out, since their configuration cannot be trained.

        Empty where no configuration could be trained: a run then tries each of them once more.
        """
        if self.hopeless:
            return frozenset()
        failed = (one for one in self.tried if one.state == "failed")
        return frozenset(item.id for one in failed for item in one.trials)

    @property
    def trials(self) -> tuple[PlannedTrial, ...]:
        """All trials so far, the final ones last."""
        return tuple(item for one in self.tried for item in one.trials) + self.final


def configuration_name(group: Group, number: int) -> str:
    """The row under which a configuration's trials stand: ``group 2 #7``."""
    return f"{group.name} #{number}"
