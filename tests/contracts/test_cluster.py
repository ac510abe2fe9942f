"""Every cluster trains the same tasks to the same records; Ray is started once for them."""

import contextlib
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import psutil
import pytest

from features.errors import ShardDamageError
from orchestrator.errors import AblateError
from orchestrator.execution.cluster.inline import InlineCluster
from orchestrator.execution.cluster.protocol import Cluster, Task
from orchestrator.execution.cluster.ray_cluster import RayCluster
from orchestrator.execution.events import Done, Elsewhere, Epoch, Event, Failed, Started
from orchestrator.execution.run import run, train_one
from orchestrator.planning.cost.machine import cpu_count
from orchestrator.planning.cost.resources import Usage
from orchestrator.planning.plan import plan_study
from orchestrator.store.leases import acquire, read_lease
from orchestrator.store.ledger import Ledger
from orchestrator.study.reader import read_study
from tests import buckets
from tests.buckets import copied_to


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


class Held:
    """A cluster that was entered before, and that a run which ends does not give back."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cluster, name)

    def __enter__(self) -> Cluster:
        return self._cluster

    def __exit__(self, *error: object) -> None:
        return None


@pytest.fixture(scope="module")
def ray_cluster(tmp_path_factory: pytest.TempPathFactory, s3_server: str) -> Iterator[Cluster]:
    """One Ray of two CPUs for all tests here, with a bucket's keys; a task names its own store."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(tmp_path_factory.mktemp("home")))
        for name, value in buckets.environment(s3_server, tmp_path_factory.mktemp("cache")).items():
            patch.setenv(name, value)
        with RayCluster(cpus=2, gpus=0, store=tmp_path_factory.mktemp("none")) as cluster:
            yield cluster


@pytest.fixture(params=["inline", pytest.param("ray", marks=pytest.mark.ray)])
def cluster(request: pytest.FixtureRequest) -> Cluster:
    """Each kind of cluster, entered."""
    if request.param == "inline":
        return InlineCluster().__enter__()
    found: Cluster = request.getfixturevalue("ray_cluster")
    return found


def test_a_cluster_takes_every_task_once_and_tells(
    cluster: Cluster, store: Path, root: Path
) -> None:
    """Of four tasks one raises and one is done already; the others train, and none is lost."""
    ledger = empty_of_trials(store)
    *good, bad, done = tasks(ledger, root)
    shutil.copytree(store / "before" / done.id, ledger.paths.trials / done.id)
    wrong = Task(id=bad.id, identity=good[0].identity, store=bad.store)
    events: list[Event] = []
    used: list[Usage | None] = []

    def hear(event: Event) -> None:
        events.append(event)
        used.append(cluster.usage())

    inline = isinstance(cluster, InlineCluster)
    assert cluster.lanes == (1 if inline else 2)
    cluster.train([wrong, *good, done], train_one, hear)
    assert told(events, done) == [Started, Done]
    assert told(events, bad)[-1] is Failed and not ledger.outcomes.has(bad.id)
    assert [e.cause for e in events if isinstance(e, Failed)] == ["code"]
    assert len(ledger.attempts.failure_files(bad.id)) == 1
    for task in good:
        assert told(events, task) == [Started, Epoch, Epoch, Done]
    assert_as_before(ledger, store, [task.id for task in good])
    there = cpu_count() if inline else 2
    assert all(u is not None and u.used.cpus <= u.there.cpus == there for u in used)
    assert any(u is not None and u.used.cpus >= 1 for u in used)
    assert all(u is not None and 0 < u.used.memory < u.there.memory for u in used)


def told(events: Sequence[Event], task: Task) -> list[type[Event]]:
    """The kinds of the events of a task, in order."""
    return [type(event) for event in events if getattr(event, "id", "") == task.id]


def assert_as_before(ledger: Ledger, store: Path, ids: Iterable[str]) -> None:
    """The trials' outcomes are those that `trained_store` holds of them."""
    (store / "as-store").mkdir(exist_ok=True)
    with contextlib.suppress(FileExistsError):
        (store / "as-store" / "trials").symlink_to(store / "before")
    earlier = Ledger.open_unchecked(str(store / "as-store"))
    for id in ids:
        before, after = earlier.outcomes.read(id), ledger.outcomes.read(id)
        assert before is not None and after is not None
        assert before.scored_part == after.scored_part


def twice(number: int) -> int:
    if number == 13:
        raise ShardDamageError("Thirteen is damaged.")
    return 2 * number


def test_a_cluster_maps_in_order_and_errors_rise_as_themselves(cluster: Cluster) -> None:
    assert list(cluster.map(twice, range(12))) == [2 * n for n in range(12)]
    with pytest.raises(ShardDamageError, match=r"^Thirteen is damaged\.$"):
        list(cluster.map(twice, [1, 13, 2]))
    first = cluster.map(twice, range(100))
    assert [next(first), next(first)] == [0, 2]


@pytest.mark.ray
def test_features_built_on_ray_are_those_built_here(
    ray_cluster: Cluster, root: Path, tmp_path: Path, demo_speech: Path
) -> None:
    from orchestrator.execution.prepare import build as build_features

    study = read_study(root / "studies" / "smoke.yaml")
    stores = [Ledger.open(str(tmp_path / name)) for name in ("here", "ray")]
    for store in stores:
        shutil.copytree(demo_speech, store.paths.corpus_audio("demo"), dirs_exist_ok=True)
    build_features(study, stores[0], lambda event: None, threads=1)
    build_features(study, stores[1], lambda event: None, threads=1, elsewhere=ray_cluster.map)
    one, other = ({p.name: p.read_bytes() for p in s.paths.local_shards.iterdir()} for s in stores)
    assert one == other


@pytest.mark.ray
def test_workers_train_into_a_bucket_and_one_that_is_killed_costs_nothing(
    ray_cluster: Cluster, s3: str, store: Path, root: Path
) -> None:
    """Two trials of a bucket are lost; the first one's worker is killed in its first epoch."""
    (store / "trials").rename(store / "before")
    lost, kept = sorted((store / "before").iterdir())[:2], sorted((store / "before").iterdir())[2:]
    for path in kept:
        shutil.copytree(path, store / "trials" / path.name)
    ledger = copied_to(s3, store)
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
    result = run(study, ledger, Held(ray_cluster), hear)
    assert killed and result.failed == ()
    assert sorted(e.id for e in events if isinstance(e, Done)) == [path.name for path in lost]
    assert_as_before(ledger, store, [path.name for path in lost])


def _start(task: Task, tell: Callable[[Event], None]) -> None:
    """What a worker does that tells of its start, and no more."""
    tell(Started(task.id))


def _broken(task: Task, tell: object) -> None:
    """What a worker does whose imports fail."""
    raise ImportError("no torch here")


@pytest.mark.ray
def test_what_the_listener_raises_comes_out_as_itself(ray_cluster: Cluster, tmp_path: Path) -> None:
    task = Task(id="0a", identity={}, store=str(tmp_path))

    def full(event: Event) -> None:
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left on device"):
        ray_cluster.train([task], _start, full)
    why = ray_cluster.train([task], _broken, lambda event: None)
    assert why == "ImportError: no torch here"


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
