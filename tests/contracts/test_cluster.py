"""Every cluster trains the same tasks to the same records; what Ray must not do is held too."""

import os
import signal
import stat
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import psutil
import pytest

from features.errors import ShardDamageError
from orchestrator.errors import AblateError
from orchestrator.execution.cluster.inline import InlineCluster
from orchestrator.execution.cluster.protocol import Cluster, Task
from orchestrator.execution.cluster.ray_cluster import RayCluster
from orchestrator.execution.events import Done, Elsewhere, Epoch, Event, Failed, Started
from orchestrator.execution.run import run, train_one
from orchestrator.planning.cost.machine import OBJECT_STORE, cpu_count
from orchestrator.planning.cost.resources import Usage
from orchestrator.planning.plan import plan_study
from orchestrator.store.leases import acquire, read_lease
from orchestrator.store.ledger import Ledger
from orchestrator.study.reader import read_study


def empty_of_trials(store: Path) -> Ledger:
    ledger = Ledger.open(str(store))
    ledger.paths.trials.rename(store / "before")
    return ledger


def tasks(ledger: Ledger, root: Path) -> list[Task]:
    plan = plan_study(read_study(root / "studies" / "smoke.yaml"), ledger)
    return [
        Task(id=item.id, identity=item.trial.identity, store=str(ledger.root))
        for item in plan.trials
    ]


def build(kind: str, store: Path) -> Cluster:
    return InlineCluster() if kind == "inline" else RayCluster(cpus=2, gpus=0, store=store)


KINDS = ["inline", pytest.param("ray", marks=pytest.mark.ray)]


@pytest.mark.parametrize("kind", KINDS)
def test_a_cluster_trains_every_task_once_and_tells(
    kind: str, store: Path, root: Path, quiet_home: Path
) -> None:
    ledger = empty_of_trials(store)
    wanted = tasks(ledger, root)
    events: list[Event] = []
    here, environment = Path.cwd(), dict(os.environ)
    used: list[Usage | None] = []

    def hear(event: Event) -> None:
        events.append(event)
        used.append(cluster.usage())

    with build(kind, store) as cluster:
        assert cluster.slots == (1 if kind == "inline" else 2)
        cluster.train(wanted, train_one, hear)
        again: list[Event] = []
        cluster.train(wanted[:1], train_one, again.append)
    for task in wanted:
        own = [e for e in events if getattr(e, "id", "") == task.id]
        assert [type(e) for e in own] == [Started, Epoch, Epoch, Done]
        first = ledger.outcomes.read(task.id)
        second = Ledger.open_unchecked(str(_as_store(store / "before"))).outcomes.read(task.id)
        assert first is not None and second is not None
        assert first.scored_part == second.scored_part
    assert [type(e) for e in again] == [Started, Done]
    there = cpu_count() if kind == "inline" else 2
    assert all(u is not None and u.used.cpus <= u.there.cpus == there for u in used)
    assert any(u is not None and u.used.cpus >= 1 for u in used)
    assert all(u is not None and 0 < u.used.memory < u.there.memory for u in used)
    assert kind == "inline" or cluster.usage() is None
    assert (Path.cwd(), dict(os.environ)) == (here, environment)


def _as_store(trials: Path) -> Path:
    """A folder in which ``trials`` lies under its own name."""
    store = trials.parent / "as-store"
    if not store.exists():
        store.mkdir()
        (store / "trials").symlink_to(trials)
    return store


@pytest.mark.parametrize("kind", KINDS)
def test_a_task_that_raises_is_told_and_the_others_go_on(
    kind: str, store: Path, root: Path, quiet_home: Path
) -> None:
    ledger = empty_of_trials(store)
    good, bad = tasks(ledger, root)[:2]
    wrong = Task(id=bad.id, identity=good.identity, store=bad.store)
    events: list[Event] = []
    with build(kind, store) as cluster:
        cluster.train([wrong, good], train_one, events.append)
    (failed,) = [e for e in events if isinstance(e, Failed)]
    assert failed.id == bad.id and failed.cause == "code"
    assert [e.id for e in events if isinstance(e, Done)] == [good.id]
    assert not ledger.outcomes.has(bad.id) and len(ledger.attempts.failure_files(bad.id)) == 1


def twice(number: int) -> int:
    if number == 13:
        raise ShardDamageError("Thirteen is damaged.")
    return 2 * number


@pytest.mark.parametrize("kind", KINDS)
def test_a_cluster_maps_in_order_and_errors_rise_as_themselves(
    kind: str, tmp_path: Path, quiet_home: Path
) -> None:
    with build(kind, tmp_path) as cluster:
        assert list(cluster.map(twice, range(12))) == [2 * n for n in range(12)]
        with pytest.raises(ShardDamageError, match=r"^Thirteen is damaged\.$"):
            list(cluster.map(twice, [1, 13, 2]))
        first = cluster.map(twice, range(100))
        assert [next(first), next(first)] == [0, 2]


@pytest.mark.ray
def test_features_built_on_ray_are_those_built_here(
    root: Path, tmp_path: Path, quiet_home: Path
) -> None:
    from orchestrator.execution.prepare import build as build_features

    study = read_study(root / "studies" / "smoke.yaml")
    stores = [Ledger.open(str(tmp_path / name)) for name in ("here", "ray")]
    build_features(study, stores[0], lambda event: None, threads=1)
    with build("ray", tmp_path) as cluster:
        build_features(study, stores[1], lambda event: None, threads=1, elsewhere=cluster.map)
    one, other = ({p.name: p.read_bytes() for p in s.paths.local_shards.iterdir()} for s in stores)
    assert one == other


@pytest.mark.ray
def test_ray_survives_a_killed_worker_and_the_run_goes_on(
    store: Path, root: Path, quiet_home: Path
) -> None:
    """The first trial's worker is killed once, from outside, in its first epoch."""
    ledger = empty_of_trials(store)
    killed: list[int] = []
    events: list[Event] = []

    def hear(event: Event) -> None:
        events.append(event)
        if isinstance(event, Epoch) and not killed:
            claim = read_lease(ledger.paths.lease_file(event.id))
            assert claim is not None
            killed.append(int(claim["pid"]))
            psutil.Process(killed[0]).kill()

    study = read_study(root / "studies" / "smoke.yaml")
    result = run(study, ledger, RayCluster(cpus=2, gpus=0, store=store), hear)
    assert killed and result.failed == ()
    assert len([e for e in events if isinstance(e, Done)]) == 4
    for path in (store / "before").iterdir():
        before = Ledger.open_unchecked(str(_as_store(store / "before"))).outcomes.read(path.name)
        after = ledger.outcomes.read(path.name)
        assert before is not None and after is not None
        assert before.scored_part == after.scored_part


@pytest.mark.ray
def test_what_the_listener_raises_comes_out_as_itself(
    store: Path, root: Path, quiet_home: Path
) -> None:
    ledger = empty_of_trials(store)

    def full(event: Event) -> None:
        raise OSError(28, "No space left on device")

    with RayCluster(cpus=1, gpus=0, store=store) as cluster:
        with pytest.raises(OSError, match="No space left on device"):
            cluster.train(tasks(ledger, root)[:1], train_one, full)
        why = cluster.train(tasks(ledger, root)[:1], _broken, lambda event: None)
    assert why == "ImportError: no torch here"


def _broken(task: Task, tell: object) -> None:
    """What a worker does whose imports fail."""
    raise ImportError("no torch here")


@pytest.mark.ray
def test_ctrl_c_ends_ray_and_keeps_what_is_done(store: Path, root: Path, quiet_home: Path) -> None:
    empty_of_trials(store)
    line = [str(Path(sys.executable).with_name("ablate")), "run",
            str(root / "studies" / "smoke.yaml"), "--store", str(store), "--cpus", "1"]  # fmt: skip
    with subprocess.Popen(
        line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    ) as process:  # fmt: skip
        assert process.stdout is not None and process.stderr is not None
        for shown in process.stdout:
            if "1/4  done" in shown:
                children = psutil.Process(process.pid).children(recursive=True)
                os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to the whole group
                break
        process.wait(60)
        said = process.stderr.read()
    assert process.returncode == 130, said
    assert "trials are done and kept. The same command goes on from there." in said
    _, alive = psutil.wait_procs(children, timeout=20)
    assert alive == []
    again = subprocess.run([*line, "--inline"], capture_output=True, text=True, timeout=120)
    assert again.returncode == 0, again.stderr


@pytest.mark.ray
@pytest.mark.parametrize(
    ("names", "on_path"),
    [
        (["model.py", "features/__init__.py", "orchestrator.py", "torch.py"], False),
        (["model.py", "features/__init__.py"], True),
    ],
    ids=["working folder", "PYTHONPATH"],
)
def test_a_hostile_folder_does_not_shadow_ours(
    names: list[str], on_path: bool, store: Path, root: Path, tmp_path: Path, quiet_home: Path
) -> None:
    """A user's own ``model.py`` and ``features/`` are never imported, here and in Ray's workers."""
    empty_of_trials(store)
    hostile = tmp_path / "work"
    (hostile / "features").mkdir(parents=True)
    trap = f"open({str(tmp_path / 'sprung')!r}, 'a').write('x')\nraise SystemExit(9)\n"
    for name in names:
        (hostile / name).write_text(trap)
    ablate = Path(sys.executable).with_name("ablate")
    done = subprocess.run(
        [ablate, "run", root / "studies" / "smoke.yaml", "--store", store, "--cpus", "2"],
        cwd=hostile,
        env={**os.environ, **({"PYTHONPATH": str(hostile)} if on_path else {})},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert not (tmp_path / "sprung").exists()
    assert "4/4  done" in done.stdout


@pytest.mark.parametrize(
    ("address", "sentence"),
    [
        ("myhost", "must be a Ray cluster's HOST:PORT, such as 192.0.2.10:6379, or `auto`, but"),
        ("http://127.0.0.1:8265", "`ablate submit` takes the URL of a job server"),
        ("", "but is `` instead"),
        ("127.0.0.1:1", r"No Ray cluster answers at `127.0.0.1:1` \(Connection refused\)"),
        ("ray://nowhere.invalid:10001", "No Ray cluster answers at `ray://nowhere.invalid:10001`"),
    ],
)
def test_an_address_that_is_none_or_silent_is_said_before_anything_is_made(
    address: str, sentence: str, tmp_path: Path
) -> None:
    with pytest.raises(AblateError, match=sentence):
        RayCluster(address=address, store=tmp_path)


@pytest.mark.ray
def test_ray_is_started_private_and_short(
    tmp_path: Path, quiet_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import ray  # here, before: what Ray saw when it was imported must not count

    monkeypatch.setenv("RAY_ADDRESS", "10.0.0.1:6379")  # somebody's cluster: not ours to join
    cluster = RayCluster(cpus=1, gpus=0, store=tmp_path)
    with cluster:
        scratch = cluster._scratch
        token = scratch / "token"
        assert stat.S_IMODE(token.stat().st_mode) == 0o600
        assert stat.S_IMODE(scratch.stat().st_mode) == 0o700
        assert os.environ["RAY_AUTH_MODE"] == "token"
        assert os.environ["RAY_USAGE_STATS_ENABLED"] == "0"
        assert tmp_path not in scratch.parents
        (node,) = ray.nodes()
        assert node["NodeManagerAddress"] == "127.0.0.1"
        assert node["Resources"]["object_store_memory"] == OBJECT_STORE
        assert list((scratch / "cwd").iterdir()) == [] and Path.cwd() == scratch / "cwd"
        assert _dashboard_ports() == []
    assert not scratch.exists()
    assert not list(quiet_home.rglob("*token*"))


def _dashboard_ports() -> Sequence[int]:
    listening = [c for c in psutil.net_connections("tcp") if c.status == psutil.CONN_LISTEN]
    return [c.laddr.port for c in listening if c.laddr.port == 8265]


def test_a_task_held_elsewhere_is_told(store: Path, root: Path) -> None:
    ledger = empty_of_trials(store)
    task = tasks(ledger, root)[0]
    ledger.paths.trial_folder(task.id).mkdir(parents=True)
    claim = acquire(ledger.paths.lease_file(task.id))
    assert claim is not None
    events: list[Event] = []
    InlineCluster().train([task], train_one, events.append)
    claim.release()
    assert [type(e) for e in events] == [Started, Elsewhere]
