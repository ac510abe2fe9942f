"""A search as a study that grows: honest selection, repeatability, failures.

Most trainings here are drawn, not trained (`tests/searches.py`).
"""

import json
import os
import random
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from orchestrator.errors import RequestError, StudyError
from orchestrator.execution import run as run_module
from orchestrator.execution.cluster.inline import InlineCluster
from orchestrator.execution.events import Event, Note
from orchestrator.execution.replanning import Planner
from orchestrator.execution.run import run
from orchestrator.planning.plan import plan_study
from orchestrator.report.results import measure
from orchestrator.report.trained.predict import assemble
from orchestrator.search.objective import held_out_uas
from orchestrator.store import gc
from orchestrator.store.ledger import Ledger
from orchestrator.store.snapshot import CHOSEN
from orchestrator.study.reader import parse_study
from orchestrator.study.study import Study
from tests.searches import (
    FLAT,
    TEXT,
    TRAININGS,
    Shuffled,
    cli,
    drawn,
    failing,
    few,
    go,
    kept,
    pruned,
    study,
)

pytestmark = pytest.mark.usefixtures("drawn_trainings")


def test_no_choice_has_seen_the_speakers_on_whom_it_is_judged(store: Path) -> None:
    assert go(study(), store).trained == TRAININGS
    snapshot, search = kept(store)
    ledger = Ledger.open_readonly(str(store))
    outcomes = ledger.outcomes.read_all(t.id for t in snapshot.all_trials)
    assert len(outcomes) == TRAININGS and search.closed
    held = {fold.index: {*fold.a, *fold.b} for fold in snapshot.folds}
    for one in search.tried:
        for id in one.trials:
            fold = outcomes[id].identity["fold"]
            assert not held[one.group] & {*fold["train"], *fold["a"], *fold["b"]}
    for group, number in enumerate(search.winners):
        scores = {
            one.number: sum(
                s for id in one.trials for _, s in held_out_uas(outcomes[id], "averaged")
            )
            / 5
            for one in search.tried
            if one.group == group
        }
        assert scores[number] == max(scores.values())
        final = [t for t in snapshot.trials if t.fold == group]
        assert [t.seed for t in final] == [0, 1]
        winner = next(o for o in search.tried if (o.group, o.number) == (group, number))
        for trial in final:
            identity = outcomes[trial.id].identity
            assert {*identity["fold"]["a"], *identity["fold"]["b"]} == held[group]
            assert identity["training"]["lr"] == winner.point["lr"]


def test_a_report_says_how_many_were_tried_and_what_was_chosen(searched: Path) -> None:
    said = cli("report", "tiny_search", "--store", searched).output
    assert "12 configurations tried for each of 2 held-out groups" in " ".join(said.split())
    assert "which no choice has seen" in " ".join(said.split())
    record = json.loads(
        cli("report", "tiny_search", "--format", "json", "--store", searched).output
    )
    assert len(record["search"]["tried"]) == 24 and record["rows"][0]["n"] == 4
    for winner in record["search"]["chosen"]:
        assert winner["configuration"] in " ".join(said.split())
        assert f"{100 * winner['test_ua']:.1f}" in said
    for form in ("markdown", "latex", "html", "csv"):
        done = cli("report", "tiny_search", "--format", form, "--store", searched)
        assert done.exit_code == 0 and "12 configurations tried" in done.output


def test_a_flat_search_prints_dev_alone_and_says_on_whom_it_was_selected(store: Path) -> None:
    assert go(few(6, FLAT), store).trained == 6 * 2
    snapshot, search = kept(store, "flat_search")
    assert search.closed and snapshot.trials == () and snapshot.rows == ()
    said = cli("report", "flat_search", "--store", store).output
    assert "Selected on these speakers" in said and "dev UA" in said
    found = measure(Ledger.open_readonly(str(store)), snapshot).search
    assert found is not None
    (winner,) = found.winners
    assert winner.test is None and winner.configuration == found.best(1)[0]
    (id, *_) = winner.configuration.trials
    outcome = Ledger.open_readonly(str(store)).outcomes.read(id)
    assert outcome is not None
    assert winner.configuration.score != pytest.approx(
        sum(s for _, s in held_out_uas(outcome, "averaged"))
        / len(held_out_uas(outcome, "averaged"))
    )
    for form in ("json", "markdown", "latex", "html", "csv"):
        done = cli("report", "flat_search", "--format", form, "--store", store)
        assert done.exit_code == 0 and "elected on these speakers" in done.output


@pytest.mark.parametrize("text", [TEXT, FLAT], ids=["nested", "flat"])
def test_a_search_is_drawn_along_its_axes(
    text: str, store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orchestrator.report.export.bundle.FORMATS", (".svg",))
    snapshot = few(6, text)
    go(snapshot, store)
    picture = tmp_path / "search.svg"
    assert cli("report", snapshot.name, "--store", store, "-o", picture).exit_code == 0
    drawn_text = picture.read_text()
    assert ">lr<" in drawn_text and ">layers<" in drawn_text and "ringed: chosen" in drawn_text
    refused = cli("report", "smoke", "--picture", "slices", "--store", store, "-o", picture)
    assert "`--picture slices` needs a study with a `search`" in str(refused.exception)
    page = tmp_path / "search.html"
    assert cli("report", snapshot.name, "--store", store, "-o", page).exit_code == 0
    assert ">lr<" in page.read_text() or snapshot.name == "flat_search"
    bundle = cli("export", snapshot.name, "--store", store, "-o", tmp_path / "bundle")
    if snapshot.name == "flat_search":
        assert "has no row that was judged" in str(bundle.exception)
        return
    done = subprocess.run(
        [sys.executable, "recompute.py"],
        cwd=tmp_path / "bundle",
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_networks_that_read_different_features_are_no_ensemble(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A search may choose another node step for each group."""
    text = TEXT.replace("layers: [2, 3]", "node_step: [10, 50]").replace("trials: 12", "trials: 8")

    def taste(identity: Any) -> float:
        known = {*identity["fold"]["train"], *identity["fold"]["a"], *identity["fold"]["b"]}
        return 3.0 if (identity["features"]["node_step"] == 10) == (liked in known) else 0.0

    first = plan_study(
        parse_study(text, "tiny.yaml"), Ledger.open_readonly(str(store))
    ).snapshot.folds[0]
    liked = first.a[0]
    monkeypatch.setattr("tests.searches.skill", taste)
    go(parse_study(text, "tiny.yaml"), store)
    snapshot, search = kept(store)
    steps = {
        one.point["node_step"] for one in search.tried if one.number == search.winners[one.group]
    }
    assert steps == {"10", "50"}
    with pytest.raises(RequestError, match="read different features, since a search chose them"):
        assemble(Ledger.open_readonly(str(store)), snapshot, CHOSEN)


def is_over(store: Path) -> bool:
    forms = Ledger.open_readonly(str(store)).studies.snapshots("tiny_search")
    return bool(forms) and forms[0].search is not None and forms[0].search.closed


@pytest.mark.parametrize("snapshot", [study(), pruned()], ids=["whole", "pruned"])
def test_any_order_any_interruption_and_any_workers_propose_the_same(
    snapshot: Study, store: Path, trained_store: Path
) -> None:
    go(snapshot, store)
    told = kept(store)[1]
    for seed in range(4):
        again = store.parent / f"again-{seed}"
        shutil.copytree(trained_store, again)
        rounds = 0
        while not is_over(again):
            draws = random.Random(seed * 1000 + rounds)
            try:
                go(snapshot, again, Shuffled(draws.randrange(99), draws.randrange(1, 40)))
            except KeyboardInterrupt:
                if draws.random() < 0.3:  # even what was proposed is forgotten: the trials are not
                    for path in (again / "studies").glob("tiny_search@*"):
                        path.unlink()
            rounds += 1
            assert rounds < 100
        found = kept(again)[1]
        assert rounds > 1 and (found.tried, found.winners) == (told.tried, told.winners)


def test_a_configuration_that_cannot_win_is_spared_its_other_folds(store: Path) -> None:
    go(pruned(), store)
    snapshot, search = kept(store)
    spared = [one for one in search.tried if one.state == "pruned"]
    assert spared and all(1 <= len(one.trials) < 3 for one in spared)
    assert len(spared) + sum(one.state == "trained" for one in search.tried) == 3 * 12
    assert all(one.number > 5 for one in spared)  # nobody leads the first generation
    said = " ".join(cli("report", "tiny_search", "--store", store).output.split())
    assert "pruned: spared its other folds" in said
    ledger = Ledger.open_readonly(str(store))
    assert sum(map(ledger.outcomes.has, {t.id for t in search.trials})) < 3 * 12 * 3
    found = measure(ledger, snapshot).search
    assert found is not None and [found.count(g, "pruned") for g in range(3)] != [0, 0, 0]


def test_scores_are_what_the_records_say_and_axes_are_ranked_by_them(searched: Path) -> None:
    snapshot, search = kept(searched)
    ledger = Ledger.open_readonly(str(searched))
    for one in search.tried:
        outcomes = [ledger.outcomes.read(id) for id in one.trials]
        units = [
            score for o in outcomes if o is not None for _, score in held_out_uas(o, "averaged")
        ]
        assert one.score == pytest.approx(sum(units) / len(units), abs=1e-12)
    (row,) = measure(ledger, snapshot).details()
    assert row.configuration["model"]["hidden"] == 16
    rates = {trial.outcome.identity["training"]["lr"] for trial in row.trials}
    assert len(rates) == 2 and "lr" not in row.configuration["training"]
    found = measure(ledger, snapshot).search
    assert found is not None and [one.key for one in found.importances] == ["lr", "layers"]
    rate, layers = (one.fanova or 0.0 for one in found.importances)
    assert rate > layers  # as the objective has it
    said = cli("report", "tiny_search", "--details", "--store", searched).output
    assert "Which axes mattered in the search" in said


def test_what_was_proposed_is_not_asked_for_again(
    searched: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nobody(*_: Any) -> Any:
        raise AssertionError("everything was proposed before")

    monkeypatch.setattr("orchestrator.search.generations.propose", nobody)
    plan = plan_study(study(), Ledger.open_readonly(str(searched)))
    assert plan.to_train == () and len(plan.done) == TRAININGS


def test_a_change_of_the_space_is_another_search(store: Path) -> None:
    go(few(5), store)
    other = study(**{"high: 1e-2": "high: 2e-2", "{trials: 12}": "{trials: 5}"})
    assert plan_study(other, Ledger.open_readonly(str(store))).snapshot.search != kept(store)[1]
    assert plan_study(other, Ledger.open_readonly(str(store))).to_train


def test_gc_keeps_what_a_search_has_tried(store: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        go(study(), store, Shuffled(2, 30))
    ledger = Ledger.open(str(store))
    tried = {t.id for t in kept(store)[1].trials if ledger.outcomes.has(t.id)}
    assert len(tried) == 30
    for path in store.rglob("*"):  # nothing is left for being young, and the newest stays that
        if path.lstat().st_nlink > 1 and path.suffix == ".wav":
            continue  # a recording, which other copies of the store share
        old = path.lstat().st_mtime - 1e8
        os.utime(path, (old, old), follow_symlinks=False)
    for path in (store / "studies").glob("smoke@*"):
        path.unlink()
    found = gc.remove(ledger, gc.scan(ledger, newest_only=True), newest_only=True)
    assert len([item for item in found.unneeded if item.kind == "trial"]) == 4  # of the other study
    assert all(map(ledger.outcomes.has, tried))


def test_a_configuration_that_diverges_has_no_score_and_the_search_goes_on(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = failing("diverged", "The loss is no number.", lambda i: i["training"]["lr"] > 5e-3)
    monkeypatch.setattr(run_module, "train_one", work)
    result = go(study(), store)
    snapshot, search = kept(store)
    assert result.failed == () and search.closed
    found = measure(Ledger.open_readonly(str(store)), snapshot).search
    assert found is not None
    without = [one for one in search.tried if one.score is None]
    assert without and all(float(one.point["lr"]) > 5e-3 for one in without)
    said = cli("report", "tiny_search", "--store", store).output
    assert "failed" in said.split() and all(one.state == "failed" for one in without)
    assert plan_study(study(), Ledger.open_readonly(str(store))).to_train == ()


def test_a_search_of_which_nothing_can_be_trained_stops_and_says_why(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = failing("diverged", "The loss is no number.", lambda i: True)
    monkeypatch.setattr(run_module, "train_one", work)
    expected = "none of the first 5 configurations of group [12] .* The loss is no number"
    with pytest.raises(RequestError, match=expected):
        go(study(), store)
    assert len(kept(store)[1].trials) == 20  # and no second generation
    monkeypatch.setattr(run_module, "train_one", drawn)
    assert go(study(), store).trained == TRAININGS  # mended, the same command goes on


def test_a_search_waits_for_what_a_machine_failed_at(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = failing("data", "A shard is damaged.", lambda i: i["training"]["lr"] > 5e-3)
    monkeypatch.setattr(run_module, "train_one", work)
    result = go(study(), store)
    assert result.failed and not kept(store)[1].winners
    monkeypatch.setattr(run_module, "train_one", drawn)
    events: list[Event] = []
    run(study(), Ledger.open(str(store)), InlineCluster(), events.append)
    assert kept(store)[1].closed
    assert any(isinstance(e, Note) and "Tried again" in e.sentence for e in events)


def test_too_few_speakers_for_the_inner_folds_is_a_fault_of_the_study(store: Path) -> None:
    snapshot = study(**{"inner_folds: 2": "inner_folds: 3"})
    with pytest.raises(StudyError, match="`search.inner_folds` must be at most 2 and at least 2"):
        plan_study(snapshot, Ledger.open_readonly(str(store)))


def test_a_search_trains_and_is_watched_for_real(
    store: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.undo()
    text = TEXT.replace("{trials: 12}", "{trials: 1}").replace("seeds: 2", "seeds: 1")
    text = text.replace("training: {epochs: 2}", "training: {epochs: 1}\nscore: chosen")
    file = tmp_path / "tiny.yaml"
    file.write_text(text)
    done = cli("run", file, "--inline", "--store", store)
    assert done.exit_code == 0, done.output
    assert "Search: configuration 1 (budget: 1 configuration a held-out group)" in " ".join(
        done.output.split()
    )
    status = cli("status", "tiny_search", "--store", store).output
    assert "group 2" in status and "chosen by the search" in status
    heard = next((store / "corpora" / "demo").rglob("*.wav"))
    asked_words = ["--study", "tiny_search", "--row", CHOSEN, "--format", "json"]
    answer = cli("predict", heard, *asked_words, "--export", tmp_path / "net", "--store", store)
    assert answer.exit_code == 0, answer.output
    networks = json.loads((tmp_path / "net" / "config.json").read_text())["networks"]
    points = [one.point for one in kept(store)[1].tried]
    assert {n["training"]["lr"] for n in networks} == {point["lr"] for point in points}
    watched = cli("watch", "tiny_search", "--every", "0.2", "--store", store)
    assert watched.exit_code == 0


@pytest.mark.bench
def test_a_proposal_costs_the_driver_less_than_50_ms_at_1000_configurations(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All that a run does between two generations: records, proposals, snapshot, plan."""
    text = TEXT.replace("{folds: 2, seeds: 2}", "{folds: 5, seeds: 1}").replace(
        "trials: 12", "trials: 200"
    )
    snapshot = parse_study(text.replace("inner_folds: 2", "inner_folds: 3"), "tiny.yaml")
    spent: list[float] = []
    planned = Planner.next

    def timed(plans: Any, at_once: float) -> Any:
        began = time.process_time()
        plan = planned(plans, at_once)
        spent.append(time.process_time() - began)
        return plan

    monkeypatch.setattr(Planner, "next", timed)
    go(snapshot, store)
    assert len(kept(store)[1].tried) == 1000
    last = [took / 25 for took in spent[-6:-2]]  # of 25 configurations each
    print(f"\n{1000 * max(last):.0f} ms of the driver a proposal, at 900 to 1,000 configurations")
    assert max(last) < 0.05
