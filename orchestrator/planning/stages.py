"""Which trials a run trains at once: all, or those up to an adaptive study's next look.

Each look is decided from the ledger when the one before is there. So who trained it, in what order
and after how many interruptions changes nothing; and a look that lacks a trial is the last of this
run, as no row may be judged before the others.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from orchestrator.analysis.adaptive import AdaptiveProgress, adaptive_progress
from orchestrator.analysis.sequential import interim_seeds
from orchestrator.planning.cost.budget import BudgetSelection
from orchestrator.planning.plan import Plan
from orchestrator.store.ledger import Ledger

SETTLED = {
    "differs": "differs",
    "unlikely": "unlikely to differ by the cap",
    "cap": "at the cap",
}
"""Why a comparison gets no more seeds, in words."""


@dataclass(frozen=True, slots=True)
class Stage(BudgetSelection):
    """The trials up to a look; what is left waits for it, or is not needed."""

    sentence: str = ""

    def describe(self) -> str:
        """What the look is of."""
        return self.sentence


def parts(plan: Plan, ledger: Ledger, chosen: BudgetSelection) -> Iterator[BudgetSelection]:
    """What to train now, and then, when that is done, what to train next.

    Args:
        plan: of the study.
        ledger: what was trained between two parts is read from there.
        chosen: which of its trials may be trained at all.
    """
    if plan.snapshot.replicates != "adaptive":
        yield chosen
        return
    refused = {item.id for item in chosen.left_out}
    about = chosen.describe()
    made = -1
    while True:
        found = adaptive_progress(
            plan.snapshot, ledger.outcomes.read_all(item.id for item in plan.trials)
        )
        assert found is not None
        if len(found.interims) == made:  # a trial of the look failed, or was left out
            return
        made = len(found.interims)
        now = {trial.id for trial in found.now().trials}
        yield Stage(
            taken=tuple(i for i in chosen.taken if i.id in now and not ledger.outcomes.has(i.id)),
            left_out=tuple(i for i in plan.trials if i.id not in now or i.id in refused),
            sentence=" ".join(filter(None, (_sentence(found), about))),
        )
        if not found.open:
            return
        about = ""


def _sentence(found: AdaptiveProgress) -> str:
    """Where the design stands, and which look comes next."""
    made, cap = found.interims, found.snapshot.seeds
    settled = "; ".join(
        f"`{name}` {SETTLED[s.stop_reason]} ({s.seeds} seeds)"
        for name, s in found.comparisons.items()
        if s.stop_reason
    )
    settled = f"Settled: {settled}. " if settled else ""
    if not found.open:
        return f"{settled}All comparisons are settled after {len(made)} looks."
    seeds, number = interim_seeds(cap)[len(made)], len(made) + 1
    of = len(interim_seeds(cap))
    still = f"{len(found.open)} of {len(found.comparisons)}"
    look = f"Look {number} of at most {of}, after {seeds} seeds"
    return f"{settled}{look}; open comparisons: {still}."
