"""What an editor says of a study: yaml-language-server, the one of VS Code, under our schema.

`make editor` installs it (npm) and runs these.
"""

import json
import os
import queue
import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from orchestrator.study.schema import schema

ROOT = Path(__file__).resolve().parents[3]
STUDIES = sorted((ROOT / "studies").glob("*.yaml"))
INSTALLED = ROOT / ".venv" / "editor" / "node_modules" / ".bin"

pytestmark = pytest.mark.editor


class Editor:
    """As much of an editor as a language server needs: messages over pipes."""

    def __init__(self, program: str, folder: Path) -> None:
        self.folder = folder
        self._server = subprocess.Popen(
            [program, "--stdio"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        self._heard: queue.Queue[dict[str, Any]] = queue.Queue()
        threading.Thread(target=self._listen, daemon=True).start()
        self._number = 0
        capable = {"textDocument": {"hover": {"contentFormat": ["plaintext"]}}}
        self.ask(
            "initialize",
            {"processId": os.getpid(), "rootUri": folder.as_uri(), "capabilities": capable},
        )
        self.tell("initialized", {})
        settings = {"yaml": {"validate": True, "hover": True, "schemaStore": {"enable": False}}}
        self.tell("workspace/didChangeConfiguration", {"settings": settings})

    def tell(self, method: str, params: Any, **more: Any) -> None:
        body = json.dumps({"jsonrpc": "2.0", "method": method, "params": params, **more}).encode()
        assert self._server.stdin is not None
        self._server.stdin.write(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
        self._server.stdin.flush()

    def ask(self, method: str, params: Any) -> Any:
        self._number += 1
        self.tell(method, params, id=self._number)
        while True:
            message = self._heard.get(timeout=60)
            if message.get("id") == self._number and "method" not in message:
                assert "error" not in message, message
                return message["result"]

    def open(self, name: str, text: str) -> tuple[str, list[tuple[int, str]]]:
        """Open a study that names the schema in its first line; (line, message), from 1."""
        uri = (self.folder / name).as_uri()
        whole = f"# yaml-language-server: $schema=./study.schema.json\n{text}"
        self.tell(
            "textDocument/didOpen",
            {"textDocument": {"uri": uri, "languageId": "yaml", "version": 1, "text": whole}},
        )
        while True:
            message = self._heard.get(timeout=60)
            if message.get("method") == "textDocument/publishDiagnostics":
                said = message["params"]
                if said["uri"] == uri:
                    return uri, [
                        (d["range"]["start"]["line"], d["message"]) for d in said["diagnostics"]
                    ]

    def _listen(self) -> None:
        out = self._server.stdout
        assert out is not None
        while head := out.readline():
            length = int(head.split(b":")[1])
            while out.readline().strip():
                pass
            self._heard.put(json.loads(out.read(length)))

    def close(self) -> None:
        self._server.kill()
        self._server.communicate()


@pytest.fixture(scope="module")
def editor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Editor]:
    program = shutil.which("yaml-language-server", path=f"{INSTALLED}:{os.environ['PATH']}")
    if program is None:
        pytest.fail("yaml-language-server is not installed: `make editor` does that")
    folder = tmp_path_factory.mktemp("editor")
    (folder / "study.schema.json").write_text(json.dumps(schema()))
    editor = Editor(program, folder)
    yield editor
    editor.close()


@pytest.mark.parametrize("path", STUDIES, ids=lambda path: path.stem)
def test_a_shipped_study_has_nothing_to_complain_of(editor: Editor, path: Path) -> None:
    assert editor.open(path.name, path.read_text())[1] == []


@pytest.mark.parametrize(
    ("was", "now", "word"),
    [
        ("question:", "qestion:", "qestion"),
        ("hidden: 64", "hidden: wide", "integer"),
        ("hidden: 64", "hiden: 64", "hiden"),
        ("corpus: demo", "corpus: demo\nscaling: none", "speaker"),
        ("table: 99", "table: ninety", "integer"),
        ("seeds: 1", "seeds: 0", "1"),
        ("set: {fa_layer: 2}", "set: {fa_layer: 2, depth: 3}", "depth"),
    ],
)
def test_a_fault_is_told_once_at_its_line(editor: Editor, was: str, now: str, word: str) -> None:
    text = (ROOT / "studies" / "smoke.yaml").read_text()
    assert text.count(was) == 1
    line = text[: text.index(was)].count("\n") + 1 + now.count("\n")
    name = "".join(filter(str.isalnum, now)) + ".yaml"
    ((found, message),) = editor.open(name, text.replace(was, now))[1]
    assert found == line  # the line above names the schema
    assert word in message


def test_a_key_explains_itself(editor: Editor) -> None:
    text = (ROOT / "studies" / "smoke.yaml").read_text()
    uri, _ = editor.open("hover.yaml", text)
    lines = text.splitlines()
    for key in ("corpus", "protocol", "hidden"):
        line = next(n for n, found in enumerate(lines) if f"{key}:" in found)
        place = {"line": line + 1, "character": lines[line].index(f"{key}:") + 1}
        shown = editor.ask("textDocument/hover", {"textDocument": {"uri": uri}, "position": place})
        assert shown is not None, key
        assert len(str(shown["contents"]["value"]).split()) > 3, shown
