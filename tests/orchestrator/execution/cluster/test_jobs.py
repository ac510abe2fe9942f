"""Studies as Ray Jobs, on a real job server of this machine with token authentication on."""

import contextlib
import http.server
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from orchestrator.errors import LackError, RequestError
from orchestrator.execution.cluster import jobs
from orchestrator.execution.cluster.jobs import JobRequest, pack_code, refuse_open, submit, tail
from orchestrator.execution.events import Done, Note, Planned, from_line, to_line
from orchestrator.store.ledger import Ledger
from orchestrator.store.snapshot import SnapshotTrial
from tests.commands import ABLATE


@pytest.fixture(scope="module")
def server() -> Iterator[tuple[str, str]]:
    """Address and token of a job server; it ends when its standard input does."""
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir="/tmp", prefix="aj-")))
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        (folder / "token").touch(mode=0o600)
        (folder / "token").write_text("loopback-" + os.urandom(16).hex())
        environment = {
            **os.environ,
            "HOME": str(folder),
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN_PATH": str(folder / "token"),
            "RAY_USAGE_STATS_ENABLED": "0",
        }
        environment.pop("RAY_ADDRESS", None)
        log = stack.enter_context((folder / "log").open("wb"))
        # `ray start`, and not `ray.init`: a job finds its cluster by the address that this one
        # leaves in its temporary folder, and takes any other of this machine where there is none.
        line = [
            "start",
            "--head",
            "--block",
            "--port=0",
            "--node-ip-address=127.0.0.1",
            "--dashboard-host=127.0.0.1",
            f"--dashboard-port={port}",
            "--dashboard-agent-listen-port=0",
            "--num-cpus=2",
            "--num-gpus=0",
            f"--object-store-memory={2**27}",
            f"--temp-dir={folder / 'ray'}",
        ]
        head = subprocess.Popen(
            [Path(sys.executable).with_name("ray"), *line],
            env=environment,
            cwd=folder,
            stdout=log,
            stderr=log,
        )
        stack.callback(_end, head)
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        patch.setenv("RAY_AUTH_TOKEN_PATH", str(folder / "token"))
        patch.delenv("RAY_AUTH_TOKEN", raising=False)
        address = f"http://127.0.0.1:{port}"
        until = time.monotonic() + 120
        while not _is_up(address):
            assert head.poll() is None and time.monotonic() < until, (folder / "log").read_text()
            time.sleep(0.5)
        yield address, (folder / "token").read_text()


def _is_up(address: str) -> bool:
    try:
        refuse_open(address)
    except LackError:
        return False
    return True


def _end(head: subprocess.Popen[bytes]) -> None:
    """End this cluster's processes, one by one: `ray stop` would end everybody's."""
    for process in psutil.Process(head.pid).children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    head.kill()
    head.wait(20)


@pytest.fixture
def ask(store: Path, root: Path) -> JobRequest:
    """The smoke study on a store in which one of its four trials has not trained."""
    (store / "trials").rename(store / "before")
    _, *others = sorted((store / "before").iterdir())
    for path in others:
        shutil.copytree(path, store / "trials" / path.name)
    study = (root / "studies" / "smoke.yaml").read_text()
    return JobRequest(name="smoke", study=study, store=str(store), options=("--gpus=0",))


@pytest.mark.ray
def test_a_job_trains_to_the_same_records_is_joined_and_never_shows_the_token(
    server: tuple[str, str], ask: JobRequest, store: Path
) -> None:
    address, token = server
    first = submit(address, ask)
    assert (first.id, first.joined) == ("ablate-smoke-1", False)
    again = submit(address, ask)
    assert (again.id, again.joined) == ("ablate-smoke-1", True)
    with pytest.raises(RequestError, match=r"`ablate-smoke-1` is live and asks something else"):
        submit(address, replace(ask, study=ask.study + "\n"))
    seen = [line for p in psutil.process_iter() for line in _command(p) if token in line]
    assert seen == []
    lines: list[str] = []
    ended = tail(address, first.id, lines.append)
    assert ended.code == 0, lines[-20:]
    events = [event for line in lines if (event := from_line(line)) is not None]
    assert [e.lanes for e in events if isinstance(e, Planned)] == [2]
    assert len([e for e in events if isinstance(e, Done)]) == 1
    assert events[-1] == Note("Done: 1 trained. `ablate report smoke` prints the table.")
    (store / "as-before").mkdir()
    (store / "as-before" / "trials").symlink_to(store / "before")
    for folder in (store / "before").iterdir():
        mine, before = (
            Ledger.open_unchecked(str(s)).outcomes.read(folder.name)
            for s in (store, store / "as-before")
        )
        assert mine is not None and before is not None
        assert mine.scored_part == before.scored_part
    told = [*lines, *(p.read_text("utf-8", "replace") for p in store.rglob("*") if p.is_file())]
    assert not [text for text in told if token in text]


def _command(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


@pytest.mark.ray
@pytest.mark.clusters
def test_submit_shows_the_view_of_a_run_and_counts_on(
    server: tuple[str, str], ask: JobRequest, root: Path, tmp_path: Path
) -> None:
    address, _ = server
    line = [ABLATE, "submit", root / "studies" / "smoke.yaml", "--address", address]
    line += ["--store", ask.store, "--gpus", "0", "--wait"]
    done = subprocess.run(line, capture_output=True, text=True, timeout=150, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Submitted ablate-smoke-" in done.stdout
    assert "4/4  done" in done.stdout and "Done: 1 trained." in done.stdout
    broken = tmp_path / "broken.yaml"
    broken.write_text(ask.study.replace("study: smoke", "study: other").replace("demo", "ravdess"))
    line[2] = broken
    lacking = subprocess.run(line, capture_output=True, text=True, timeout=150, cwd=tmp_path)
    assert lacking.returncode == 3, lacking.stdout + lacking.stderr
    assert "Submitted ablate-other-1." in lacking.stdout
    assert "`ablate corpus add ravdess FOLDER` registers it." in lacking.stdout


@pytest.mark.ray
def test_a_wrong_token_is_refused_in_a_sentence(
    server: tuple[str, str], ask: JobRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAY_AUTH_TOKEN", "wrong")
    with pytest.raises(LackError, match=r"^The cluster at http://127\.0\.0\.1:\d+ refused: "):
        submit(server[0], ask)


@contextlib.contextmanager
def answering(status: int) -> Iterator[str]:
    """The address of a server that answers everything so."""

    class Answer(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.end_headers()

        def log_message(self, format: str, *values: object) -> None:
            """Tests are quiet."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_a_cluster_that_answers_anybody_is_refused(ask: JobRequest) -> None:
    with answering(200) as address, pytest.raises(LackError, match="answers without a token"):
        submit(address, ask)
    with answering(200) as address, pytest.raises(LackError, match="answers without a token"):
        tail(address, "ablate-smoke-1", print)
    with answering(401) as address:
        refuse_open(address)
    with answering(404) as address, pytest.raises(LackError, match=r"no job server .*HTTP 404"):
        refuse_open(address)
    with pytest.raises(LackError, match=r"Nothing answers at http://127\.0\.0\.1:1 "):
        refuse_open("http://127.0.0.1:1")


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("http://198.51.100.7:8265", "the token would travel readable"),
        ("http://localhost.example:8265", "the token would travel readable"),
        ("198.51.100.7:6379", "must be the job server's"),
        ("https://me:secret@head", r"but is `https://head` instead"),
    ],
)
def test_an_address_on_which_the_token_is_readable_is_refused(address: str, said: str) -> None:
    with pytest.raises(RequestError, match=said):
        refuse_open(address)


def test_a_token_that_others_read_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "token"
    monkeypatch.delenv("RAY_AUTH_TOKEN", raising=False)
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", str(path))
    with pytest.raises(LackError, match="There is no token in"):
        jobs._token()
    path.write_text("secret\n")
    path.chmod(0o644)
    with pytest.raises(LackError, match="must be of mode 0600, but is 0644 instead"):
        jobs._token()
    path.chmod(0o600)
    assert jobs._token() == "secret"


def test_only_code_and_the_study_go_up(tmp_path: Path, root: Path) -> None:
    pack_code(tmp_path, JobRequest(name="one", study="study: one\n", store="s3://bucket/path"))
    files = [p.relative_to(tmp_path) for p in tmp_path.rglob("*") if p.is_file()]
    assert {f.parts[0] for f in files} == {*jobs.PARTS, "pyproject.toml", "studies"}
    assert {f.suffix for f in files} == {".py", ".conf", ".toml", ".yaml"}
    assert [f for f in files if f.parts[0] == "studies"] == [Path("studies/one.yaml")]
    assert sum((tmp_path / f).stat().st_size for f in files) < 2 * 1024**2
    for f in files:
        if f.suffix in (".py", ".conf"):
            assert (tmp_path / f).read_bytes() == (root / f).read_bytes()


def test_a_store_of_this_machine_only_is_refused(root: Path, tmp_path: Path) -> None:
    smoke = root / "studies" / "smoke.yaml"
    done = subprocess.run(
        [ABLATE, "submit", smoke, "--address", "http://127.0.0.1:1", "--store", "here"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    assert done.returncode == 2 and "a folder that every machine of the cluster" in done.stderr


def test_events_survive_a_log_and_other_lines_are_none() -> None:
    trial = SnapshotTrial(row="Last FA", fold=0, seed=1, id="0a")
    for event in (Planned((trial,), frozenset({"0a"}), 2), Done("0a", 1.5), Note("ü", True)):
        assert from_line(to_line(event)) == event
    values = json.loads(to_line(Planned((trial,), frozenset(), 2)))["values"]
    assert list(values) == ["placed", "done", "slots", "study"] and values["slots"] == 2
    for line in ("", "INFO up", "{}", "[1]", '{"kind": "Boom", "values": {}}', "3"):
        assert from_line(line) is None
