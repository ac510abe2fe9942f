"""``--budget 3h``: which trials to train in a given time. Pure.

Rows are compared on the folds and seeds that they share, so all rows with few seeds show more than
few rows with all seeds. The trials are ordered by seed, then deal, then fold. From the front, a
budget selects as many folds as it allows, each with all rows. Where it allows no whole fold, it
selects some rows of the first fold, the reference first. A larger budget selects all that a smaller
onedoes, and more.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from orchestrator.errors import RequestError
from orchestrator.planning.cost.eta import makespan
from orchestrator.study.trials import PlannedTrial

_UNITS = {"s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
"""Unit in a budget's text -> seconds."""
_PART = r"([0-9]+(?:\.[0-9]+)?)\s*(s|min|m|h|d)"
"""Pattern of a number with its unit, such as ``1.5 h``."""


def seconds_of(text: str) -> float:
    """Parse a budget such as ``3h``, ``90m`` or ``1h30m`` into seconds.

    Raises:
        RequestError: the text is not a time above 0.

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
    """The trials that are to be trained, split into those that a budget allows and the others."""

    taken: tuple[PlannedTrial, ...]
    """Trials that the budget allows, in the order of training."""
    left_out: tuple[PlannedTrial, ...]
    """Trials for which the budget does not suffice."""

    def describe(self) -> str:
        """A sentence that says which trials are left out; empty where there are none."""
        if not self.left_out:
            return ""
        total = len(self.taken) + len(self.left_out)
        return f"Left out for the budget: {len(self.left_out)} of {total} trials ({self._which()})."

    def _which(self) -> str:
        """The trials that are left out, as text by seed, fold and row."""
        begun = {_slot(item) for item in self.taken}
        partly = [item for item in self.left_out if _slot(item) in begun]
        parts = [f"in {item.fold_name} of seed {item.seed} `{item.row}`" for item in partly[:3]]
        if len(partly) > 3:
            parts.append(f"{len(partly) - 3} rows more there")
        folds: dict[int, dict[int | None, set[int]]] = {}  # seed -> deal -> folds, from 1
        for item in self.left_out:
            if _slot(item) not in begun:
                deals = folds.setdefault(item.seed, {})
                deals.setdefault(item.deal, set()).add(item.fold + 1)
        seeds = {item.seed for item in self.taken}
        whole = [seed for seed in folds if seed not in seeds]
        for seed in (seed for seed in folds if seed in seeds):
            parts.append(f"seed {seed}: {self._folds(seed, folds[seed])} of all rows")
        if whole:
            parts.append(f"{_several('seed', whole)} of all rows")
        return "; ".join(parts)

    def _folds(self, seed: int, left_out: Mapping[int | None, set[int]]) -> str:
        """Folds as text: ``folds 4 to 5``, or ``fold 5 of deal 2 and deal 3``.

        Args:
            seed: their seed.
            left_out: deal -> numbers of its folds that are left out.
        """
        begun = {item.deal for item in self.taken if item.seed == seed}
        parts = []
        for deal in (deal for deal in left_out if deal in begun):
            of_deal = "" if deal is None else f" of deal {deal + 1}"
            parts.append(_several("fold", sorted(left_out[deal])) + of_deal)
        if whole := [deal + 1 for deal in left_out if deal is not None and deal not in begun]:
            parts.append(_several("deal", whole))
        return " and ".join(parts)


def _slot(item: PlannedTrial) -> tuple[int, int, int]:
    """The seed, deal and fold of a trial, which all rows have."""
    return item.seed, item.deal or 0, item.fold


def _several(noun: str, numbers: Sequence[int]) -> str:
    """A noun with numbers, as text: ``fold 4``, ``folds 4 to 5``, ``seeds 1, 3``."""
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
    """Select the trials that can be trained within a budget of time.

    Args:
        items: the trials that are to be trained, by seed, then deal, then fold.
        seconds: row -> length of one of its trials, in seconds.
        lanes: how many trials train at once.
        budget_s: seconds of wall time in which all selected trials must be trained.
        reference: the row that the others are compared with; None: no row goes first.

    Returns:
        The selection, in the order of ``items``; nothing is taken where the budget is below one
        trial.
    """
    slots = list(dict.fromkeys(map(_slot, items)))
    taken: list[PlannedTrial] = []
    for slot in slots:
        rows = [item for item in items if _slot(item) == slot]
        if _wall_time([*taken, *rows], seconds, lanes) > budget_s:
            break
        taken += rows
    if not taken and slots:
        for item in _reference_first(items, reference):
            if _wall_time([*taken, item], seconds, lanes) > budget_s:
                break
            taken.append(item)
    ids = {item.id for item in taken}
    return BudgetSelection(
        tuple(item for item in items if item.id in ids),
        tuple(item for item in items if item.id not in ids),
    )


def first_trial(items: Sequence[PlannedTrial], reference: str | None) -> PlannedTrial:
    """The trial that the smallest budget selects: first seed, first fold, the reference first."""
    return _reference_first(items, reference)[0]


def _reference_first(items: Sequence[PlannedTrial], reference: str | None) -> list[PlannedTrial]:
    """The trials of the first seed and fold, that of the reference first."""
    slot = _slot(items[0])
    rows = [item for item in items if _slot(item) == slot]
    return sorted(rows, key=lambda item: item.row != reference)


def _wall_time(items: Sequence[PlannedTrial], seconds: Mapping[str, float], lanes: int) -> float:
    """Seconds of wall time until all these trials are trained."""
    return makespan([seconds[item.row] for item in items], lanes)
