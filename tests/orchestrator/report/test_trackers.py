"""``run --log``: what other systems read of finished trials, each by its own reader."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from model.evaluation.metrics import ua
from orchestrator.analysis.statistics import mean
from orchestrator.analysis.summary import summarise
from orchestrator.errors import LackError, RequestError
from orchestrator.execution.cluster.inline import InlineCluster
from orchestrator.execution.run import run
from orchestrator.planning.status import newest_snapshots
from orchestrator.report.trackers.finished import read
from orchestrator.report.trackers.tracker import TrackerThread, open_tracker
from orchestrator.store.attempts import read_history
from orchestrator.store.ledger import Ledger
from orchestrator.store.records import Outcome
from orchestrator.study.reader import read_study
from tests.commands import ABLATE, execute


def exported(root: Path, store: Path, *words: str) -> tuple[Ledger, tuple[str, ...]]:
    """What `ablate run studies/smoke.yaml --log ...` does on this store."""
    ledger, study = Ledger.open(str(store)), read_study(root / "studies" / "smoke.yaml")
    export = TrackerThread(ledger, [open_tracker(word, ledger, study.name) for word in words])
    run(study, ledger, InlineCluster(), export.on_event)
    return ledger, export.close()


@pytest.fixture(scope="module")
def logged(root: Path, trained_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of which all systems were told; nobody changes it."""
    store = tmp_path_factory.mktemp("logged") / "store"
    shutil.copytree(trained_store, store)
    assert exported(root, store, "tensorboard", "mlflow", "optuna")[1] == ()
    return store


def outcomes(ledger: Ledger) -> dict[str, Outcome]:
    snapshot = newest_snapshots(ledger)["smoke"]
    return ledger.outcomes.read_all(trial.id for trial in snapshot.trials)


def by_speaker(outcome: Outcome) -> dict[str, float]:
    return {
        s.speaker: ua(s.confusion)
        for s in outcome.scores
        if (s.choice, s.unit) == ("averaged", "utterance")
    }


def history(ledger: Ledger, outcome: Outcome) -> list[dict[str, Any]]:
    return read_history(ledger.attempts.read_file(outcome, "history.json"))


def files_below(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


# --- TensorBoard -----------------------------------------------------------------------------


def test_tensorboard_reads_every_number_to_its_last_bit(logged: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.util import tensor_util

    store, ledger = logged, Ledger.open_readonly(str(logged))
    folder = store / "logs" / "tensorboard" / "smoke"
    found = {}
    for path in folder.glob("*/*"):
        reader = EventAccumulator(str(path), size_guidance={"tensors": 0})
        reader.Reload()
        found[path.name.rpartition("-")[2]] = path.parent.name, reader
    assert {row for row, _ in found.values()} == {"No_FA", "FA_in_layer_2"}
    for id, outcome in outcomes(ledger).items():
        _, reader = found[id[:12]]

        def values(tag: str, reader: Any = reader) -> list[tuple[int, Any]]:
            return [
                (e.step, tensor_util.make_ndarray(e.tensor_proto).item())
                for e in reader.Tensors(tag)
            ]

        epochs = history(ledger, outcome)
        assert values("loss") == [(e["number"], e["loss"]) for e in epochs]
        assert values("dev_b/ua") == [(e["number"], e["b"]["ua"]) for e in epochs]
        for speaker, score in by_speaker(outcome).items():
            assert values(f"ua/{speaker}") == [(outcome.epochs, score)]
        assert values("ua") == [(outcome.epochs, mean(list(by_speaker(outcome).values())))]
        assert values("tags/id/text_summary") == [(0, id.encode())]
        assert values("tags/study/text_summary") == [(0, b"smoke")]
        plugin = reader.SummaryMetadata("_hparams_/session_start_info").plugin_data
        assert b"training.lr" in plugin.content and plugin.plugin_name == "hparams"


def test_tensorboards_own_page_finds_the_scalars(logged: Path) -> None:
    """Its data provider is what the Scalars page asks: tensors of double precision are scalars."""
    from tensorboard.backend.event_processing.data_provider import MultiplexerDataProvider
    from tensorboard.backend.event_processing.plugin_event_multiplexer import EventMultiplexer
    from tensorboard.context import RequestContext

    multiplexer = EventMultiplexer(tensor_size_guidance={"scalars": 100})
    multiplexer.AddRunsFromDirectory(str(logged / "logs" / "tensorboard"))
    multiplexer.Reload()
    provider = MultiplexerDataProvider(multiplexer, "here")
    listed = provider.list_scalars(RequestContext(), experiment_id="", plugin_name="scalars")
    assert len(listed) == 4 and all("dev/ua" in tags and "wa" in tags for tags in listed.values())


# --- MLflow ----------------------------------------------------------------------------------


def test_mlflow_has_a_run_for_each_trial_with_all_that_it_is(logged: Path) -> None:
    store, ledger = logged, Ledger.open_readonly(str(logged))
    from mlflow import MlflowClient
    from mlflow.telemetry import get_telemetry_client

    client = MlflowClient(tracking_uri=f"sqlite:///{store / 'logs' / 'mlflow' / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("smoke")
    assert experiment is not None
    runs = {r.data.tags["ablate.id"]: r for r in client.search_runs([experiment.experiment_id])}
    assert runs.keys() == outcomes(ledger).keys()
    for id, outcome in outcomes(ledger).items():
        run = runs[id]
        assert run.info.status == "FINISHED"
        assert run.info.end_time == round(1000 * outcome.finished)
        assert run.data.params["training.lr"] == str(outcome.identity["training"]["lr"])
        assert run.data.params["model.hidden"] == "64"
        assert run.data.tags["ablate.corpus"] == "demo"
        assert run.data.tags["ablate.row"] in ("No FA", "FA in layer 2")
        curve = client.get_metric_history(run.info.run_id, "dev_a/loss")
        assert [(m.step, m.value) for m in curve] == [
            (e["number"], e["a"]["loss"]) for e in history(ledger, outcome)
        ]
        for speaker, score in by_speaker(outcome).items():
            assert run.data.metrics[f"ua/{speaker}"] == score
    assert get_telemetry_client() is None  # nothing is sent anywhere


def test_mlflow_writes_again_what_a_killed_writer_left_half(
    root: Path, logged: Path, tmp_path: Path
) -> None:
    store = tmp_path / "store"
    shutil.copytree(logged, store)
    ledger = Ledger.open_readonly(str(store))
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri=f"sqlite:///{store / 'logs' / 'mlflow' / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("smoke")
    assert experiment is not None
    (half, *_) = client.search_runs([experiment.experiment_id])
    client.update_run(half.info.run_id, status="RUNNING")
    exported(root, store, "mlflow")
    runs = client.search_runs([experiment.experiment_id])
    assert half.info.run_id not in {run.info.run_id for run in runs}
    assert sorted(run.data.tags["ablate.id"] for run in runs) == sorted(outcomes(ledger))


# --- Optuna ----------------------------------------------------------------------------------


def load(store: Path) -> Any:
    import optuna
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    journal = JournalFileBackend(str(store / "logs" / "optuna" / "journal.log"))
    return optuna.load_study(study_name="smoke", storage=JournalStorage(journal))


def test_optuna_has_a_trial_for_each_row_and_its_value_is_the_tables(logged: Path) -> None:
    store, ledger = logged, Ledger.open_readonly(str(logged))
    study, table = load(store), summarise(newest_snapshots(ledger)["smoke"], outcomes(ledger))
    assert study.direction.name == "MAXIMIZE"
    assert study.user_attrs["corpus"] == "demo"
    rows = {trial.user_attrs["row"]: trial for trial in study.trials}
    for row in table.rows:
        trial = rows[row.name]
        assert row.ua is not None and trial.value == row.ua.mean
        assert trial.state.name == "COMPLETE"
        assert sorted(trial.intermediate_values) == [0, 1]
        assert trial.user_attrs["fold 2, seed 0"]["ua"] == trial.intermediate_values[1]
        assert trial.user_attrs["trainings finished"] == 2
        assert trial.params.keys() == {"model.fa_layers"}  # in which the rows differ
    assert rows["No FA"].params["model.fa_layers"] == "[]"


def test_a_row_that_is_not_finished_is_a_trial_that_runs(root: Path, store: Path) -> None:
    ledger = Ledger.open(str(store))
    snapshot = newest_snapshots(ledger)["smoke"]
    last = [trial.id for trial in snapshot.trials if trial.row == "No FA"][-1]
    kept = store / "outcome.json"
    shutil.move(ledger.paths.trial_folder(last) / "outcome.json", kept)
    export = TrackerThread(ledger, [open_tracker("optuna", ledger, "smoke")])
    from orchestrator.execution.events import Done, Planned

    rest = frozenset(outcomes(ledger))
    export.on_event(Planned(snapshot.trials, rest, 1, "smoke"))
    wanted, end = {"No FA": "RUNNING", "FA in layer 2": "COMPLETE"}, time.monotonic() + 60
    while (states := states_or_none(store)) != wanted:  # the writer has a thread of its own
        assert time.monotonic() < end, states
        time.sleep(0.05)
    shutil.move(kept, ledger.paths.trial_folder(last) / "outcome.json")
    export.on_event(Done(last, 1.0))
    assert export.close() == ()
    assert {t.state.name for t in load(store).trials} == {"COMPLETE"}


def test_of_two_runs_that_log_to_one_database_the_later_writes_and_no_score_goes_astray(
    store: Path,
) -> None:
    import optuna

    ledger = Ledger.open(str(store))
    snapshot = newest_snapshots(ledger)["smoke"]
    trials = {}
    for place in snapshot.trials:
        trial = read(ledger, snapshot, place)
        assert trial is not None
        trials[place.row, place.fold] = trial
    first, second = (row.name for row in snapshot.rows)
    url = f"sqlite:///{store}/both.db"
    ours, theirs = (open_tracker(f"optuna:{url}", ledger, "smoke") for _ in range(2))
    ours.write(trials[second, 0])
    ours.flush()
    for row in (first, second):
        theirs.write(trials[row, 0])
    theirs.flush()  # it begins anew, and the database gives our trial's id to another row
    ours.write(trials[second, 1])
    with pytest.raises(LackError, match="another run logs `smoke` there now"):
        ours.flush()
    for row in (first, second):
        theirs.write(trials[row, 1])
    theirs.flush()
    found = {
        t.user_attrs["row"]: t for t in optuna.load_study(study_name="smoke", storage=url).trials
    }
    for summed in summarise(snapshot, outcomes(ledger)).rows:
        assert summed.ua is not None and found[summed.name].value == summed.ua.mean
        uas = {mean(list(by_speaker(trials[summed.name, n].outcome).values())) for n in range(2)}
        assert set(found[summed.name].intermediate_values.values()) == uas


def states_or_none(store: Path) -> dict[str, str]:
    try:
        return {t.user_attrs["row"]: t.state.name for t in load(store).trials}
    except (KeyError, FileNotFoundError):
        return {}


def test_optuna_dashboard_opens_the_study(logged: Path, tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    journal = logged / "logs" / "optuna" / "journal.log"
    program = "from optuna_dashboard._cli import main; main()"
    with (tmp_path / "dashboard.txt").open("wb") as said:
        server = subprocess.Popen(
            [
                sys.executable,
                "-c",
                program,
                str(journal),
                "--host",
                "127.0.0.1",
                "--port",
                str(port),
            ],
            stdout=said,
            stderr=said,
        )
    try:
        deadline = time.monotonic() + 60
        while True:
            try:
                answer = urllib.request.urlopen(f"http://127.0.0.1:{port}/api/studies", timeout=5)
                break
            except OSError:
                assert time.monotonic() < deadline and server.poll() is None, said.name
                time.sleep(0.1)
        with answer:
            (study,) = json.load(answer)["study_summaries"]
        assert study["study_name"] == "smoke"
        url = f"http://127.0.0.1:{port}/api/studies/{study['study_id']}?after=0"
        with urllib.request.urlopen(url, timeout=10) as answer:
            trials = json.load(answer)["trials"]
        assert [trial["state"] for trial in trials] == ["Complete", "Complete"]
    finally:
        server.kill()
        server.wait()


# --- all of them -----------------------------------------------------------------------------


def test_to_log_twice_changes_nothing(root: Path, logged: Path, tmp_path: Path) -> None:
    store = tmp_path / "store"
    shutil.copytree(logged, store)
    events = files_below(store / "logs" / "tensorboard")
    trials = [(t.number, t.params, t.value) for t in load(store).trials]
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri=f"sqlite:///{store / 'logs' / 'mlflow' / 'mlflow.db'}")
    (before,) = {
        len(client.search_runs([e.experiment_id]))
        for e in client.search_experiments()
        if e.name == "smoke"
    }
    exported(root, store, "tensorboard", "mlflow", "optuna")
    assert files_below(store / "logs" / "tensorboard") == events and len(events) == 4
    assert [(t.number, t.params, t.value) for t in load(store).trials] == trials
    (after,) = {
        len(client.search_runs([e.experiment_id]))
        for e in client.search_experiments()
        if e.name == "smoke"
    }
    assert before == after == 4


def test_a_study_in_another_form_is_written_anew(root: Path, store: Path) -> None:
    ledger, _ = exported(root, store, "optuna")
    path = store / "one.yaml"
    text = (root / "studies" / "smoke.yaml").read_text()
    path.write_text(text.replace("  - {name: FA in layer 2, set: {fa_layer: 2}}\n", ""))
    study = read_study(path)
    export = TrackerThread(ledger, [open_tracker("optuna", ledger, study.name)])
    run(study, ledger, InlineCluster(), export.on_event)
    assert export.close() == ()
    assert [trial.user_attrs["row"] for trial in load(store).trials] == ["No FA"]


def test_what_is_logged_live_is_what_is_logged_afterwards(root: Path, store: Path) -> None:
    exported(root, store, "tensorboard")
    whole = files_below(store / "logs" / "tensorboard")
    shutil.rmtree(store / "logs")
    ledger = Ledger.open(str(store))
    snapshot = newest_snapshots(ledger)["smoke"]
    from orchestrator.execution.events import Done, Planned

    export = TrackerThread(ledger, [open_tracker("tensorboard", ledger, "smoke")])
    export.on_event(Planned(snapshot.trials, frozenset(), 1, "smoke"))
    for trial in snapshot.trials:
        export.on_event(Done(trial.id, 1.0))
    assert export.close() == ()
    live = files_below(store / "logs" / "tensorboard")
    assert live.keys() == whole.keys()


class Broken:
    """A system that fails at every call."""

    view_command = "broken --logdir x"

    def __init__(self) -> None:
        self.calls = 0

    def write(self, trial: object) -> None:
        self.calls += 1
        raise ConnectionError("no answer\nfor you")

    def flush(self) -> None:
        self.calls += 1


def test_a_system_that_fails_costs_the_training_nothing_and_is_asked_once(
    root: Path, store: Path
) -> None:
    ledger, study = Ledger.open(str(store)), read_study(root / "studies" / "smoke.yaml")
    broken = Broken()
    export = TrackerThread(ledger, [broken, open_tracker("tensorboard", ledger, study.name)])
    assert run(study, ledger, InlineCluster(), export.on_event).failed == ()
    (sentence,) = export.close()
    assert sentence == (
        "Not everything was logged for `broken --logdir x` (ConnectionError: no answer); the same "
        "command logs the rest."
    )
    assert broken.calls == 1 and len(files_below(store / "logs" / "tensorboard")) == 4


def test_a_damaged_history_is_said_with_exit_4_and_the_others_are_logged(
    root: Path, store: Path
) -> None:
    (path, *_) = (store / "trials").glob("*/attempt-*/history.json")
    path.write_text(path.read_text().replace("0.", "0.9", 1))
    study = root / "studies" / "smoke.yaml"
    done = execute("run", study, "--inline", "--log", "tensorboard", "--store", store, code=4)
    said = " ".join(done.stdout.split())
    assert f"A trial was not logged: `{path}` is not what was written" in said
    assert len(files_below(store / "logs" / "tensorboard")) == 3


@pytest.mark.parametrize(
    ("word", "kind", "sentence"),
    [
        ("tensorbord", RequestError, "Did you mean `tensorboard`?"),
        ("tensorboard:s3://bucket/logs", RequestError, "must name a folder of this machine"),
        ("mlflow:sqlite:////dev/null/x.db", LackError, "cannot use `sqlite:////dev/null"),
        ("optuna:sqlite:////dev/null/x.db", LackError, "cannot use `sqlite:////dev/null"),
        ("tensorboard:/dev/null/x", LackError, "cannot write `/dev/null/x`"),
    ],
)
def test_what_cannot_be_logged_to_is_refused_before_anything_trains(
    tmp_path: Path, word: str, kind: type[Exception], sentence: str
) -> None:
    with pytest.raises(kind, match="`--log") as error:
        open_tracker(word, Ledger.open(str(tmp_path / "store")), "smoke")
    assert sentence in str(error.value)


@pytest.mark.parametrize("system", ["mlflow", "optuna", "tensorboard"])
def test_a_missing_extra_is_exit_3_with_the_command(
    root: Path, tmp_path: Path, system: str
) -> None:
    """A module of that name that cannot be imported stands in for one that is not there."""
    module = {"tensorboard": "tensorboardX"}.get(system, system)
    (tmp_path / "absent").mkdir()
    (tmp_path / "absent" / f"{module}.py").write_text("raise ImportError('not here')")
    done = subprocess.run(
        [
            str(ABLATE),
            "run",
            str(root / "studies" / "smoke.yaml"),
            "--inline",
            "--log",
            system,
            "--store",
            str(tmp_path / "store"),
        ],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, "PYTHONPATH": str(tmp_path / "absent")},
    )
    assert done.returncode == 3
    assert f"pip install 'ablate-ser[{system}]'" in done.stderr
    assert not (tmp_path / "store" / "studies").exists()  # nothing was even asked


def test_an_object_store_needs_a_folder_of_this_machine(s3: str, tmp_path: Path) -> None:
    ledger = Ledger.open(s3)
    for system in ("mlflow", "optuna", "tensorboard"):
        with pytest.raises(RequestError, match=f"`--log {system}:FOLDER`"):
            open_tracker(system, ledger, "smoke")
    log = open_tracker(f"tensorboard:{tmp_path}", ledger, "smoke")
    assert log.view_command == f"tensorboard --logdir {tmp_path}"


def test_the_command_says_where_to_look(root: Path, store: Path) -> None:
    logs = ("--log", "tensorboard", "--log", "optuna:here")
    done = execute(
        "run", root / "studies" / "smoke.yaml", "--inline", *logs, "--store", store, cwd=store
    )
    said = " ".join(done.stdout.split())
    assert f"Logged: `tensorboard --logdir {store}/logs/tensorboard` shows it." in said
    assert f"`optuna-dashboard {store}/here/journal.log`" in said
