"""What several rooms' tests share: a store with the demo corpus ready, made once."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests import buckets
from tests.shared import made_once
from tests.tree import build_once

if TYPE_CHECKING:
    from tests.tiny_study import Tiny

ROOT = Path(__file__).resolve().parent.parent

build_once()

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell's background job ignores Ctrl-C, and so would every process that a test starts.
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Compiled modules are kept, as on a user's machine: without them every command compiles all of ours
# again, a quarter of what `ablate plan` takes.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False


@pytest.fixture(scope="session")
def root() -> Path:
    """The checkout."""
    return ROOT


@pytest.fixture(scope="session", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    """What is kept beside stores is kept in a folder of these tests."""
    os.environ["XDG_CACHE_HOME"] = str(tmp_path_factory.mktemp("cache"))


@pytest.fixture(autouse=True)
def denormals() -> None:
    """A trial that trained in this process flushes them, and drawn numbers are refused then."""
    if "torch" in sys.modules:
        sys.modules["torch"].set_flush_denormal(False)


@pytest.fixture(scope="session")
def demo_speech(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the synthesised corpus, spoken. Copy it before you change it."""
    from features.corpora import catalogue

    return made_once(
        tmp_path_factory, "demo", lambda path: catalogue.prepare(catalogue.read("demo", path))
    )


@pytest.fixture(scope="session")
def trained_store(tmp_path_factory: pytest.TempPathFactory, demo_speech: Path) -> Path:
    """A store in which ``studies/smoke.yaml`` has run, inline. Copy it before you change it."""
    from orchestrator.execution.cluster.inline import InlineCluster
    from orchestrator.execution.run import run
    from orchestrator.store.ledger import Ledger
    from orchestrator.study.reader import read_study

    def train(folder: Path) -> None:
        ledger = Ledger.open(str(folder))
        shutil.copytree(demo_speech, ledger.paths.corpus_audio("demo"), dirs_exist_ok=True)
        study = read_study(ROOT / "studies" / "smoke.yaml")
        result = run(study, ledger, InlineCluster(), lambda event: None)
        assert result.failed == ()

    return made_once(tmp_path_factory, "trained", train)


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> "Tiny":
    """The smallest study, and a store in which it has run. Copy the store before you change it."""
    from tests.tiny_study import tiny_in, train_tiny

    return tiny_in(made_once(tmp_path_factory, "tiny", train_tiny))


@pytest.fixture(scope="session")
def recordings(trained_store: Path) -> Iterator[Path]:
    """The recordings of the trained store, which its copies share: no test writes into one."""
    folder = trained_store / "corpora"

    def seen() -> dict[Path, tuple[int, int]]:
        found = {path: path.stat() for path in folder.rglob("*.wav")}
        return {path: (stat.st_size, stat.st_mtime_ns) for path, stat in found.items()}

    before = seen()
    yield folder
    assert seen() == before, "a test wrote into a shared recording: replace it instead"


@pytest.fixture
def store(trained_store: Path, recordings: Path, tmp_path: Path) -> Path:
    """A copy of the trained store that a test may spoil; recordings are links, to be replaced."""
    copy = tmp_path / "store"
    shutil.copytree(trained_store, copy, ignore=shutil.ignore_patterns("corpora"))
    shutil.copytree(recordings, copy / "corpora", copy_function=os.link)
    return copy


@pytest.fixture
def quiet_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A HOME of its own, for what Ray writes there."""
    home = tmp_path_factory.mktemp("home")
    before = os.environ.get("HOME")
    os.environ["HOME"] = str(home)
    yield home
    if before is not None:
        os.environ["HOME"] = before


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a real S3 server on loopback."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = (tmp_path_factory.mktemp("s3") / "log").open("wb")
    server = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
        stdout=log,
        stderr=log,
    )
    for _ in range(300):
        with socket.socket() as probe:
            if not probe.connect_ex(("127.0.0.1", port)):
                break
        time.sleep(0.1)
    yield f"http://127.0.0.1:{port}"
    server.kill()
    server.wait()
    log.close()


@pytest.fixture
def s3(s3_server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A new bucket's URI; keys, endpoint and this machine's cache stand in the environment."""
    import boto3

    for name, value in buckets.environment(s3_server, tmp_path / "cache").items():
        monkeypatch.setenv(name, value)
    bucket = f"bucket-{tmp_path.name.replace('_', '-').lower()}-{os.getpid()}"[-60:].strip("-")
    boto3.client("s3").create_bucket(Bucket=bucket)
    return f"s3://{bucket}/store"


@pytest.fixture
def drawn_trainings(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Trainings are drawn in place of trained, but where a test is marked ``trained``."""
    from orchestrator.execution import run
    from tests.searches import drawn

    if "trained" not in request.keywords:
        monkeypatch.setattr(run, "train_one", drawn)
