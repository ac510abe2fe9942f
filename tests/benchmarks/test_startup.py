"""What answers at once, beside what no form of it can do without: ratios of pairs, turn about."""

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from features.corpora.corpus import Corpus, Utterance
from features.corpora.recordings import refresh
from orchestrator.cli.app import app
from orchestrator.execution.monitor.run_state import RunState
from orchestrator.execution.monitor.watch import watch
from orchestrator.planning.cost import timings
from orchestrator.planning.cost.machine import this_machine
from orchestrator.planning.cost.timings import Probe
from orchestrator.planning.plan import plan_study
from orchestrator.planning.status import newest_snapshots
from orchestrator.report.terminal.live_picture import picture
from orchestrator.store.ledger import Ledger
from orchestrator.store.snapshot import SnapshotTrial
from orchestrator.study.reader import parse_study
from tests.commands import ABLATE
from tests.searches import TEXT

pytestmark = pytest.mark.bench

LIBRARIES = "import typer, rich.console, yaml, importlib.metadata\nfrom pydantic import TypeAdapter"


def seconds(work: Callable[[], object], clock: Callable[[], float]) -> float:
    began = clock()
    work()
    return clock() - began


def ratio(
    one: Callable[[], object],
    other: Callable[[], object],
    pairs: int,
    clock: Callable[[], float] = time.process_time,
) -> float:
    """How much longer one takes than the other: the median of pairs measured turn about."""
    for work in (one, other):
        work()
    return statistics.median(seconds(one, clock) / seconds(other, clock) for _ in range(pairs))


def cpu_of_children() -> float:
    """Seconds of the processor of all processes that have ended."""
    times = os.times()
    return times.children_user + times.children_system


def call(*line: object) -> Callable[[], object]:
    words = list(map(str, line))
    return lambda: subprocess.run(words, check=True, capture_output=True)


@pytest.mark.parametrize(
    "words",
    [
        ["--help"],
        ["schema"],
        ["plan", "{smoke}", "--store", "{store}"],
        ["run", "{smoke}", "--store", "{store}"],
    ],
)
def test_a_command_that_trains_nothing_takes_little_beside_its_libraries(
    words: Sequence[str], root: Path, store: Path
) -> None:
    smoke = root / "studies" / "smoke.yaml"
    line = [word.format(smoke=smoke, store=store) for word in words]
    libraries = call(sys.executable, "-c", LIBRARIES)
    found = ratio(call(ABLATE, *line), libraries, 10, cpu_of_children)
    print(f"\n`ablate {words[0]}`: {found:.2f} times the import of its libraries (target 2.5)")
    assert found < 2.5


def test_what_a_plan_imports_of_features_takes_less_than_numpy() -> None:
    room = (
        "from features.corpora import catalogue, folds; from features.shards import shards; "
        "from features.descriptors import catalogue"
    )
    ours, numpys = (call(sys.executable, "-c", code) for code in (room, "import numpy"))
    found = ratio(ours, numpys, 10, cpu_of_children)
    print(f"\nfeatures, as a plan imports them: {found:.2f} times the import of NumPy")
    assert found < 1


def test_a_look_at_six_thousand_recordings_takes_little_beside_asking_for_their_sizes(
    tmp_path: Path,
) -> None:
    found = []
    for number in range(6000):
        path = tmp_path / f"{number}.wav"
        path.write_bytes(b"")
        found.append(
            Utterance(
                id=f"{number:04}",
                path=path.name,
                speaker="ann",
                sex="",
                session="",
                emotion="angry",
                digest=str(number),
                size=0,
                mtime_ns=path.stat().st_mtime_ns,
            )
        )
    corpus = Corpus(name="empty", root=str(tmp_path), utterances=tuple(found), left_out=())
    paths = [str(tmp_path / u.path) for u in found]
    taken = ratio(lambda: refresh(corpus), lambda: [os.stat(path) for path in paths], 9)
    print(f"\nrefresh of 6,000 files: {taken:.1f} times os.stat of each (target 5)")
    assert taken < 5


def test_an_absurd_budget_is_priced_as_an_ordinary_one(store: Path, tmp_path: Path) -> None:
    """Ten million configurations are counted, not proposed."""
    ledger = Ledger.open(str(store))
    calls = []
    for hours in (1, 1_000_000):
        file = tmp_path / f"{hours}.yaml"
        file.write_text(TEXT.replace("{trials: 12}", f"{{hours: {hours}}}"))
        for item in plan_study(parse_study(file.read_text(), file.name), ledger).to_train:
            probe = Probe(epoch_s=1.0, fixed_s=0.0, epochs=0, load=1.0, at_once=1, memory=0)
            timings.write_probe(ledger, this_machine(0), item.trial, probe)
        words = ["plan", str(file), "--json", "--store", str(store)]
        calls.append(lambda words=words: CliRunner().invoke(app, words, catch_exceptions=False))
    found = ratio(calls[1], calls[0], 5)
    print(f"\na budget of a million hours: {found:.2f} times the price of one hour (target 1.5)")
    assert found < 1.5


class Enough(Exception):  # noqa: N818
    """The view has looked often enough."""


def test_a_look_at_ten_thousand_trials_takes_less_than_reading_what_was_asked(
    store: Path,
) -> None:
    """A look that finds nothing new lists one folder; a picture counts what the look has found."""
    ledger = Ledger.open(str(store))
    snapshot = newest_snapshots(ledger)["smoke"]
    more = tuple(SnapshotTrial(snapshot.rows[0].name, 0, n, f"{n:064x}") for n in range(10_000))
    ledger.studies.write_snapshot(
        "smoke", replace(snapshot, trials=snapshot.trials + more).to_json()
    )
    board, ends = RunState(ledger), list[float]()

    def sleep(_: float) -> None:
        ends.append(time.process_time())
        if len(ends) == 12:
            raise Enough

    with pytest.raises(Enough):
        for event in watch(ledger, "smoke", 0.0, sleep):
            board.apply(event)
    look = (ends[-1] - ends[1]) / 10
    read = min(seconds(lambda: newest_snapshots(ledger), time.process_time) for _ in range(5))
    shown = min(seconds(lambda: picture(board, None, 80, 24), time.process_time) for _ in range(5))
    print(
        f"\n10,004 trials: a look {look / read:.2f} times, a picture {shown / read:.2f} times the "
        "reading of the snapshot (target 1)"
    )
    assert look < read and shown < read
