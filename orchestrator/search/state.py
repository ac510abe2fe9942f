"""The state of a search: its held-out groups, the configurations it tried, and the winners."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from features.corpora.folds import Fold
from orchestrator.search.remaining import RemainingBudget
from orchestrator.study.search_key.space import Point
from orchestrator.study.trials import PlannedTrial

ConfigurationState = Literal["trained", "pruned", "failed", "training"]
"""``trained``: scored on all folds; ``pruned``: stopped after some of them; ``failed``: a trial
cannot be trained; ``training``: a trial has not ended."""


class TrialBuilder(Protocol):
    """Builds the trials of a configuration, one for each fold and seed."""

    def __call__(
        self, row: str, point: Point, folds: Sequence[Fold], seeds: int
    ) -> tuple[PlannedTrial, ...]:
        """Build the trials of one configuration.

        Args:
            row: the row of the trials, such as ``group 2 #7``.
            point: the configuration: name of a parameter -> value.
            folds: the folds to train on.
            seeds: number of seeds, from seed 0.

        Returns:
            One trial for each seed and fold, sorted by seed, then fold.
        """


@dataclass(frozen=True, kw_only=True, slots=True)
class Group:
    """A held-out group of speakers; its configurations are scored on the other speakers.

    A flat search has one group, which holds nobody out.
    """

    index: int
    """Number of the group, from 0."""
    name: str
    """Its name in rows, such as ``group 2``; in a flat search ``all folds``."""
    folds: tuple[Fold, ...]
    """The folds that score configurations (inner folds, if nested), in the order of training."""
    outer: Fold | None
    """The fold that tests the winner on the held-out group; None in a flat search."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Configuration:
    """A configuration that was proposed for a group, its trials, and its score."""

    group: Group
    """The held-out group for which it was proposed."""
    number: int
    """Its position among the proposals for the group, from 1."""
    point: Point
    """Name of a parameter -> value."""
    trials: tuple[PlannedTrial, ...]
    """Its trials, one a fold in order; with pruning only up to the fold that is needed next."""
    state: ConfigurationState
    """How far its trials have come."""
    score: float | None
    """Mean UA over speakers of all folds, 0 to 1; if pruned, the mean that it was expected to
    reach; None while it is training, or where it failed."""

    @property
    def name(self) -> str:
        """The row of its trials, such as ``group 2 #7``."""
        return configuration_name(self.group, self.number)


@dataclass(frozen=True, kw_only=True, slots=True)
class SearchState:
    """The state of a search, replayed from the records of its trials."""

    tried: tuple[Configuration, ...]
    """All proposed configurations, sorted by generation, then group, then number."""
    winners: tuple[Configuration, ...]
    """The best configuration of each group; empty until the budget is used."""
    remaining: RemainingBudget
    """How much more the search may propose."""
    final: tuple[PlannedTrial, ...]
    """The trials that train the winners for the test; empty until these are known, and in a flat
    search."""
    hopeless: str
    """Why the search cannot go on, as a sentence: no configuration of some group could be trained;
    else empty."""

    @property
    def configurations(self) -> int:
        """The largest number of configurations that a group has tried."""
        return max((one.number for one in self.tried), default=0)

    @property
    def given_up(self) -> frozenset[str]:
        """Ids of trials that a run does not train, since their configuration has failed.

        Empty where no configuration could be trained: a run then tries each of them once more.
        """
        if self.hopeless:
            return frozenset()
        failed = (one for one in self.tried if one.state == "failed")
        return frozenset(item.id for one in failed for item in one.trials)

    @property
    def trials(self) -> tuple[PlannedTrial, ...]:
        """All trials so far: those that score configurations, then those that test the winners."""
        return tuple(item for one in self.tried for item in one.trials) + self.final


def configuration_name(group: Group, number: int) -> str:
    """The row under which a configuration's trials stand, such as ``group 2 #7``."""
    return f"{group.name} #{number}"
