"""Random draws follow from seed and held-out speakers: from no study, half or fold index."""

import shutil
from dataclasses import replace
from pathlib import Path

from orchestrator.execution.cluster.inline import InlineCluster
from orchestrator.execution.cluster.protocol import Task
from orchestrator.execution.events import Done, Event
from orchestrator.execution.run import run
from orchestrator.execution.worker.worker import work
from orchestrator.planning.status import newest_snapshots
from orchestrator.store.ledger import Ledger
from orchestrator.store.records import Outcome, Scores
from orchestrator.study.reader import parse_study
from orchestrator.study.trials import from_identity
from tests.tiny_study import STUDY, Tiny

OTHER = STUDY.replace("study: tiny", "study: other").replace(
    """\
  - {name: No FA, set: {fa_layer: none}}
  - {name: FA in layer 2, set: {fa_layer: 2}}
reference: No FA
""",
    """\
  - {name: the smaller, set: {hidden: 8, fa_layer: 1}}
  - {name: the second, set: {fa_layer: last}}
""",
)
"""Another study, in which `FA in layer 2` has another name and other rows beside it."""


def outcome_of(ledger: Ledger, id: str) -> Outcome:
    outcome = ledger.outcomes.read(id)
    assert outcome is not None
    return outcome


def test_a_trial_that_two_studies_ask_for_trains_to_one_outcome(tiny: Tiny, tmp_path: Path) -> None:
    """Each study trains it in a store of its own; together they train it once."""
    own = Ledger.open(str(shutil.copytree(tiny.store, tmp_path / "own")))
    shutil.rmtree(own.paths.trials)
    own.paths.trials.mkdir()
    study = parse_study(OTHER, "other.yaml")
    assert run(study, own, InlineCluster(), lambda event: None).trained == 4
    first = Ledger.open_unchecked(str(tiny.store))
    shared = [t.id for t in newest_snapshots(first)["tiny"].trials if t.row == "FA in layer 2"]
    second = [t.id for t in newest_snapshots(own)["other"].trials if t.row == "the second"]
    assert shared == second and len(shared) == 2
    for id in shared:
        assert outcome_of(own, id).scored_part == outcome_of(first, id).scored_part
    both = Ledger.open(str(shutil.copytree(tiny.store, tmp_path / "both")))
    assert run(study, both, InlineCluster(), lambda event: None).trained == 2


def test_swapping_the_halves_changes_no_score(tiny: Tiny, tmp_path: Path) -> None:
    ledger = Ledger.open(str(shutil.copytree(tiny.store, tmp_path / "store")))
    before = outcome_of(ledger, newest_snapshots(ledger)["tiny"].trials[0].id)
    trial = from_identity(before.identity)
    swapped = replace(trial, a=trial.b, b=trial.a)
    events: list[Event] = []
    work(
        Task(id=swapped.id, identity=swapped.identity, store=str(ledger.root), device="cpu"),
        events.append,
    )
    assert isinstance(events[-1], Done)

    def by_speaker(outcome: Outcome) -> list[Scores]:
        return sorted(outcome.scores, key=lambda s: (s.speaker, s.choice, s.unit))

    assert by_speaker(outcome_of(ledger, swapped.id)) == by_speaker(before)
