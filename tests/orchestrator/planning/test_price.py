"""A plan's price: from finished trials first, else from a probe, else it says who finds out."""

import json
import shutil
import time
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from orchestrator.cli.app import app
from orchestrator.errors import RequestError, StudyError
from orchestrator.execution import probe
from orchestrator.execution.events import Event, Note
from orchestrator.execution.prepare import prepare
from orchestrator.execution.run import run
from orchestrator.planning.cost import price, timings
from orchestrator.planning.cost.machine import Machine, this_machine
from orchestrator.planning.cost.resources import Resources
from orchestrator.planning.cost.timings import Probe
from orchestrator.planning.plan import Plan, plan_study
from orchestrator.report.console import duration
from orchestrator.report.terminal import price as shown
from orchestrator.store.ledger import Ledger
from orchestrator.study.reader import parse_study, read_study
from tests.tiny_study import Tiny

HERE = this_machine(0)
NODE = Resources(cpus=2, memory=16 * 2.0**30, name="n")

STUDY = """\
study: smoke
corpus: demo
protocol: {{folds: 2, seeds: {seeds}}}
training: {{epochs: {epochs}}}
baseline: {{layers: 2, hidden: {hidden}}}
rows:
  - {{name: No FA, set: {{fa_layer: none}}}}
  - {{name: FA in layer 2, set: {{fa_layer: 2}}}}
reference: No FA
"""


@pytest.fixture
def untrained(tiny: Tiny, tmp_path: Path) -> Path:
    """A store with the tiny study's features and no trial."""
    made = shutil.ignore_patterns("trials")
    return shutil.copytree(tiny.store, tmp_path / "store", ignore=made)


def planned(ledger: Ledger, *, seeds: int = 1, epochs: int = 2, hidden: int = 64) -> Plan:
    text = STUDY.format(seeds=seeds, epochs=epochs, hidden=hidden)
    return plan_study(parse_study(text, "smoke.yaml"), ledger)


def priced(
    plan: Plan, ledger: Ledger, machine: Machine = HERE, node: Resources = NODE
) -> price.Price:
    known = timings.gather_timings(plan, ledger, machine)
    per_trial = price.trial_resources(known, machine, None, 2**20)
    return price.price_trials(plan.to_train, known, machine, node, per_trial)


def seen(epoch_s: float = 2.0, **more: object) -> Probe:
    first = Probe(epoch_s=epoch_s, fixed_s=1.0, epochs=0, load=1.0, at_once=1, memory=2**29)
    return replace(first, **more)  # type: ignore[arg-type]


def keep(plan: Plan, ledger: Ledger, machine: Machine, found: Probe) -> None:
    for item in probe.shapes(plan):
        load = timings.epoch_load(item.trial, plan)
        timings.write_probe(ledger, machine, item.trial, replace(found, load=load))


def test_what_nobody_measured_has_no_price(tmp_path: Path) -> None:
    ledger = Ledger.open(str(tmp_path / "s"))
    found = priced(planned(ledger), ledger)
    assert (found.trial_s, found.wall_s, found.money(1.0)) == (None, None, None)
    assert found.unknown == ("No FA", "FA in layer 2")
    told = dict(shown.pairs(found, 0.5, "ablate plan smoke.yaml --probe"))
    assert told["price"].endswith("`ablate plan smoke.yaml --probe`")


def test_a_probe_prices_all_epochs(tmp_path: Path) -> None:
    ledger = Ledger.open(str(tmp_path / "s"))
    plan = planned(ledger, epochs=10, seeds=2)
    keep(plan, ledger, HERE, seen())
    found = priced(plan, ledger)
    assert found.trial_s == pytest.approx(8 * 21.0)
    assert found.lanes == 2 and found.wall_s == pytest.approx(4 * 21.0)
    assert found.money(0.5) == pytest.approx(0.5 * 84 / 3600)
    assert found.per_trial.memory == 2**29 and found.measured


@pytest.mark.parametrize(("epochs", "bound"), [(16, ""), (17, "at most ")])
def test_it_is_a_bound_where_patience_can_end_a_training(
    tmp_path: Path, epochs: int, bound: str
) -> None:
    ledger = Ledger.open(str(tmp_path / "s"))
    text = STUDY.format(seeds=1, epochs=epochs, hidden=64) + "score: chosen\n"
    # Patience is 15, and the best epoch may be the first.
    plan = plan_study(parse_study(text, "smoke.yaml"), ledger)
    keep(plan, ledger, HERE, seen())
    found = dict(shown.pairs(priced(plan, ledger), None, ""))
    why = "; few trials need all their epochs" if bound else ""
    assert found["CPU time"] == f"{bound}{duration(4 * (2 * epochs + 1))}, from a probe{why}"
    assert found["wall time"].startswith(f"{bound}{duration(2 * (2 * epochs + 1))};")


def test_averaged_weights_are_of_all_epochs_so_their_price_is_no_bound(tmp_path: Path) -> None:
    ledger = Ledger.open(str(tmp_path / "s"))
    plan = planned(ledger, epochs=17)
    keep(plan, ledger, HERE, seen())
    found = dict(shown.pairs(priced(plan, ledger), None, ""))
    assert found["CPU time"] == f"{duration(4 * 35)}, from a probe"


def test_every_worker_warms_up_once(tmp_path: Path) -> None:
    ledger = Ledger.open(str(tmp_path / "s"))
    plan = planned(ledger, epochs=10, seeds=2)
    keep(plan, ledger, HERE, seen(warm_s=3.0))
    found = priced(plan, ledger)
    assert found.trial_s == pytest.approx(8 * 21.0 + 2 * 3.0)
    assert found.wall_s == pytest.approx(4 * 21.0 + 3.0)
    text = STUDY.format(seeds=1, epochs=10, hidden=64)
    rows, reference = text[text.index("rows:") : text.index("reference:")], "reference: No FA\n"
    space = "search: {axes: {lr: {low: 1e-3, high: 1e-2}}, budget: {trials: 10}, inner_folds: 2}"
    text = (
        text.replace("layers: 2,", "layers: 2, fa_layer: 2,")
        .replace(rows, space + "\n")
        .replace(reference, "")
    )
    search = plan_study(parse_study(text, "smoke.yaml"), ledger)
    keep(search, ledger, HERE, seen())
    cold = price.price_plan(search, ledger, 2, None)
    keep(search, ledger, HERE, seen(warm_s=3.0))
    warm = price.price_plan(search, ledger, 2, None)
    assert sum(row.trials for row in warm.rows) == 2 * 10 * 2 + 2
    # A generation of both groups at once, one fold by fold of the two, and what judges.
    assert warm.workers == 2 * (1 + 2 + 1)
    assert not warm.at_most and warm.may_prune
    told = dict(shown.pairs(warm, None, ""))["CPU time"]
    assert told.startswith("at most ") and told.endswith("; pruned configurations need fewer folds")
    assert cold.trial_s and warm.trial_s == pytest.approx(cold.trial_s + 8 * 3.0)
    assert cold.wall_s and warm.wall_s == pytest.approx(cold.wall_s + 4 * 3.0)


HOURS = """\
study: hours
corpus: demo
protocol: {folds: 2, seeds: 1}
training: {epochs: 10}
baseline: {layers: 2, hidden: 64, fa_layer: 2}
search: {axes: {lr: {low: 1e-3, high: 1e-2}}, budget: {hours: 0.05}, inner_folds: 2}
"""


def test_hours_below_a_training_are_refused_and_below_a_generation_told(store: Path) -> None:
    ledger = Ledger.open(str(store))
    file = store / "hours.yaml"
    file.write_text(HOURS)
    plan = plan_study(parse_study(HOURS, "hours.yaml"), ledger)
    keep(plan, ledger, HERE, seen())
    short = price.budget_shortage(plan, price.price_plan(plan, ledger, 1, None))
    assert short == (
        "The first 20 trainings may take 0.13 hours, and the budget is 0.05 hours: a search tries "
        "at least one generation."
    )
    assert price.budget_shortage(plan, price.price_plan(plan, ledger, 20, None)) == ""
    done = CliRunner().invoke(app, ["plan", str(file), "--store", str(store), "--cpus", "1"])
    assert "The first 20 trainings may take" in " ".join(done.output.split())
    keep(plan, ledger, HERE, seen(epoch_s=60.0))
    for command in ("plan", "run"):
        done = CliRunner().invoke(app, [command, str(file), "--store", str(store)])
        assert isinstance(done.exception, StudyError)
        assert (
            "6:55: `search.budget` must be at least 0.18 hours, what one training takes here, but "
            "is 0.05 hours instead." in str(done.exception)
        )


def test_of_two_shapes_one_that_was_not_probed_is_named(tmp_path: Path) -> None:
    ledger = Ledger.open(str(tmp_path / "s"))
    plan = planned(ledger)
    first, second = probe.shapes(plan)
    timings.write_probe(ledger, HERE, first.trial, seen(load=100.0))
    assert priced(plan, ledger).unknown == (second.row,)


def test_a_probe_is_of_one_kind_of_machine_and_a_damaged_one_of_none(tmp_path: Path) -> None:
    ledger = Ledger.open(str(tmp_path / "s"))
    plan = planned(ledger)
    keep(plan, ledger, HERE, seen())
    for other in (replace(HERE, torch="0.1"), replace(HERE, name="Z80"), Machine("cuda", "G", "2")):
        assert priced(plan, ledger, other).unknown == ("No FA", "FA in layer 2")
    for file in (tmp_path / "s" / "probes").iterdir():
        record = json.loads(file.read_text())
        for damage in ("{", "[]", json.dumps({**record, "probe": {**record["probe"], "load": 0}})):
            file.write_text(damage)
            assert priced(plan, ledger).trial_s is None


def test_finished_trials_count_before_a_probe_and_tell_when_training_stops(store: Path) -> None:
    ledger = Ledger.open(str(store))
    plan = planned(ledger, seeds=3)
    assert (len(plan.done), len(plan.to_train)) == (4, 8)
    keep(plan, ledger, HERE, seen(epoch_s=1e6))
    found = priced(plan, ledger)
    seconds = [o.seconds for o in ledger.outcomes.read_all(plan.done).values()]
    assert not found.at_most and {row.source for row in found.rows} == {"finished"}
    assert found.trial_s is not None
    assert min(seconds) * 8 * 0.5 < found.trial_s < max(seconds) * 8 * 2


def test_finished_trials_of_another_device_or_pytorch_are_no_evidence(store: Path) -> None:
    ledger = Ledger.open(str(store))
    plan = planned(ledger, seeds=3)
    assert priced(plan, ledger, replace(HERE, torch="0.1")).trial_s is None
    assert priced(plan, ledger, Machine("cuda", "NVIDIA G", HERE.torch)).trial_s is None


def test_on_a_gpu_lanes_are_what_every_shape_bears(tmp_path: Path) -> None:
    ledger = Ledger.open(str(tmp_path / "s"))
    plan, gpu = planned(ledger), Machine("cuda", "NVIDIA G", "2")
    first, second = probe.shapes(plan)
    timings.write_probe(ledger, gpu, first.trial, seen(throughput=(1.0, 1.9, 2.7, 2.8)))
    timings.write_probe(ledger, gpu, second.trial, seen(throughput=(1.0, 1.8, 1.9)))
    node = replace(NODE, cpus=16, gpus=2)
    found = priced(plan, ledger, gpu, node)
    assert (found.per_trial.gpus, found.lanes) == (0.5, 4)
    assert shown.as_json(found, None)["trials_per_gpu"] == 2


def test_weights_and_places_cost_nothing_and_widths_do(tmp_path: Path) -> None:
    ledger = Ledger.open(str(tmp_path / "s"))
    narrow, wide = planned(ledger, hidden=64), planned(ledger, hidden=128)
    assert len({timings.shape(p.trial) for p in (*narrow.trials, *wide.trials)}) == 4
    assert len({timings.shape(p.trial) for p in planned(ledger, seeds=5).trials}) == 2


def test_a_probe_trains_as_a_run_does_and_leaves_no_trial(tiny: Tiny, untrained: Path) -> None:
    """Memory of a process that trains is some hundred MiB; an epoch takes time; no record stays."""
    ledger = Ledger.open(str(untrained))
    plan = plan_study(read_study(tiny.study), ledger)
    one = replace(plan, trials=plan.trials[:1])
    events: list[Event] = []
    prepare(plan, plan.trials, ledger, events.append, 1)
    began = time.monotonic()
    probe.measure(one, ledger, HERE, 1, events.append)
    spent_s = time.monotonic() - began
    found = timings.read_probe(ledger, HERE, plan.trials[0].trial)
    assert found is not None and not (untrained / "trials").exists()
    assert 0 < found.epoch_s < spent_s and 0 < found.warm_s < spent_s
    assert 2**27 < found.memory < 2**31
    assert found.at_once == 1 and found.load == timings.epoch_load(plan.trials[0].trial, plan)


def test_a_run_within_a_budget_trains_all_rows_of_a_fold_and_more_budget_the_rest(
    tiny: Tiny,
    untrained: Path,
) -> None:
    from orchestrator.execution.cluster.inline import InlineCluster

    ledger = Ledger.open(str(untrained))
    text = tiny.study.read_text().replace("epochs: 3", "epochs: 2")
    study = parse_study(text, "tiny.yaml")
    keep(plan_study(study, ledger), ledger, HERE, seen())

    def go(budget_s: float) -> tuple[int, list[str]]:
        events: list[Event] = []
        known = priced(plan_study(study, ledger), ledger, node=replace(NODE, cpus=1))
        result = run(
            study,
            ledger,
            InlineCluster(),
            events.append,
            choose=lambda plan: price.select_within_budget(plan, known, budget_s),
        )
        return result.trained, [e.sentence for e in events if isinstance(e, Note) and e.loud]

    with pytest.raises(RequestError, match="^`--budget` must be at least 5s, what one trial"):
        go(4.0)
    trained, told = go(10.5)
    assert trained == 2
    assert told[-1] == ("Left out for the budget: 2 of 4 trials (seed 0: fold 2 of all rows).")
    before = {p: p.stat().st_mtime_ns for p in (untrained / "trials").glob("*/outcome.json")}
    assert len(before) == 2
    assert go(1e6)[0] == 2
    assert all(path.stat().st_mtime_ns == at for path, at in before.items())
