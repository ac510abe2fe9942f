"""Stores for the tiny study, with and without its features, and the matrix, printed at the end."""

import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.matrix import Matrix
from tests.faults.ray_rounds import RayRounds
from tests.faults.rounds import Begin, Rounds
from tests.tiny_study import Tiny

_MATRIX = pytest.StashKey[Matrix]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_MATRIX] = Matrix()


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    lines = list(config.stash[_MATRIX].lines())
    if lines:
        terminalreporter.section("fault matrix")
        terminalreporter.write("\n".join(lines) + "\n")


@pytest.fixture(scope="session")
def matrix(pytestconfig: pytest.Config) -> Matrix:
    return pytestconfig.stash[_MATRIX]


@pytest.fixture(scope="session")
def reference(tiny: Tiny) -> Path:
    """A store in which nothing disturbed the study."""
    return tiny.store


@pytest.fixture(scope="session")
def bare(tmp_path_factory: pytest.TempPathFactory, reference: Path) -> Path:
    """A store that knows the corpus and nothing else. Copy it."""
    store = tmp_path_factory.mktemp("bare") / "store"
    made = shutil.ignore_patterns("shards", "selections", "trials", "studies")
    shutil.copytree(reference, store, ignore=made)
    return store


@pytest.fixture(scope="session")
def ready(tmp_path_factory: pytest.TempPathFactory, reference: Path) -> Path:
    """A store with features and no trial. Copy it."""
    store = tmp_path_factory.mktemp("ready") / "store"
    shutil.copytree(reference, store, ignore=shutil.ignore_patterns("trials", "studies"))
    return store


@pytest.fixture
def begin(tmp_path: Path, tiny: Tiny, ready: Path, reference: Path) -> Iterator[Begin]:
    """Gives a new store, with features and no trial, as often as it is called."""
    made: list[Path] = []

    def make(store: Path | None = None) -> Rounds:
        folder = tmp_path / f"store-{len(made)}"
        folder.mkdir()
        made.append(folder)
        shutil.copytree(store or ready, folder / "store")
        return Rounds(folder, tiny.study, folder / "store", reference)

    yield make
    for folder in made:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def tiny_ray(tmp_path: Path, tiny: Tiny, ready: Path, reference: Path) -> RayRounds:
    """A new store, with features and no trial, for `ablate run` under Ray."""
    shutil.copytree(ready, tmp_path / "store")
    return RayRounds(tmp_path, tiny.study, tmp_path / "store", reference)


@pytest.fixture(scope="session")
def seconds(
    tmp_path_factory: pytest.TempPathFactory, tiny: Tiny, ready: Path, reference: Path
) -> float:
    """How long the study takes here and now, undisturbed."""
    folder = tmp_path_factory.mktemp("clock")
    shutil.copytree(ready, folder / "store")
    began = time.monotonic()
    Rounds(folder, tiny.study, folder / "store", reference).to_the_end()
    return time.monotonic() - began
