"""`model` and `features` are ours, whatever stands first on the path. With Ray: tests/contracts."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.tiny_study import Tiny

ABLATE = str(Path(sys.executable).with_name("ablate"))
MAIN = (sys.executable, "-m", "orchestrator.cli.main")


@pytest.fixture
def hostile(tmp_path: Path) -> Path:
    """A folder with a ``model.py`` and a package ``features`` that note when they are imported."""
    folder = tmp_path / "hostile"
    (folder / "features").mkdir(parents=True)
    trap = f"open({str(tmp_path / 'sprung')!r}, 'a').write('x')\nraise SystemExit(9)\n"
    for name in ("model.py", "features/__init__.py"):
        (folder / name).write_text(trap)
    return folder


@pytest.mark.parametrize("program", [(ABLATE,), MAIN], ids=["ablate", "python -m"])
@pytest.mark.parametrize("path", [".", "{hostile}"])
def test_the_command_line_imports_our_packages(
    program: tuple[str, ...], path: str, hostile: Path, store: Path, root: Path
) -> None:
    done = subprocess.run(
        [*program, "plan", root / "studies" / "smoke.yaml", "--store", store],
        cwd=hostile,
        env={**os.environ, "PYTHONPATH": path.format(hostile=hostile)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert not (hostile.parent / "sprung").exists()


def test_a_training_and_the_processes_of_a_probe_import_our_packages(
    hostile: Path, tiny: Tiny, tmp_path: Path
) -> None:
    store = shutil.copytree(tiny.store, tmp_path / "store", ignore=shutil.ignore_patterns("trials"))
    study = tmp_path / "tiny.yaml"  # of one row: each shape of network is a process of the probe
    study.write_text(re.sub("^  - .*FA in layer 2.*\n", "", tiny.study.read_text(), flags=re.M))
    for words in (["plan", "--probe", "--cpus", "1"], ["run", "--inline"]):
        done = subprocess.run(
            [ABLATE, *words, study, "--store", store],
            cwd=hostile,
            env={**os.environ, "PYTHONPATH": str(hostile)},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stdout + done.stderr
    assert not (hostile.parent / "sprung").exists()
    assert "2/2  done" in done.stdout


def test_another_model_that_was_imported_before_is_named(tmp_path: Path) -> None:
    (tmp_path / "model.py").write_text("")
    program = "import model; from orchestrator.cli.main import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 3
    assert done.stderr.startswith("`model` must be the package in `")
    assert f"the one of `{tmp_path / 'model.py'}` had been imported before it" in done.stderr
