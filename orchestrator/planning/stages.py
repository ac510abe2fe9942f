"""The stages of a run: all trials at once, or in an adaptive study up to each interim analysis.

After each stage the interim analysis reads the store and decides which rows need more seeds. So it
does not matter who trained a trial, in which order, or how often a run was interrupted. Where a
trial of a stage is missing, that stage is the last of the run, since no row may be judged before
the others.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from orchestrator.analysis.progress.adaptive import AdaptiveProgress, adaptive_progress
from orchestrator.analysis.progress.completeness import given_up_trials
from orchestrator.analysis.sequential import StopReason, interim_seeds
from orchestrator.planning.cost.budget import BudgetSelection
from orchestrator.planning.plan import Plan
from orchestrator.store.ledger import Ledger
from orchestrator.study.trials import PlannedTrial

STOPPED: dict[StopReason, str] = {
    "differs": "differs",
    "unlikely": "unlikely to differ by the cap",
    "cap": "at the cap",
    "diverged": "needs a training that diverged",
}
"""Why a comparison gets no more seeds -> the words for it in a sentence."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Stage:
    """The trials that a run trains before it decides which come next."""

    to_train: tuple[PlannedTrial, ...]
    """The trials to train now, in order."""
    later: frozenset[str]
    """Ids of the plan's trials that are not for this stage: a later stage needs them, or none."""
    sentence: str
    """For the user: which comparisons are open, or what a budget leaves out; empty where all is
    trained at once."""


def training_stages(plan: Plan, ledger: Ledger, selection: BudgetSelection) -> Iterator[Stage]:
    """Yield the stages of a run one by one; each is decided only when it is asked for.

    Args:
        plan: the plan of the study.
        ledger: the store; what a stage trained is read from there before the next one.
        selection: the trials that the user's budget allows, and those that it leaves out.

    Yields:
        One stage; in an adaptive study one for each interim analysis until all are settled.
    """
    left_out = {item.id for item in selection.left_out}
    if plan.snapshot.replicates != "adaptive":
        yield Stage(
            to_train=selection.taken, later=frozenset(left_out), sentence=selection.describe()
        )
        return
    about_budget, analyses = selection.describe(), -1
    while True:
        ids = [item.id for item in plan.trials]
        progress = adaptive_progress(
            plan.snapshot, ledger.outcomes.read_all(ids), given_up_trials(ledger, ids)
        )
        assert progress is not None
        if len(progress.seeds_analysed) == analyses:  # a trial of the stage failed, or was left out
            return
        analyses = len(progress.seeds_analysed)
        wanted = {trial.id for trial in progress.needed_now().trials}
        yield Stage(
            to_train=tuple(
                item
                for item in selection.taken
                if item.id in wanted and not ledger.outcomes.has(item.id)
            ),
            later=frozenset(
                item.id for item in plan.trials if item.id not in wanted or item.id in left_out
            ),
            sentence=" ".join(filter(None, (_sentence(progress), about_budget))),
        )
        if not progress.open_rows:
            return
        about_budget = ""


def _sentence(progress: AdaptiveProgress) -> str:
    """A sentence for the user: the settled comparisons, and the next interim analysis."""
    made, all_seeds = len(progress.seeds_analysed), interim_seeds(progress.snapshot.seeds)
    settled = "; ".join(
        f"`{name}` {STOPPED[found.stop_reason]} ({found.seeds} seeds)"
        for name, found in progress.comparisons.items()
        if found.stop_reason
    )
    settled = f"Settled: {settled}. " if settled else ""
    if not progress.open_rows:
        return f"{settled}All comparisons are settled after {made} looks."
    still = f"{len(progress.open_rows)} of {len(progress.comparisons)}"
    look = f"Look {made + 1} of at most {len(all_seeds)}, after {all_seeds[made]} seeds"
    return f"{settled}{look}; open comparisons: {still}."
