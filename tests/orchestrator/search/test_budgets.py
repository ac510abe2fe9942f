"""How long a search goes on: configurations, hours, and what a plan says of them."""

import json
from pathlib import Path

import pytest

from orchestrator.errors import LackError, StudyError
from orchestrator.planning.cost import timings
from orchestrator.planning.cost.machine import this_machine
from orchestrator.planning.cost.timings import Probe
from orchestrator.planning.plan import plan_study
from orchestrator.store.ledger import Ledger
from orchestrator.store.snapshot import CHOSEN
from orchestrator.study.reader import parse_study
from tests.searches import TEXT, TRAININGS, Shuffled, cli, go, kept, pruned, study

pytestmark = pytest.mark.usefixtures("drawn_trainings")


def test_a_budget_of_hours_is_used_and_kept_to(store: Path) -> None:
    # Ten drawn trainings of a second each a round of a generation, 20 in all.
    text = TEXT.replace("{trials: 12}", "{hours: 0.0125}")  # 45 s
    go(parse_study(text, "tiny.yaml"), store)
    search = kept(store)[1]
    inner_trials = sum(len(one.trials) for one in search.tried)
    assert search.closed and inner_trials == 40  # a third generation would end after 60 s
    assert go(parse_study(text, "tiny.yaml"), store, Shuffled(6)).trained == 0  # more lanes: closed


def test_hours_end_with_the_configurations_that_there_are(store: Path) -> None:
    text = TEXT.replace("    lr: {low: 1e-4, high: 1e-2, log: true}\n", "")
    study = parse_study(text.replace("{trials: 12}", "{hours: 20000}"), "tiny.yaml")
    assert go(study, store).trained == 2 * 2 * 2 + 4  # groups, configurations, folds; judged
    snapshot, search = kept(store)
    assert search.closed
    several = [len({str(o.point) for o in search.tried if o.group == g}) for g in (0, 1)]
    assert several == [2, 2]
    most = max(one.number for one in search.tried)
    assert f"{most} configurations tried (up to {most - 2} of them not for" in " ".join(
        snapshot.notes
    )


def test_an_absurd_budget_is_priced_and_not_proposed(store: Path, tmp_path: Path) -> None:
    """Ten million configurations to propose would outlast the limit of a test."""
    file = tmp_path / "tiny.yaml"
    file.write_text(TEXT.replace("{trials: 12}", "{hours: 1000000}"))
    plan = plan_study(parse_study(file.read_text(), "tiny.yaml"), Ledger.open(str(store)))
    for item in plan.to_train:
        probe = Probe(epoch_s=1.0, fixed_s=0.0, epochs=0, load=1.0, at_once=1, memory=0)
        timings.write_probe(Ledger.open(str(store)), this_machine(0), item.trial, probe)
    priced = json.loads(cli("plan", file, "--json", "--store", store).output)
    assert priced["proposed_later"] > 10**7


def test_hours_of_more_lanes_are_remembered_before_there_are_workers(store: Path) -> None:
    """With one lane it would be over after a generation: its plan would lose what came after."""
    text = TEXT.replace("{trials: 12}", "{hours: 0.01}")  # 36 s
    snapshot = parse_study(text, "tiny.yaml")
    with pytest.raises(KeyboardInterrupt):
        go(snapshot, store, Shuffled(1, 25))  # two lanes
    again = plan_study(snapshot, Ledger.open_readonly(str(store)))
    assert len(again.to_train) == 15 and not any(p.row == CHOSEN for p in again.trials)
    assert go(snapshot, store, Shuffled(1)).trained == 60 + 4 - 25


def test_gpu_hours_need_a_gpu(store: Path) -> None:
    text = TEXT.replace("{trials: 12}", "{gpu_hours: 1}")
    with pytest.raises(LackError, match="`search.budget` is in `gpu_hours`, and trials train on"):
        go(parse_study(text, "tiny.yaml"), store)


def test_a_second_budget_is_refused(store: Path, tmp_path: Path) -> None:
    file = tmp_path / "tiny.yaml"
    file.write_text(TEXT)
    for command in ("run", "plan"):
        done = cli(command, file, "--budget", "1h", "--store", store)
        assert isinstance(done.exception, StudyError)
        assert "`--budget` must not stand with a search" in str(done.exception)


def test_a_plan_says_what_is_to_come(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "orchestrator.planning.cost.machine.installed", lambda name: "2"
    )  # that of the drawn
    file = tmp_path / "tiny.yaml"
    file.write_text(TEXT)
    plan = plan_study(study(), Ledger.open_readonly(str(store)))
    assert plan.search is not None
    assert len(plan.to_train) == 2 * 5 * 2 and plan.search.remaining.certain == TRAININGS - 20
    with pytest.raises(KeyboardInterrupt):
        go(study(), store, Shuffled(3, 20))
    priced = json.loads(cli("plan", file, "--json", "--store", store).output)
    assert not priced["price"]["at_most"]  # nobody is pruned, and all have finished trials
    assert sum(row["trials"] for row in priced["price"]["rows"]) == TRAININGS - 20
    assert priced["price"]["trial_hours"] * 3600 == pytest.approx(TRAININGS - 20, rel=0.25)


def test_a_plan_within_a_generation_counts_the_folds_that_it_may_be_spared(store: Path) -> None:
    snapshot, whole = pruned(), 3 * 12 * 3 + 3
    with pytest.raises(KeyboardInterrupt):
        go(
            snapshot, store, Shuffled(3, 45 + 5)
        )  # of the second generation five trainings, on fold 1
    plan = plan_study(snapshot, Ledger.open_readonly(str(store)))
    course, due = plan.search, len(plan.to_train)
    assert course is not None
    spared = 2 * sum(one.state == "pruned" for one in course.tried)
    most = due + course.remaining.certain
    assert most == whole - 50 - spared and course.remaining.later_folds == 45 - 5 - due - spared
    assert course.remaining.rounds(None, due) == 2 + 3 + 1  # two folds; a generation; what judges
    assert due < go(snapshot, store, Shuffled(3)).trained <= most


@pytest.mark.parametrize(("cpus", "later"), [(1, 20 + 4), (2, 3 * 20 + 4)])
def test_a_plan_says_what_hours_are_expected_to_bring(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cpus: int, later: int
) -> None:
    monkeypatch.setattr(
        "orchestrator.planning.cost.machine.installed", lambda name: "2"
    )  # that of the drawn
    file = tmp_path / "tiny.yaml"
    file.write_text(TEXT.replace("{trials: 12}", "{hours: 0.0125}"))  # 45 s, and 1 s a training
    before = json.loads(cli("plan", file, "--json", "--store", store).output)
    assert "proposed_later" not in before and before["to_do"] == 20  # nobody knows what they take
    with pytest.raises(KeyboardInterrupt):
        go(parse_study(file.read_text(), "tiny.yaml"), store, Shuffled(3, 10))
    plan = json.loads(cli("plan", file, "--json", "--cpus", str(cpus), "--store", store).output)
    assert (plan["to_do"], plan["proposed_later"]) == (10, later)
    assert plan["price"]["trial_hours"] * 3600 == pytest.approx(10 + later, rel=0.05)
    assert plan["price"]["wall_hours"] * 3600 < 45
