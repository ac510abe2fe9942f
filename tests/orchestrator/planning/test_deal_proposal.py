"""``ablate plan`` proposes deals instead of seeds where a study may have them, and they help."""

import shutil
from pathlib import Path

import pytest

from orchestrator.planning import deal_proposal
from orchestrator.planning.deal_proposal import propose_deals
from orchestrator.planning.plan import plan_study
from orchestrator.store.ledger import Ledger
from orchestrator.study.reader import parse_study
from tests import stores
from tests.tiny_study import Tiny

STUDY = """\
study: proposal
corpus: demo
protocol: {folds: 5, seeds: 3}
baseline: {layers: 2, hidden: 64}
rows:
  - {name: A, set: {fa_layer: 1}}
  - {name: B, set: {fa_layer: 2}}
  - {name: C, set: {fa_layer: none}}
reference: B
"""


def proposed(text: str, store: Path) -> deal_proposal.DealProposal | None:
    return propose_deals(plan_study(parse_study(text, "s.yaml"), Ledger.open(str(store))))


def test_the_same_trainings_as_deals_show_smaller_differences(tmp_path: Path) -> None:
    found = proposed(STUDY, tmp_path / "s")
    assert found is not None and (found.deals, found.seeds) == (3, 1)
    assert 0.05 < found.detectable < 0.9 * found.detectable_now < 0.25
    assert found.sentence.startswith("Deals: `deals: 3` with 1 seed takes as many trainings, and ")


@pytest.mark.parametrize(("seeds", "expected"), [(4, (4, 1)), (6, (3, 2)), (10, (5, 2))])
def test_no_more_deals_are_proposed_than_there_are(
    seeds: int, expected: tuple[int, int], tmp_path: Path
) -> None:
    """The demo has five women and five men: five deals."""
    found = proposed(STUDY.replace("seeds: 3", f"seeds: {seeds}"), tmp_path / "s")
    assert found is not None and (found.deals, found.seeds) == expected


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("seeds: 3", "seeds: 1"),
        ("seeds: 3", "seeds: 7"),  # of which deals make no whole number
        ("seeds: 3", "seeds: 3, deals: 2"),
        ("seeds: 3", "seeds: 3, replicates: adaptive"),
        ("  - {name: A, set: {fa_layer: 1}}\n  - {name: C, set: {fa_layer: none}}\n", ""),
    ],
)
def test_nothing_is_proposed_where_it_cannot_be_or_does_not_help(
    old: str, new: str, tmp_path: Path
) -> None:
    text = STUDY.replace(
        "  - {name: B, set: {fa_layer: 2}}\n  - {name: C, set: {fa_layer: none}}\n",
        "  - {name: C, set: {fa_layer: none}}\n  - {name: B, set: {fa_layer: 2}}\n",
    )
    assert old in text
    assert proposed(text.replace(old, new), tmp_path / "s") is None


def test_nothing_is_proposed_once_a_second_seed_is_trained(tiny: Tiny, tmp_path: Path) -> None:
    store = shutil.copytree(tiny.store, tmp_path / "store")
    text = tiny.study.read_text().replace("seeds: 1", "seeds: 3")
    first = plan_study(parse_study(text, "s.yaml"), Ledger.open(str(store)))
    assert first.done and propose_deals(first) is not None
    second = next(t for t in first.trials if t.seed == 1)
    stores.train(
        Ledger.open(str(store)),
        second.trial.identity,
        first.snapshot.folds[second.fold],
        1.0,
    )
    later = plan_study(parse_study(text, "s.yaml"), Ledger.open(str(store)))
    assert second.id in later.done and propose_deals(later) is None
