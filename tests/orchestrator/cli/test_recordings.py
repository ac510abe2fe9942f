"""What commands say of recordings that broke off, that nothing decodes, or whose headers lie."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from typer.testing import CliRunner

from features.errors import CorpusError
from orchestrator.cli.app import app
from tests.features.decoding.broken_files import broken, write_whole


def run(*words: object) -> Any:
    return CliRunner().invoke(app, [str(word) for word in words])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Four usable recordings, and a table of them."""
    rows = ["file,speaker,emotion"]
    time = np.arange(16_000) / 16_000
    for number, (speaker, emotion) in enumerate(
        (s, e) for s in ("ann", "bob") for e in ("angry", "sad")
    ):
        name = f"{speaker}-{emotion}.wav"
        soundfile.write(tmp_path / name, 0.3 * np.sin(time * (900 + 200 * number)), 16_000)
        rows.append(f"{name},{speaker},{emotion}")
    (tmp_path / "labels.csv").write_text("\n".join(rows) + "\n")
    return tmp_path


def added(folder: Path, *options: str) -> Any:
    words = ("corpus", "add", "table", folder / "labels.csv", "--name", "mine", *options)
    return run(*words, "--store", folder / "store")


def test_what_broke_off_is_refused_and_can_be_left_out(folder: Path) -> None:
    path = folder / "ann-sad.wav"
    path.write_bytes(path.read_bytes()[:16_000])
    refused = added(folder)
    assert "ann-sad.wav: truncated: 0.50 s of 1.00 s are there" in str(refused.exception)
    kept = added(folder, "--skip-bad")
    assert kept.exit_code == 0
    assert "truncated: 0.50 s of 1.00 s are there: labels.csv:3: ann-sad.wav\n" in kept.output


def test_mended_headers_are_kept_with_the_corpus_and_said(folder: Path) -> None:
    path = folder / "ann-sad.wav"
    data = bytearray(path.read_bytes())
    data[40:44] = bytes(4)
    path.write_bytes(data)
    assert "`--mend-headers` reads them" in str(added(folder).exception)
    record = json.loads(added(folder, "--mend-headers", "--json").stdout)
    assert record["utterances"] == 4
    (note,) = record["notes"]
    assert note.startswith("Corpus `mine` has 1 file of which the header says 0 samples")
    checked = run("corpus", "check", "mine", "--store", folder / "store", "--json")
    assert checked.exit_code == 0
    assert json.loads(checked.stdout)["audio"]["seconds"]["shortest"] == 1.0


def test_a_doubt_is_printed_in_a_line_with_its_file(folder: Path) -> None:
    samples, _ = soundfile.read(folder / "bob-sad.wav")
    soundfile.write(folder / "bob-sad.wav", samples * 32_768, 16_000, subtype="FLOAT")
    samples[4_000:] = 0
    soundfile.write(folder / "bob-angry.wav", samples, 16_000)
    shown = added(folder)
    assert shown.exit_code == 0
    text = shown.output
    assert (
        "  labels.csv:4: bob-angry.wav: ends in zeros: its last 0.75 s, is the end lost?\n" in text
    )
    assert "divide by 32,768?" in text and "clipped" not in text
    assert max(map(len, text.splitlines())) <= 80


def test_an_mp3_that_claims_hours_is_read_as_far_as_it_goes(folder: Path) -> None:
    path = folder / "ann-sad.mp3"
    samples, _ = soundfile.read(folder / "ann-sad.wav")
    soundfile.write(path, samples, 16_000)
    data = bytearray(path.read_bytes())
    at = max(data.find(b"Xing"), data.find(b"Info"))
    data[at + 8 : at + 12] = b"\x7f\xff\xff\xff"  # frames: two months of them
    path.write_bytes(data)
    table = folder / "labels.csv"
    table.write_text(table.read_text().replace("ann-sad.wav", "ann-sad.mp3"))
    shown = added(folder)
    assert shown.exit_code == 0, shown.exception
    assert "ann-sad.mp3: fewer frames than its header counts" in " ".join(shown.output.split())
    words = ("features", "show", path, "-o", folder / "a.png", "--store", folder / "store")
    assert run(*words).exit_code == 0


def test_a_folder_of_broken_files_is_registered_without_a_traceback(folder: Path) -> None:
    whole = write_whole(folder / "whole")
    rows = []
    for number, path in enumerate(broken(whole, folder / "broken", 4 * len(whole), seed=3)):
        kept = path.rename(folder / f"{number}-{path.name}")
        rows.append(f"{kept.name},{'ann' if number % 2 else 'bob'},sad\n")
    table = folder / "labels.csv"
    table.write_text(table.read_text() + "".join(rows))
    refused = added(folder)
    assert isinstance(refused.exception, CorpusError), refused.exception
    (folder / "ann-sad.wav").unlink()
    shown = added(folder, "--skip-bad", "--json")
    # What is as whole as before is a copy, and of copies under two speakers one is dropped.
    assert shown.exit_code == 0, shown.exception
    record = json.loads(shown.stdout)
    assert 3 < record["utterances"] < len(rows) / 2
    assert record["utterances"] + len(record["left_out_files"]) == len(rows) + 4
