"""Whether a study with seeds would show more if its speakers were dealt anew instead, and how much.

Both designs take the same number of trainings. What they show is computed for the deviations of the
drawn tables in `docs/statistics.md`: those of a study are known when it has been trained.
"""

from dataclasses import dataclass

from features.corpora.corpus import Selection
from features.corpora.folds import deal_anew
from features.errors import CorpusError
from orchestrator.analysis.family import Contrast, judge_family
from orchestrator.planning.plan import Plan
from orchestrator.store.snapshot import Snapshot

SPEAKER, GROUP, SEED = 0.03, 0.02, 0.03
"""Deviations, as fractions, of what a row is to a speaker, to a held-out group, and of a training's
luck, which its held-out speakers share."""
WORTH = 0.95
"""Deals are proposed if they show differences that are smaller by this factor, or by more."""


@dataclass(frozen=True, kw_only=True, slots=True)
class DealProposal:
    """The same trainings as deals, beside what is planned."""

    deals: int
    """How often the speakers are dealt."""
    seeds: int
    """Seeds of each deal."""
    detectable: float
    """The difference of two rows in UA, 0 to 1, that this shows with 80 % power."""
    detectable_now: float
    """The same of what is planned."""

    @property
    def sentence(self) -> str:
        """The proposal as one sentence."""
        seeds = f"{self.seeds} seed{'s' * (self.seeds > 1)}"
        now, then = 100 * self.detectable_now, 100 * self.detectable
        return (
            f"Deals: `deals: {self.deals}` with {seeds} takes as many trainings, and shows a "
            f"difference of {then:.1f} points as surely as this plan one of {now:.1f} (80 %; at "
            "the deviations in docs/statistics.md)."
        )


def propose_deals(plan: Plan) -> DealProposal | None:
    """Propose deals instead of seeds, where the study may have them and they show more.

    Returns:
        None for a search, a published split, adaptive seeds, groups that are sessions, a study that
        has deals or compares nothing, one seed, and where a second seed has been trained already.
    """
    study, snapshot = plan.study, plan.snapshot
    begun = {trial.id for trial in snapshot.trials if trial.seed} & set(plan.done)
    is_free = study.search is None and study.replicates == "fixed" and study.deals == 1
    if not is_free or study.folds == "published" or len(snapshot.rows) < 2 or begun:
        return None
    deals = _most_deals(plan.selection, study.folds, study.seeds)
    if deals == 1:
        return None
    seeds = study.seeds // deals
    now, then = detectable(snapshot, 1, study.seeds), detectable(snapshot, deals, seeds)
    if now is None or then is None or then > WORTH * now:
        return None
    return DealProposal(deals=deals, seeds=seeds, detectable=then, detectable_now=now)


def _most_deals(selection: Selection, folds: int, trainings: int) -> int:
    """The most deals of which a whole number of seeds makes so many trainings of a fold."""
    for deals in range(trainings, 1, -1):
        if trainings % deals == 0:
            try:
                deal_anew(selection, folds, deals)
            except CorpusError:
                continue
            return deals
    return 1


def detectable(snapshot: Snapshot, deals: int, seeds: int) -> float | None:
    """The difference of two rows that a design would show with 80 % power, beside the other rows.

    The variance of a unit is the sum of its parts: a group is the mean of its speakers, whose
    training they share; a speaker is the mean over deals, each with another group.

    Args:
        snapshot: the study: its rows, and the folds of one deal.
        deals: how often the speakers are dealt.
        seeds: seeds of each deal.
    """
    groups, speakers = snapshot.folds_a_deal, len(snapshot.test_speakers)
    size, shared = speakers / groups, GROUP**2 + SEED**2 / seeds
    units = groups if deals == 1 else speakers
    variance = SPEAKER**2 / size + shared if deals == 1 else SPEAKER**2 + shared / deals
    contrast = Contrast(
        estimate=0.0,
        variance=2 * variance,  # of a difference
        df=units - 1,
        factor=1 / units + size / (speakers - size),
    )
    family = {number: contrast for number in range(len(snapshot.rows) - 1)}
    return judge_family(family)[0].detectable
