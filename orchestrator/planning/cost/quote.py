"""The answer to ``ablate plan``: what a run would train on this machine, and what that costs."""

from dataclasses import dataclass

from orchestrator.planning.cost.price import (
    Price,
    budget_shortage,
    price_plan,
    select_within_budget,
    trials_per_budget_hour,
)
from orchestrator.planning.deal_proposal import DealProposal, propose_deals
from orchestrator.planning.plan import Plan, plan_study
from orchestrator.store.ledger import Ledger
from orchestrator.study.study import Study


@dataclass(frozen=True, kw_only=True, slots=True)
class Quote:
    """The plan of a study and its price on this machine."""

    plan: Plan
    """The trials of the study and their states."""
    price: Price
    """Hours, wall time and memory for all that is to be trained, or for the part that a budget
    allows."""
    left_out: str
    """Which trials a budget leaves out, as a sentence; else empty."""
    shortage: str
    """Why the budget of hours of a search does not suffice, as a sentence; else empty."""
    deals: DealProposal | None
    """The same trainings as deals of the speakers, where that would show more."""

    @property
    def counts(self) -> dict[str, int]:
        """Number of trials, in all and by state, under the keys of `ablate plan --json`."""
        plan = self.plan
        counts = {
            "trials": len({item.id for item in plan.trials}),
            "done": len(plan.done),
            "failed": len(plan.failed),
            "stale": len(plan.stale),
            "to_do": len(plan.to_do),
        }
        later = 0 if plan.search is None else self.price.later or plan.search.remaining.certain
        return {**counts, "proposed_later": later} if later else counts


def quote_study(
    study: Study,
    ledger: Ledger,
    *,
    allow_config: bool,
    cpus: int | None,
    gpus: int | None,
    budget_s: float | None,
) -> Quote:
    """Plan a study and price it on this machine.

    Args:
        study: the study file.
        ledger: the store, with finished trials and probes, which tell how long trials take.
        allow_config: whether an openSMILE configuration of the user's own may run here.
        cpus: how many CPUs may be used; None: all there are.
        gpus: how many GPUs may be used; None: all there are.
        budget_s: seconds of wall time for which trials are selected; None: all trials.

    Raises:
        LackError: the corpus is not registered; or a budget is given and the length of a trial is
            not known.
        RequestError: the budget is below one trial.
        StudyError: the corpus cannot give what the study asks for.
    """
    plan = plan_study(study, ledger, allow_config=allow_config)
    price = price_plan(plan, ledger, cpus, gpus)
    if study.search is not None and study.search.unit != "trials":
        # A budget of hours buys more configurations where more trials share an hour.
        sharing = trials_per_budget_hour(price, study.search)
        plan = plan_study(study, ledger, allow_config=allow_config, trials_at_once=sharing)
        price = price_plan(plan, ledger, cpus, gpus)
    shortage, left_out = budget_shortage(plan, price), ""
    if budget_s is not None:
        selection = select_within_budget(plan, price, budget_s)
        left_out = selection.describe()
        price = price_plan(plan, ledger, cpus, gpus, selection.taken)
    return Quote(
        plan=plan, price=price, left_out=left_out, shortage=shortage, deals=propose_deals(plan)
    )
