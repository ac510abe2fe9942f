"""What the driver makes of what Tune hands it. With a real Ray: tests/contracts, tests/faults."""

from pathlib import Path

import pytest

from orchestrator.errors import LackError
from orchestrator.execution.cluster.protocol import LOW_MEMORY
from orchestrator.execution.cluster.ray_driver import EventRelay, one_line
from orchestrator.execution.events import Done, Event, pack


def test_a_relay_passes_events_on_and_keeps_what_the_listener_raises() -> None:
    events: list[Event] = []
    relay = EventRelay(events.append, Path("store"))
    assert not relay.any_event
    relay.receive(pack(Done("a", 1.0)))
    assert events == [Done("a", 1.0)] and relay.any_event and relay.error is None

    def full(event: Event) -> None:
        raise OSError(28, "No space left on device")

    relay = EventRelay(full, Path("store"))
    with pytest.raises(OSError, match="No space left"):
        relay.receive(pack(Done("a", 1.0)))
    assert isinstance(relay.error, OSError)


def test_a_node_without_the_store_ends_the_run() -> None:
    relay = EventRelay(lambda event: None, Path("/mnt/store"))
    with pytest.raises(LackError, match=r"node 192\.0\.2\.1 does not see the store `/mnt/store`"):
        relay.end_without_store("192.0.2.1")
    assert isinstance(relay.error, LackError)


@pytest.mark.parametrize(
    ("error", "line"),
    [
        ("page\nof a trace\nImportError: no torch here", "ImportError: no torch here"),
        ("Task was killed due to the node running low on memory.\nmore", LOW_MEMORY),
        ("ray.exceptions.OutOfMemoryError: page\nand page", LOW_MEMORY),
        (ValueError(), "ValueError"),
    ],
)
def test_an_error_of_ray_is_one_line(error: object, line: str) -> None:
    assert one_line(error) == line


def test_a_worker_that_dies_without_a_word_has_a_reason_all_the_same() -> None:
    relay = EventRelay(lambda event: None, Path("store"))
    relay.worker_died("")
    assert relay.last_death == "a worker ended without a word"
    relay.worker_died("trace\nImportError: no torch here\n")
    assert relay.last_death == "ImportError: no torch here"
