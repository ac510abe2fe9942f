"""Stores of the small search with drawn trainings: at its end, and with one training left."""

import shutil
from pathlib import Path

import pytest

from orchestrator.execution import run as run_module
from tests.searches import TRAININGS, Shuffled, drawn, go, study
from tests.shared import made_once


@pytest.fixture
def searched(tmp_path_factory: pytest.TempPathFactory, trained_store: Path, tmp_path: Path) -> Path:
    """A store in which the search has ended; a test may spoil it."""

    def search(folder: Path) -> None:
        shutil.copytree(trained_store, folder)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(run_module, "train_one", drawn)
            assert go(study(), folder).trained == TRAININGS

    return Path(shutil.copytree(made_once(tmp_path_factory, "searched", search), tmp_path / "s"))


@pytest.fixture
def sealed(tmp_path_factory: pytest.TempPathFactory, trained_store: Path, tmp_path: Path) -> Path:
    """A store in which the search was interrupted before its last training."""

    def search(folder: Path) -> None:
        shutil.copytree(trained_store, folder)
        with pytest.MonkeyPatch.context() as patch, pytest.raises(KeyboardInterrupt):
            patch.setattr(run_module, "train_one", drawn)
            go(study(), folder, Shuffled(1, TRAININGS - 1))

    return Path(shutil.copytree(made_once(tmp_path_factory, "sealed", search), tmp_path / "s"))
