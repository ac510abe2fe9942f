"""What a search keeps from everybody until it has ended, and what it says when they have looked."""

import json
from pathlib import Path

import pytest

from orchestrator.execution import run as run_module
from orchestrator.execution.cluster.inline import InlineCluster
from orchestrator.execution.events import Epoch, Event, Planned
from orchestrator.execution.monitor.run_state import RunState
from orchestrator.execution.run import run
from orchestrator.planning.plan import plan_study
from orchestrator.planning.trial_details import read_trial
from orchestrator.report.results import measure
from orchestrator.store.ledger import Ledger
from orchestrator.store.snapshot import CHOSEN
from orchestrator.study.reader import parse_study
from tests.searches import (
    FLAT,
    TEXT,
    TRAINED,
    TRAININGS,
    Shuffled,
    asked_name,
    cli,
    few,
    go,
    kept,
    study,
)

pytestmark = pytest.mark.usefixtures("drawn_trainings")


def test_what_has_not_trained_was_proposed_and_not_tried(store: Path, tmp_path: Path) -> None:
    file = tmp_path / "tiny.yaml"
    file.write_text(TEXT)
    said = " ".join(cli("report", file, "--store", store).output.split())
    assert "5 configurations proposed so far for each of 2 held-out groups" in said
    assert "1: not chosen yet 0 – – 2: not chosen yet 0 – –" in said


def test_test_scores_are_sealed_until_the_last_training_has_ended(sealed: Path) -> None:
    snapshot, search = kept(sealed)
    assert not search.closed and snapshot.trials == () and len(search.winners) == 2
    ledger = Ledger.open_readonly(str(sealed))
    final = [t for t in search.trials if t.row == CHOSEN]
    done = next(t.id for t in final if ledger.outcomes.has(t.id))
    (record,) = [read_trial(ledger, done)]
    assert record.blinded_by == "tiny_search"
    shown = cli("show", done[:12], "--store", sealed).output
    assert "sealed by the search `tiny_search`" in " ".join(shown.split())
    assert "test speaker" not in shown
    assert (
        json.loads(cli("show", done[:12], "--json", "--store", sealed).output)["outcome"]["scores"]
        is None
    )
    said = cli("report", "tiny_search", "--store", sealed).output
    assert "Sealed: the search goes on" in said and "inner UA" in said
    assert measure(ledger, snapshot).summary.rows[0].ua is None
    inner_trial = next(t.id for t in search.trials if t.row != CHOSEN)
    assert read_trial(ledger, inner_trial).blinded_by == ""
    assert not (sealed / "searches").exists()

    go(study(), sealed)
    assert kept(sealed)[1].closed and read_trial(ledger, done).blinded_by == ""
    assert "test speaker" in cli("show", done[:12], "--store", sealed).output
    (opened,) = (sealed / "searches").iterdir()
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


def test_an_edited_study_and_its_log_break_no_seal(sealed: Path) -> None:
    ledger = Ledger.open_readonly(str(sealed))
    final = [t for t in kept(sealed)[1].trials if t.row == CHOSEN]
    done = next(t.id for t in final if ledger.outcomes.has(t.id))
    with pytest.raises(KeyboardInterrupt):
        go(study(**{"  pruning": "  seed: 1\n  pruning"}), sealed, Shuffled(1, 3))
    assert not any(t.id == done for t in kept(sealed)[1].trials)  # the newest form has it no more
    assert "test speaker" not in cli("show", done[:12], "--store", sealed).output
    said = cli("logs", done[:12], "--store", sealed).output
    assert "sealed by the search `tiny_search`" in " ".join(said.split()) and " UA " not in said


def test_nothing_tells_how_trainings_do_that_judge(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Dev of one half is test of the other: neither events, nor the board, nor `watch` has it."""
    monkeypatch.setattr(run_module, "train_one", TRAINED)
    events = list[Event]()
    text = TEXT.replace("{trials: 12}", "{trials: 1}")
    text = text.replace("training: {epochs: 2}", "training: {epochs: 1}\nscore: chosen")
    small = parse_study(text, "tiny.yaml")
    board = RunState(Ledger.open(str(store)))
    shown = list[tuple[str, tuple[float, ...]]]()

    def hear(event: Event) -> None:
        events.append(event)
        board.apply(event)
        shown.extend((training.trial.row, training.dev_ua) for training in board.in_training())

    run(small, Ledger.open(str(store)), InlineCluster(), hear)
    final = {t.id for t in kept(store)[0].trials}
    heard = [event for event in events if isinstance(event, Epoch)]
    assert {e.id for e in heard if e.dev_ua is None} == final and len(final) == 4
    assert any(curve for row, curve in shown if row != CHOSEN)
    assert not any(curve for row, curve in shown if row == CHOSEN)


def test_an_ablation_opens_no_seal(sealed: Path) -> None:
    ledger = Ledger.open_readonly(str(sealed))
    search = kept(sealed)[1]
    done = next(t for t in search.trials if t.row == CHOSEN and ledger.outcomes.has(t.id))
    outcome = ledger.outcomes.read(done.id)
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
    plan = plan_study(parse_study(rows, "by_hand.yaml"), ledger)
    assert done.id in plan.done  # one training serves both
    go(parse_study(rows, "by_hand.yaml"), sealed)
    assert read_trial(ledger, done.id).blinded_by == "tiny_search"
    said = " ".join(cli("report", "by_hand", "--store", sealed).output.split())
    assert "what the search `tiny_search` chose as well: not shown, and told as missing" in said
    before = measure(ledger, ledger.studies.snapshots("by_hand")[0]).summary.rows[0].n
    board = RunState(ledger)
    by_hand = ledger.studies.snapshots("by_hand")[0]
    board.apply(Planned(by_hand.trials, frozenset(t.id for t in by_hand.trials), 1, "by_hand"))
    live = board.estimate("as chosen")
    assert live is not None and live.n == before < len(by_hand.trials)
    go(study(), sealed)
    assert read_trial(ledger, done.id).blinded_by == ""
    assert measure(ledger, ledger.studies.snapshots("by_hand")[0]).summary.rows[0].n > before
    assert "Sealed" not in cli("report", "by_hand", "--store", sealed).output


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
    snapshot, search = kept(store, asked_name(text))
    storage = JournalStorage(JournalFileBackend(str(logs / "o" / "journal.log")))
    names = sorted(optuna.get_all_study_names(storage))
    assert len(names) == (2 if search.selection == "nested" else 1)
    for group, name in enumerate(names):
        found = optuna.load_study(study_name=name, storage=storage)
        own = [one for one in search.tried if one.group == group]
        assert [t.params for t in found.trials] == [dict(one.point) for one in own]
        assert found.best_trial.user_attrs["number"] == search.winners[group]
    folders = sorted(path.parent for path in (logs / "t").rglob("*tfevents*"))
    assert len(folders) == len(snapshot.all_trials)
    tags = set(EventAccumulator(str(folders[0])).Reload().Tags()["tensors"])
    assert "dev/ua" in tags and ("ua" in tags) == (search.selection == "nested")
