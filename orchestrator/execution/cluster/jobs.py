"""Runs studies as Ray Jobs: uploads our code, and starts `ablate run` on the cluster.

The store says which trials are done, so a job that dies is simply submitted anew. Ray refuses a
submission id that ever existed, so ids are numbered: `ablate-STUDY-N`.
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

from orchestrator.errors import LackError, RequestError, first_line

PARTS = ("orchestrator", "model", "features")
"""Packages whose `.py` and `.conf` files are uploaded, beside pyproject.toml and the study."""
TIMEOUT_S = 20.0
"""Seconds to wait for the job server's answer to a request without a token."""
RETRIES = 5
"""How often in a row a lost connection to a job's log is made anew."""


@dataclass(frozen=True, kw_only=True, slots=True)
class JobRequest:
    """What a job is to run: one study, with options."""

    name: str
    """The study's name."""
    study: str
    """The text of the study file."""
    store: str
    """The store, which every node of the cluster must reach: a path or `s3://BUCKET/PATH`."""
    options: tuple[str, ...] = ()
    """Further options of `ablate run`, such as ``("--budget", "3h")``."""

    @property
    def digest(self) -> str:
        """SHA-256 over all fields, 64 hex digits: two equal requests have the same."""
        return sha256(repr((self.name, self.study, self.store, self.options)).encode()).hexdigest()

    @property
    def entrypoint(self) -> str:
        """The command line (`ablate run --json`) that the job server runs in a shell."""
        study = f"studies/{self.name}.yaml"
        command = ("python", "-m", "orchestrator.cli.main", "run", study)
        return shlex.join((*command, "--address", "auto", "--json", *self.options))


@dataclass(frozen=True, kw_only=True, slots=True)
class SubmittedJob:
    """The job in which a submitted study runs."""

    id: str
    """Its submission id, such as ``ablate-smoke-1``."""
    joined: bool
    """Whether a job with the same request was live already, so that no new one was started."""


@dataclass(frozen=True, kw_only=True, slots=True)
class JobEnd:
    """How a job ended."""

    code: int
    """The exit code of its `ablate run`; 3 where Ray tells none."""
    sentence: str
    """The first line of Ray's message on the end; may be empty."""


def refuse_open(address: str) -> None:
    """Refuse a job server that accepts requests without a token, or to which a token is not safe.

    A token is not safe over unencrypted HTTP to another machine.

    Args:
        address: the URL of the job server, such as `http://127.0.0.1:8265`.

    Raises:
        RequestError: not a URL, or unencrypted HTTP to another machine.
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


def submit(address: str, request: JobRequest) -> SubmittedJob:
    """Submit a study as a job, or find the live job that runs the same request already.

    Args:
        address: the URL of the job server, such as `http://127.0.0.1:8265`.
        request: the study and its options.

    Raises:
        RequestError: a job of this study is live and has another request.
        LackError: the cluster needs no token, or does not answer.
    """
    refuse_open(address)
    with _client(address) as client, tempfile.TemporaryDirectory(prefix="ablate-") as folder:
        pack_code(Path(folder), request)
        while True:
            live, free = _jobs_of(request.name, client.list_jobs())
            if live is not None:
                if (live.metadata or {}).get("ablate") != request.digest:
                    raise RequestError(
                        f"The job `{live.submission_id}` is live and asks something else (another "
                        "text of the study, store or options): wait for it, or end it with "
                        f"`ray job stop {live.submission_id}`."
                    )
                return SubmittedJob(id=live.submission_id, joined=True)
            try:
                client.submit_job(
                    entrypoint=request.entrypoint,
                    submission_id=free,
                    metadata={"ablate": request.digest},
                    runtime_env={
                        "working_dir": folder,
                        "env_vars": {"ABLATE_STORE": request.store, "RAY_USAGE_STATS_ENABLED": "0"},
                    },
                )
            except RuntimeError as error:
                if "already exists" in str(error):  # another process was faster: join its job
                    continue
                raise
            return SubmittedJob(id=free, joined=False)


def tail(address: str, id: str, on_line: Callable[[str], None]) -> JobEnd:
    """Read a job's log from its first line, until the job has ended.

    Args:
        address: the URL of the job server.
        id: the submission id of the job.
        on_line: is called with each line, as soon as it is there.

    Raises:
        LackError: the cluster does not answer any more; the job may go on.
    """
    refuse_open(address)
    with _client(address) as client:
        read = failures = 0
        while True:
            count = asyncio.run(_read_lines(client, id, read, on_line))
            failures = 0 if count > read else failures + 1
            read = count
            info = client.get_job_info(id)
            if info.status.is_terminal():
                message = (info.message or "").strip()
                found = re.search(r"exit code (-?\d+)", message)
                code = 0 if info.status == "SUCCEEDED" else int(found[1]) if found else 3
                return JobEnd(code=code, sentence=first_line(message))
            if failures > RETRIES:
                raise LackError(
                    f"The log of `{id}` is lost again and again; the job is {info.status.lower()}."
                )


def pack_code(folder: Path, request: JobRequest) -> None:
    """Copy our code and the study file into a folder; no features, results, tokens or git files.

    Args:
        folder: an empty folder, which is then uploaded as the job's working folder.
        request: the study.
    """
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
    (folder / "studies" / f"{request.name}.yaml").write_text(request.study, encoding="utf-8")


def _jobs_of(name: str, jobs: Sequence[Any]) -> tuple[Any, str]:
    """A study's live job, or None; and a submission id for a new job of the study.

    Args:
        name: the study's name.
        jobs: all jobs that the server knows, live and ended.
    """
    numbers = {0}
    live = None
    for job in jobs:
        found = re.fullmatch(rf"ablate-{re.escape(name)}-(\d+)", job.submission_id or "")
        if found:
            numbers.add(int(found[1]))
            live = live if job.status.is_terminal() else job
    return live, f"ablate-{name}-{max(numbers) + 1}"


async def _read_lines(client: Any, id: str, skip: int, on_line: Callable[[str], None]) -> int:
    """Read a job's log from its start until it ends or the connection is lost.

    Args:
        client: Ray's client of the job server.
        id: the submission id of the job.
        skip: how many lines were passed on before; they are not passed on once more.
        on_line: is called with each line after those.

    Returns:
        How many lines have been passed on by now, at least ``skip``.
    """
    count, rest = 0, ""
    try:
        async for chunk in client.tail_job_logs(id):
            *lines, rest = (rest + chunk).split("\n")
            for line in lines:
                count += 1
                if count > skip:
                    on_line(line)
    except Exception as error:
        if not _is_refusal_of_http(error):
            raise
        await asyncio.sleep(1)
    return max(count, skip)


@contextlib.contextmanager
def _client(address: str) -> Iterator[Any]:
    """Ray's client of the job server, which sends the cluster's token with each request.

    Raises:
        LackError: there is no token, or a request in the `with` block failed.
    """
    from ray.job_submission import JobSubmissionClient

    sdk = "dashboard.modules"
    for name in (f"{sdk}.dashboard_sdk", f"{sdk}.job.sdk", "_private.runtime_env.packaging"):
        logging.getLogger(f"ray.{name}").setLevel(logging.WARNING)
    headers = {"Authorization": f"Bearer {_token()}"}
    # In Ray, these variables take precedence over the address that it is given.
    before = {k: os.environ.pop(k, None) for k in ("RAY_API_SERVER_ADDRESS", "RAY_ADDRESS")}
    try:
        yield JobSubmissionClient(address, headers=headers)
    except Exception as error:
        if isinstance(error, LackError | RequestError) or not _is_refusal_of_http(error):
            raise
        reason = first_line(error)[:200]
        raise LackError(f"The cluster at {address} refused: {reason.rstrip('.')}.") from error
    finally:
        os.environ.update({key: value for key, value in before.items() if value is not None})


def _is_refusal_of_http(error: Exception) -> bool:
    """Whether an exception says that the job server refused a request or was not reached.

    Ray raises RuntimeError for both.
    """
    package = type(error).__module__.partition(".")[0]
    return isinstance(error, RuntimeError | OSError) or package in ("ray", "requests", "aiohttp")


def _token() -> str:
    """The cluster's token, from where Ray looks for it too.

    That is RAY_AUTH_TOKEN, or the file at RAY_AUTH_TOKEN_PATH, or `~/.ray/auth_token`.

    Raises:
        LackError: there is no token, or others can read its file.
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
    """The HTTP status (such as 200 or 401) of a request for the list of jobs without a token.

    Raises:
        LackError: nothing answers.
    """
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
    """Whether a host name or IP address is this machine's own: `localhost`, 127.0.0.1, ::1."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
