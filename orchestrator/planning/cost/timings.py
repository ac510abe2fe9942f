"""What is known of a trial's length before it trains: finished trials, else a probe.

A **probe** trains a few epochs of one trial of a *shape*, by the worker that trains all trials, and
keeps what it saw for this kind of machine. Trials of one shape cost the same an epoch: they read
the same features and have the same network, up to values that only weigh.
Finished trials are better evidence, since they also tell when training stops, and count first.
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields

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
"""An utterance that is only scored costs so much of one that is trained on: no backward pass."""
MOST_READ = 8
"""Finished trials of a row that are read: a plan answers in half a second."""
EXACT = 1000
"""As how many epochs a measured one counts where a row's own cost is drawn to that of all."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Probe:
    """What was measured of one shape on one kind of machine."""

    epoch_s: float
    """Seconds an epoch, of the trial that was probed."""
    fixed_s: float
    """Seconds of a trial beside its epochs: data, first steps, records."""
    epochs: int
    """All that the system had, where the profile does not say how many; else 0."""
    load: float
    """Utterances of an epoch, see ``load``."""
    at_once: int
    """How many trials trained beside each other."""
    memory: int
    """Peak of a trial's process in bytes."""
    gpu_memory: int = 0
    """Peak on the GPU in bytes; 0 on a CPU."""
    throughput: tuple[float, ...] = ()
    """On a GPU: epochs a second with 1, 2, 3, ... trials at once."""
    warm_s: float = 0.0
    """Seconds that the first trial of a worker takes on top, until its engines are warm."""

    @property
    def sharing(self) -> GpuSharing:
        """How many share a GPU."""
        return GpuSharing(self.throughput)


@dataclass(frozen=True, slots=True)
class Timings:
    """What is known of a study's rows on one kind of machine."""

    time_left: TimeLeft
    most: Mapping[str, int]
    """Row -> most epochs of a trial."""
    whole: frozenset[str]
    """Rows whose trials have all of these, whatever happens."""
    source: Mapping[str, str]
    """Row -> ``finished`` or ``probe``; a row of which nothing is known is missing."""
    probes: tuple[Probe, ...]

    def length(self, row: str) -> tuple[float, bool] | None:
        """Seconds of a trial, and whether that is a bound; None where nothing is known."""
        if row not in self.source:
            return None
        seconds, at_most = self.time_left.length(row, self.most[row])
        return seconds, at_most and row not in self.whole

    @property
    def trials_per_gpu(self) -> int:
        """What every probed shape bears; 1 without a probe."""
        return min((probe.sharing.trials for probe in self.probes), default=1)

    @property
    def warm_s(self) -> float:
        """What a worker's first trial takes on top; 0 without a probe."""
        return max((probe.warm_s for probe in self.probes), default=0.0)

    @property
    def memory(self) -> int:
        """Largest peak of a trial's process in bytes; 0 where none was measured."""
        return max((probe.memory for probe in self.probes), default=0)


def gather_timings(plan: Plan, ledger: Ledger, machine: Machine) -> Timings:
    """Read what the store knows of a plan's rows. Takes no longer for a larger store."""
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
        time_left.past(row, outcome.epochs, most[row], outcome.seconds, outcome.resumed)
        source[row] = "finished"
    by_shape = {shape(rows[row][0].trial): row for row in source}
    for row, items in rows.items():
        if row in source:
            continue
        like, probe = by_shape.get(shape(items[0].trial)), kept[row]
        if like is not None:
            time_left.measured(row, EXACT, EXACT * _epoch_s(finished[like]))
            source[row] = "finished"
        elif probe is not None:
            epoch_s = probe.epoch_s * loads[row] / probe.load + probe.fixed_s / most[row]
            time_left.measured(row, EXACT, EXACT * epoch_s)
            source[row] = "probe"
    whole = frozenset(row for row, items in rows.items() if not _may_end_early(items[0].trial))
    probes = tuple(probe for probe in kept.values() if probe is not None)
    return Timings(time_left, most, whole, source, probes)


def shape(trial: Trial) -> str:
    """Digest of what an epoch's cost depends on.

    Weights of aggregators, the place of FA layers and a rate of dropout move numbers, not seconds:
    of the first only counts which are used, of the second how many there are, of the last whether
    there is any.
    """
    identity = trial.identity
    model = dict(identity["model"])
    if "dropout" in model:
        model["dropout"] = bool(model["dropout"])
    if "aggregators" in model:
        model["aggregators"] = sorted(k for k, v in model["aggregators"].items() if v != "0")
        model["fa_layers"] = len(model["fa_layers"])
    read = {key: identity[key] for key in ("corpus", "classes", "extractor", "features")}
    return digest({**read, "model": model, "batch": trial.training.batch})


def epoch_load(trial: Trial, plan: Plan) -> float:
    """What an epoch goes through: utterances trained on, and the others at ``HELD_OUT``."""
    train = set(trial.train)
    mine = sum(utterance.speaker in train for utterance, _ in plan.selection.items)
    return mine + HELD_OUT * (len(plan.selection.items) - mine)


def read_probe(ledger: Ledger, machine: Machine, trial: Trial) -> Probe | None:
    """What a probe of such a trial saw on such a machine."""
    record = ledger.probe(_key(machine, trial))
    try:
        probe = Probe(**{**record["probe"], "throughput": tuple(record["probe"]["throughput"])})
        numbers = [getattr(probe, f.name) for f in fields(Probe) if f.name != "throughput"]
        return probe if min(probe.epoch_s, probe.load) > 0 and min(numbers) >= 0 else None
    except (TypeError, KeyError, ValueError):
        return None


def write_probe(ledger: Ledger, machine: Machine, trial: Trial, probe: Probe) -> None:
    """Keep what a probe saw."""
    ledger.write_probe(_key(machine, trial), {"machine": asdict(machine), "probe": asdict(probe)})


def _key(machine: Machine, trial: Trial) -> str:
    return digest([asdict(machine), shape(trial)])[:32]


def _by_row(plan: Plan) -> dict[str, list[PlannedTrial]]:
    rows: dict[str, list[PlannedTrial]] = {}
    for item in plan.trials:
        rows.setdefault(item.row, []).append(item)
    return rows


def _finished(plan: Plan, ledger: Ledger, machine: Machine) -> dict[str, list[Outcome]]:
    """Some finished trials of every row, of this kind of device and this PyTorch."""
    done = set(plan.done)
    found: dict[str, list[Outcome]] = {}
    for row, items in _by_row(plan).items():
        ids = [item.id for item in items if item.id in done][:MOST_READ]
        own = found.setdefault(row, [])
        for id in ids:
            try:
                outcome = ledger.outcomes.read(id)
            except DamageError:
                continue  # `run` tells; a price does not rest on it
            if outcome is not None and _is_of(outcome, machine):
                own.append(outcome)
    return found


def _is_of(outcome: Outcome, machine: Machine) -> bool:
    """Records name the kind of processor roughly: the device, a GPU's name, PyTorch's version."""
    device = outcome.environment.get("device", "")
    alike = device.startswith("cpu") if machine.device == "cpu" else machine.name in device
    trained = outcome.epochs > outcome.resumed and outcome.seconds > 0
    return alike and outcome.environment.get("torch") == machine.torch and trained


def _epoch_s(outcomes: Iterable[Outcome]) -> float:
    outcomes = list(outcomes)
    return sum(o.seconds for o in outcomes) / sum(o.epochs - o.resumed for o in outcomes)


def _most(trial: Trial, finished: list[Outcome], probe: Probe | None) -> int:
    if SYSTEMS[trial.model.model].network:
        return trial.training.epochs
    own = max((outcome.epochs for outcome in finished), default=0)
    return own or (probe.epochs if probe else 0) or 1


def _may_end_early(trial: Trial) -> bool:
    return SYSTEMS[trial.model.model].network and trial.training.may_end_early


def _mean(values: Iterable[float]) -> float:
    values = list(values)
    return sum(values) / len(values)
