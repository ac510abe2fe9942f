"""A store made before the rooms were built reads as it did then.

``tests/fixtures/earlier_store`` holds a small store that commit a29bc7c trained: an ordinary study,
an adaptive one, a search, and a study with a failed training; weights, shards and audio are left
out. ``expected/`` holds what that commit's own commands printed of it.
"""

import json
import tarfile
from pathlib import Path

import pytest

from tests.commands import Command

FIXTURE = Path(__file__).parents[2] / "fixtures" / "earlier_store"

COMMANDS = {
    "report_smoke": ("report", "smoke", "--format", "json", "--details"),
    "report_adaptive": ("report", "old_adaptive", "--format", "json", "--details"),
    "report_search": ("report", "old_search", "--format", "json", "--details"),
    "report_failed": ("report", "old_failed", "--format", "json", "--details"),
    "status": ("status", "--json"),
    "show_done": ("show", "1a64063f", "--json"),
    "show_failed": ("show", "6664522a", "--json"),
    "compare": ("compare", "smoke", "No FA", "FA in layer 2", "--json"),
    "gc": ("gc", "--json"),
}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("earlier")
    with tarfile.open(FIXTURE / "store.tar.xz") as tar:
        tar.extractall(folder, filter="data")
    return folder / "store"


@pytest.mark.parametrize("name", COMMANDS)
def test_an_earlier_store_reads_as_before(name: str, store: Path) -> None:
    with Command(*COMMANDS[name], "--store", store, cwd=store.parent) as command:
        result = command.finished()
    printed = result.stdout.replace(str(store), "STORE")
    expected = (FIXTURE / "expected" / f"{name}.json").read_text(encoding="utf-8")
    assert json.loads(printed) == json.loads(expected), result.stderr
