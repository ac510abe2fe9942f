"""A search as a study that grows: honest selection, seals, resumption, budgets, failures.

Most trainings here are drawn, not trained: the same loop, plans, ledger and reports, with outcomes
that follow from a trial's id and a known objective.
"""

import json
import math
import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from orchestrator import evidence, sweep
from orchestrator import run as run_module
from orchestrator.board import Board
from orchestrator.cli.main import app
from orchestrator.cluster import InlineCluster, Task, Tell, Work
from orchestrator.errors import LackError, RequestError, StudyError
from orchestrator.events import Done, Epoch, Event, Failed, Note, Planned, Started
from orchestrator.evidence import Probe
from orchestrator.ledger import Ledger
from orchestrator.machine import this_machine
from orchestrator.measured import measure
from orchestrator.plan import make
from orchestrator.predict import assemble
from orchestrator.records import Failure
from orchestrator.run import RunResult, run
from orchestrator.search.scores import inner
from orchestrator.snapshot import CHOSEN, Asked, AskedFold, AskedSearch
from orchestrator.study import Study, parse_study
from orchestrator.trial_record import read
from tests import stores

TEXT = """
study: tiny_search
question: Which learning rate, and how many layers?
corpus: demo
protocol: {folds: 2, seeds: 2}
training: {epochs: 2}
baseline: {hidden: 16, fa_layer: 2}
search:
  axes:
    lr: {low: 1e-4, high: 1e-2, log: true}
    layers: [2, 3]
  budget: {trials: 12}
  inner_folds: 2
  pruning: false
"""
TRAINED = run_module.train_one
"""The worker, in place of which most trainings here are drawn."""
TRAININGS = 2 * 12 * 2 + 2 * 2
"""Groups x configurations x inner folds, and what is judged: groups x seeds."""


def study(text: str = TEXT, **changes: str) -> Study:
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new)
    return parse_study(text, "tiny.yaml")


def few(configurations: int, text: str = TEXT) -> Study:
    assert "{trials: 12}" in text
    return parse_study(text.replace("{trials: 12}", f"{{trials: {configurations}}}"), "tiny.yaml")


def pruned(text: str = TEXT) -> Study:
    text = text.replace("folds: 2, seeds: 2", "folds: 3, seeds: 1").replace("pruning: false", "")
    return parse_study(text.replace("inner_folds: 2", "inner_folds: 3"), "tiny.yaml")


FLAT = TEXT.replace("inner_folds: 2", "selection: flat").replace("tiny_search", "flat_search")


def asked_name(text: str) -> str:
    return parse_study(text, "tiny.yaml").name


def skill(identity: Any) -> float:
    """Best at a learning rate of 2e-3 and with three layers."""
    rate = math.log10(identity["training"]["lr"] / 2e-3)
    return 2.5 - 1.5 * abs(rate) - 0.5 * (identity["model"]["layers"] == 2)


def drawn(task: Task, tell: Tell) -> None:
    tell(Started(task.id))
    ledger, fold = Ledger.at(task.store), task.identity["fold"]
    held = AskedFold(index=0, a=tuple(fold["a"]), b=tuple(fold["b"]), train=len(fold["train"]))
    stores.train(ledger, task.identity, held, skill(task.identity))
    tell(Done(task.id, 1.0))


def failing(cause: Any, sentence: str, which: Callable[[Any], bool]) -> Work:
    """Some trainings fail, as a worker says it; all others are drawn."""

    def work(task: Task, tell: Tell) -> None:
        if not which(task.identity):
            drawn(task, tell)
            return
        tell(Started(task.id))
        ledger = Ledger.at(task.store)
        failure = Failure(
            id=task.id, cause=cause, sentence=sentence, traceback="", epoch=1,
            attempt="attempt-x", host="here", identity=task.identity,
        )  # fmt: skip
        tell(Failed(task.id, cause, sentence, str(ledger.fail(failure))))

    return work


class Shuffled(InlineCluster):
    """Trials end in any order; the machine may go away after some of them."""

    def __init__(self, seed: int, most: int = 10**6) -> None:
        super().__init__()
        self._random, self._left = random.Random(seed), most
        self.slots = 1 + seed % 7

    def train(self, tasks: Sequence[Task], work: Work, tell: Tell) -> str:
        shuffled = list(tasks)
        self._random.shuffle(shuffled)
        for task in shuffled:
            if self._left == 0:
                raise KeyboardInterrupt
            self._left -= 1
            work(task, tell)
        return ""


@pytest.fixture(autouse=True)
def trainings_are_drawn(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if "trained" not in request.keywords:
        monkeypatch.setattr(run_module, "train_one", drawn)


def go(asked: Study, store: Path, cluster: InlineCluster | None = None) -> RunResult:
    return run(asked, Ledger.open(str(store)), cluster or InlineCluster(), lambda event: None)


def kept(store: Path, name: str = "tiny_search") -> tuple[Asked, AskedSearch]:
    asked = Ledger.look(str(store)).snapshots(name)[0]
    assert asked.search is not None
    return asked, asked.search


def cli(*arguments: Any) -> Any:
    return CliRunner().invoke(app, list(map(str, arguments)))


# --- honest selection ---------------------------------------------------------------------------


def test_no_choice_has_seen_the_speakers_on_whom_it_is_judged(store: Path) -> None:
    assert go(study(), store).trained == TRAININGS
    asked, search = kept(store)
    ledger = Ledger.look(str(store))
    outcomes = ledger.outcomes(t.id for t in asked.every_trial)
    assert len(outcomes) == TRAININGS and search.closed
    held = {fold.index: {*fold.a, *fold.b} for fold in asked.folds}
    for one in search.tried:
        for id in one.trials:
            fold = outcomes[id].identity["fold"]
            assert not held[one.group] & {*fold["train"], *fold["a"], *fold["b"]}
    for group, number in enumerate(search.winners):
        scores = {
            one.number: sum(s for id in one.trials for _, s in inner(outcomes[id])) / 5
            for one in search.tried
            if one.group == group
        }
        assert scores[number] == max(scores.values())
        final = [t for t in asked.trials if t.fold == group]
        assert [t.seed for t in final] == [0, 1]
        winner = next(o for o in search.tried if (o.group, o.number) == (group, number))
        for trial in final:
            identity = outcomes[trial.id].identity
            assert {*identity["fold"]["a"], *identity["fold"]["b"]} == held[group]
            assert identity["training"]["lr"] == winner.point["lr"]


def test_a_report_says_how_many_were_tried_and_what_was_chosen(store: Path) -> None:
    go(study(), store)
    said = cli("report", "tiny_search", "--store", store).output
    assert "12 configurations tried for each of 2 held-out groups" in " ".join(said.split())
    assert "which no choice has seen" in " ".join(said.split())
    record = json.loads(cli("report", "tiny_search", "--format", "json", "--store", store).output)
    assert len(record["search"]["tried"]) == 24 and record["rows"][0]["n"] == 4
    for winner in record["search"]["chosen"]:
        assert winner["configuration"] in " ".join(said.split())
        assert f"{100 * winner['test_ua']:.1f}" in said
    for form in ("markdown", "latex", "html", "csv"):
        done = cli("report", "tiny_search", "--format", form, "--store", store)
        assert done.exit_code == 0 and "12 configurations tried" in done.output


def test_a_flat_search_prints_dev_alone_and_says_on_whom_it_was_selected(store: Path) -> None:
    assert go(few(6, FLAT), store).trained == 6 * 2
    asked, search = kept(store, "flat_search")
    assert search.closed and asked.trials == () and asked.rows == ()
    said = cli("report", "flat_search", "--store", store).output
    assert "Selected on these speakers" in said and "dev UA" in said
    found = measure(Ledger.look(str(store)), asked).search
    assert found is not None
    (winner,) = found.winners
    assert winner.test is None and winner.configuration == found.best(1)[0]
    (id, *_) = winner.configuration.trials
    outcome = Ledger.look(str(store)).outcome(id)
    assert outcome is not None
    assert winner.configuration.score != pytest.approx(
        sum(s for _, s in inner(outcome)) / len(inner(outcome))
    )
    for form in ("json", "markdown", "latex", "html", "csv"):
        done = cli("report", "flat_search", "--format", form, "--store", store)
        assert done.exit_code == 0 and "elected on these speakers" in done.output


@pytest.mark.parametrize("text", [TEXT, FLAT], ids=["nested", "flat"])
def test_a_search_is_drawn_along_its_axes(text: str, store: Path, tmp_path: Path) -> None:
    asked = few(6, text)
    go(asked, store)
    picture = tmp_path / "search.svg"
    assert cli("report", asked.name, "--store", store, "-o", picture).exit_code == 0
    drawn_text = picture.read_text()
    assert ">lr<" in drawn_text and ">layers<" in drawn_text and "ringed: chosen" in drawn_text
    refused = cli("report", "smoke", "--picture", "slices", "--store", store, "-o", picture)
    assert "`--picture slices` needs a study with a `search`" in str(refused.exception)
    page = tmp_path / "search.html"
    assert cli("report", asked.name, "--store", store, "-o", page).exit_code == 0
    assert ">lr<" in page.read_text() or asked.name == "flat_search"
    bundle = cli("export", asked.name, "--store", store, "-o", tmp_path / "bundle")
    if asked.name == "flat_search":
        assert "has no row that was judged" in str(bundle.exception)
        return
    done = subprocess.run([sys.executable, "recompute.py"], cwd=tmp_path / "bundle", check=False,
                          capture_output=True, text=True)  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


def test_networks_that_read_different_features_are_no_ensemble(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A search may choose another node step for each group."""
    text = TEXT.replace("layers: [2, 3]", "node_step: [10, 50]").replace("trials: 12", "trials: 8")

    def taste(identity: Any) -> float:
        known = {*identity["fold"]["train"], *identity["fold"]["a"], *identity["fold"]["b"]}
        return 3.0 if (identity["features"]["node_step"] == 10) == (liked in known) else 0.0

    first = make(parse_study(text, "tiny.yaml"), Ledger.look(str(store))).asked.folds[0]
    liked = first.a[0]
    monkeypatch.setattr(f"{__name__}.skill", taste)
    go(parse_study(text, "tiny.yaml"), store)
    asked, search = kept(store)
    steps = {one.point["node_step"] for one in search.tried
             if one.number == search.winners[one.group]}  # fmt: skip
    assert steps == {"10", "50"}
    with pytest.raises(RequestError, match="read different features, since a search chose them"):
        assemble(Ledger.look(str(store)), asked, CHOSEN)


# --- seals --------------------------------------------------------------------------------------


def test_what_has_not_trained_was_proposed_and_not_tried(store: Path, tmp_path: Path) -> None:
    file = tmp_path / "tiny.yaml"
    file.write_text(TEXT)
    said = " ".join(cli("report", file, "--store", store).output.split())
    assert "5 configurations proposed so far for each of 2 held-out groups" in said
    assert "1: not chosen yet 0 – – 2: not chosen yet 0 – –" in said


def test_test_scores_are_sealed_until_the_last_training_has_ended(store: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        go(study(), store, Shuffled(1, TRAININGS - 1))
    asked, search = kept(store)
    assert not search.closed and asked.trials == () and len(search.winners) == 2
    ledger = Ledger.look(str(store))
    final = [t for t in search.trials if t.row == CHOSEN]
    done = next(t.id for t in final if ledger.is_done(t.id))
    (record,) = [read(ledger, done)]
    assert record.sealed == "tiny_search"
    shown = cli("show", done[:12], "--store", store).output
    assert "sealed by the search `tiny_search`" in " ".join(shown.split())
    assert "test speaker" not in shown
    assert json.loads(cli("show", done[:12], "--json", "--store", store).output)["outcome"][
        "scores"
    ] is None  # fmt: skip
    said = cli("report", "tiny_search", "--store", store).output
    assert "Sealed: the search goes on" in said and "inner UA" in said
    assert measure(ledger, asked).summary.rows[0].ua is None
    inner_trial = next(t.id for t in search.trials if t.row != CHOSEN)
    assert read(ledger, inner_trial).sealed == ""
    assert not (store / "searches").exists()

    go(study(), store)
    assert kept(store)[1].closed and read(ledger, done).sealed == ""
    assert "test speaker" in cli("show", done[:12], "--store", store).output
    (opened,) = (store / "searches").iterdir()
    assert json.loads(opened.read_text())["configurations"] == 12


def test_going_on_after_scores_were_opened_is_said(store: Path) -> None:
    go(few(5), store)
    assert kept(store)[1].opened == ()
    first = [one.point for one in kept(store)[1].tried if one.group == 0]
    result = go(study(), store)
    assert result.trained >= TRAININGS - 2 * 5 * 2 - 2 * 2  # what was trained is not trained again
    search = kept(store)[1]
    assert [one.point for one in search.tried if one.group == 0][:5] == first
    assert search.opened == (5,)
    said = " ".join(cli("report", "tiny_search", "--store", store).output.split())
    assert "WARNING: the test scores had been opened after 5 configurations" in said
    go(few(7), store)  # less than what was seen is no way back
    assert kept(store)[1].opened == (5, 12)
    go(few(5), store)
    assert kept(store)[1].opened == ()  # the first that were opened are what they were


def test_another_search_for_the_same_speakers_is_said(store: Path) -> None:
    go(few(5), store)
    text = TEXT.replace("{trials: 12}", "{trials: 5}")
    for seed, before in ((1, "another search"), (2, "2 other searches")):
        go(parse_study(text.replace("  pruning", f"  seed: {seed}\n  pruning"), "tiny.yaml"), store)
        assert kept(store)[1].others == seed
        said = " ".join(cli("report", "tiny_search", "--store", store).output.split())
        assert f"WARNING: the test scores of {before} (other axes, settings, sampler" in said
    other = TEXT.replace("{folds: 2, seeds: 2}", "{folds: 3, seeds: 1}")
    go(few(5, other), store)
    assert kept(store)[1].others == 0  # other people judge it
    go(few(5), store)
    assert kept(store)[1].others == 0  # the first of them had seen nothing


def test_an_edited_study_and_its_log_break_no_seal(store: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        go(study(), store, Shuffled(1, TRAININGS - 1))
    ledger = Ledger.look(str(store))
    final = [t for t in kept(store)[1].trials if t.row == CHOSEN]
    done = next(t.id for t in final if ledger.is_done(t.id))
    with pytest.raises(KeyboardInterrupt):
        go(study(**{"  pruning": "  seed: 1\n  pruning"}), store, Shuffled(1, 3))
    assert not any(t.id == done for t in kept(store)[1].trials)  # the newest form has it no more
    assert "test speaker" not in cli("show", done[:12], "--store", store).output
    said = cli("logs", done[:12], "--store", store).output
    assert "sealed by the search `tiny_search`" in " ".join(said.split()) and " UA " not in said


def test_nothing_tells_how_trainings_do_that_judge(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Dev of one half is test of the other: neither events, nor the board, nor `watch` has it."""
    monkeypatch.setattr(run_module, "train_one", TRAINED)
    store, events = tmp_path / "store", list[Event]()
    small = parse_study(TEXT.replace("{trials: 12}", "{trials: 1}"), "tiny.yaml")
    board = Board(Ledger.open(str(store)))
    shown = list[tuple[str, tuple[float, ...]]]()

    def hear(event: Event) -> None:
        events.append(event)
        board.hear(event)
        shown.extend((flying.place.row, flying.dev_ua) for flying in board.flying())

    run(small, Ledger.open(str(store)), InlineCluster(), hear)
    final = {t.id for t in kept(store)[0].trials}
    heard = [event for event in events if isinstance(event, Epoch)]
    assert {e.id for e in heard if e.dev_ua is None} == final and len(final) == 4
    assert any(curve for row, curve in shown if row != CHOSEN)
    assert not any(curve for row, curve in shown if row == CHOSEN)


def test_an_ablation_opens_no_seal(store: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        go(study(), store, Shuffled(1, TRAININGS - 1))
    ledger = Ledger.look(str(store))
    search = kept(store)[1]
    done = next(t for t in search.trials if t.row == CHOSEN and ledger.is_done(t.id))
    outcome = ledger.outcome(done.id)
    assert outcome is not None
    rate, layers = outcome.identity["training"]["lr"], outcome.identity["model"]["layers"]
    rows = f"""
study: by_hand
question: Is it good?
corpus: demo
protocol: {{folds: 2, seeds: 2}}
training: {{epochs: 2, lr: {rate}}}
baseline: {{hidden: 16, fa_layer: 2, layers: {layers}}}
rows:
  - {{name: as chosen}}
"""
    plan = make(parse_study(rows, "by_hand.yaml"), ledger)
    assert done.id in plan.done  # one training serves both
    go(parse_study(rows, "by_hand.yaml"), store)
    assert read(ledger, done.id).sealed == "tiny_search"
    said = " ".join(cli("report", "by_hand", "--store", store).output.split())
    assert "what the search `tiny_search` chose as well: not shown, and told as missing" in said
    before = measure(ledger, ledger.snapshots("by_hand")[0]).summary.rows[0].n
    board = Board(ledger)
    by_hand = ledger.snapshots("by_hand")[0]
    board.hear(Planned(by_hand.trials, frozenset(t.id for t in by_hand.trials), 1, "by_hand"))
    live = board.estimate("as chosen")
    assert live is not None and live.n == before < len(by_hand.trials)
    go(study(), store)
    assert read(ledger, done.id).sealed == ""
    assert measure(ledger, ledger.snapshots("by_hand")[0]).summary.rows[0].n > before
    assert "Sealed" not in cli("report", "by_hand", "--store", store).output


@pytest.mark.parametrize("text", [TEXT, FLAT], ids=["nested", "flat"])
def test_a_search_is_a_study_of_optunas_and_other_logs_see_nothing_sealed(
    text: str, store: Path, tmp_path: Path
) -> None:
    import optuna
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    file, logs = tmp_path / "tiny.yaml", tmp_path / "logs"
    file.write_text(text)
    where = ["--log", f"optuna:{logs / 'o'}", "--log", f"tensorboard:{logs / 't'}"]
    done = cli("run", file, "--inline", "--store", store, *where)
    assert done.exit_code == 0, done.output
    asked, search = kept(store, asked_name(text))
    storage = JournalStorage(JournalFileBackend(str(logs / "o" / "journal.log")))
    names = sorted(optuna.get_all_study_names(storage))
    assert len(names) == (2 if search.selection == "nested" else 1)
    for group, name in enumerate(names):
        found = optuna.load_study(study_name=name, storage=storage)
        own = [one for one in search.tried if one.group == group]
        assert [t.params for t in found.trials] == [dict(one.point) for one in own]
        assert found.best_trial.user_attrs["number"] == search.winners[group]
    folders = sorted(path.parent for path in (logs / "t").rglob("*tfevents*"))
    assert len(folders) == len(asked.every_trial)
    tags = set(EventAccumulator(str(folders[0])).Reload().Tags()["tensors"])
    assert "dev/ua" in tags and ("ua" in tags) == (search.selection == "nested")


# --- repeatability ------------------------------------------------------------------------------


def is_over(store: Path) -> bool:
    forms = Ledger.look(str(store)).snapshots("tiny_search")
    return bool(forms) and forms[0].search is not None and forms[0].search.closed


@pytest.mark.parametrize("asked", [study(), pruned()], ids=["whole", "pruned"])
def test_any_order_any_interruption_and_any_workers_propose_the_same(
    asked: Study, store: Path, trained_store: Path
) -> None:
    go(asked, store)
    told = kept(store)[1]
    for seed in range(4):
        again = store.parent / f"again-{seed}"
        shutil.copytree(trained_store, again)
        rounds = 0
        while not is_over(again):
            draws = random.Random(seed * 1000 + rounds)
            try:
                go(asked, again, Shuffled(draws.randrange(99), draws.randrange(1, 40)))
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
    asked, search = kept(store)
    spared = [one for one in search.tried if one.state == "pruned"]
    assert spared and all(1 <= len(one.trials) < 3 for one in spared)
    assert len(spared) + sum(one.state == "trained" for one in search.tried) == 3 * 12
    assert all(one.number > 5 for one in spared)  # nobody leads the first generation
    said = " ".join(cli("report", "tiny_search", "--store", store).output.split())
    assert "pruned: spared its other folds" in said
    ledger = Ledger.look(str(store))
    assert sum(map(ledger.is_done, {t.id for t in search.trials})) < 3 * 12 * 3
    found = measure(ledger, asked).search
    assert found is not None and [found.count(g, "pruned") for g in range(3)] != [0, 0, 0]


def test_scores_are_what_the_records_say_and_axes_are_ranked_by_them(store: Path) -> None:
    go(study(), store)
    asked, search = kept(store)
    ledger = Ledger.look(str(store))
    for one in search.tried:
        outcomes = [ledger.outcome(id) for id in one.trials]
        units = [score for o in outcomes if o is not None for _, score in inner(o)]
        assert one.score == pytest.approx(sum(units) / len(units), abs=1e-12)
    (row,) = measure(ledger, asked).behind()
    assert row.configuration["model"]["hidden"] == 16
    rates = {trial.outcome.identity["training"]["lr"] for trial in row.trials}
    assert len(rates) == 2 and "lr" not in row.configuration["training"]
    found = measure(ledger, asked).search
    assert found is not None and [one.key for one in found.mattered] == ["lr", "layers"]
    rate, layers = (one.fanova or 0.0 for one in found.mattered)
    assert rate > layers  # as the objective has it
    said = cli("report", "tiny_search", "--details", "--store", store).output
    assert "Which axes mattered in the search" in said


def test_what_was_proposed_is_not_asked_for_again(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    go(study(), store)

    def nobody(*_: Any) -> Any:
        raise AssertionError("everything was proposed before")

    monkeypatch.setattr("orchestrator.search.course.propose", nobody)
    plan = make(study(), Ledger.look(str(store)))
    assert plan.to_train == () and len(plan.done) == TRAININGS


def test_a_change_of_the_space_is_another_search(store: Path) -> None:
    go(few(5), store)
    other = study(**{"high: 1e-2": "high: 2e-2", "{trials: 12}": "{trials: 5}"})
    assert make(other, Ledger.look(str(store))).asked.search != kept(store)[1]
    assert make(other, Ledger.look(str(store))).to_train


def test_gc_keeps_what_a_search_has_tried(store: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        go(study(), store, Shuffled(2, 30))
    ledger = Ledger.open(str(store))
    tried = {t.id for t in kept(store)[1].trials if ledger.is_done(t.id)}
    assert len(tried) == 30
    for path in store.rglob("*"):  # nothing is left for being young, and the newest stays that
        old = path.lstat().st_mtime - 1e8
        os.utime(path, (old, old), follow_symlinks=False)
    for path in (store / "studies").glob("smoke@*"):
        path.unlink()
    found = sweep.remove(ledger, sweep.look(ledger, newest_only=True), newest_only=True)
    assert len([waste for waste in found.waste if waste.kind == "trial"]) == 4  # of the other study
    assert all(map(ledger.is_done, tried))


# --- budgets ------------------------------------------------------------------------------------


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
    asked = parse_study(text.replace("{trials: 12}", "{hours: 20000}"), "tiny.yaml")
    assert go(asked, store).trained == 2 * 2 * 2 + 4  # groups, configurations, folds; judged
    asked, search = kept(store)
    assert search.closed
    several = [len({str(o.point) for o in search.tried if o.group == g}) for g in (0, 1)]
    assert several == [2, 2]
    most = max(one.number for one in search.tried)
    assert f"{most} configurations tried (up to {most - 2} of them not for" in " ".join(asked.notes)


def test_an_absurd_budget_is_priced_at_once(store: Path, tmp_path: Path) -> None:
    file = tmp_path / "tiny.yaml"
    file.write_text(TEXT.replace("{trials: 12}", "{hours: 1000000}"))
    plan = make(parse_study(file.read_text(), "tiny.yaml"), Ledger.open(str(store)))
    for item in plan.to_train:
        probe = Probe(epoch_s=1.0, fixed_s=0.0, epochs=0, load=1.0, at_once=1, memory=0)
        evidence.write(Ledger.open(str(store)), this_machine(0), item.trial, probe)
    began = time.process_time()
    priced = json.loads(cli("plan", file, "--json", "--store", store).output)
    assert priced["proposed_later"] > 10**7 and time.process_time() - began < 5


def test_hours_of_more_lanes_are_remembered_before_there_are_workers(store: Path) -> None:
    """With one lane it would be over after a generation: its plan would lose what came after."""
    text = TEXT.replace("{trials: 12}", "{hours: 0.01}")  # 36 s
    asked = parse_study(text, "tiny.yaml")
    with pytest.raises(KeyboardInterrupt):
        go(asked, store, Shuffled(1, 25))  # two lanes
    again = make(asked, Ledger.look(str(store)))
    assert len(again.to_train) == 15 and not any(p.row == CHOSEN for p in again.placed)
    assert go(asked, store, Shuffled(1)).trained == 60 + 4 - 25


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
    monkeypatch.setattr("orchestrator.machine.installed", lambda name: "2")  # that of the drawn
    file = tmp_path / "tiny.yaml"
    file.write_text(TEXT)
    plan = make(study(), Ledger.look(str(store)))
    assert plan.course is not None
    assert len(plan.to_train) == 2 * 5 * 2 and plan.course.ahead.certain == TRAININGS - 20
    with pytest.raises(KeyboardInterrupt):
        go(study(), store, Shuffled(3, 20))
    priced = json.loads(cli("plan", file, "--json", "--store", store).output)
    assert sum(row["trials"] for row in priced["price"]["rows"]) == TRAININGS - 20
    assert priced["price"]["trial_hours"] * 3600 == pytest.approx(TRAININGS - 20, rel=0.25)


@pytest.mark.parametrize(("cpus", "later"), [(1, 20 + 4), (2, 3 * 20 + 4)])
def test_a_plan_says_what_hours_are_expected_to_bring(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cpus: int, later: int
) -> None:
    monkeypatch.setattr("orchestrator.machine.installed", lambda name: "2")  # that of the drawn
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


# --- failures -----------------------------------------------------------------------------------


def test_a_configuration_that_diverges_has_no_score_and_the_search_goes_on(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = failing("diverged", "The loss is no number.", lambda i: i["training"]["lr"] > 5e-3)
    monkeypatch.setattr(run_module, "train_one", work)
    result = go(study(), store)
    asked, search = kept(store)
    assert result.failed == () and search.closed
    found = measure(Ledger.look(str(store)), asked).search
    assert found is not None
    without = [one for one in search.tried if one.score is None]
    assert without and all(float(one.point["lr"]) > 5e-3 for one in without)
    said = cli("report", "tiny_search", "--store", store).output
    assert "failed" in said.split() and all(one.state == "failed" for one in without)
    assert make(study(), Ledger.look(str(store))).to_train == ()


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
    asked = study(**{"inner_folds: 2": "inner_folds: 3"})
    with pytest.raises(StudyError, match="`search.inner_folds` must be at most 2 and at least 2"):
        make(asked, Ledger.look(str(store)))


def test_a_search_trains_and_is_watched_for_real(
    store: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.undo()
    text = TEXT.replace("{trials: 12}", "{trials: 1}").replace("seeds: 2", "seeds: 1")
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
    asked = parse_study(text.replace("inner_folds: 2", "inner_folds: 3"), "tiny.yaml")
    spent: list[float] = []
    planned = run_module._Plans.next

    def timed(plans: Any, at_once: float) -> Any:
        began = time.process_time()
        plan = planned(plans, at_once)
        spent.append(time.process_time() - began)
        return plan

    monkeypatch.setattr(run_module._Plans, "next", timed)
    go(asked, store)
    assert len(kept(store)[1].tried) == 1000
    last = [took / 25 for took in spent[-6:-2]]  # of 25 configurations each
    print(f"\n{1000 * max(last):.0f} ms of the driver a proposal, at 900 to 1,000 configurations")
    assert max(last) < 0.05
