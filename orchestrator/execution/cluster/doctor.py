"""``ablate doctor``: checks whether this machine can train, part by part, with a remedy for each.

Nothing is installed or changed. Other machines are contacted only where the store, or the cluster
that a person names, lies there.
"""

import os
import secrets
import shutil
import socket
import stat
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from orchestrator.errors import AblateError
from orchestrator.execution.cluster import jobs
from orchestrator.execution.cluster.ray_cluster import RayCluster
from orchestrator.planning.cost.machine import MEMORY_PER_TRIAL, OBJECT_STORE, cpu_count, installed
from orchestrator.printable import clean
from orchestrator.store import files
from orchestrator.store.files import create_once, replace_file
from orchestrator.store.ledger import Ledger
from orchestrator.store.paths import Location, is_remote, new_doctor_file

NEWEST_TESTED = (3, 14)
"""The newest Python (major, minor) that is tested; `make` looks for no newer one."""
OLDEST_RAY = (2, 59)
"""The oldest Ray (major, minor) that starts clusters with token authentication by default."""
LEAST_FREE = 1024**3
"""Bytes that must be free where the store lies: for the features of a corpus and the weights of a
table."""
TIMED_WRITES, TIMED_BYTES = 20, 16 * 1024**2
"""How many small writes are timed, and the size in bytes of the large one that is timed."""

CheckState = Literal["good", "optional", "bad"]
"""``good``: all is well. ``optional``: something lacks, but this machine can train without it.
``bad``: this machine cannot train."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CheckResult:
    """The result of one check."""

    name: str
    """The name of the check, such as ``torch``."""
    state: CheckState
    """The verdict: ``good``, ``optional`` or ``bad``."""
    found: str
    """What was found, such as a version and a size, or what is wrong."""
    remedy: str = ""
    """What a person should do; empty where the state is ``good``."""


class _CheckFailedError(Exception):
    """Raised by a check that found something wrong.

    Args:
        found: what is wrong.
        remedy: what to do about it.
        state: whether the machine can train without (``optional``) or not (``bad``).
    """

    def __init__(self, found: str, remedy: str, state: CheckState = "bad") -> None:
        super().__init__(found)
        self.found, self.remedy, self.state = found, remedy, state


def run_checks(
    store: str, *, deep: bool = False, address: str | None = None
) -> Iterator[CheckResult]:
    """Run all checks, and yield the result of each as it ends.

    Args:
        store: the store to check: a folder, or `s3://BUCKET/PATH`.
        deep: whether to start Ray on this machine, call one function in a worker, and end Ray.
        address: the URL of a job server, of which it is checked that it refuses requests without a
            token; None leaves that check out.
    """
    for name, check in all_checks(store, deep=deep, address=address).items():
        yield run_check(name, check)


def all_checks(
    store: str, *, deep: bool = False, address: str | None = None
) -> dict[str, Callable[[], str]]:
    """Name -> check, a function that returns what it found, or raises.

    The arguments are those of ``run_checks``.
    """
    cluster = {} if address is None else {"cluster": lambda: _cluster(address)}
    return {
        "python": _python,
        "machine": _machine,
        "torch": _torch,
        "gpu": _gpu,
        "ray": lambda: _ray(deep),
        "opensmile": _opensmile,
        "espeak-ng": _espeak,
        "store": lambda: _store(store),
        "scratch": _scratch,
        "loopback": _loopback,
        "token": _token,
        **cluster,
    }


def run_check(name: str, check: Callable[[], str]) -> CheckResult:
    """Run one check; an exception that it did not foresee also becomes a result, ``bad``."""
    try:
        return CheckResult(name=name, state="good", found=check())
    except _CheckFailedError as failure:
        return CheckResult(
            name=name, state=failure.state, found=failure.found, remedy=failure.remedy
        )
    except Exception as error:
        lines = str(error).strip().splitlines() or [type(error).__name__]
        return CheckResult(
            name=name,
            state="bad",
            found=clean(lines[0]),
            remedy="`pip install --force-reinstall ablate-ser` where a package is at fault.",
        )


def _python() -> str:
    """Check that this Python is not newer than those that are tested."""
    found = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info[:2] > NEWEST_TESTED:
        newest = ".".join(map(str, NEWEST_TESTED))
        raise _CheckFailedError(found, f"Tested up to {newest}; newer may do.", state="optional")
    return found


def _machine() -> str:
    """Check that the machine has memory for a trial and the process that starts it."""
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    found = f"{cpu_count()} CPUs, {memory / 1024**3:.1f} GiB of memory"
    if memory < 2 * MEMORY_PER_TRIAL:
        need = 2 * MEMORY_PER_TRIAL / 1024**3
        raise _CheckFailedError(found, f"A trial and what starts it need {need:.1f} GiB.")
    return found


def _torch() -> str:
    """Check that PyTorch imports and multiplies matrices correctly."""
    import torch

    from model.training import fingerprint

    square = torch.ones(8, 8)
    if float((square @ square).sum()) != 512.0:
        raise _CheckFailedError(f"{torch.__version__} multiplies wrongly", "Install another build.")
    capability = torch.backends.cpu.get_cpu_capability()
    return f"{torch.__version__}, {capability}, arithmetic {fingerprint.fingerprint()}"


def _gpu() -> str:
    """Check that PyTorch can use the GPU, where there is one."""
    import torch

    if torch.cuda.is_available():
        names = [torch.cuda.get_device_name(n) for n in range(torch.cuda.device_count())]
        return f"{', '.join(names)}; CUDA {torch.version.cuda}"
    if Path("/dev/nvidia0").exists() or shutil.which("nvidia-smi"):
        raise _CheckFailedError(
            "there is one, but the installed PyTorch cannot use it",
            "Install a CUDA build of PyTorch (https://pytorch.org) and NVIDIA's driver for it.",
        )
    return "none: trials train on the CPU"


def _ray(deep: bool) -> str:
    """Check the version of Ray and, if ``deep``, that it starts and a worker answers."""
    version = installed("ray")
    floor = ".".join(map(str, OLDEST_RAY))
    if not version or tuple(map(int, version.split(".")[:2])) < OLDEST_RAY:
        raise _CheckFailedError(
            version or "not installed", f"`pip install 'ray[default,tune]>={floor}'`."
        )
    if not deep:
        return f"{version} (`--deep` starts it)"
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as empty, RayCluster(cpus=1, store=Path(empty)) as cluster:
        if list(cluster.map(_echo, [version])) != [version]:
            raise _CheckFailedError(
                f"{version} started, but its worker errs", "`--inline` does without."
            )
    return f"{version}, started, asked and ended in {time.monotonic() - began:.0f} s"


def _echo(word: str) -> str:
    return word


def _opensmile() -> str:
    """Check that openSMILE extracts the 78 descriptors of `lld78` from one second of a tone."""
    import numpy as np

    from features.descriptors.catalogue import feature_set

    second = np.sin(np.arange(16_000, dtype=np.float32) * 0.1).astype(np.float32) / 2
    lld78 = feature_set("lld78")
    frames_TF = lld78.extract(second)
    if frames_TF.shape[1] != 78 or not np.isfinite(frames_TF).all():
        raise _CheckFailedError(
            f"frames of shape {frames_TF.shape}", "`pip install opensmile>=2.6`."
        )
    return f"{installed('opensmile')}, {len(frames_TF)} frames of a second"


def _espeak() -> str:
    """Check that espeak-ng, which makes the corpus `demo`, can speak."""
    from features.corpora import catalogue
    from features.errors import MissingError

    with tempfile.TemporaryDirectory() as folder:
        try:
            spoken = catalogue.sample(Path(folder))
        except MissingError as error:
            raise _CheckFailedError(
                str(error), "Only the corpus `demo` needs it.", state="optional"
            ) from None
        return f"{installed('espeakng-loader')}, spoke {spoken.stat().st_size:,} bytes"


def _store(store: str) -> str:
    """Check that the store can be written, but not by everybody, and has ``LEAST_FREE`` bytes."""
    root = Ledger.open_readonly(store).root
    if not isinstance(root, Path):
        return f"{root}: {_writes(root)}"
    there = next(folder for folder in (root, *root.parents) if folder.exists())
    if not there.is_dir() or not os.access(there, os.W_OK):
        raise _CheckFailedError(
            f"`{there}` is no folder that can be written",
            "`--store` or ABLATE_STORE names another.",
        )
    if root.exists() and root.stat().st_mode & stat.S_IWOTH:
        raise _CheckFailedError(f"`{root}` can be written by everybody", f"`chmod o-w {root}`.")
    free = shutil.disk_usage(there).free
    if free < LEAST_FREE:
        raise _CheckFailedError(f"{free / 1e9:.1f} GB free in `{there}`", "Make room.")
    made = "" if root.exists() else " (not made yet)"
    return f"{root}{made}: {_writes(there)}, {free / 1e9:.0f} GB free"


def _writes(folder: Location) -> str:
    """Check that a file in the folder can be created only once, and is replaced as a whole.

    Every record relies on that. Also time the writes.
    """
    probe = folder / new_doctor_file()
    try:
        try:
            created = create_once(probe, b"first") and not create_once(probe, b"second")
        except Exception as error:
            if not files.is_refusal(error):
                raise
            why = getattr(error, "strerror", None) or str(error).rstrip(".")
            remedy = "A file system must know hard links (NFS, Lustre, CephFS, ext4, APFS do)."
            if is_remote(folder):
                remedy = "Is there such a bucket, and may you write in it?"
            raise _CheckFailedError(f"a file cannot be created once ({why})", remedy) from None
        if not created or files.read(probe) != b"first":
            raise _CheckFailedError(
                "a second writer overwrites the first",
                "Records would not be safe from each other: put the store elsewhere.",
            )
        began = time.monotonic()
        for number in range(TIMED_WRITES):
            replace_file(probe, b"%d" % number)
        each = (time.monotonic() - began) / TIMED_WRITES
        if files.read(probe) != b"%d" % (TIMED_WRITES - 1):
            raise _CheckFailedError(
                "a replaced file is still the old one", "Put the store elsewhere."
            )
        began = time.monotonic()
        replace_file(probe, secrets.token_bytes(TIMED_BYTES))
        speed = TIMED_BYTES / 1e6 / (time.monotonic() - began)
    finally:
        probe.unlink(missing_ok=True)
    return f"created once, replaced whole, {1000 * each:.1f} ms a write, {speed:.0f} MB/s"


def _scratch() -> str:
    """Check what Ray needs: a folder in /tmp (for a short path), and free space in /dev/shm."""
    shared = Path("/dev/shm")
    with tempfile.TemporaryDirectory(prefix="ablate-", dir="/tmp") as folder:
        found = str(Path(folder).parent)
    if shared.is_dir():
        free = shutil.disk_usage(shared).free
        found += f", {free / 1024**2:.0f} MiB free in {shared}"
        if free < OBJECT_STORE:
            raise _CheckFailedError(
                found,
                f"Ray takes {OBJECT_STORE // 1024**2} MiB there: `docker run --shm-size=1g`, or "
                "`--inline`.",
            )
    return found


def _loopback() -> str:
    """Check that a program can connect to another on this machine, by 127.0.0.1."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port), timeout=5) as client:
            peer, _ = server.accept()
            with peer:
                client.sendall(b"ablate")
                if peer.recv(6) != b"ablate":
                    raise _CheckFailedError(
                        f"127.0.0.1:{port} loses bytes", "`--inline` does without."
                    )
    return "127.0.0.1 listens and answers"


def _cluster(address: str) -> str:
    """Check that the job server at a URL refuses requests without a token."""
    try:
        jobs.refuse_open(address)
    except AblateError as error:
        found, _, remedy = str(error).partition(": ")
        raise _CheckFailedError(found, remedy or "see `ablate cluster check`.") from None
    return f"{address} answers with the token only"


def _token() -> str:
    """Check that Ray's tokens are not switched off, and nobody else can read the person's own."""
    mode = os.environ.get("RAY_AUTH_MODE", "")
    if mode and mode != "token":
        raise _CheckFailedError(
            f"RAY_AUTH_MODE is `{clean(mode)}`",
            "`unset RAY_AUTH_MODE`: who reaches a cluster without a token owns its machines.",
        )
    named = os.environ.get("RAY_AUTH_TOKEN_PATH")
    path = Path(named).expanduser() if named else Path.home() / ".ray" / "auth_token"
    if not path.exists():
        return "a new one for each cluster of our own; none of yours"
    if path.stat().st_mode & 0o077:
        raise _CheckFailedError(f"`{path}` can be read by others", f"`chmod 600 {path}`.")
    return f"a new one for each cluster of our own; yours in {path} is private"
