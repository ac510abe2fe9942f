"""What commands print reaches any terminal, log or pipe, and never ends a command."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from orchestrator.printable import writable
from tests.commands import ABLATE, execute
from tests.tiny_study import Tiny


def untrained(tiny: Tiny, folder: Path) -> Path:
    """A store with the speech and the features of the tiny study, and no outcome."""
    shutil.copytree(
        tiny.store, folder, ignore=shutil.ignore_patterns("trials", "studies"), dirs_exist_ok=True
    )
    return folder


def printed(encoding: str, *words: object) -> str:
    """What a command prints into a log of an encoding; it must end with 0."""
    done = subprocess.run(
        [str(ABLATE), *map(str, words)],
        capture_output=True,
        env={**os.environ, "PYTHONIOENCODING": encoding},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.decode(encoding)


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "koi8-r"])
def test_a_log_that_is_not_utf8_gets_what_it_can_show(encoding: str, tiny: Tiny) -> None:
    report = printed(encoding, "report", "tiny", "--store", tiny.store)
    sign = "+/-" if encoding in ("ascii", "koi8-r") else "±"
    assert f"31.2 {sign} 68.8" in report
    assert f"dUA {sign} 95" in report
    assert "?" not in report.replace("gives?", "")
    assert max(map(len, report.splitlines())) <= 80
    assert "to train" in printed(encoding, "plan", tiny.study, "--store", tiny.store)
    assert "all               4" in printed(encoding, "status", "--store", tiny.store)


def test_a_run_outlives_a_log_in_ascii_and_its_files_are_utf8(tiny: Tiny, tmp_path: Path) -> None:
    store = untrained(tiny, tmp_path / "store")
    run = printed("ascii", "run", tiny.study, "--inline", "--store", store)
    assert "Done: 4 trained." in run
    assert "+/-" not in run  # two held-out groups: an interval would say nothing
    page = tmp_path / "tiny.html"
    printed("ascii", "report", "tiny", "--store", store, "-o", page)
    assert "ΔUA ± 95 %" in page.read_text("utf-8").replace("\n", " ")


def test_the_nearest_character_stands_for_one_that_is_lacking() -> None:
    assert writable("ΔUA – 3 ± 2, “é” ŁøÅ ✓ 木", "ascii") == 'dUA - 3 +/- 2, "e" LoA + ?'
    assert writable("ΔUA ± 木", "utf-8") == "ΔUA ± 木"
    assert writable("a\ud83d", "utf-8") == "a?"


def test_the_columns_of_a_table_stay_aligned(tiny: Tiny) -> None:
    lines = printed("ascii", "report", "tiny", "--store", tiny.store).splitlines()
    rows = [line for line in lines if line.startswith(("No FA", "FA in layer 2"))]
    assert len({row.index("+/-") for row in rows}) == 1


def left(*words: object) -> "subprocess.CompletedProcess[bytes]":
    """A command whose output nobody reads any more."""
    ours, theirs = os.pipe()
    os.close(ours)
    try:
        return subprocess.run(
            [str(ABLATE), *map(str, words)], stdout=theirs, stderr=subprocess.PIPE
        )
    finally:
        os.close(theirs)


@pytest.mark.parametrize("words", [["report", "tiny"], ["report", "tiny", "--details"], ["status"]])
def test_a_reader_that_leaves_is_no_error(words: list[str], tiny: Tiny) -> None:
    done = left(*words, "--store", tiny.store)
    assert (done.returncode, done.stderr) == (0, b"")


def test_a_wrong_request_stays_wrong_without_a_reader(tiny: Tiny) -> None:
    done = left("report", "nosuch", "--store", tiny.store)
    assert done.returncode != 0
    assert b"`tiny`" in done.stderr


@pytest.mark.parametrize("form", [[], ["--json"]])
def test_a_run_goes_on_without_a_reader_and_says_so_once(
    form: list[str], tiny: Tiny, tmp_path: Path
) -> None:
    store = untrained(tiny, tmp_path / "store")
    done = left("run", tiny.study, "--inline", "--store", store, *form)
    assert done.returncode == 0
    assert done.stderr.count(b"Nobody reads") == 1
    assert b"Traceback" not in done.stderr
    assert "all               4" in execute("status", "--store", store).stdout


def test_a_watch_without_a_reader_ends(tiny: Tiny, tmp_path: Path) -> None:
    store = untrained(tiny, tmp_path / "store")
    shutil.copytree(tiny.store / "studies", store / "studies")
    done = left("watch", "tiny", "--store", store, "--every", "0.2")
    assert (done.returncode, done.stderr) == (0, b"")


def test_closed_streams_are_no_error(tiny: Tiny) -> None:
    command = f'"{ABLATE}" report tiny --store "{tiny.store}" >&- 2>&-'
    assert subprocess.run(command, shell=True).returncode == 0


def test_half_a_character_in_a_study_is_named_with_its_place(tiny: Tiny, tmp_path: Path) -> None:
    study = tmp_path / "half.yaml"
    study.write_text(tiny.study.read_text().replace("name: No FA", r'name: "No \ud83d"'))
    error = execute("plan", study, "--store", tiny.store, code=2).stderr
    assert r"half.yaml:9:12: `\ud83d` is half a character: write it whole." in error


def test_a_file_whose_name_is_no_text_is_read(tiny: Tiny, tmp_path: Path) -> None:
    study = os.fsdecode(os.fsencode(tmp_path) + b"/ti\xffny.yaml")
    shutil.copy(tiny.study, study)
    assert "to train" in execute("plan", study, "--store", tiny.store).stdout
    assert "`nos?ch`" in execute("report", "nos\udcffch", "--store", tiny.store, code=2).stderr
