"""A store that a stranger made is read without running his code, and without leaving it.

Each kind of file of a store is made malicious in turn, and then all commands are asked. They may
call it damaged; they may not run it, follow it, wait for it, or print what moves a terminal.
"""

import csv
import hashlib
import io
import json
import os
import pickle
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from features.shards.shard_file import FORMAT as SHARD_FORMAT
from orchestrator.cli import main
from orchestrator.store.files import MOST_BYTES
from orchestrator.store.ledger import Ledger
from orchestrator.store.records import Failure
from orchestrator.study.canonical import canonical, digest
from tests.tiny_study import Tiny

SECRET = "the secret of somebody else"


# --- asking -----------------------------------------------------------------------------------

_heard: list[str] | None = None


def _listen(event: str, arguments: tuple[Any, ...]) -> None:
    """Python itself tells when anything is looked up for a pickle, or started by a shell."""
    if _heard is not None and event in ("pickle.find_class", "os.system"):
        _heard.append(f"{event}: {arguments}")


sys.addaudithook(_listen)


@contextmanager
def nothing_runs() -> Iterator[None]:
    global _heard
    _heard = []
    try:
        yield
        assert _heard == []
    finally:
        _heard = None


@pytest.fixture
def store(tiny: Tiny, tmp_path: Path) -> Path:
    """A copy of the tiny study's store, to be spoilt: a hundred times, so it is small."""
    return shutil.copytree(tiny.store, tmp_path / "store")


@pytest.fixture
def tell(
    store: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str]]:
    """Ask a command in this process: exit code and everything it printed."""
    monkeypatch.setenv("COLUMNS", "80")

    def ask(*words: str) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["ablate", *words, "--store", str(store)])
        code = 0
        try:
            main.main()
        except SystemExit as end:
            code = int(end.code or 0)
        said = capsys.readouterr()
        assert not re.search(
            r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\ud800-\udfff]", said.out + said.err
        )
        assert SECRET not in said.out + said.err
        assert code in (0, 1, 2, 3, 4)
        return code, said.out + said.err

    return ask


def commands(study: Path, id: str) -> list[tuple[str, ...]]:
    """Every command that reads a store; those that train or remove come last."""
    return [
        ("status",),
        ("status", "--json"),
        ("show", id),
        ("show", id, "--json"),
        ("logs", id),
        ("report", "tiny"),
        ("report", "tiny", "--details", "--format", "markdown"),
        ("report", "tiny", "--format", "html"),
        ("report", "tiny", "--format", "latex"),
        ("report", "tiny", "--format", "csv"),
        ("report", "tiny", "--format", "json"),
        ("plan", str(study)),
        ("corpus", "list"),
        ("corpus", "check", "mine"),
        ("corpus", "folds", "mine"),
        ("features", "verify", str(study)),
        ("gc",),
        ("features", "verify", str(study), "--repair"),
        ("run", str(study), "--inline"),
        ("gc", "--yes", "--keep-newest"),
    ]


# --- what a stranger can put where ------------------------------------------------------------


class Run:
    """A pickle that makes a file when it is loaded."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"touch {self.marker}",)


def first_trial(store: Path) -> Path:
    return sorted((store / "trials").iterdir())[0]


def attempt_of(trial: Path) -> Path:
    return next(trial.glob("attempt-*"))


def place(store: Path, kind: str) -> Path:
    """Where a file of that kind lies, or would lie."""
    trial = first_trial(store)
    return {
        "store": store / "store.json",
        "corpus": store / "corpora" / "mine.json",
        "selection": next((store / "selections").iterdir()),
        "snapshot": next((store / "studies").iterdir()),
        "outcome": trial / "outcome.json",
        "failure": trial / "failure-1.json",
        "claim": trial / "claim.json",
        "checkpoint": trial / "checkpoint.json",
        "gc": store / "gc.json",
        "manifest": next((store / "shards").glob("*.json")),
        "shard": next((store / "shards").glob("*.arrow")),
        "predictions": attempt_of(trial) / "predictions.parquet",
        "weights": attempt_of(trial) / "weights.safetensors",
        "history": attempt_of(trial) / "history.json",
        "log": attempt_of(trial) / "log.txt",
    }[kind]


KINDS = (
    "store",
    "corpus",
    "selection",
    "snapshot",
    "outcome",
    "failure",
    "claim",
    "checkpoint",
    "manifest",
    "shard",
    "predictions",
    "weights",
    "history",
    "log",
)


def vouch(store: Path, path: Path) -> None:
    """Make the records that name a file's digest name the one that it has now."""
    blob = path.read_bytes()
    sha256 = hashlib.sha256(blob).hexdigest()
    if path.parent.name.startswith("attempt-"):
        change_outcome(first_trial(store), files={path.name: sha256})
    if path.suffix == ".arrow":
        key = path.name.partition(".")[0]
        renamed = path.with_name(f"{key}.{sha256[:12]}.arrow")
        path.rename(renamed)
        manifest = json.loads((path.parent / f"{key}.json").read_bytes())
        manifest |= {"sha256": sha256, "bytes": len(blob), "file": renamed.name}
        (path.parent / f"{key}.json").write_text(json.dumps(manifest))


def change_outcome(trial: Path, **changes: Any) -> None:
    """Another value in a trial's record, whole by its own digest; dictionaries are merged."""
    body = json.loads((trial / "outcome.json").read_bytes())["outcome"]
    for name, value in changes.items():
        body[name] = {**body[name], **value} if isinstance(value, dict) else value
    (trial / "outcome.json").write_text(canonical({"outcome": body, "sha256": digest(body)}))


@pytest.mark.parametrize("kind", KINDS)
def test_a_pickle_in_place_of_any_file_is_never_loaded(
    kind: str, store: Path, tiny: Tiny, tmp_path: Path, tell: Callable[..., tuple[int, str]]
) -> None:
    marker, path = tmp_path / "ran", place(store, kind)
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(pickle.dumps(Run(marker)))
    vouch(store, path)
    with nothing_runs():
        for words in commands(tiny.study, first_trial(store).name[:12]):
            tell(*words)
            if not first_trial(store).exists() or kind == "store":
                break
    assert not marker.exists()
    if kind in ("store", "snapshot", "outcome"):
        assert tell("report", "tiny")[0] == 4


def test_the_pickle_would_run_if_it_were_loaded(tmp_path: Path) -> None:
    """Neither the payload nor the listener is a dummy."""
    marker = tmp_path / "ran"
    with pytest.raises(AssertionError), nothing_runs():
        pickle.loads(pickle.dumps(Run(marker)))
    assert marker.exists()


@pytest.mark.parametrize("kind", KINDS)
def test_a_link_in_place_of_any_file_is_not_followed(
    kind: str, store: Path, tiny: Tiny, tmp_path: Path, tell: Callable[..., tuple[int, str]]
) -> None:
    """It leads to a file of somebody else that even has the right content."""
    path = place(store, kind)
    outside = tmp_path / "outside"
    outside.write_bytes(path.read_bytes() if path.exists() else json.dumps(SECRET).encode())
    if kind == "log":
        outside.write_text(SECRET)
    before = outside.read_bytes()
    path.unlink(missing_ok=True)
    path.symlink_to(outside)
    if kind == "log":
        vouch(store, path)
    for words in (
        ("show", first_trial(store).name),
        ("logs", first_trial(store).name),
        ("report", "tiny"),
        ("features", "verify"),
        ("gc", "--yes"),
        ("run", str(tiny.study), "--inline"),
    ):
        tell(*words)
    assert outside.read_bytes() == before


@pytest.mark.parametrize("kind", KINDS)
def test_a_pipe_in_place_of_any_file_is_not_waited_for(
    kind: str, store: Path, tiny: Tiny, tell: Callable[..., tuple[int, str]]
) -> None:
    path = place(store, kind)
    path.unlink(missing_ok=True)
    os.mkfifo(path)
    for words in commands(tiny.study, first_trial(store).name)[:16]:
        tell(*words)


@pytest.mark.parametrize("folder", ["trial", "attempt"])
def test_a_folder_that_leads_elsewhere_is_neither_read_nor_written(
    folder: str, store: Path, tiny: Tiny, tmp_path: Path, tell: Callable[..., tuple[int, str]]
) -> None:
    trial = first_trial(store)
    path = trial if folder == "trial" else attempt_of(trial)
    path.rename(tmp_path / "outside")
    path.symlink_to(tmp_path / "outside")
    before = {p.name: p.is_file() and p.read_bytes() for p in (tmp_path / "outside").iterdir()}
    for words in commands(tiny.study, trial.name):
        tell(*words)
    after = {p.name: p.is_file() and p.read_bytes() for p in (tmp_path / "outside").iterdir()}
    assert after == before


def test_names_in_records_lead_nowhere_else(
    store: Path, tiny: Tiny, tmp_path: Path, tell: Callable[..., tuple[int, str]]
) -> None:
    (outside := tmp_path / "attempt-outside").mkdir()
    (outside / "log.txt").write_text(SECRET)
    sha256 = hashlib.sha256(SECRET.encode()).hexdigest()
    trial = first_trial(store)
    whole = (trial / "outcome.json").read_bytes()
    for changes in (
        {"attempt": os.path.relpath(outside, trial), "files": {"log.txt": sha256}},
        {"attempt": str(outside), "files": {"log.txt": sha256}},
        {"files": {"../../../../attempt-outside/log.txt": sha256}},
        {"files": {str(outside / "log.txt"): sha256}},
        {"attempt": ".."},
        {"attempt": "attempt-x/../.."},
        {"attempt": "attempt-x\n"},
        {"attempt": 5},
    ):
        (trial / "outcome.json").write_bytes(whole)
        change_outcome(trial, **changes)
        for command in ("show", "logs", "rerun"):
            assert tell(command, trial.name[:8])[0] == 4
    assert (outside / "log.txt").read_text() == SECRET


@pytest.mark.parametrize("name", ["../../outside", "/etc/passwd", "..", "", ".", "x.arrow", 7])
def test_a_manifest_names_its_own_file_or_none(
    name: Any, store: Path, tiny: Tiny, tmp_path: Path, tell: Callable[..., tuple[int, str]]
) -> None:
    (tmp_path / "outside").write_text(SECRET)
    path = place(store, "manifest")
    manifest = json.loads(path.read_bytes())
    assert manifest["format"] == SHARD_FORMAT
    path.write_text(json.dumps({**manifest, "file": name}))
    code, said = tell("features", "verify", str(tiny.study))
    assert code == 4 and f"damaged: {path.name} is not what was written." in said
    code, said = tell("features", "verify", str(tiny.study), "--repair")
    assert code == 0 and "Repaired." in said
    assert (tmp_path / "outside").read_text() == SECRET


def test_a_checkpoint_names_its_own_file_or_none(store: Path) -> None:
    from orchestrator.store import checkpoints

    ledger = Ledger.open(str(store))
    (store / "outside.safetensors").write_bytes(place(store, "weights").read_bytes())
    blob = (store / "outside.safetensors").read_bytes()
    body = {
        "file": "../../outside.safetensors",
        "numbers": {},
        "sha256": hashlib.sha256(blob).hexdigest(),
    }
    record = {"checkpoint": body, "sha256": digest(body)}
    place(store, "checkpoint").write_text(json.dumps(record))
    assert checkpoints.read(ledger, first_trial(store).name) is None


@pytest.mark.parametrize("path", ["../outside.wav", "/etc/passwd", "a/../../b.wav"])
def test_a_corpus_names_files_of_its_own_folder(
    path: str, store: Path, tmp_path: Path, tell: Callable[..., tuple[int, str]]
) -> None:
    (speech := tmp_path / "speech").mkdir()
    (tmp_path / "outside.wav").write_text(SECRET)
    utterance = {
        "id": "u",
        "path": path,
        "speaker": "s",
        "sex": "",
        "session": "",
        "emotion": "sad",
        "digest": "0" * 64,
        "size": 1,
        "mtime_ns": 1,
    }
    record = {
        "format": 1,
        "name": "mine",
        "root": str(speech),
        "utterances": [utterance],
        "left_out": [],
        "notes": [],
        "doubts": [],
        "reader": "table",
    }
    place(store, "corpus").write_text(json.dumps(record))
    code, said = tell("corpus", "check", "mine")
    assert code == 4 and "leads out of the corpus" in said


@pytest.mark.parametrize(
    "kind",
    [
        "store",
        "corpus",
        "selection",
        "snapshot",
        "outcome",
        "failure",
        "claim",
        "checkpoint",
        "manifest",
        "history",
    ],
)
@pytest.mark.parametrize("shape", ["huge", "deep", "number"])
def test_a_json_text_of_no_sensible_size_is_refused(
    kind: str, shape: str, store: Path, tiny: Tiny, tell: Callable[..., tuple[int, str]]
) -> None:
    path = place(store, kind)
    if shape == "huge":
        with path.open("wb") as file:
            file.truncate(MOST_BYTES + 1)
    else:
        path.write_text("[" * 200_000 if shape == "deep" else "9" * 5000)
    for words in commands(tiny.study, first_trial(store).name)[:6]:
        tell(*words)
    if kind in ("store", "snapshot", "outcome"):
        assert tell("report", "tiny")[0] == 4


# --- what is printed --------------------------------------------------------------------------

NASTY = {
    "escape": "\x1b[2J\x1b]0;owned\x07\x1b[31m",
    "erase": "good\r\x1b[Kbad",
    "bidi": "\u202egnp.exe\u2066",
    "half": "\ud800",
    "c1": "\x9b31m",
    "markup": "[bold red]x[/bold red] [link=http://x]y[/link]",
    "html": "<script>alert(1)</script>&<img src=x onerror=y>",
    "link": "![x](http://tracker/pixel.png)",
    "formula": "=cmd|'/c calc'!A0",
    "cell": "a | b\nc",
}


def nasty_store(store: Path, word: str) -> str:
    """The word stands wherever a name or a sentence of the store can stand; a trial's id."""
    ledger = Ledger.open(str(store))
    (snapshot,) = ledger.studies.snapshots()
    record = json.loads(next((store / "studies").iterdir()).read_bytes())
    shutil.rmtree(store / "studies")
    old = record["rows"][0]["name"]
    record |= {"question": word, "corpus": word, "notes": [word], "profile": word}
    record["rows"][0]["name"] = word
    record["reference"] = word
    for trial in record["trials"]:
        trial["row"] = word if trial["row"] == old else trial["row"]
    record["study"] = "tiny"
    path = store / "studies" / f"tiny@{digest(record)[:12]}.json"
    path.parent.mkdir()
    path.write_text(json.dumps(record))
    trial = store / "trials" / snapshot.trials[0].id
    (attempt_of(trial) / "log.txt").write_text(word.encode("utf-8", "replace").decode())
    sha256 = hashlib.sha256((attempt_of(trial) / "log.txt").read_bytes()).hexdigest()
    scores = json.loads((trial / "outcome.json").read_bytes())["outcome"]["scores"]
    change_outcome(
        trial,
        host=word,
        environment={"device": word, word: word},
        libraries={word: word},
        files={"log.txt": sha256},
        scores=[{**score, "speaker": word} for score in scores],
    )
    other = store / "trials" / snapshot.trials[1].id
    (other / "outcome.json").rename(other / "aside")
    ledger.attempts.write_failure(
        Failure(
            id=other.name,
            cause="code",
            sentence=word,
            traceback=word,
            epoch=1,
            attempt=word,
            host=word,
            identity={"model": {word: word}},
        )
    )
    third = store / "trials" / snapshot.trials[2].id
    (third / "outcome.json").rename(third / "aside")
    (third / "claim.json").write_text(json.dumps({"owner": word, "host": word, "since": 1.0}))
    return trial.name


@pytest.mark.parametrize("name", sorted(NASTY))
def test_names_of_a_stranger_are_printed_and_do_nothing(
    name: str, store: Path, tell: Callable[..., tuple[int, str]]
) -> None:
    word = NASTY[name]
    id = nasty_store(store, word)
    ids = sorted(path.name for path in (store / "trials").iterdir())
    for words in (
        ("status",),
        ("report", "tiny"),
        ("report", "tiny", "--details"),
        *((command, one) for one in ids for command in ("show", "logs")),
        ("gc",),
        ("corpus", "list"),
    ):
        said = tell(*words)[1]  # which has looked for control characters
        assert max(map(len, said.splitlines())) <= 80 or words[0] == "logs"
        if name == "markup" and words[0] in ("status", "logs") and "[bold" in said:
            assert "[/bold red]" in said  # printed as it is, not obeyed
    assert json.loads(tell("show", id, "--json")[1])["outcome"]["host"] == word
    assert json.loads(tell("status", "--json")[1])[0]["question"] == word


@pytest.mark.parametrize("name", sorted(NASTY))
def test_names_of_a_stranger_are_text_in_every_form_of_a_table(
    name: str, store: Path, tell: Callable[..., tuple[int, str]]
) -> None:
    nasty_store(store, NASTY[name])
    marked = tell("report", "tiny", "--details", "--format", "markdown")[1]
    assert not re.search(r"<(?!/?br)", marked.replace("p < 0.05", ""))
    assert "](http" not in re.sub(r"\\\]", "", marked)
    table = [line for line in marked.splitlines() if line.startswith("|")]
    bars = {len(re.findall(r"(?<!\\)\|", line)) for line in table[:4]}
    assert len(bars) == 1  # no name has made a cell of its own
    elements = re.findall(r"<([a-z]+)", tell("report", "tiny", "--format", "html")[1])
    assert elements.count("script") == 1 and "img" not in elements
    paper = tell("report", "tiny", "--details", "--format", "latex")[1]
    assert paper.count(r"\begin{table}") == paper.count(r"\end{table}") == 6
    lines = list(csv.DictReader(io.StringIO(tell("report", "tiny", "--format", "csv")[1])))
    for line in lines:
        for value in line.values():
            number = re.fullmatch(r"-?[0-9.]+(e-?[0-9]+)?", value)
            assert number or not value.startswith(("=", "+", "-", "@", "\t", "\r"))
    assert len(lines) == 2
