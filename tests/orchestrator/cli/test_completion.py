"""What a Tab gives, as bash, zsh and fish ask for it."""

import os
import subprocess
from pathlib import Path

import pytest

from orchestrator.store.ledger import Ledger
from tests.commands import ABLATE


def completed(line: str, store: Path, shell: str = "bash") -> str:
    words = line.split(" ")
    snapshot = {"COMP_WORDS": line, "COMP_CWORD": str(len(words) - 1)}
    if shell != "bash":
        snapshot = {"_TYPER_COMPLETE_ARGS": line, "_TYPER_COMPLETE_FISH_ACTION": "get-args"}
    done = subprocess.run(
        [str(ABLATE)],
        env={
            **os.environ,
            **snapshot,
            "_ABLATE_COMPLETE": f"complete_{shell}",
            "ABLATE_STORE": str(store),
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=store.parent,
    )
    assert done.stderr == ""
    return done.stdout


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_studies_rows_and_trials_come_from_the_store(trained_store: Path, shell: str) -> None:
    (*_, id) = sorted(os.listdir(Ledger.open_readonly(str(trained_store)).paths.trials))
    assert "smoke" in completed("ablate status sm", trained_store, shell)
    assert "No FA" in completed("ablate predict --study smoke --row N", trained_store, shell)
    assert id[:12] in completed(f"ablate show {id[:3]}", trained_store, shell)
    assert "report" in completed("ablate rep", trained_store, shell)
    assert "tensorboard" in completed("ablate run study.yaml --log t", trained_store, shell)


def test_a_store_that_cannot_be_read_completes_nothing_and_says_nothing(tmp_path: Path) -> None:
    spoilt = tmp_path / "store"
    spoilt.mkdir()
    (spoilt / "store.json").write_text("?")
    assert completed("ablate status sm", spoilt).strip() == ""


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_of_each_shell_is_shown(shell: str) -> None:
    done = subprocess.run(
        [str(ABLATE), "--show-completion", shell],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, "_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"},
    )
    assert done.returncode == 0 and "_ABLATE_COMPLETE" in done.stdout
