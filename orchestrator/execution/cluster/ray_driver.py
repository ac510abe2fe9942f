"""What the driver hears from Tune while it trains: events of workers, and why nothing trains."""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from orchestrator.execution.cluster.protocol import LOW_MEMORY, OnEvent
from orchestrator.execution.cluster.store_check import blind
from orchestrator.execution.events import Event, Waiting, unpack
from orchestrator.planning.cost.resources import Resources, describe_lack
from orchestrator.store.paths import Location

PATIENCE_S = 10.0
"""How long nothing may train before it is told why: a worker's start takes a few seconds."""
GROWS = "No node takes a trial yet: waiting for the cluster to grow."


class Ear:
    """Hears the events of workers in the driver; keeps what went wrong there."""

    def __init__(self, tell: OnEvent, store: Location) -> None:
        self._tell, self._store = tell, store
        self.raised: Exception | None = None
        """What ``tell`` itself raised: Tune would hide it in an error of its own."""
        self.heard = False
        """Whether any worker has said a word."""
        self.last_error = ""
        """The last line of a trial that ended without a word of its own."""

    def hear(self, packed: Mapping[str, Any]) -> None:
        """Hand on the packed event of a worker."""
        self.heard = True
        self.tell(unpack(packed))

    def blind(self, node: str) -> None:
        """What is trained there would be lost: the run ends, and its trials go on from here."""
        self.raised = blind(node, self._store)
        raise self.raised

    def tell(self, event: Event) -> None:
        """Hand on an event, and keep what the listener raises."""
        try:
            self._tell(event)
        except Exception as error:
            self.raised = error
            raise

    def lost(self, words: str) -> None:
        """Keep the error of a trial whose worker died."""
        self.last_error = reason(words) if words else "a worker ended without a word"


def _last_words(trial: Any) -> str:
    """What Tune noted of a trial's end. Its own `get_error` looks where the note comes later."""
    try:
        return Path(trial.error_file).read_text(errors="replace")
    except (OSError, TypeError):
        return ""


def reason(error: object) -> str:
    """One line of an error of Ray's, which may be a page long and end in the address of another."""
    text = str(error).strip()
    if "OutOfMemory" in text or "low on memory" in text:
        return LOW_MEMORY
    return text.splitlines()[-1][:160] if text else type(error).__name__


class Patience:
    """Says why nothing trains, once it has lasted: Ray itself would wait without a word."""

    def __init__(self, room: Resources, types: Sequence[Resources], hear: Ear) -> None:
        self._room, self._types, self._hear = room, types, hear
        self._since = time.monotonic()
        self._told = ""

    def look(self, *, training: bool) -> None:
        """Called again and again, by Tune's loop."""
        if training:
            self._told = ""
        elif time.monotonic() - self._since < PATIENCE_S:
            return
        elif (why := self._why()) != self._told:
            self._told = why
            if why:
                self._hear.tell(Waiting(why))
        self._since = time.monotonic()

    def _why(self) -> str:
        """Empty where a place is taken and its worker is on the way."""
        import ray

        ours = ray.get_runtime_context().get_job_id()
        asked = ray.util.placement_group_table().items()
        if any(id.endswith(ours) and location["state"] == "CREATED" for id, location in asked):
            return ""
        if missing := describe_lack(rooms(), self._room):
            return missing if describe_lack(self._types, self._room) else GROWS
        return f"Others use this cluster: waiting for a node with {self._room} to spare."


def rooms() -> list[Resources]:
    """What each living node has, used or not."""
    import ray

    return [
        Resources(
            cpus=node["Resources"].get("CPU", 0.0),
            memory=node["Resources"].get("memory", 0.0),
            gpus=node["Resources"].get("GPU", 0.0),
            name=node["NodeManagerAddress"],
        )
        for node in ray.nodes()
        if node["Alive"]
    ]


def callback(ear: Ear, patience: Patience) -> Any:
    """A Tune callback that hands the events of workers on."""
    from ray import tune

    class _Callback(tune.Callback):  # type: ignore[misc]
        def on_trial_result(
            self, iteration: int, trials: Any, trial: Any, result: Mapping[str, Any], **info: Any
        ) -> None:
            if packed := result.get("event"):
                ear.hear(packed)
            elif node := result.get("blind"):
                ear.blind(node)

        def on_step_end(self, iteration: int, trials: Any, **info: Any) -> None:
            patience.look(training=any(trial.status == "RUNNING" for trial in trials))

        def on_trial_error(self, iteration: int, trials: Any, trial: Any, **info: Any) -> None:
            ear.lost(_last_words(trial))

        def __reduce__(self) -> tuple[type[object], tuple[()]]:
            """Tune pickles its callbacks into its own state, which nothing ever reads."""
            return object, ()

    return _Callback()
