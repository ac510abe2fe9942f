"""A Ray that a run starts itself: private, gone with the run, blind to the working folder."""

import os
import shutil
import signal
import stat
import subprocess
from collections.abc import Sequence
from pathlib import Path

import psutil
import pytest

from orchestrator.execution.cluster.ray_cluster import RayCluster
from orchestrator.planning.cost.machine import OBJECT_STORE
from tests.commands import ABLATE, ablate


@pytest.mark.ray
def test_ctrl_c_ends_ray_and_keeps_what_is_done(store: Path, root: Path, quiet_home: Path) -> None:
    for lost in sorted((store / "trials").iterdir())[:2]:
        shutil.rmtree(lost)
    words = ["run", str(root / "studies" / "smoke.yaml"), "--store", str(store)]
    with subprocess.Popen(
        [str(ABLATE), *words, "--cpus", "1"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    ) as process:
        assert process.stdout is not None and process.stderr is not None
        for shown in process.stdout:
            if "3/4  done" in shown:
                children = psutil.Process(process.pid).children(recursive=True)
                os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to the whole group
                break
        process.wait(60)
        said = process.stderr.read()
    assert process.returncode == 130, said
    assert "trials are done and kept. The same command goes on from there." in said
    _, alive = psutil.wait_procs(children, timeout=20)
    assert alive == []
    assert "Done: " in ablate(*words, "--inline")


@pytest.mark.ray
def test_hostile_folders_do_not_shadow_ours(
    store: Path, root: Path, tmp_path: Path, quiet_home: Path
) -> None:
    """A user's own ``model.py`` and ``features/`` are never imported, here and in Ray's workers.

    They lie in the working folder, which no process of ours may search, and on PYTHONPATH.
    """
    (lost, *_) = (store / "trials").iterdir()
    shutil.rmtree(lost)
    here = trap(
        tmp_path / "here", "model.py", "features/__init__.py", "orchestrator.py", "torch.py"
    )
    on_path = trap(tmp_path / "on-path", "model.py", "features/__init__.py")
    done = subprocess.run(
        [ABLATE, "run", root / "studies" / "smoke.yaml", "--store", store, "--cpus", "1"],
        cwd=here,
        env={**os.environ, "PYTHONPATH": str(on_path)},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert not list(tmp_path.glob("sprung-*"))
    assert "4/4  done" in done.stdout and "Done: 1 trained." in done.stdout


def trap(folder: Path, *names: str) -> Path:
    """A folder of modules that leave a file ``sprung-FOLDER`` and end who imports them."""
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        sprung = folder.with_name(f"sprung-{folder.name}")
        (folder / name).write_text(f"open({str(sprung)!r}, 'a').write('x')\nraise SystemExit(9)\n")
    return folder


@pytest.mark.ray
def test_ray_is_started_private_and_short(
    tmp_path: Path, quiet_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import ray  # here, before: what Ray saw when it was imported must not count

    monkeypatch.setenv("RAY_ADDRESS", "10.0.0.1:6379")  # somebody's cluster: not ours to join
    cluster = RayCluster(cpus=1, gpus=0, store=tmp_path)
    here, environment = Path.cwd(), dict(os.environ)
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
    assert not scratch.exists() and cluster.usage() is None
    assert (Path.cwd(), dict(os.environ)) == (here, environment)
    assert not list(quiet_home.rglob("*token*"))


def _dashboard_ports() -> Sequence[int]:
    listening = [c for c in psutil.net_connections("tcp") if c.status == psutil.CONN_LISTEN]
    return [c.laddr.port for c in listening if c.laddr.port == 8265]
