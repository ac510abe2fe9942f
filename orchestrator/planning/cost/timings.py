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
"""The cost of scoring an utterance, as a share of training on it: there is no backward pass."""
MOST_READ = 8
"""The most finished trials of a row that are read, so that a plan takes half a second."""
EXACT = 1000
"""The number of epochs as which a measured epoch counts, so that the mean over all rows does not
change its cost."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Probe:
    """What a probe measured: one shape of trial on one kind of machine."""

    epoch_s: float
    """Seconds of an epoch of the probed trial."""
    fixed_s: float
    """Seconds of a trial outside of its epochs: loading data, writing records."""
    epochs: int
    """The number of epochs, where the system and not the profile decides it; else 0."""
    load: float
    """Utterances of an epoch, see ``epoch_load``."""
    at_once: int
    """How many trials trained at once."""
    memory: int
    """Peak memory of a trial's process in bytes."""
    gpu_memory: int = 0
    """Peak memory on the GPU in bytes; 0 on a CPU."""
    throughput: tuple[float, ...] = ()
    """On a GPU: epochs per second of all trials together, with 1, 2, 3, ... trials at once."""
    warm_s: float = 0.0
    """Seconds that the first trial of a worker takes longer than later ones."""

    @property
    def sharing(self) -> GpuSharing:
        """The measured speed of trials that share a GPU."""
        return GpuSharing(self.throughput)


@dataclass(frozen=True, slots=True)
class Timings:
    """The known lengths of a study's trials on one kind of machine, by row."""

    time_left: TimeLeft
    """Has seen the finished trials and the probes."""
    most: Mapping[str, int]
    """Row -> the most epochs of a trial."""
    whole: frozenset[str]
    """Rows whose trials always have that many epochs."""
    source: Mapping[str, str]
    """Row -> ``finished`` or ``probe``; rows of unknown length are missing."""
    probes: tuple[Probe, ...]
    """The probes of the study's shapes."""

    def length(self, row: str) -> tuple[float, bool] | None:
        """Seconds of a trial of a row, and whether they are an upper bound; None where unknown."""
        if row not in self.source:
            return None
        seconds, at_most = self.time_left.length(row, self.most[row])
        return seconds, at_most and row not in self.whole

    @property
    def trials_per_gpu(self) -> int:
        """How many trials share a GPU: as many as every probed shape allows; 1 without a probe."""
        return min((probe.sharing.trials for probe in self.probes), default=1)

    @property
    def warm_s(self) -> float:
        """Seconds that the first trial of a worker takes longer; 0 without a probe."""
        return max((probe.warm_s for probe in self.probes), default=0.0)

    @property
    def memory(self) -> int:
        """The largest peak memory of a trial's process in bytes; 0 without a probe."""
        return max((probe.memory for probe in self.probes), default=0)


def gather_timings(plan: Plan, ledger: Ledger, machine: Machine) -> Timings:
    """Read the lengths of a plan's trials from the store.

    A larger store does not make it slower, since few records of each row are read.
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
    """Digest of all that the cost of an epoch depends on.

    Of the network that is every field, or the part of it that costs time, see `_costly`.
    """
    identity = trial.identity
    model = {field: _costly(value) for field, value in identity["model"].items()}
    read = {key: identity[key] for key in ("corpus", "classes", "extractor", "features")}
    return digest({**read, "model": model, "batch": trial.training.batch})


def _costly(value: Any) -> Any:
    """The part of a field's value that costs time; how large a rate or a weight is costs none.

    Of a rate it is whether there is one, of weights which are not 0, of layers how many there are.

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
    """The cost of an epoch in utterances: those trained on, and the others at ``HELD_OUT`` each."""
    train = set(trial.train)
    mine = sum(utterance.speaker in train for utterance, _ in plan.selection.items)
    return mine + HELD_OUT * (len(plan.selection.items) - mine)


def read_probe(ledger: Ledger, machine: Machine, trial: Trial) -> Probe | None:
    """What a probe of this shape measured on this kind of machine; None without a usable one."""
    record = ledger.probe(_key(machine, trial))
    try:
        probe = Probe(**{**record["probe"], "throughput": tuple(record["probe"]["throughput"])})
        numbers = [getattr(probe, f.name) for f in fields(Probe) if f.name != "throughput"]
        return probe if min(probe.epoch_s, probe.load) > 0 and min(numbers) >= 0 else None
    except (TypeError, KeyError, ValueError):
        return None


def write_probe(ledger: Ledger, machine: Machine, trial: Trial, probe: Probe) -> None:
    """Keep in the store what a probe measured."""
    ledger.write_probe(_key(machine, trial), {"machine": asdict(machine), "probe": asdict(probe)})


def _key(machine: Machine, trial: Trial) -> str:
    """The name of a probe's record in the store."""
    return digest([asdict(machine), shape(trial)])[:32]


def _by_row(plan: Plan) -> dict[str, list[PlannedTrial]]:
    """Row -> its trials."""
    rows: dict[str, list[PlannedTrial]] = {}
    for item in plan.trials:
        rows.setdefault(item.row, []).append(item)
    return rows


def _finished(plan: Plan, ledger: Ledger, machine: Machine) -> dict[str, list[Outcome]]:
    """Row -> some of its finished trials, trained on this kind of machine."""
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
    """Whether a trial trained on this kind of machine, as far as its record names it.

    The record has the device, the model of a GPU and the version of PyTorch, but no processor.
    """
    device = outcome.environment.get("device", "")
    alike = device.startswith("cpu") if machine.device == "cpu" else machine.name in device
    trained = outcome.epochs > outcome.resumed and outcome.seconds > 0
    return alike and outcome.environment.get("torch") == machine.torch and trained


def _epoch_s(outcomes: Iterable[Outcome]) -> float:
    """Seconds of an epoch, averaged over finished trials."""
    outcomes = list(outcomes)
    return sum(o.seconds for o in outcomes) / sum(o.epochs - o.resumed for o in outcomes)


def _most(trial: Trial, finished: list[Outcome], probe: Probe | None) -> int:
    """The most epochs of a trial; of a system that is no network, as many as were seen."""
    if SYSTEMS[trial.model.model].network:
        return trial.training.epochs
    own = max((outcome.epochs for outcome in finished), default=0)
    return own or (probe.epochs if probe else 0) or 1


def _may_end_early(trial: Trial) -> bool:
    """Whether training may stop before the most epochs."""
    return SYSTEMS[trial.model.model].network and trial.training.may_end_early


def _mean(values: Iterable[float]) -> float:
    values = list(values)
    return sum(values) / len(values)
