"""The price of a plan on this machine: hours of CPU or GPU, wall time, money, memory."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from orchestrator.errors import LackError, RequestError
from orchestrator.planning.cost import timings
from orchestrator.planning.cost.budget import BudgetSelection, first_trial, select_trials
from orchestrator.planning.cost.eta import makespan
from orchestrator.planning.cost.machine import (
    MEMORY_PER_TRIAL,
    Machine,
    gpu_names,
    resources_here,
    this_machine,
)
from orchestrator.planning.cost.resources import Resources, capacity
from orchestrator.planning.plan import Plan
from orchestrator.store.ledger import Ledger
from orchestrator.study.search_key.space import Search
from orchestrator.study.trials import PlannedTrial

if TYPE_CHECKING:
    from orchestrator.search.state import SearchState

LATER = "proposed later"
"""Name of the row of a price that counts the trainings which a search has not proposed yet."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RowPrice:
    """How many trials of one row are to be trained, and how long one takes."""

    name: str
    """Name of the row, or ``LATER``."""
    trials: int
    """Number of trials."""
    seconds: float | None
    """Seconds of one trial; None where it is unknown."""
    source: str
    """What the length was measured in: ``finished`` trials or a ``probe``; empty where it is
    unknown."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Price:
    """The price of trials on one machine: time, resources, and how sure it is."""

    machine: Machine
    """The kind of machine."""
    rows: tuple[RowPrice, ...]
    """The price of each row that has trials to be trained."""
    at_most: bool
    """Whether a length is an upper bound: no trial has finished yet, and some may stop early."""
    may_settle: bool = False
    """Whether the study is adaptive, so that it may need fewer trials than are priced."""
    may_prune: bool = False
    """Whether a search may prune, and so need fewer trainings than are priced."""
    lanes: int
    """How many trials train at once (lanes) on this machine."""
    workers: int
    """How many worker processes start in all; a search starts new ones for each round of trials."""
    warm_s: float
    """How many seconds longer the first trial of a worker takes than later ones."""
    wall_s: float | None
    """Seconds of wall time until the last trial ends, without feature extraction and the start of
    workers; None where a length is unknown."""
    per_trial: Resources
    """The CPUs, memory and GPUs that one trial takes of a node."""
    measured: bool
    """Whether the memory of a trial was measured (and is above the assumed least); else it is
    assumed."""

    @property
    def is_bound(self) -> bool:
        """Whether the price is an upper bound: the study may need fewer trials or epochs."""
        return self.at_most or self.may_settle or self.may_prune

    @property
    def unknown(self) -> tuple[str, ...]:
        """Names of the rows whose trials have an unknown length."""
        return tuple(row.name for row in self.rows if row.seconds is None)

    @property
    def later(self) -> int:
        """Number of trainings that a search may still propose, as far as that is known; else 0."""
        return sum(row.trials for row in self.rows if row.name == LATER)

    @property
    def trial_s(self) -> float | None:
        """Sum of the lengths of all trials, in seconds; None where a length is unknown."""
        known = [row.trials * row.seconds for row in self.rows if row.seconds is not None]
        return sum(known) + self.workers * self.warm_s if not self.unknown else None

    def money(self, rate: float) -> float | None:
        """The money that the machine costs until all is trained; None where a length is unknown.

        Args:
            rate: price of the machine per hour.
        """
        return None if self.wall_s is None else rate * self.wall_s / 3600


def price_plan(
    plan: Plan,
    ledger: Ledger,
    cpus: int | None,
    gpus: int | None,
    items: Sequence[PlannedTrial] | None = None,
    *,
    gpus_per_trial: float | None = None,
) -> Price:
    """Price the trials of a plan on this machine.

    Args:
        plan: the plan of the study.
        ledger: the store, which has finished trials and probes.
        cpus: how many CPUs may be used; None: all there are.
        gpus: how many GPUs may be used; None: all there are.
        items: the trials; None: all that are to be trained.
        gpus_per_trial: share of a GPU that a trial takes, such as 0.25; None: what was measured,
            else a whole one.
    """
    machine = this_machine(gpus)
    there = (gpus or len(gpu_names())) if machine.device == "cuda" else 0
    known = timings.gather_timings(plan, ledger, machine)
    per_trial = trial_resources(known, machine, gpus_per_trial)
    trials = plan.to_train if items is None else items
    price = price_trials(trials, known, machine, resources_here(cpus, there), per_trial)
    if plan.search is not None:
        price = _with_later(price, plan.search)
    return replace(price, may_settle=plan.snapshot.replicates == "adaptive")


def trials_per_budget_hour(price: Price, search: Search) -> float:
    """How many trials share an hour of a search's budget.

    An hour of wall time is shared by all trials that train at once, a GPU hour by those on one GPU.
    """
    alone = search.unit == "gpu_hours" and price.per_trial.gpus
    return 1 / price.per_trial.gpus if alone else price.lanes


def budget_shortage(plan: Plan, price: Price) -> str:
    """Warn of a search whose budget of hours is less than its first generation takes.

    Returns:
        The warning as a sentence; empty where the hours suffice, or the length of a training is
        unknown.

    Raises:
        StudyError: the budget is less than one training takes.
    """
    search, state = plan.study.search, plan.search
    if search is None or state is None or search.unit == "trials":
        return ""
    if search.unit == "gpu_hours" and price.machine.device == "cpu":
        return (
            "`search.budget` is in `gpu_hours`, and there is no GPU here: the price takes them as "
            "hours, and a run on CPUs refuses."
        )
    if price.trial_s is None or not price.rows:
        return ""
    from orchestrator.search.proposals import GENERATION

    if any(one.number > GENERATION for one in state.tried):
        return ""
    share = price.per_trial.gpus if search.unit == "gpu_hours" and price.per_trial.gpus else 1
    least = min(row.seconds or 0.0 for row in price.rows) * share / 3600
    if least > search.amount:
        raise plan.study.fault(
            "search.budget",
            f"`search.budget` must be at least {_hours(least)}, what one training takes here, but "
            f"is {search.budget} instead.",
        )
    proposed = [row for row in price.rows if row.name != LATER]
    due_s = sum(row.trials * (row.seconds or 0.0) for row in proposed) / trials_per_budget_hour(
        price, search
    )
    if due_s <= search.amount * 3600:
        return ""
    return (
        f"The first {sum(row.trials for row in proposed)} trainings may take "
        f"{_hours(due_s / 3600)}, and the budget is {search.budget}: a search tries at least one "
        "generation."
    )


def _hours(hours: float) -> str:
    """Hours as text with two digits after the point, from one hour on with one; rounded up.

    >>> _hours(0.0123), _hours(1.01)
    ('0.02 hours', '1.1 hours')
    """
    digits = 2 if hours < 1 else 1
    return f"{math.ceil(hours * 10**digits) / 10**digits:g} hours"


def _with_later(price: Price, state: "SearchState") -> Price:
    """Add the trainings that a search may still propose, each as long as the known ones' mean."""
    known = [row.seconds for row in price.rows for _ in range(row.trials) if row.seconds]
    if not known or price.wall_s is None:
        return price
    seconds, due = sum(known) / len(known), len(known)
    trials, rounds = state.remaining.trainings(seconds, due), state.remaining.rounds(seconds, due)
    if not trials:
        return price
    later = RowPrice(name=LATER, trials=trials, seconds=seconds, source=price.rows[0].source)
    more_s = math.ceil(trials / price.lanes) * seconds + rounds * price.warm_s
    return replace(
        price,
        rows=(*price.rows, later),
        workers=price.workers + rounds * price.lanes,
        wall_s=price.wall_s + more_s,
        may_prune=state.remaining.pruning and trials > state.remaining.final,
    )


def measured_resources(
    plan: Plan, ledger: Ledger, gpus: int | None, gpus_per_trial: float | None
) -> Resources:
    """The resources that one trial of a plan takes on this machine, as far as they were measured.

    Args:
        plan: the plan of the study.
        ledger: the store, which has the probes.
        gpus: how many GPUs may be used; None: all there are.
        gpus_per_trial: see `trial_resources`.
    """
    machine = this_machine(gpus)
    return trial_resources(timings.gather_timings(plan, ledger, machine), machine, gpus_per_trial)


def trial_resources(
    known: timings.Timings,
    machine: Machine,
    gpus_per_trial: float | None,
    assumed: int = MEMORY_PER_TRIAL,
) -> Resources:
    """The resources that one trial takes: a CPU, memory, and on a GPU machine a share of a GPU.

    Args:
        known: the measured lengths and memory.
        machine: the kind of machine.
        gpus_per_trial: share of a GPU that a trial takes; None: what was measured, else a whole
            one.
        assumed: bytes of memory that a trial takes at least.
    """
    share = 0.0
    if machine.device == "cuda":
        share = 1 / known.trials_per_gpu if gpus_per_trial is None else gpus_per_trial
    return Resources(cpus=1, memory=max(assumed, known.memory), gpus=share)


def price_trials(
    items: Sequence[PlannedTrial],
    known: timings.Timings,
    machine: Machine,
    node: Resources,
    per_trial: Resources,
) -> Price:
    """Price trials on one node.

    Args:
        items: the trials, in the order in which they train.
        known: how long the trials of each row take.
        machine: the kind of machine.
        node: the resources of the node.
        per_trial: the resources that one trial takes.
    """
    counts = Counter(item.row for item in items)
    lengths = {row: known.length(row) for row in counts}
    rows = tuple(
        RowPrice(
            name=row,
            trials=count,
            seconds=found[0] if (found := lengths[row]) is not None else None,
            source=known.source.get(row, ""),
        )
        for row, count in counts.items()
    )
    lanes = max(1, capacity(node, per_trial))
    seconds = {row.name: row.seconds for row in rows if row.seconds is not None}
    whole = len(seconds) == len(rows)
    # The lengths of finished trials include the slower first ones.
    warm_s = known.warm_s if any(row.source == "probe" for row in rows) else 0.0
    wall_s = makespan([seconds[item.row] for item in items], lanes) if whole else None
    return Price(
        machine=machine,
        rows=rows,
        at_most=any(found is not None and found[1] for found in lengths.values()),
        lanes=lanes,
        workers=min(lanes, len(items)),
        warm_s=warm_s,
        wall_s=None if wall_s is None else wall_s + warm_s,
        per_trial=per_trial,
        measured=known.memory == per_trial.memory,
    )


def select_within_budget(plan: Plan, price: Price, budget_s: float) -> BudgetSelection:
    """Select the trials of a plan that fit a budget of time, see ``budget.select_trials``.

    Args:
        plan: the plan of the study.
        price: the price of all its trials.
        budget_s: seconds of wall time.

    Raises:
        LackError: the length of a trial on this machine is unknown.
        RequestError: the budget is below one trial.
    """
    if price.unknown:
        raise LackError(
            f"`--budget` needs to know what a trial takes here, and nothing is known of "
            f"{_named(price.unknown)}: `ablate plan {plan.study.file} --probe` measures it."
        )
    seconds: Mapping[str, float] = {r.name: r.seconds for r in price.rows if r.seconds is not None}
    selection = select_trials(
        plan.to_train, seconds, price.lanes, budget_s, plan.snapshot.reference
    )
    if plan.to_train and not selection.taken:
        least = seconds[first_trial(plan.to_train, plan.snapshot.reference).row]
        raise RequestError(
            f"`--budget` must be at least {math.ceil(least)}s, what one trial takes here, but "
            f"is {budget_s:g}s instead."
        )
    return selection


def _named(rows: Sequence[str]) -> str:
    """The first three rows by name and how many more there are, as text."""
    shown = ", ".join(f"`{row}`" for row in rows[:3])
    return shown + (f" and {len(rows) - 3} rows more" if len(rows) > 3 else "")
