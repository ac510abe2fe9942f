"""``--budget 3h``: the part of a study that tells most for the time there is. Pure.

Rows are compared on the folds and seeds that they share, so all rows with fewer seeds tell more
than some rows with all. The trials of a study are ordered by seed, then fold; from the front, as
many whole folds of all rows are taken as the budget allows. Where it does not even allow one, the
rows of the first one fold are, the reference first. What more budget takes contains what less took.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from orchestrator.errors import RequestError
from orchestrator.planning.cost.eta import makespan
from orchestrator.study.trials import PlannedTrial

_UNITS = {"s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
_PART = r"([0-9]+(?:\.[0-9]+)?)\s*(s|min|m|h|d)"


def seconds_of(text: str) -> float:
    """Seconds of a budget such as ``3h``, ``90m`` or ``1h30m``.

    Raises:
        RequestError: it is none.

    >>> seconds_of("3h"), seconds_of("1h30m"), seconds_of("0.5 d")
    (10800.0, 5400.0, 43200.0)
    """
    if not re.fullmatch(rf"({_PART}\s*)+", text.strip()):
        raise _wrong(text, "a time with its unit, such as 3h, 90m, 1h30m or 2d")
    total = sum(float(count) * _UNITS[unit] for count, unit in re.findall(_PART, text))
    if total <= 0:
        raise _wrong(text, "more than nothing")
    return total


def _wrong(text: str, must: str) -> RequestError:
    return RequestError(f"`--budget` must be {must}, but is `{text[:40]}` instead.")


@dataclass(frozen=True, slots=True)
class BudgetSelection:
    """What a budget takes of the trials that are to be trained."""

    taken: tuple[PlannedTrial, ...]
    left_out: tuple[PlannedTrial, ...]

    def describe(self) -> str:
        """What is left out, as a sentence; empty where nothing is."""
        if not self.left_out:
            return ""
        total = len(self.taken) + len(self.left_out)
        return f"Left out for the budget: {len(self.left_out)} of {total} trials ({self._which()})."

    def _which(self) -> str:
        begun = {(item.seed, item.fold) for item in self.taken}
        partly = [item for item in self.left_out if (item.seed, item.fold) in begun]
        parts = [f"in fold {item.fold + 1} of seed {item.seed} `{item.row}`" for item in partly[:3]]
        if len(partly) > 3:
            parts.append(f"{len(partly) - 3} rows more there")
        folds: dict[int, list[int]] = {}
        for item in self.left_out:
            if (item.seed, item.fold) not in begun:
                folds.setdefault(item.seed, []).append(item.fold)
        seeds = {item.seed for item in self.taken}
        whole = [seed for seed in folds if seed not in seeds]
        for seed in (seed for seed in folds if seed in seeds):
            numbers = sorted({fold + 1 for fold in folds[seed]})
            parts.append(f"seed {seed}: {_several('fold', numbers)} of all rows")
        if whole:
            parts.append(f"{_several('seed', whole)} of all rows")
        return "; ".join(parts)


def _several(noun: str, numbers: Sequence[int]) -> str:
    """``fold 4``, ``folds 4 to 5``, ``seeds 1, 3``."""
    if len(numbers) == 1:
        return f"{noun} {numbers[0]}"
    if numbers[-1] - numbers[0] == len(numbers) - 1:
        return f"{noun}s {numbers[0]} to {numbers[-1]}"
    return f"{noun}s {', '.join(map(str, numbers))}"


def select_trials(
    items: Sequence[PlannedTrial],
    seconds: Mapping[str, float],
    lanes: int,
    budget_s: float,
    reference: str | None,
) -> BudgetSelection:
    """The trials that a budget takes.

    Args:
        items: what is to be trained, by seed, then fold.
        seconds: row -> what a trial of it takes.
        lanes: how many train at once.
        budget_s: seconds until all that is taken is trained.
        reference: the row that the others are compared with.

    Returns:
        The trials in their order; none where the budget is below the first trial.
    """
    places = list(dict.fromkeys((item.seed, item.fold) for item in items))
    taken: list[PlannedTrial] = []
    for place in places:
        here = [item for item in items if (item.seed, item.fold) == place]
        if _takes([*taken, *here], seconds, lanes) > budget_s:
            break
        taken += here
    if not taken and places:
        for item in _reference_first(items, reference):
            if _takes([*taken, item], seconds, lanes) > budget_s:
                break
            taken.append(item)
    ids = {item.id for item in taken}
    return BudgetSelection(
        tuple(item for item in items if item.id in ids),
        tuple(item for item in items if item.id not in ids),
    )


def first_trial(items: Sequence[PlannedTrial], reference: str | None) -> PlannedTrial:
    """The trial that the smallest budget takes."""
    return _reference_first(items, reference)[0]


def _reference_first(items: Sequence[PlannedTrial], reference: str | None) -> list[PlannedTrial]:
    """Of the first fold."""
    place = (items[0].seed, items[0].fold)
    here = [item for item in items if (item.seed, item.fold) == place]
    return sorted(here, key=lambda item: item.row != reference)


def _takes(items: Sequence[PlannedTrial], seconds: Mapping[str, float], lanes: int) -> float:
    return makespan([seconds[item.row] for item in items], lanes)
