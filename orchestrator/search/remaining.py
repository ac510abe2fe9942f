"""What a search may still train, as far as its budget tells. Pure."""

import math
from dataclasses import dataclass

from orchestrator.search.proposals import GENERATION


@dataclass(frozen=True, kw_only=True, slots=True)
class RemainingBudget:
    """The trainings that a search has not proposed yet."""

    groups: int
    """Number of held-out groups, each with a search of its own."""
    folds: int
    """Number of folds on which a configuration is scored."""
    final: int
    """Trainings that test the winners; 0 once they are proposed, and in a flat search."""
    configurations: int
    """Configurations of each group, where the budget counts them; else 0."""
    left_s: float
    """Seconds of training that are left of a budget of hours, over all lanes; else 0."""
    pruning: bool
    """Whether configurations that fall behind are spared their other folds."""
    later_folds: int = 0
    """Trainings of proposed configurations on later folds, which pruning may spare them."""
    most_later_folds: int = 0
    """The same of the one configuration that has most of them."""
    untried: float = math.inf
    """Configurations of the space that a group has not tried; infinite where an axis is
    continuous."""

    def trainings(self, seconds: float | None, proposed: int) -> int:
        """The most trainings that the search may still propose.

        Args:
            seconds: length of one training; None where it is not known: nothing is then expected
                of a budget of hours.
            proposed: trainings that are proposed and not done; the budget pays them first.
        """
        searched = self.groups * self.folds * self._per_group(seconds, proposed)
        return self.later_folds + searched + self.final

    @property
    def certain(self) -> int:
        """The same, where the budget counts configurations; 0 where it counts hours."""
        return 0 if self.left_s else self.trainings(None, 0)

    def rounds(self, seconds: float | None, proposed: int) -> int:
        """How often a run waits, at the most, before it can propose more: see `trainings`.

        With pruning a generation is trained fold by fold, and a run waits for each.
        """
        generations = math.ceil(self._per_group(seconds, proposed) / GENERATION)
        folds = self.folds if self.pruning else 1
        return self.most_later_folds + generations * folds + bool(self.final)

    def _per_group(self, seconds: float | None, proposed: int) -> int:
        """Configurations that each group may still try."""
        if not seconds or not self.left_s:
            return self.configurations
        generation_s = seconds * self.groups * self.folds * GENERATION
        left_s = self.left_s - seconds * (proposed + self.later_folds + self.final)
        generations = max(0, math.floor(left_s / generation_s))
        return int(min(GENERATION * generations, self.untried))


NOTHING = RemainingBudget(groups=0, folds=0, final=0, configurations=0, left_s=0.0, pruning=False)
"""Of a search whose budget is used."""
