import io
import time

from rich.console import Console

from features.config import FeatureConfig
from model.config import ModelConfig, TrainConfig
from orchestrator.execution.events import (
    Differs,
    Done,
    Elsewhere,
    Epoch,
    Failed,
    Note,
    Planned,
    Progress,
    Started,
    Waiting,
)
from orchestrator.execution.monitor.run_state import RunState
from orchestrator.report.terminal.live import View
from orchestrator.study.trials import PlannedTrial, Trial

TRIAL = Trial(
    corpus="c" * 64,
    classes=("a", "b"),
    extractor="x",
    features=FeatureConfig(),
    model=ModelConfig(),
    training=TrainConfig(),
    train=("s1",),
    a=("s2",),
    b=("s3",),
    seed=0,
)
PLACED = tuple(
    PlannedTrial(row, fold, 0, TRIAL, f"{row}{fold}") for fold in range(2) for row in ("one", "two")
)


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_rows_count_what_was_heard() -> None:
    board = RunState()
    board.apply(Planned(PLACED, frozenset({"one0"}), 2))
    for event in (
        Started("two0"),
        Epoch("two0", 1, 4, 0.5),
        Started("one1"),
        Failed("one1", "code", "x", "r"),
        Elsewhere("two1"),
    ):
        board.apply(event)
    assert counts(board) == [("one", 1, 0, 1, 2), ("two", 0, 2, 0, 2)]
    assert [(f.trial.id, f.epoch, f.epochs, f.dev_ua) for f in board.in_training()] == [
        ("two0", 1, 4, (0.5,))
    ]
    board.apply(Done("two0", 3.0))
    board.apply(Started("one1"))
    assert counts(board) == [("one", 1, 1, 0, 2), ("two", 1, 1, 0, 2)]
    assert not board.failed


def counts(board: RunState) -> list[tuple[str, int, int, int, int]]:
    return [(row.name, row.done, row.running, row.failed, row.total) for row in board.rows()]


def test_time_left_follows_epochs_first_and_finished_trials_then() -> None:
    clock = Clock()
    board = RunState(clock=clock)
    board.apply(Planned(PLACED, frozenset(), 2))
    assert board.seconds_left() is None
    for id in ("one0", "two0"):
        board.apply(Started(id))
    clock.now = 10.0
    board.apply(Epoch("one0", 1, 4, 0.5, least=4))
    assert board.seconds_left() == 30 + 40  # of what has not been heard, an epoch at most is over
    clock.now = 40.0
    board.apply(Epoch("one0", 4, 4, 0.5, least=4))
    board.apply(Done("one0", 40.0))
    board.apply(Epoch("two0", 4, 4, 0.5, least=4))
    board.apply(Done("two0", 40.0))
    assert board.seconds_left() == 40


def test_throughput_is_that_of_the_last_ten_minutes() -> None:
    clock = Clock()
    board = RunState(clock=clock)
    board.apply(Planned(PLACED, frozenset(), 2))
    board.apply(Started("one0"))
    clock.now = 5.0
    board.apply(Epoch("one0", 1, 1, 0.5))
    board.apply(Done("one0", 5.0))
    assert board.throughput() is None
    clock.now = 60.0
    assert board.throughput() == (60.0, 1.0)
    clock.now = 1000.0
    assert board.throughput() == (0.0, 0.0)


def shown(
    *, terminal: bool, width: int = 80, clock: Clock | None = None
) -> tuple[View, io.StringIO]:
    sink = io.StringIO()
    console = Console(
        file=sink,
        force_terminal=terminal,
        width=width,
        height=24,
        highlight=False,
        _environ={"TERM": "xterm"},
    )
    return View(console, RunState(clock=clock or time.monotonic)), sink


def test_nothing_to_train_is_said_where_nothing_was() -> None:
    said = []
    for plans in (1, 2):  # a search tells all of its trials once more at its end
        view, sink = shown(terminal=False)
        for _ in range(plans):
            view.show(Planned(PLACED, frozenset(item.id for item in PLACED), 2))
        said.append(sink.getvalue().splitlines()[-1])
    assert said == ["All 4 trials are done: nothing to train.", "All 4 trials are done."]


def test_without_a_terminal_there_are_plain_lines() -> None:
    clock = Clock()
    view, sink = shown(terminal=False, clock=clock)
    with view:
        view.show(Note("Corpus: `demo`.", loud=True))
        for done in (1, 50, 160, 160):
            view.show(Progress("extracting features", done, 160))
        view.show(Planned(PLACED, frozenset({"one0"}), 2))
        view.show(Started("two0"))
        clock.now = 12.0
        view.show(Epoch("two0", 1, 1, 0.625, least=1))
        view.show(Done("two0", 12.4))
        view.show(Failed("one1", "data", "The shard is damaged.", "/s/failure-1.json"))
        view.show(Waiting("Others use this cluster: waiting for a node with 1 CPU to spare."))
        view.show(Elsewhere("two1"))
        view.show(Differs("two1", "/s/outcome-late.json"))
    assert sink.getvalue().splitlines() == [
        "Corpus: `demo`.",
        "extracting features 160/160",
        "4 trials: 1 done, 3 to train, 2 at once.",
        "2/4  done two, fold 1, seed 0: 12 s, 12 s left",
        "FAILED one, fold 2, seed 0 (data): The shard is damaged.",
        "  log: ablate logs one1, /s/failure-1.json",
        "Others use this cluster: waiting for a node with 1 CPU to spare.",
        "Waiting for two, fold 2, seed 0: another run trains it. Taken over after 120 s ",
        "without a sign of that run.",
        "DIFFERS two, fold 2, seed 0: finished before with other numbers, both are kept: ",
        "/s/outcome-late.json",
    ]
    assert view.kept == "3 of 4 trials are done and kept."


def test_a_terminal_shows_every_row_and_survives_a_narrow_one() -> None:
    for width in (80, 30):
        view, sink = shown(terminal=True, width=width)
        with view:
            view.show(Planned(PLACED, frozenset({"one0"}), 2))
            view.show(Started("two0"))
            view.show(Epoch("two0", 2, 4, 0.625))
            assert view._live is not None
            view._live.refresh()
        text = sink.getvalue()
        assert "one" in text and "two" in text and "62.5" in text


def test_control_characters_of_strangers_never_reach_the_terminal() -> None:
    view, sink = shown(terminal=False)
    view.show(Note("bad \x1b[2J \x07 text"))
    assert sink.getvalue() == "bad ?[2J ? text\n"


def test_nothing_trained_is_said_so() -> None:
    assert shown(terminal=False)[0].kept == "Nothing had trained yet."


def test_an_interval_is_shown_from_three_held_out_groups_on() -> None:
    """Of two groups it is 12.7 standard errors to each side: ``± 192.6`` is noise."""
    board = RunState()
    trials = tuple(
        PlannedTrial("one", fold, seed, TRIAL, f"{fold}{seed}")
        for fold in range(3)
        for seed in range(2)
    )
    board.apply(Planned(trials, frozenset(), 2))
    found = []
    for fold, seed in ((0, 0), (0, 1), (1, 0), (1, 1), (2, 0)):
        board.apply(Done(f"{fold}{seed}", 1.0))
        found.append(board.has_interval("one"))
    assert found == [False, False, False, False, True]
