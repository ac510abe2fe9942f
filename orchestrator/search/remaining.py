"""How many trainings a search may still propose within its budget. Pure."""

import math
from dataclasses import dataclass

from orchestrator.search.proposals import GENERATION


@dataclass(frozen=True, kw_only=True, slots=True)
class RemainingBudget:
    """What is left of a search's budget, in numbers from which the remaining trainings follow."""

    groups: int
    """Number of held-out groups, each with a search of its own; 1 in a flat search."""
    folds: int
    """Number of folds on which a configuration is scored (inner folds, if nested)."""
    final: int
    """Number of trainings that test the winners; 0 once they are proposed, and in a flat search."""
    configurations: int
    """How many more configurations each group may try, where the budget counts them; else 0."""
    left_s: float
    """Seconds left of a budget of hours, summed over the trials that train at once; else 0."""
    pruning: bool
    """Whether a configuration that falls behind is not trained on its other folds."""
    later_folds: int = 0
    """Number of trainings of proposed configurations on folds that have not begun; pruning may skip
    them."""
    most_later_folds: int = 0
    """The same number for the one configuration that has most of them."""
    untried: float = math.inf
    """Number of points of the space that a group has not tried; infinite where an axis is
    continuous."""

    def trainings(self, seconds: float | None, proposed: int) -> int:
        """The most trainings that the search may still propose.

        Args:
            seconds: length of one training; None where it is unknown: then a budget of hours counts
                as used up.
            proposed: number of trainings that are proposed and not done; the budget pays them
                first.
        """
        searched = self.groups * self.folds * self._per_group(seconds, proposed)
        return self.later_folds + searched + self.final

    @property
    def certain(self) -> int:
        """The most trainings to come, for a budget of configurations; 0 for one of hours."""
        return 0 if self.left_s else self.trainings(None, 0)

    def rounds(self, seconds: float | None, proposed: int) -> int:
        """How often, at the most, a run must wait for trainings before it can propose more.

        With pruning a generation is trained fold by fold, and a run waits after each fold.

        Args:
            seconds: as for `trainings`.
            proposed: as for `trainings`.
        """
        generations = math.ceil(self._per_group(seconds, proposed) / GENERATION)
        folds = self.folds if self.pruning else 1
        return self.most_later_folds + generations * folds + bool(self.final)

    def _per_group(self, seconds: float | None, proposed: int) -> int:
        """How many more configurations each group may try; arguments as for `trainings`."""
        if not seconds or not self.left_s:
            return self.configurations
        generation_s = seconds * self.groups * self.folds * GENERATION
        left_s = self.left_s - seconds * (proposed + self.later_folds + self.final)
        generations = max(0, math.floor(left_s / generation_s))
        return int(min(GENERATION * generations, self.untried))


NOTHING = RemainingBudget(groups=0, folds=0, final=0, configurations=0, left_s=0.0, pruning=False)
"""What remains of a search whose budget is used."""
