"""Clusters as `ray up` starts them; long, so run by `make clusters`.

Each lives in namespaces of its own, processes and network: its `ray stop` ends nothing of others,
its ports are nobody's, and it reaches nothing but its own loopback.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

pytestmark = pytest.mark.clusters

BIN = Path(sys.executable).parent
ALONE = ["unshare", "--pid", "--net", "--fork", "--mount-proc", "--kill-child"]
SCENE = """\
set -euo pipefail
ip link set lo up
mkdir -p /run/sshd
/usr/sbin/sshd -f $HERE/sshd.conf -E $HERE/sshd.log
ablate cluster check $HERE/cluster.yaml
ray up -y --no-config-cache $HERE/cluster.yaml
echo == mode $(stat -c %a $HOME/.ray/auth_token)
echo == bare $(curl -s -o /dev/null -w '%{http_code}' http://127.0.0.1:8265/api/jobs/)
python $HERE/listeners.py
ablate submit $STUDY --address http://127.0.0.1:8265 --store $STORE --gpus 0 --wait
for place in "/proc/[0-9]*/cmdline" "$TEMP/session_latest/logs/*"; do
  grep -ls -f $HOME/.ray/auth_token $place && echo == leaked || true
done
ray down -y $HERE/cluster.yaml
pgrep raylet && echo == alive || true
"""

SLURM = """\
set -euo pipefail
ip link set lo up
RAY_AUTH_MODE=token ray symmetric-run --address 127.0.0.1:6379 --min-nodes 1 \\
  --num-cpus=2 --object-store-memory=134217728 --temp-dir=$TEMP --dashboard-host=127.0.0.1 -- \\
  ablate run $STUDY --address 127.0.0.1:6379 --store $STORE
"""

LISTENERS = """\
import psutil
for c in psutil.net_connections("tcp"):
    loopback = c.laddr.ip.removeprefix("::ffff:") in ("127.0.0.1", "::1")
    if c.status == psutil.CONN_LISTEN and not loopback:
        words = psutil.Process(c.pid).cmdline()
        print("== open", c.laddr.ip, c.laddr.port, " ".join(words)[:60].replace("\\n", " "))
"""


def need(*tools: str) -> None:
    missing = [
        tool for tool in tools if not shutil.which(tool, path=f"{os.environ['PATH']}:/usr/sbin")
    ]
    if missing or os.getuid() != 0:
        pytest.skip(f"needs root and {', '.join(tools)}")


def play(scene: str, folder: Path, **environment: str) -> str:
    """Run a scene in namespaces of its own; all that it printed."""
    path = f"{BIN}:{os.environ['PATH']}"
    known = {k: v for k, v in os.environ.items() if not k.startswith(("RAY_", "AWS_"))}
    done = subprocess.run(
        [*ALONE, "bash", "-c", scene],
        env={
            **known,
            "PATH": path,
            "HOME": str(folder),
            "HERE": str(folder),
            "RAY_USAGE_STATS_ENABLED": "0",
            **environment,
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=500,
        cwd=folder,
    )
    print(done.stdout)
    assert done.returncode == 0, done.stdout
    return done.stdout


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A HOME with a token in it, as `ablate submit` wants one."""
    (tmp_path / ".ray").mkdir()
    token = tmp_path / ".ray" / "auth_token"
    token.touch(mode=0o600)
    token.write_text(os.urandom(24).hex())
    return tmp_path


def test_ray_up_by_ssh_trains_a_study_and_ray_down_ends_it(
    home: Path, store: Path, root: Path
) -> None:
    need("sshd", "rsync", "unshare", "ip", "curl")
    (store / "trials").rename(store / "before")
    there = home / "there"  # the HOME of who logs in by ssh
    there.mkdir()
    temp = f"/tmp/r{os.getpid()}"  # short: socket paths end at 107 bytes
    for key in ("host", "user"):
        subprocess.run(
            ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", home / key], check=True
        )
    (home / "sshd.conf").write_text(
        f"ListenAddress 127.0.0.1\nHostKey {home}/host\nAuthorizedKeysFile {home}/user.pub\n"
        f"StrictModes no\nUsePAM no\nPasswordAuthentication no\nPidFile {home}/sshd.pid\n"
        f"SetEnv HOME={there}\n"
    )
    (home / "listeners.py").write_text(LISTENERS)
    start = "RAY_AUTH_MODE=token RAY_USAGE_STATS_ENABLED=0 ray start"
    cluster = {
        "cluster_name": f"ours-{os.getpid()}",
        "provider": {"type": "local", "head_ip": "127.0.0.1", "worker_ips": []},
        "auth": {"ssh_user": "root", "ssh_private_key": str(home / "user")},
        "file_mounts": {"~/.ray/auth_token": str(home / ".ray" / "auth_token")},
        "setup_commands": [
            "chmod 600 ~/.ray/auth_token",
            f"echo 'export PATH={BIN}:$PATH' >> ~/.bashrc",
        ],
        "head_start_ray_commands": [
            "ray stop",
            f"{start} --head --port=6379 --dashboard-host=127.0.0.1 --num-cpus=2 "
            f"--object-store-memory={128 * 1024**2} --temp-dir={temp} "
            "--autoscaling-config=~/ray_bootstrap_config.yaml",
        ],
        "worker_start_ray_commands": [f"{start} --address=$RAY_HEAD_IP:6379"],
    }
    (home / "cluster.yaml").write_text(yaml.safe_dump(cluster))
    said = play(
        SCENE, home, STUDY=str(root / "studies" / "smoke.yaml"), STORE=str(store), TEMP=temp
    )
    shutil.rmtree(temp, ignore_errors=True)
    assert "== mode 600" in said and "== bare 401" in said
    assert "4/4  done" in said and "Done: 4 trained." in said
    assert "== open" not in said, "on loopback nothing of Ray's listens beyond it"
    assert "== leaked" not in said and "== alive" not in said
    assert oct((there / ".ray" / "auth_token").stat().st_mode & 0o777) == "0o600"


def test_symmetric_run_trains_a_study_as_under_slurm(home: Path, store: Path, root: Path) -> None:
    """One node, no SLURM: the command that `srun` starts on every node, by itself."""
    need("unshare", "ip")
    (store / "trials").rename(store / "before")
    temp = f"/tmp/s{os.getpid()}"
    said = play(
        SLURM, home, STUDY=str(root / "studies" / "smoke.yaml"), STORE=str(store), TEMP=temp
    )
    shutil.rmtree(temp, ignore_errors=True)
    assert "On head node." in said and "4/4  done" in said and "Done: 4 trained." in said
