"""What several rooms' tests share: a store with the demo corpus ready, made once."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def root() -> Path:
    """The checkout."""
    return ROOT


@pytest.fixture(scope="session")
def trained_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store in which ``studies/smoke.yaml`` has run, inline. Copy it before you change it."""
    from orchestrator.cluster import InlineCluster
    from orchestrator.ledger import Ledger
    from orchestrator.run import run
    from orchestrator.study import read_study

    store = tmp_path_factory.mktemp("trained") / "store"
    study = read_study(ROOT / "studies" / "smoke.yaml")
    result = run(study, Ledger.open(str(store)), InlineCluster(), lambda event: None)
    assert result.failed == ()
    return store


@pytest.fixture
def store(trained_store: Path, tmp_path: Path) -> Path:
    """A copy of the trained store that a test may spoil."""
    copy = tmp_path / "store"
    shutil.copytree(trained_store, copy)
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
