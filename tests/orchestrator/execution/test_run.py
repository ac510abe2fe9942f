"""The whole chain on tones, in this process; Ray has tests/contracts."""

import json
import shutil
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from safetensors.torch import load_file

from model.config import Aggregators
from orchestrator.analysis.summary import summarise
from orchestrator.errors import DamageError, LackError
from orchestrator.execution import retries
from orchestrator.execution import run as run_module
from orchestrator.execution.cluster.inline import InlineCluster
from orchestrator.execution.cluster.protocol import LOW_MEMORY, OnEvent, Task, Work
from orchestrator.execution.events import Done, Epoch, Event, Failed, Note, Planned, Retry
from orchestrator.execution.retries import ATTEMPTS
from orchestrator.execution.run import RunResult, run
from orchestrator.execution.worker import attempt, worker
from orchestrator.report.tables.headline import table
from orchestrator.report.tables.text import markdown
from orchestrator.store.leases import acquire
from orchestrator.store.ledger import Ledger
from orchestrator.store.records import CHOICES
from orchestrator.study.reader import parse_study, read_study
from orchestrator.study.study import Study
from tests.searches import drawn
from tests.tiny_study import Tiny


@pytest.fixture(autouse=True)
def no_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retries, "WAITS_S", (0.01, 0.02))


@pytest.fixture
def study(tiny: Tiny) -> Study:
    return read_study(tiny.study)


@pytest.fixture
def store(tiny: Tiny, tmp_path: Path) -> Path:
    """A copy of the store in which the study has run."""
    return shutil.copytree(tiny.store, tmp_path / "store")


@pytest.fixture
def drawn_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """For tests of what a run does when workers die: their trainings are drawn, not trained."""
    monkeypatch.setattr(run_module, "train_one", drawn)


def go(study: Study, store: Path) -> tuple[RunResult, list[Event]]:
    events: list[Event] = []
    result = run(study, Ledger.open(str(store)), InlineCluster(), events.append)
    return result, events


def ids(ledger: Ledger) -> list[str]:
    return sorted(path.name for path in ledger.paths.trials.iterdir())


def scored(ledger: Ledger, id: str) -> object:
    outcome = ledger.outcomes.read(id)
    assert outcome is not None
    return outcome.scored_part


def forget(ledger: Ledger, id: str) -> None:
    shutil.rmtree(ledger.paths.trial_folder(id))


def test_a_finished_study_trains_nothing(study: Study, store: Path) -> None:
    result, events = go(study, store)
    assert result.trained == 0
    assert not [e for e in events if isinstance(e, Done | Epoch)]
    assert isinstance(events[-1], Planned) and len(events[-1].done) == 4


def test_a_lost_trial_is_trained_again_to_the_same_bits(study: Study, store: Path) -> None:
    ledger = Ledger.open(str(store))
    lost = ids(ledger)[0]
    before = scored(ledger, lost)
    forget(ledger, lost)
    assert go(study, store)[0].trained == 1
    assert scored(ledger, lost) == before


def test_an_attempt_leaves_its_files_and_their_digests(study: Study, store: Path) -> None:
    ledger = Ledger.open(str(store))
    outcome = ledger.outcomes.read(ids(ledger)[0])
    assert outcome is not None
    folder = ledger.paths.attempt_folder(outcome.id, outcome.attempt)
    assert {p.name for p in folder.iterdir()} == set(outcome.files)
    table = pq.read_table(folder / "predictions.parquet").to_pandas()
    probabilities = table[[c for c in table.columns if c.startswith("p_")]]
    assert probabilities.sum(axis=1).sub(1).abs().max() < 1e-5
    chosen = table[table.choice == "chosen"]
    for scores in outcome.scores:
        if (scores.choice, scores.unit) == ("chosen", "utterance"):
            own = chosen[chosen.speaker == scores.speaker]
            means = own.groupby(["utterance", "emotion"])[list(probabilities)].mean()
            hits = (means.idxmax(axis=1).str[2:] == means.index.get_level_values("emotion")).sum()
            assert hits == sum(row[i] for i, row in enumerate(scores.confusion))
    weights = load_file(folder / "weights.safetensors")
    assert {name.partition("/")[0] for name in weights} == {"tests_a", "tests_b", "averaged"}
    assert {scores.choice for scores in outcome.scores} == set(table.choice) == set(CHOICES)
    assert len(json.loads((folder / "history.json").read_bytes())) == outcome.epochs
    assert not list(ledger.paths.trial_folder(outcome.id).glob("checkpoint*"))


@pytest.mark.parametrize("killed", [1, 2])
def test_a_trial_resumes_after_any_epoch_to_the_same_bits(
    study: Study, store: Path, killed: int
) -> None:
    """Of three epochs the weights of the last two are averaged: 2 is in the middle."""
    ledger = Ledger.open(str(store))
    lost = ids(ledger)[1]
    before = scored(ledger, lost)
    forget(ledger, lost)
    seen: list[int] = []

    def die_after_the_epoch(event: Event) -> None:
        if isinstance(event, Epoch):
            seen.append(event.epoch)
            if event.epoch == killed:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(study, ledger, InlineCluster(), die_after_the_epoch)
    assert seen == [1, 2][:killed] and ledger.paths.checkpoint_file(lost).exists()
    result, events = go(study, store)
    assert [e.epoch for e in events if isinstance(e, Epoch)] == [2, 3][killed - 1 :]
    assert scored(ledger, lost) == before
    outcome = ledger.outcomes.read(lost)
    assert outcome is not None and outcome.resumed == killed and result.failed == ()
    assert "averaged" in {one.choice for one in outcome.scores}


def test_a_damaged_checkpoint_costs_epochs_but_no_bit(study: Study, store: Path) -> None:
    ledger = Ledger.open(str(store))
    lost = ids(ledger)[2]
    before = scored(ledger, lost)
    forget(ledger, lost)

    def die(event: Event) -> None:
        if isinstance(event, Epoch):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(study, ledger, InlineCluster(), die)
    (tensors,) = ledger.paths.trial_folder(lost).glob("checkpoint-*.safetensors")
    blob = bytearray(tensors.read_bytes())
    blob[len(blob) // 2] ^= 4
    tensors.write_bytes(blob)
    events = go(study, store)[1]
    assert [e.epoch for e in events if isinstance(e, Epoch)] == [1, 2, 3]
    assert scored(ledger, lost) == before


def broken_training(monkeypatch: pytest.MonkeyPatch, *errors: BaseException) -> None:
    """The first trainings raise these; all others train."""
    real, left = attempt.train, list(errors)  # type: ignore[attr-defined]

    def train(*args: object, **kwargs: object) -> object:
        if left:
            raise left.pop(0)
        return real(*args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(attempt, "train", train)


def spoil(ledger: Ledger, count: int) -> None:
    for id in ids(ledger)[:count]:
        forget(ledger, id)


def test_a_trial_that_raises_the_same_twice_has_failed_and_the_others_go_on(
    study: Study, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = Ledger.open(str(store))
    spoil(ledger, 2)
    with monkeypatch.context() as fault:
        # Inline, the second trial comes between the two attempts of the first.
        broken_training(fault, *[ZeroDivisionError("a fault of the code")] * 4)
        result, events = go(study, store)
    failed = [e for e in events if isinstance(e, Failed)]
    assert {(e.cause, e.sentence) for e in failed} == {
        ("code", "ZeroDivisionError: a fault of the code (the same error twice)")
    }
    assert result.trained == 0 and set(result.failed) == {e.id for e in failed}
    assert len([e for e in events if isinstance(e, Retry)]) == len(failed) == 2
    assert len(ledger.attempts.failure_files(failed[0].id)) == 2
    assert "in train" in ledger.attempts.read_failure(Path(failed[0].record)).traceback
    with monkeypatch.context() as fault:  # what is known to fail costs the next run one attempt
        broken_training(fault, ZeroDivisionError("a fault of the code"))
        again, events = go(study, store)
    assert again.trained == 1 and len(again.failed) == 1
    assert not [e for e in events if isinstance(e, Retry)]
    assert go(study, store)[0].trained == 1


def test_a_trial_that_raises_once_is_trained_to_the_same_bits(
    study: Study, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = Ledger.open(str(store))
    lost = ids(ledger)[0]
    before = scored(ledger, lost)
    forget(ledger, lost)
    broken_training(monkeypatch, ZeroDivisionError("one"), ZeroDivisionError("another"))
    result, events = go(study, store)
    assert [(e.attempt, e.of, e.wait_s) for e in events if isinstance(e, Retry)] == [
        (2, ATTEMPTS, 0.0),
        (3, ATTEMPTS, 0.0),
    ]
    assert result.failed == () and scored(ledger, lost) == before


def test_a_refusal_of_the_system_is_waited_out(
    study: Study, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = Ledger.open(str(store))
    spoil(ledger, 1)
    refusal = OSError(5, "Input/output error")
    with monkeypatch.context() as fault:
        broken_training(fault, refusal, refusal)
        result, events = go(study, store)
    waits = [(e.cause, e.attempt, e.wait_s) for e in events if isinstance(e, Retry)]
    assert waits == [("infrastructure", 2, 0.01), ("infrastructure", 3, 0.02)]
    assert result.failed == () and result.trained == 1
    spoil(ledger, 1)
    broken_training(monkeypatch, *[refusal] * ATTEMPTS)
    result, events = go(study, store)
    (failed,) = [e for e in events if isinstance(e, Failed)]
    assert failed.sentence == "[Errno 5] Input/output error (3 attempts)"


@pytest.mark.parametrize("sentence", ["not enough memory: you tried to allocate 8 bytes", "x"])
def test_memory_that_torch_does_not_get_is_infrastructure(
    study: Study, store: Path, monkeypatch: pytest.MonkeyPatch, sentence: str
) -> None:
    """On a CPU torch raises a plain RuntimeError; its words are all there is to go by."""
    ledger = Ledger.open(str(store))
    spoil(ledger, 1)
    torch_says = f"[enforce fail at alloc_cpu.cpp:127] DefaultCPUAllocator: {sentence}"
    error = RuntimeError(torch_says if sentence != "x" else sentence)
    broken_training(monkeypatch, error)
    events = go(study, store)[1]
    (again,) = [e for e in events if isinstance(e, Retry)]
    assert again.cause == ("code" if sentence == "x" else "infrastructure")


def test_a_damaged_shard_fails_the_trial_by_name(study: Study, store: Path) -> None:
    ledger = Ledger.open(str(store))
    forget(ledger, ids(ledger)[0])
    for shard in ledger.paths.local_shards.glob("*.arrow"):
        blob = bytearray(shard.read_bytes())
        blob[len(blob) // 2] ^= 1
        shard.write_bytes(blob)
    result, events = go(study, store)
    (failed,) = [e for e in events if isinstance(e, Failed)]
    assert failed.cause == "data" and ".arrow" in failed.sentence and result.trained == 0


def test_a_diverging_trial_says_its_epoch(study: Study, store: Path) -> None:
    sums = Aggregators(softmax=Fraction(0), sum=Fraction(1), mean=Fraction(0))
    settings = {"fa_layer": "all", "layers": 8, "aggregators": sums}
    wild = replace(
        study,
        settings={**study.settings, "training": {"epochs": 3, "lr": 1e9}},
        rows=(replace(study.rows[0], settings=settings),),
        reference=None,
    )
    result, events = go(wild, store)
    failures = [e for e in events if isinstance(e, Failed)]
    assert result.failed and all(e.cause == "diverged" for e in failures)
    assert "is not a number in epoch" in failures[0].sentence


def test_a_damaged_outcome_stops_the_run_before_it_trains(study: Study, store: Path) -> None:
    ledger = Ledger.open(str(store))
    (ledger.paths.trial_folder(ids(ledger)[0]) / "outcome.json").write_text("{")
    with pytest.raises(DamageError, match="is damaged"):
        go(study, store)


class DyingCluster:
    """A cluster whose workers die at one trial without a word, some number of times."""

    lanes, device, note = 2, "cpu", ""

    def give_more_memory(self) -> str:
        return ""

    def __init__(self, deaths: int, ends_early: str = "") -> None:
        self.deaths, self.batches, self.ends_early = deaths, list[int](), ends_early
        self.victim = ""

    def __enter__(self) -> "DyingCluster":
        return self

    def __exit__(self, *error: object) -> None:
        return None

    def train(self, tasks: Sequence[Task], work: Work, tell: OnEvent) -> str:
        self.batches.append(len(tasks))
        self.victim = self.victim or tasks[1].id
        together = self.victim in [task.id for task in tasks]
        for task in tasks:
            if self.ends_early and self.deaths and together:
                tell(Epoch(task.id, 1, 2, 0.5))
                if task.id == self.victim:
                    self.deaths -= 1
                    return self.ends_early
            elif task.id == self.victim and self.deaths:
                self.deaths -= 1
                tell(Epoch(task.id, 1, 2, 0.5))
            else:
                work(task, tell)
        return ""


@pytest.mark.usefixtures("drawn_work")
@pytest.mark.parametrize("deaths", [1, ATTEMPTS])
def test_a_trial_whose_worker_dies_goes_last_and_alone(
    study: Study, store: Path, deaths: int
) -> None:
    ledger = Ledger.open(str(store))
    for id in ids(ledger):
        forget(ledger, id)
    cluster = DyingCluster(deaths)
    events: list[Event] = []
    result = run(study, ledger, cluster, events.append)
    assert cluster.batches == [4] + [1] * min(deaths, ATTEMPTS - 1)
    again = [(e.sentence, e.attempt, e.wait_s) for e in events if isinstance(e, Retry)]
    assert again == [("Its worker died.", 2, 0.01), ("Its worker died.", 3, 0.02)][:deaths]
    if deaths == ATTEMPTS:
        assert result.failed == (cluster.victim,)
        (record,) = ledger.attempts.failure_files(cluster.victim)
        assert ledger.attempts.read_failure(record).cause == "infrastructure"
    else:
        assert result.failed == () and result.trained == 4


@pytest.mark.usefixtures("drawn_work")
def test_when_the_scheduler_ends_early_the_innocent_go_on_together(
    study: Study, store: Path
) -> None:
    """The second of four is killed for memory twice and takes the first with it."""
    ledger = Ledger.open(str(store))
    for id in ids(ledger):
        forget(ledger, id)
    cluster = DyingCluster(2, ends_early="out of memory")
    events: list[Event] = []
    result = run(study, ledger, cluster, events.append)
    assert cluster.batches == [4, 2, 2, 1, 1]  # those that never began need not wait
    assert result.failed == () and result.trained == 4
    notes = [e.sentence for e in events if isinstance(e, Note)]
    assert "Interrupted: 4 trials are trained again (out of memory)." in notes


class CrowdedCluster(DyingCluster):
    """Trials share a GPU, and where more than `bearable` do, none of them finds memory on it."""

    def __init__(self, sharing: int, bearable: int, reason: str = "") -> None:
        super().__init__(0)
        self.sharing, self.bearable, self.reason = sharing, bearable, reason

    def give_more_memory(self) -> str:
        if self.sharing == 1:
            return ""
        self.sharing -= 1
        return f"Out of memory: {self.sharing} trials at once from now on."

    def train(self, tasks: Sequence[Task], work: Work, tell: OnEvent) -> str:
        sharing = self.sharing  # a round goes on as it began
        self.batches.append(sharing)
        for task in tasks:
            if sharing <= self.bearable:
                work(task, tell)
            elif self.reason:
                tell(Epoch(task.id, 1, 2, 0.5))
                return self.reason
            else:
                tell(Failed(task.id, "infrastructure", "CUDA out of memory.", "r", memory=True))
        return ""


@pytest.mark.usefixtures("drawn_work")
@pytest.mark.parametrize("reason", ["", LOW_MEMORY])
def test_out_of_memory_gives_trials_more_room_and_never_fails_the_study(
    study: Study, store: Path, reason: str
) -> None:
    """More steps than a trial has attempts: none of them counts."""
    ledger = Ledger.open(str(store))
    for id in ids(ledger):
        forget(ledger, id)
    sharing = ATTEMPTS + 4
    cluster = CrowdedCluster(sharing, 1, reason)
    events: list[Event] = []
    result = run(study, ledger, cluster, events.append)
    assert result.failed == () and result.trained == 4
    assert cluster.batches == list(range(sharing, 0, -1))
    told = [e.sentence for e in events if isinstance(e, Note) and e.loud]
    assert len([t for t in told if t.startswith("Out of memory")]) == sharing - 1
    again = [e for e in events if isinstance(e, Retry)]
    assert all((e.attempt, e.wait_s) == (1, 0.0) for e in again)
    assert len(again) == (0 if reason else 4 * (sharing - 1))


def test_a_trial_that_no_room_helps_fails_alone_after_its_attempts(
    study: Study, store: Path
) -> None:
    ledger = Ledger.open(str(store))
    forget(ledger, ids(ledger)[0])
    cluster = CrowdedCluster(2, 0)
    result = run(study, ledger, cluster, lambda event: None)
    assert len(result.failed) == 1 and cluster.batches == [2] + [1] * ATTEMPTS


class DeafCluster(DyingCluster):
    """A cluster in which no worker ever begins."""

    def train(self, tasks: Sequence[Task], work: Work, tell: OnEvent) -> str:
        self.batches.append(len(tasks))
        return "ImportError: no torch"


def test_when_no_worker_starts_the_run_ends_with_the_reason(study: Study, store: Path) -> None:
    ledger = Ledger.open(str(store))
    forget(ledger, ids(ledger)[0])
    cluster = DeafCluster(0)
    sentence = r"^No worker could start: ImportError: no torch\. `--inline` trains without Ray"
    events: list[Event] = []
    with pytest.raises(LackError, match=sentence):
        run(study, ledger, cluster, events.append)
    assert cluster.batches == [1] * ATTEMPTS
    said = [e.sentence for e in events if isinstance(e, Note) and "tried again in" in e.sentence]
    assert said == ["No worker could start (ImportError: no torch): tried again in 0 s."] * 2


def test_a_checkpoint_of_another_kind_of_machine_is_left_aside(
    study: Study, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = Ledger.open(str(store))
    lost = ids(ledger)[0]
    before = scored(ledger, lost)
    forget(ledger, lost)

    def die(event: Event) -> None:
        if isinstance(event, Epoch):
            raise KeyboardInterrupt

    with monkeypatch.context() as other, pytest.raises(KeyboardInterrupt):
        other.setattr(attempt, "environment", lambda device: {"device": "another"})
        run(study, ledger, InlineCluster(), die)
    events = go(study, store)[1]
    assert [e.epoch for e in events if isinstance(e, Epoch)] == [1, 2, 3]
    assert scored(ledger, lost) == before


def test_every_training_gives_back_what_it_held(
    study: Study, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder in list((store / "trials").iterdir())[:2]:
        shutil.rmtree(folder)
    given = []
    real = worker.return_freed_memory  # type: ignore[attr-defined]
    monkeypatch.setattr(worker, "return_freed_memory", lambda: given.append(real()))
    assert go(study, store)[0].trained == 2 and len(given) == 2


def test_a_trial_that_another_run_holds_is_waited_for(study: Study, store: Path) -> None:
    ledger = Ledger.open(str(store))
    lost = ids(ledger)[0]
    kept = ledger.paths.trial_folder(lost).rename(store / "aside")
    ledger.paths.trial_folder(lost).mkdir()
    claim = acquire(ledger.paths.lease_file(lost))
    assert claim is not None

    events: list[Event] = []

    def hear(event: Event) -> None:
        events.append(event)
        if type(event).__name__ == "Elsewhere":  # the other run finishes it
            for path in kept.iterdir():
                path.rename(ledger.paths.trial_folder(lost) / path.name)

    result = run(study, ledger, InlineCluster(), hear)
    claim.release()
    assert result.trained == 0 and not [e for e in events if isinstance(e, Epoch)]
    assert [e for e in events if isinstance(e, Done)] == [Done(lost, 0.0)]


COMPARED = """\
study: compared
table: 3
corpus: demo
protocol: {folds: 2, seeds: 1}
training: {epochs: 1}
score: last
baseline: {layers: 2, hidden: 16, model: gcn}
rows:
  - {name: GCN, block: [one, two], paper: {params: 78000}}
  - {name: SVM, block: one, set: {model: svm, features: egemaps, node_step: 50}}
"""


def test_a_compared_system_and_a_machine_on_functionals_go_the_same_way(
    trained_store: Path, tmp_path: Path
) -> None:
    store = shutil.copytree(trained_store, tmp_path / "demo")
    study = parse_study(COMPARED, "compared.yaml")
    result, _ = go(study, store)
    assert (result.trained, result.failed) == (4, ())
    ledger = Ledger.open(str(store))
    (snapshot,) = ledger.studies.snapshots("compared")
    outcomes = {t.id: o for t in snapshot.trials if (o := ledger.outcomes.read(t.id)) is not None}
    gcn, svm = summarise(snapshot, outcomes).rows
    assert (gcn.parameters, svm.parameters) == (76_916, 0)
    assert gcn.ua is not None and svm.ua is not None and svm.ua.mean > 0.4
    epochs = {t.row: outcomes[t.id].epochs for t in snapshot.trials}
    assert epochs == {"GCN": 1, "SVM": 6}
    assert all({s.choice for s in o.scores} == set(CHOICES) for o in outcomes.values())
    text = markdown(table(summarise(snapshot, outcomes)))
    assert text.index("| **one** |") < text.index("| SVM |") < text.index("| **two** |")
    assert text.count("| GCN |") == 2
    assert go(study, store)[0].trained == 0
