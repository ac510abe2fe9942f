"""What a search has still to propose, as its budget has it; pure."""

import math
from dataclasses import dataclass

from orchestrator.search.proposals import GENERATION


@dataclass(frozen=True, kw_only=True, slots=True)
class RemainingBudget:
    """What a search may still train beside what it has proposed."""

    groups: int
    """Held-out groups for which is searched."""
    folds: int
    """On which a configuration is scored."""
    final: int
    """Trainings that judge the winners; 0 where they are proposed already, or nothing is judged."""
    configurations: int
    """Of each group, where the budget counts them; else 0."""
    left_s: float
    """Seconds of training that a budget of hours has left, all lanes together; else 0."""
    pruning: bool
    begun: int = 0
    """Trainings of configurations that are proposed, on folds that these may be spared."""
    begun_folds: int = 0
    """Of the one that has most of them."""
    possible: float = math.inf
    """Configurations of each group that there are and that were not tried."""

    def trainings(self, seconds: float | None, due: int) -> int:
        """How many trainings are to be proposed, at the most.

        Args:
            seconds: what one takes; None where nobody knows: a budget of hours then says nothing.
            due: how many are proposed and not done: they are paid first.
        """
        return self.begun + self.groups * self.folds * self._each(seconds, due) + self.final

    @property
    def certain(self) -> int:
        """How many are to be proposed, at the most, whatever they take; 0 where hours decide."""
        return 0 if self.left_s else self.trainings(None, 0)

    def rounds(self, seconds: float | None, due: int) -> int:
        """How often they are waited for, at the most: with pruning fold by fold."""
        generations = math.ceil(self._each(seconds, due) / GENERATION)
        folds = self.folds if self.pruning else 1
        return self.begun_folds + generations * folds + bool(self.final)

    def _each(self, seconds: float | None, due: int) -> int:
        """Configurations of each group."""
        if not seconds or not self.left_s:
            return self.configurations
        generation_s = seconds * self.groups * self.folds * GENERATION
        left_s = self.left_s - seconds * (due + self.begun + self.final)
        generations = max(0, math.floor(left_s / generation_s))
        return int(min(GENERATION * generations, self.possible))


NOTHING = RemainingBudget(groups=0, folds=0, final=0, configurations=0, left_s=0.0, pruning=False)
"""Of a search whose budget is used."""
