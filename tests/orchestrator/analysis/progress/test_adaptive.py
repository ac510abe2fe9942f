"""Adaptive replicates from the study file to the table: look by look, decided by the ledger alone.

The loop, the store and the reports are real; but for one study that really trains, a training is
drawn, so that what is to be settled is known beforehand.
"""

import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from orchestrator.analysis.comparison import compare_rows
from orchestrator.analysis.progress.adaptive import adaptive_progress, with_wanted_trials
from orchestrator.analysis.sequential import decide
from orchestrator.analysis.summary import summarise
from orchestrator.execution.cluster.inline import InlineCluster
from orchestrator.execution.cluster.protocol import OnEvent, Task, Work
from orchestrator.execution.events import Done, Event, Failed, Note, Planned
from orchestrator.execution.monitor.watch import watch
from orchestrator.execution.run import RunResult, run
from orchestrator.planning.cost.budget import BudgetSelection
from orchestrator.planning.cost.price import price_plan
from orchestrator.planning.plan import Plan, plan_study
from orchestrator.planning.status import study_statuses
from orchestrator.report.export.bundle import export
from orchestrator.report.formats import FORMS
from orchestrator.report.results import StudyResults, measure
from orchestrator.report.tables.headline import tables
from orchestrator.report.tables.plain_values import as_json
from orchestrator.report.terminal import price as shown
from orchestrator.report.trackers.tracker import TrackerThread, open_tracker
from orchestrator.store.ledger import Ledger
from orchestrator.store.paths import new_attempt
from orchestrator.store.records import EpochChoice, Outcome, Scores, Unit
from orchestrator.study.reader import parse_study
from orchestrator.study.study import Study
from tests.tiny_study import Tiny

STUDY = """\
study: adaptive
question: What moves it?
corpus: demo
protocol: {folds: 2, seeds: 10, replicates: adaptive}
training: {epochs: 2}
baseline: {layers: 2, hidden: 64}
rows:
  - {name: none, set: {fa_layer: none}}
  - {name: clear, set: {fa_layer: 2}}
  - {name: equal, set: {fa_layer: 1}}
  - {name: small, set: {fa_layer: all}}
reference: none
"""
FOLDS = 2
SHIFT = {"none": 0.0, "clear": 0.2, "equal": 0.0, "small": 0.03}
LAYERS = {(): "none", (2,): "clear", (1,): "equal", (1, 2): "small"}
SPOKEN = 1000
"""Utterances of a class in a drawn confusion: enough that a UA is as good as any number."""


def value(row: str, fold: int, seed: int) -> float:
    """The UA that a drawn training gives all of its speakers."""
    noise = np.random.default_rng([[*SHIFT].index(row), fold, seed]).normal(0, 0.03)
    return round(0.5 + SHIFT[row] + noise, 3)


def drawn(task: Task, tell: OnEvent) -> None:
    """In place of a training: its record, with every speaker at the drawn UA."""
    ledger = Ledger.open(task.store)
    identity = task.identity
    row = LAYERS[tuple(identity["model"]["fa_layers"])]
    fold, classes = identity["fold"], len(identity["classes"])
    first = min(map(str, (*fold["a"], *fold["b"]))) < min(map(str, fold["train"]))
    hits = round(SPOKEN * value(row, int(not first), identity["seed"]))
    square = tuple(
        tuple(
            hits if i == j else (SPOKEN - hits if j == (i + 1) % classes else 0)
            for j in range(classes)
        )
        for i in range(classes)
    )
    choices: Sequence[EpochChoice] = ("averaged", "chosen", "last_epoch", "best_on_test")
    units: Sequence[Unit] = ("utterance", "segment")
    scores = tuple(
        Scores(speaker=speaker, choice=choice, unit=unit, epoch=1, confusion=square)
        for speaker in (*fold["a"], *fold["b"])
        for choice in choices
        for unit in units
    )
    digests = dict.fromkeys(("predictions", "history", "weights"), task.id)
    ledger.outcomes.commit(
        Outcome(
            id=task.id,
            identity=identity,
            attempt=new_attempt(),
            epochs=2,
            scores=scores,
            digests=digests,
            files={},
            environment={"device": "cpu"},
            seconds=1.0,
        )
    )
    tell(Done(task.id, 1.0))


@pytest.fixture
def draws(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orchestrator.execution.run.train_one", drawn)


@pytest.fixture
def empty(store: Path) -> Path:
    """A store with the demo's features and no trial."""
    shutil.rmtree(store / "trials")
    return store


@pytest.fixture(scope="module")
def settled(trained_store: Path, tmp_path_factory: pytest.TempPathFactory) -> StudyResults:
    """The study, drawn until it was settled. To be read."""
    store = tmp_path_factory.mktemp("settled") / "store"
    shutil.copytree(trained_store, store, ignore=shutil.ignore_patterns("trials"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("orchestrator.execution.run.train_one", drawn)
        assert go(store)[0].failed == ()
    return measured(store)


class Backwards(InlineCluster):
    """Trains in the other order, and every trial twice over: what comes late is the same."""

    def train(self, tasks: Sequence[Task], work: Work, tell: OnEvent) -> str:
        return super().train(list(reversed(tasks)), work, tell)


STUDIED = parse_study(STUDY, "adaptive.yaml")


def go(
    store: Path, study: Study = STUDIED, cluster: InlineCluster | None = None
) -> tuple[RunResult, list[Event]]:
    events: list[Event] = []
    result = run(study, Ledger.open(str(store)), cluster or InlineCluster(), events.append)
    return result, events


def measured(store: Path) -> StudyResults:
    ledger = Ledger.open(str(store))
    return measure(ledger, ledger.studies.snapshots("adaptive")[0])


def seeds(study: StudyResults) -> dict[str, int]:
    """How many seeds of each row have all their folds."""
    return {row.name: row.n // FOLDS for row in study.summary.rows}


def expected() -> dict[str, int]:
    """Seeds a row, by the rule on the drawn numbers themselves."""

    def mean(row: str, seed: int) -> float:
        return sum(round(SPOKEN * value(row, f, seed)) for f in range(FOLDS)) / FOLDS / SPOKEN

    rows = [row for row in SHIFT if row != "none"]
    found = decide({row: [mean(row, k) - mean("none", k) for k in range(10)] for row in rows}, 10)
    wanted = {row: standing.seeds_wanted for row, standing in found.items()}
    return {"none": max(wanted.values()), **wanted}


@pytest.mark.usefixtures("draws")
def test_open_comparisons_get_seeds_and_settled_ones_none(empty: Path) -> None:
    result, events = go(empty)
    study = measured(empty)
    assert seeds(study) == expected()
    assert len(set(expected().values())) > 2 and expected()["clear"] < 10
    assert result.trained == FOLDS * sum(expected().values()) and result.failed == ()
    rows = {row.name: row for row in study.summary.rows}
    assert rows["clear"].interim is not None and rows["clear"].interim.verdict == "yes"
    assert rows["equal"].interim is not None and rows["equal"].interim.verdict == "cannot tell"
    assert all(row.missing == 0 for row in rows.values()) and rows["none"].interim is None
    told = [e.sentence for e in events if isinstance(e, Note) and "ook" in e.sentence]
    assert told[0] == "Look 1 of at most 5, after 3 seeds; open comparisons: 3 of 3."
    assert "All comparisons are settled after" in told[-1] and "`clear` differs" in told[-1]
    assert go(empty)[0].trained == 0


@pytest.mark.usefixtures("draws")
def test_a_run_that_is_killed_anywhere_ends_at_the_same_table(empty: Path, tmp_path: Path) -> None:
    whole = tmp_path / "whole"
    shutil.copytree(empty, whole)
    go(whole)
    table = as_json(measured(whole).summary)
    trained = sorted(path.name for path in (whole / "trials").iterdir())
    for after in (1, 7, 24, 27, 40):
        again = tmp_path / f"killed{after}"
        shutil.copytree(empty, again)
        heard: list[Done] = []

        def die(event: Event, heard: list[Done] = heard, after: int = after) -> None:
            if isinstance(event, Done):
                heard.append(event)
                if len(heard) == after:
                    raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            run(STUDIED, Ledger.open(str(again)), InlineCluster(), die)
        result, _ = go(again, cluster=Backwards())
        assert result.trained == len(trained) - after
        assert sorted(path.name for path in (again / "trials").iterdir()) == trained
        assert as_json(measured(again).summary) == table


@pytest.mark.usefixtures("draws")
def test_seeds_that_another_study_trained_change_no_table(empty: Path, tmp_path: Path) -> None:
    go(empty)
    table = as_json(measured(empty).summary)
    fixed = STUDY.replace("study: adaptive", "study: fixed").replace(", replicates: adaptive", "")
    go(empty, parse_study(fixed, "fixed.yaml"))
    assert as_json(measured(empty).summary) == table
    result, _ = go(empty)
    assert result.trained == 0


def test_a_trial_that_fails_is_waited_for_by_every_row(
    empty: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(task: Task, tell: OnEvent) -> None:
        row = LAYERS[tuple(task.identity["model"]["fa_layers"])]
        if (row, task.identity["seed"]) == ("equal", 1):
            tell(Failed(task.id, "diverged", "the loss is no number", "record"))
        else:
            drawn(task, tell)

    monkeypatch.setattr("orchestrator.execution.run.train_one", fails)
    result, _ = go(empty)
    assert len(result.failed) == FOLDS and result.trained == FOLDS * (4 * 3 - 1)
    rows = {row.name: row for row in measured(empty).summary.rows}
    assert {(r.n, r.missing) for name, r in rows.items() if name != "equal"} == {(6, 0)}
    assert (rows["equal"].n, rows["equal"].missing) == (4, 2)
    assert [r.interim.seeds for r in rows.values() if r.interim is not None] == [0, 0, 0]
    monkeypatch.setattr("orchestrator.execution.run.train_one", drawn)
    assert go(empty)[0].failed == () and seeds(measured(empty)) == expected()


@pytest.mark.usefixtures("draws")
def test_a_budget_within_a_look_ends_there_and_says_what_it_left(empty: Path) -> None:
    def choose(plan: Plan) -> BudgetSelection:
        return BudgetSelection(taken=plan.to_train[:30], left_out=plan.to_train[30:])

    events: list[Event] = []
    ledger = Ledger.open(str(empty))
    result = run(STUDIED, ledger, InlineCluster(), events.append, choose=choose)
    assert result.trained == 30  # all 24 of the first look, and of the second what is left
    told = [e.sentence for e in events if isinstance(e, Note) and e.sentence.startswith("Look")]
    assert len(told) == 2 and "Left out for the budget: 50 of 80 trials" in told[0]
    assert go(empty)[0].failed == () and seeds(measured(empty)) == expected()


@pytest.mark.usefixtures("draws")
def test_a_plan_says_at_most_and_forgets_what_is_settled(empty: Path) -> None:
    ledger = Ledger.open(str(empty))
    before = plan_study(STUDIED, ledger)
    assert len(before.to_train) == len(before.trials) == 4 * FOLDS * 10
    go(empty)
    after = plan_study(STUDIED, ledger)
    assert after.to_train == () and len(after.done) == FOLDS * sum(expected().values())


@pytest.mark.usefixtures("draws")
def test_whoever_looks_on_sees_what_is_asked_for_now(empty: Path) -> None:
    ledger = Ledger.open(str(empty))
    stop = {"after": 8 * 3}  # in the first look, of 4 rows x 2 folds x 3 seeds

    def hear(event: Event) -> None:
        if isinstance(event, Done):
            stop["after"] -= 1
            if not stop["after"]:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(STUDIED, ledger, InlineCluster(), hear)
    events: list[Event] = []
    for event in watch(ledger, "adaptive", 0.0, lambda seconds: go(empty) and None):
        events.append(event)
    planned = [len(e.placed) for e in events if isinstance(e, Planned)]
    assert planned == sorted(set(planned)) and planned[-1] == FOLDS * sum(expected().values())
    (stand,) = study_statuses(ledger, "adaptive")
    assert stand.count("done") == len(stand.trials) == planned[-1]


@pytest.mark.parametrize("form", list(FORMS))
@pytest.mark.parametrize("details", [False, True])
def test_every_form_of_the_table_carries_the_label(
    settled: StudyResults, form: str, details: bool
) -> None:
    text = " ".join(FORMS[form].write([settled], details).split())
    assert "Sequential design: " in text and "corrected for looking" in text
    assert "adaptive" in text and "Missing" not in text
    if form in ("text", "markdown", "latex", "html"):
        assert "says nothing of new speakers" in text and "as many seeds as a comparison" in text


def test_the_two_questions_stand_in_two_tables(settled: StudyResults) -> None:
    headline, seeds = tables(settled.summary, details=False)
    lines = {line[0]: line for line in seeds.cells}
    assert lines["none"][1] == str(max(n for row, n in expected().items() if row != "none"))
    for row, n in expected().items():
        assert lines[row][1] == str(n)
    assert lines["clear"][-2:] == ("yes", "differs")
    assert "new speakers" in " ".join(headline.footnotes)
    assert "replicates adaptive" in headline.subtitle and headline.subtitle == seeds.subtitle
    record = as_json(settled.summary)
    row = next(row for row in record["rows"] if row["name"] == "clear")
    assert record["replicates"] == "adaptive" and row["sequential"]["settled"] == "differs"
    assert row["new_seeds"]["seeds"] == row["sequential"]["seeds"] == expected()["clear"]


@pytest.mark.usefixtures("draws")
def test_a_fixed_study_has_no_design_and_no_label(empty: Path) -> None:
    text = STUDY.replace("seeds: 10, replicates: adaptive", "seeds: 3")
    go(empty, parse_study(text, "adaptive.yaml"))
    study = measured(empty)
    assert adaptive_progress(study.snapshot, study.outcomes) is None and with_wanted_trials(
        study.snapshot, study.ledger
    ) is (study.snapshot)
    assert len(tables(study.summary, details=False)) == 1
    assert "equential" not in FORMS["text"].write([study], True)
    assert all(row.interim is None for row in study.summary.rows)


def test_seeds_that_gave_the_same_predictions_settle_nothing_that_is_printed(
    settled: StudyResults,
) -> None:
    same = {id: replace(o, digests={"predictions": "same"}) for id, o in settled.outcomes.items()}
    whole = settled.ledger.studies.snapshots("adaptive")[0]
    rows = summarise(whole, same).rows
    assert all(row.interim is None for row in rows)
    assert all(row.difference is None or row.difference.over_seeds is None for row in rows)


def logged(store: Path) -> dict[str, float | None]:
    """Row -> its value in Optuna's storage, of rows that are told to be complete."""
    import optuna
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    journal = JournalFileBackend(str(store / "logs" / "optuna" / "journal.log"))
    trials = optuna.load_study(study_name="adaptive", storage=JournalStorage(journal)).trials
    return {t.user_attrs["row"]: t.value for t in trials if t.state.name == "COMPLETE"}


def test_a_real_study_is_trained_look_by_look_and_computed_again(
    tiny: Tiny, tmp_path: Path
) -> None:
    """Two rows, of which the store has seed 0 already: the cap is four seeds, the looks 3 and 4."""
    store = shutil.copytree(tiny.store, tmp_path / "store")
    wider = STUDY.replace("demo", "tones").replace("epochs: 2", "epochs: 3, batch: 8")
    wider = wider.replace("hidden: 64", "hidden: 16")
    text = wider.replace("seeds: 10", "seeds: 4").replace(
        "  - {name: equal, set: {fa_layer: 1}}\n  - {name: small, set: {fa_layer: all}}\n", ""
    )
    ledger, events = Ledger.open(str(store)), list[Event]()
    log = TrackerThread(ledger, [open_tracker("optuna", ledger, "adaptive")])

    def hear(event: Event) -> None:
        events.append(event)
        log.on_event(event)

    result = run(parse_study(text, "adaptive.yaml"), ledger, InlineCluster(), hear)
    assert log.close() == ()
    planned = [(len(e.placed), len(e.done)) for e in events if isinstance(e, Planned)]
    assert planned[0] == (12, 4) and result.failed == ()
    study = measured(store)
    standing = study.summary.rows[1].interim
    assert standing is not None and standing.stop_reason in ("differs", "unlikely", "cap")
    assert result.trained == 2 * FOLDS * standing.seeds_wanted - 4
    assert seeds(study) == {"none": standing.seeds, "clear": standing.seeds}
    assert logged(store) == {row.name: row.ua and row.ua.mean for row in study.summary.rows}
    more = plan_study(parse_study(wider, "adaptive.yaml"), ledger)
    price = price_plan(more, ledger, 1, 0, [item for item in more.to_train if item.row == "clear"])
    lines = dict(shown.pairs(price, None, ""))
    assert lines["wall time"].startswith("at most ")
    assert "settled comparisons get no more seeds" in lines["CPU time"]
    snapshot = ledger.studies.snapshots("adaptive")[0]
    (compared,) = compare_rows(snapshot, ledger, "none", ["clear"])
    assert compared.shared == compared.wanted == FOLDS * standing.seeds
    names = export(study, tmp_path / "bundle")
    assert "recompute.py" in names
    again = subprocess.run(
        [sys.executable, "recompute.py", "--each"],
        cwd=tmp_path / "bundle",
        capture_output=True,
        text=True,
        check=False,
    )
    assert again.returncode == 0, again.stdout[-2000:] + again.stderr
    assert "clear: sequential p_holm" in again.stdout and "DIFFERS" not in again.stdout
    printed = json.loads((tmp_path / "bundle" / "table.json").read_text())
    assert printed["rows"][1]["sequential"]["looks"] == standing.interims
