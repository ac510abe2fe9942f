"""The length of a trial before it trains: from finished trials, else from a probe.

A **probe** trains a few epochs of one trial of each *shape* and keeps what it measured for this
kind of machine. Trials of one shape take equally long for an epoch: they read the same features and
have the same network, up to values that do not change its cost. Finished trials are preferred,
since they also show after how many epochs training stops.
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from model.systems.catalogue import SYSTEMS
from orchestrator.errors import DamageError
from orchestrator.planning.cost.eta import TimeLeft
from orchestrator.planning.cost.gpu_sharing import GpuSharing
from orchestrator.planning.cost.machine import Machine
from orchestrator.planning.plan import Plan
from orchestrator.store.ledger import Ledger
from orchestrator.store.records import Outcome
from orchestrator.study.canonical import digest
from orchestrator.study.trials import PlannedTrial, Trial

HELD_OUT = 1 / 3
"""The cost of scoring an utterance as a share of training on it: there is no backward pass."""
MOST_READ = 8
"""The most finished trials of a row that are read from the store: a plan then takes half a
second."""
EXACT = 1000
"""Number of epochs for which a measured time of an epoch counts: so large that the mean over all
rows does not change it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Probe:
    """A probe: time and memory of a few epochs of one trial, measured on one kind of machine.

    It stands for all trials of the same shape, which take equally long for an epoch.
    """

    epoch_s: float
    """Seconds of one epoch of the probed trial."""
    fixed_s: float
    """Seconds of a trial outside of its epochs: loading data, writing records."""
    epochs: int
    """Number of epochs of a system that fixes it itself (the SVM); 0 for a network, where the
    profile (`paper` or `quick`) sets it."""
    load: float
    """Cost of an epoch in utterances, see ``epoch_load``; it scales the time to other folds."""
    at_once: int
    """How many trials trained at once during the probe."""
    memory: int
    """Peak memory of a trial's process, in bytes."""
    gpu_memory: int = 0
    """Peak memory of a trial on the GPU, in bytes; 0 on a CPU."""
    throughput: tuple[float, ...] = ()
    """On a GPU: epochs per second of all trials together, with 1, 2, 3, ... trials at once; empty
    on a CPU."""
    warm_s: float = 0.0
    """How many seconds longer the first trial of a worker takes than later ones."""

    @property
    def sharing(self) -> GpuSharing:
        """How fast trials train that share a GPU, as the probe measured it."""
        return GpuSharing(self.throughput)


@dataclass(frozen=True, slots=True)
class Timings:
    """How long the trials of each row of a study take on one kind of machine."""

    time_left: TimeLeft
    """The estimator, which has been given the finished trials and the probes."""
    most: Mapping[str, int]
    """Row -> the most epochs of one of its trials."""
    whole: frozenset[str]
    """Rows whose trials always train that many epochs, without early stopping."""
    source: Mapping[str, str]
    """Row -> what its length was measured in, ``finished`` trials or a ``probe``; a row of unknown
    length is missing."""
    probes: tuple[Probe, ...]
    """The probes of the study's rows on this kind of machine."""

    def length(self, row: str) -> tuple[float, bool] | None:
        """(seconds of a trial of a row, whether that is an upper bound); None where unknown."""
        if row not in self.source:
            return None
        seconds, at_most = self.time_left.length(row, self.most[row])
        return seconds, at_most and row not in self.whole

    @property
    def trials_per_gpu(self) -> int:
        """How many trials should share a GPU: as many as each probe allows; 1 without a probe."""
        return min((probe.sharing.trials for probe in self.probes), default=1)

    @property
    def warm_s(self) -> float:
        """How many seconds longer the first trial of a worker takes; 0 without a probe."""
        return max((probe.warm_s for probe in self.probes), default=0.0)

    @property
    def memory(self) -> int:
        """The largest peak memory of a trial's process, in bytes; 0 without a probe."""
        return max((probe.memory for probe in self.probes), default=0)


def gather_timings(plan: Plan, ledger: Ledger, machine: Machine) -> Timings:
    """Find in the store how long a plan's trials take, from finished trials and probes.

    A larger store does not make it slower, since few records of each row are read.

    Args:
        plan: the plan of the study.
        ledger: the store.
        machine: the kind of machine; measurements on other kinds do not count.
    """
    rows = _by_row(plan)
    finished = _finished(plan, ledger, machine)
    kept = {row: read_probe(ledger, machine, items[0].trial) for row, items in rows.items()}
    loads = {
        row: _mean(epoch_load(item.trial, plan) for item in items) for row, items in rows.items()
    }
    time_left, source = TimeLeft(), dict[str, str]()
    most = {row: _most(items[0].trial, finished[row], kept[row]) for row, items in rows.items()}
    every = [(outcome, row) for row, found in finished.items() for outcome in found]
    for outcome, row in sorted(every, key=lambda pair: pair[0].finished):
        time_left.add_finished(row, outcome.epochs, most[row], outcome.seconds, outcome.resumed)
        source[row] = "finished"
    by_shape = {shape(rows[row][0].trial): row for row in source}
    for row, items in rows.items():
        if row in source:
            continue
        like, probe = by_shape.get(shape(items[0].trial)), kept[row]
        if like is not None:
            time_left.add_probe(row, EXACT, EXACT * _epoch_s(finished[like]))
            source[row] = "finished"
        elif probe is not None:
            epoch_s = probe.epoch_s * loads[row] / probe.load + probe.fixed_s / most[row]
            time_left.add_probe(row, EXACT, EXACT * epoch_s)
            source[row] = "probe"
    whole = frozenset(row for row, items in rows.items() if not _may_end_early(items[0].trial))
    probes = tuple(probe for probe in kept.values() if probe is not None)
    return Timings(time_left, most, whole, source, probes)


def shape(trial: Trial) -> str:
    """Digest of all that the time of an epoch depends on: trials with one digest take equally long.

    It covers speech, features, batch size and every field of the network, or the part of a field
    that costs time, see `_costly`.
    """
    identity = trial.identity
    model = {field: _costly(value) for field, value in identity["model"].items()}
    read = {key: identity[key] for key in ("corpus", "classes", "extractor", "features")}
    return digest({**read, "model": model, "batch": trial.training.batch})


def _costly(value: Any) -> Any:
    """The part of a field's value that costs time; how large a rate or a weight is costs none.

    Of a rate it is whether it is 0, of weights which are not 0, of layers how many there are.

    >>> _costly(0.3), _costly({"sum": "1/2", "mean": "0"}), _costly([2, 4]), _costly(256)
    (True, ['sum'], 2, 256)
    """
    match value:
        case float():
            return value != 0
        case dict():
            return sorted(name for name, weight in value.items() if weight != "0")
        case list():
            return len(value)
    return value


def epoch_load(trial: Trial, plan: Plan) -> float:
    """Cost of an epoch in utterances: each training one counts 1, each other one ``HELD_OUT``."""
    train = set(trial.train)
    mine = sum(utterance.speaker in train for utterance, _ in plan.selection.items)
    return mine + HELD_OUT * (len(plan.selection.items) - mine)


def read_probe(ledger: Ledger, machine: Machine, trial: Trial) -> Probe | None:
    """Read the probe of this trial's shape on this kind of machine.

    Returns:
        None where there is none, or its record is damaged or not positive.
    """
    record = ledger.probe(_key(machine, trial))
    try:
        probe = Probe(**{**record["probe"], "throughput": tuple(record["probe"]["throughput"])})
        numbers = [getattr(probe, f.name) for f in fields(Probe) if f.name != "throughput"]
        return probe if min(probe.epoch_s, probe.load) > 0 and min(numbers) >= 0 else None
    except (TypeError, KeyError, ValueError):
        return None


def write_probe(ledger: Ledger, machine: Machine, trial: Trial, probe: Probe) -> None:
    """Write a probe into the store, under the kind of machine and the shape of the trial."""
    ledger.write_probe(_key(machine, trial), {"machine": asdict(machine), "probe": asdict(probe)})


def _key(machine: Machine, trial: Trial) -> str:
    """The name of a probe's record in the store, 32 hex digits."""
    return digest([asdict(machine), shape(trial)])[:32]


def _by_row(plan: Plan) -> dict[str, list[PlannedTrial]]:
    """Row -> its trials, in the order of the plan."""
    rows: dict[str, list[PlannedTrial]] = {}
    for item in plan.trials:
        rows.setdefault(item.row, []).append(item)
    return rows


def _finished(plan: Plan, ledger: Ledger, machine: Machine) -> dict[str, list[Outcome]]:
    """Row -> at most ``MOST_READ`` outcomes of its trials, trained on this kind of machine."""
    done = set(plan.done)
    found: dict[str, list[Outcome]] = {}
    for row, items in _by_row(plan).items():
        ids = [item.id for item in items if item.id in done][:MOST_READ]
        own = found.setdefault(row, [])
        for id in ids:
            try:
                outcome = ledger.outcomes.read(id)
            except DamageError:
                continue  # `ablate run` reports it; a price can do without
            if outcome is not None and _is_of(outcome, machine):
                own.append(outcome)
    return found


def _is_of(outcome: Outcome, machine: Machine) -> bool:
    """Whether a trial was trained on this kind of machine, as far as its record tells.

    The record has the device, the model of a GPU and the version of PyTorch, but no processor.
    """
    device = outcome.environment.get("device", "")
    alike = device.startswith("cpu") if machine.device == "cpu" else machine.name in device
    trained = outcome.epochs > outcome.resumed and outcome.seconds > 0
    return alike and outcome.environment.get("torch") == machine.torch and trained


def _epoch_s(outcomes: Iterable[Outcome]) -> float:
    """Mean seconds of an epoch over finished trials."""
    outcomes = list(outcomes)
    return sum(o.seconds for o in outcomes) / sum(o.epochs - o.resumed for o in outcomes)


def _most(trial: Trial, finished: list[Outcome], probe: Probe | None) -> int:
    """The most epochs of a trial; for a system that is no network, as many as were measured."""
    if SYSTEMS[trial.model.model].network:
        return trial.training.epochs
    own = max((outcome.epochs for outcome in finished), default=0)
    return own or (probe.epochs if probe else 0) or 1


def _may_end_early(trial: Trial) -> bool:
    """Whether training may stop before its most epochs (early stopping)."""
    return SYSTEMS[trial.model.model].network and trial.training.may_end_early


def _mean(values: Iterable[float]) -> float:
    values = list(values)
    return sum(values) / len(values)
