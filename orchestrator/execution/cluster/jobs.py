"""Studies as Ray Jobs: the code goes up, the study trains there, the store keeps what it gives.

A job is hands, like Ray's trials: the ledger is the truth, so a job that dies is simply submitted
again. Ray refuses a submission id that ever existed, so ids count: `ablate-STUDY-N`.
A door to Ray: its client of the job server, which speaks HTTP and starts no Ray here.
"""

import asyncio
import contextlib
import ipaddress
import logging
import os
import re
import shlex
import shutil
import stat
import tempfile
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from orchestrator.errors import LackError, RequestError

PARTS = ("orchestrator", "model", "features")
"""What of this checkout goes up, beside pyproject.toml and the study: its `.py` and `.conf`."""
TIMEOUT_S = 20.0
RETRIES = 5
"""How often in a row a lost connection to a job's log is made again."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Ask:
    """What a job is to do. ``study`` is the text of the file, ``words`` go to `ablate run`."""

    name: str
    study: str
    store: str
    words: tuple[str, ...] = ()

    @property
    def digest(self) -> str:
        """Equal for asks that are one."""
        return sha256(repr((self.name, self.study, self.store, self.words)).encode()).hexdigest()

    @property
    def entrypoint(self) -> str:
        """The line that the job server gives to a shell."""
        study = f"studies/{self.name}.yaml"
        command = ("python", "-m", "orchestrator.cli.main", "run", study)
        return shlex.join((*command, "--address", "auto", "--json", *self.words))


@dataclass(frozen=True, kw_only=True, slots=True)
class Submitted:
    """A job that is on its way; ``joined`` when it already was."""

    id: str
    joined: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Ended:
    """How a job ended: the exit code of its `ablate run`, and Ray's sentence."""

    code: int
    sentence: str


def refuse_open(address: str) -> None:
    """Refuse a job server that answers whoever asks, and an address on which a token is readable.

    Raises:
        RequestError: not an address, or unencrypted HTTP beyond this machine.
        LackError: nothing answers, no job server does, or it answers without a token.
    """
    parts = urlsplit(address)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username:
        raise RequestError(
            "`--address` must be the job server's, such as http://127.0.0.1:8265, but is "
            f"`{parts._replace(netloc=parts.netloc.rpartition('@')[2]).geturl()}` instead."
        )
    if parts.scheme == "http" and not _is_loopback(parts.hostname):
        raise RequestError(
            f"`--address` must be https or on this machine, but is `{address}` instead: the token "
            "would travel readable. `ray dashboard cluster.yaml`, or `ssh -L 8265:localhost:8265 "
            "HEAD`, makes a tunnel to http://127.0.0.1:8265."
        )
    status = _status_without_token(address)
    if status == 200:
        raise LackError(
            f"The cluster at {address} answers without a token: whoever reaches it can run "
            "programs on it. Start it with RAY_AUTH_MODE=token (`ablate cluster check` knows)."
        )
    if status not in (401, 403):
        raise LackError(f"What answers at {address} is no job server of Ray (HTTP {status}).")


def submit(address: str, ask: Ask) -> Submitted:
    """Submit a study, or join the job in which it already trains.

    Raises:
        RequestError: a job of this study is live and asks something else.
        LackError: the cluster is open, or cannot be asked.
    """
    refuse_open(address)
    with _client(address) as client, tempfile.TemporaryDirectory(prefix="ablate-") as folder:
        pack_code(Path(folder), ask)
        while True:
            live, free = _jobs_of(ask.name, client.list_jobs())
            if live is not None:
                if (live.metadata or {}).get("ablate") != ask.digest:
                    raise RequestError(
                        f"The job `{live.submission_id}` is live and asks something else (another "
                        "text of the study, store or options): wait for it, or end it with "
                        f"`ray job stop {live.submission_id}`."
                    )
                return Submitted(id=live.submission_id, joined=True)
            try:
                client.submit_job(
                    entrypoint=ask.entrypoint,
                    submission_id=free,
                    metadata={"ablate": ask.digest},
                    runtime_env={
                        "working_dir": folder,
                        "env_vars": {"ABLATE_STORE": ask.store, "RAY_USAGE_STATS_ENABLED": "0"},
                    },
                )
            except RuntimeError as error:
                if "already exists" in str(error):  # somebody was quicker: join them
                    continue
                raise
            return Submitted(id=free, joined=False)


def tail(address: str, id: str, hear: Callable[[str], None]) -> Ended:
    """Hear every line of a job's log, from its first, until the job has ended.

    Raises:
        LackError: the cluster cannot be asked any more; the job may go on.
    """
    refuse_open(address)
    with _client(address) as client:
        heard = lost = 0
        while True:
            count = asyncio.run(_hear_lines(client, id, heard, hear))
            lost = 0 if count > heard else lost + 1
            heard = count
            info = client.get_job_info(id)
            if info.status.is_terminal():
                message = (info.message or "").strip()
                found = re.search(r"exit code (-?\d+)", message)
                code = 0 if info.status == "SUCCEEDED" else int(found[1]) if found else 3
                return Ended(code=code, sentence=(message.splitlines() or [""])[0])
            if lost > RETRIES:
                raise LackError(
                    f"The log of `{id}` is lost again and again; the job is {info.status.lower()}."
                )


def pack_code(folder: Path, ask: Ask) -> None:
    """Lay out what a job needs, and nothing else: no features, results, tokens or git."""
    root = Path(__file__).resolve().parents[3]
    wanted = [root / "pyproject.toml"]
    for part in PARTS:
        wanted += [p for p in (root / part).rglob("*") if p.suffix in (".py", ".conf")]
    for path in wanted:
        if path.is_file() and not path.is_symlink():
            copy = folder / path.relative_to(root)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, copy)
    (folder / "studies").mkdir()
    (folder / "studies" / f"{ask.name}.yaml").write_text(ask.study, encoding="utf-8")


def _jobs_of(name: str, jobs: Sequence[Any]) -> tuple[Any, str]:
    """Of a study's jobs: the live one or None, and the first id that never was."""
    numbers = {0}
    live = None
    for job in jobs:
        found = re.fullmatch(rf"ablate-{re.escape(name)}-(\d+)", job.submission_id or "")
        if found:
            numbers.add(int(found[1]))
            live = live if job.status.is_terminal() else job
    return live, f"ablate-{name}-{max(numbers) + 1}"


async def _hear_lines(client: Any, id: str, skip: int, hear: Callable[[str], None]) -> int:
    """Hear the lines after the first ``skip``, until the log ends; how many there were."""
    count, rest = 0, ""
    try:
        async for chunk in client.tail_job_logs(id):
            *lines, rest = (rest + chunk).split("\n")
            for line in lines:
                count += 1
                if count > skip:
                    hear(line)
    except Exception as error:
        if not _is_refusal_of_http(error):
            raise
        await asyncio.sleep(1)
    return max(count, skip)


@contextlib.contextmanager
def _client(address: str) -> Iterator[Any]:
    """Ray's client of the job server, with our token; its errors become sentences."""
    from ray.job_submission import JobSubmissionClient

    sdk = "dashboard.modules"
    for name in (f"{sdk}.dashboard_sdk", f"{sdk}.job.sdk", "_private.runtime_env.packaging"):
        logging.getLogger(f"ray.{name}").setLevel(logging.WARNING)
    headers = {"Authorization": f"Bearer {_token()}"}
    # Ray lets these overrule the address that it is given.
    before = {k: os.environ.pop(k, None) for k in ("RAY_API_SERVER_ADDRESS", "RAY_ADDRESS")}
    try:
        yield JobSubmissionClient(address, headers=headers)
    except Exception as error:
        if isinstance(error, LackError | RequestError) or not _is_refusal_of_http(error):
            raise
        said = (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
        raise LackError(f"The cluster at {address} refused: {said.rstrip('.')}.") from error
    finally:
        os.environ.update({key: value for key, value in before.items() if value is not None})


def _is_refusal_of_http(error: Exception) -> bool:
    """Whether the job server or the way to it failed: Ray raises RuntimeError for both."""
    package = type(error).__module__.partition(".")[0]
    return isinstance(error, RuntimeError | OSError) or package in ("ray", "requests", "aiohttp")


def _token() -> str:
    """The cluster's token, from where Ray looks for it; never from a file that others read.

    Raises:
        LackError: there is none, or others can read it.
    """
    if token := os.environ.get("RAY_AUTH_TOKEN", "").strip():
        return token
    named = os.environ.get("RAY_AUTH_TOKEN_PATH")
    path = Path(named).expanduser() if named else Path.home() / ".ray" / "auth_token"
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
        token = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        token = ""
        mode = 0o600
    if not token:
        raise LackError(
            f"There is no token in `{path}`: copy the cluster's, mode 0600. For a new cluster, "
            "`(umask 077; ray get-auth-token --generate >/dev/null)` makes one."
        )
    if mode & 0o077:
        raise LackError(
            f"The token `{path}` must be of mode 0600, but is {mode:04o} instead (Ray writes it "
            f"so): `chmod 600 {shlex.quote(str(path))}`, and make a new one if others use this "
            "machine."
        )
    return token


def _status_without_token(address: str) -> int:
    """The HTTP status that anybody gets for the list of jobs."""
    request = urllib.request.Request(f"{address.rstrip('/')}/api/jobs/")
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        error.close()
        return error.code
    except (OSError, ValueError) as error:
        why = getattr(error, "reason", None) or error
        raise LackError(
            f"Nothing answers at {address} ({why}): `ray dashboard cluster.yaml` makes the tunnel."
        ) from None


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
