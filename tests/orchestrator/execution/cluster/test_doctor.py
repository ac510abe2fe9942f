"""``ablate doctor``: a tick or a remedy for each thing that a training needs."""

import json
import os
import socket
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from orchestrator.execution.cluster import doctor
from orchestrator.execution.cluster.doctor import CheckResult
from orchestrator.store import files
from tests.commands import execute

pytestmark = pytest.mark.usefixtures("quiet_home")


def ablate(*words: object, code: int = 0, **environment: str) -> str:
    done = execute("doctor", *words, code=code, **environment)
    assert done.stderr == ""
    return done.stdout


def one(name: str, where: Path | str) -> CheckResult:
    return doctor.run_check(name, doctor.all_checks(str(where))[name])


def test_a_machine_that_can_train_gets_ticks_and_nothing_is_left_behind(tmp_path: Path) -> None:
    said = ablate("--store", tmp_path / "new")
    lines = [line for line in said.splitlines() if not line.startswith(" ")]
    assert [line.split()[1] for line in lines] == [
        "python",
        "machine",
        "torch",
        "gpu",
        "ray",
        "opensmile",
        "espeak-ng",
        "store",
        "scratch",
        "loopback",
        "token",
    ]
    assert {line[0] for line in lines} == {"✓"}, said
    assert max(map(len, said.splitlines())) <= 80
    assert list(tmp_path.iterdir()) == []


def test_a_cross_has_a_remedy_and_exit_code_3(tmp_path: Path) -> None:
    (tmp_path / "home" / ".ray").mkdir(parents=True)
    (tmp_path / "home" / ".ray" / "auth_token").write_text("x")
    (tmp_path / "home" / ".ray" / "auth_token").chmod(0o644)
    (store := tmp_path / "store").mkdir()
    store.chmod(0o777)
    said = ablate("--store", store, "--json", code=3, HOME=str(tmp_path / "home"))
    found = {result["name"]: result for result in json.loads(said)}
    bad = {name: c["remedy"] for name, c in found.items() if c["state"] == "bad"}
    token = tmp_path / "home" / ".ray" / "auth_token"
    assert bad == {"store": f"`chmod o-w {store}`.", "token": f"`chmod 600 {token}`."}
    text = ablate("--store", store, code=3)
    assert "✗ store" in text and "-> `chmod o-w" in text


def test_a_store_of_another_format_and_one_that_is_a_file_are_named(tmp_path: Path) -> None:
    (tmp_path / "store.json").write_text('{"format":9}')
    assert "has format 9" in one("store", tmp_path).found
    (tmp_path / "file").write_text("")
    assert one("store", tmp_path / "file").state == "bad"
    assert one("store", "gs://bucket/x").found.startswith("`--store` must be a folder")


def test_a_file_system_that_overwrites_or_knows_no_links_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def overwrites(path: Path, blob: bytes) -> bool:
        path.write_bytes(blob)
        return True

    monkeypatch.setattr(doctor, "create_once", overwrites)
    assert one("store", tmp_path).found == "a second writer overwrites the first"

    def no_links(*names: object) -> None:
        raise OSError(1, "Operation not permitted")

    monkeypatch.setattr(doctor, "create_once", files.create_once)
    monkeypatch.setattr(os, "link", no_links)
    found = one("store", tmp_path)
    assert "cannot be created once" in found.found and "hard links" in found.remedy
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_and_an_old_ray_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "LEAST_FREE", 10**18)
    assert one("store", tmp_path).remedy == "Make room."
    monkeypatch.setattr(doctor, "installed", lambda name: "2.48.0")
    assert one("ray", tmp_path).remedy == "`pip install 'ray[default,tune]>=2.59'`."


def test_no_authentication_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    assert "`unset RAY_AUTH_MODE`" in one("token", tmp_path).remedy


def test_a_missing_synthesiser_is_no_cross(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("features.corpora.readers.demo.PACKAGE", "no-such-package")
    found = one("espeak-ng", tmp_path)
    assert (found.state, found.remedy) == ("optional", "Only the corpus `demo` needs it.")


def test_a_loopback_that_is_shut_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def shut(*where: object, **options: object) -> socket.socket:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(socket, "create_server", shut)
    assert one("loopback", tmp_path).state == "bad"


def test_it_asks_an_object_store_too(s3: str) -> None:
    found = one("store", s3)
    assert found.state == "good" and found.found.startswith(f"{s3}: created once")
    assert one("store", "s3://no-such-bucket-of-ours/x").remedy.startswith("Is there such a bucket")


@pytest.mark.ray
def test_deep_starts_ray_and_ends_it(tmp_path: Path, quiet_home: Path) -> None:
    found = doctor.run_check("ray", doctor.all_checks(str(tmp_path), deep=True)["ray"])
    assert found.state == "good" and "started, asked and ended in" in found.found


def test_a_cluster_that_answers_without_a_token_is_named(tmp_path: Path) -> None:
    class Open(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"[]")

        def log_message(self, *words: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Open) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_address[1]}"
        check = doctor.all_checks(str(tmp_path), address=address)["cluster"]
        found = doctor.run_check("cluster", check)
        server.shutdown()
    assert (found.state, found.found) == (
        "bad",
        f"The cluster at {address} answers without a token",
    )
