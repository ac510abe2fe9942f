"""The command line as a person meets it: in processes of their own, by output and exit code."""

import csv
import io
import json
import math
import os
import re
import shutil
import signal
import struct
import subprocess
import sys
import tomllib
import wave
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from features.corpora.catalogue import READERS
from orchestrator.cli.app import app
from tests.commands import ABLATE, Command, execute
from tests.tiny_study import Tiny

HEAVY = {"torch", "ray", "opensmile", "pandas", "pyarrow", "scipy", "numpy"}


@pytest.mark.parametrize(
    "words",
    [
        ["--help"],
        ["schema"],
        ["plan", "{smoke}", "--store", "{store}"],
        ["run", "{smoke}", "--store", "{store}"],
    ],
)
def test_what_trains_nothing_imports_no_engine(words: list[str], root: Path, store: Path) -> None:
    """So it answers at once: how soon, `make bench` measures."""
    smoke = root / "studies" / "smoke.yaml"
    line = [word.format(smoke=smoke, store=store) for word in words]
    program = (
        f"import sys; sys.argv[1:] = {line!r}; from orchestrator.cli.main import main\n"
        "try: main()\n"
        "except SystemExit as end: assert not end.code, end.code\n"
        f"sys.exit(', '.join({HEAVY!r} & set(sys.modules)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_a_second_run_trains_nothing(root: Path, store: Path) -> None:
    done = execute("run", root / "studies" / "smoke.yaml", "--store", store)
    assert "All 4 trials are done: nothing to train." in done.stdout


def test_plan_counts_as_json(root: Path, store: Path, tmp_path: Path) -> None:
    smoke = root / "studies" / "smoke.yaml"
    found = json.loads(execute("plan", smoke, "--store", store, "--json").stdout)
    wanted = {"trials": 4, "done": 4, "failed": 0, "stale": 0, "to_do": 0}
    assert wanted.items() <= found.items()
    fresh = json.loads(execute("plan", smoke, "--store", tmp_path / "new", "--json").stdout)
    assert (fresh["done"], fresh["to_do"]) == (0, 4)


def test_the_table_fits_80_columns_and_carries_its_title(store: Path, tmp_path: Path) -> None:
    for words in (["--table", "99"], ["smoke", "--details"]):
        text = execute("report", *words, "--store", store, cwd=tmp_path).stdout
        assert max(map(len, text.splitlines())) <= 80
        assert "corpus demo, profile quick, reading as-written, score averaged" in text
        assert "Synthesised demo speech: these numbers say nothing about people." in text


def test_the_report_works_from_the_store_alone(store: Path, tmp_path: Path) -> None:
    here = execute("report", "--table", "99", "--store", store, "--format", "json", cwd=tmp_path)
    table = json.loads(here.stdout)
    title = {"corpus": "demo", "profile": "quick", "reading": "as-written", "score": "averaged"}
    assert table["title"] == title
    row = table["rows"][1]
    assert {
        "name",
        "n",
        "missing",
        "wa",
        "ua",
        "segment",
        "last_epoch",
        "best_on_test",
        "paper",
        "difference",
    } <= set(row)
    assert set(row["ua"]) == {"mean", "low", "high"} and row["n"] == 2 and row["missing"] == 0
    for part in ("segment", "averaged", "chosen", "last_epoch"):
        assert set(row[part]) == {"wa", "ua"}
    assert set(row["paper"]) == {"wa", "ua", "params"} and row["parameters"] > 0
    assert {"ua", "low", "high"} <= set(row["difference"])


def test_every_form_shows_the_same_numbers(store: Path, tmp_path: Path) -> None:
    words = ["report", "smoke", "--store", store]
    rows = json.loads(execute(*words, "--format", "json").stdout)["rows"]
    lines = list(csv.DictReader(io.StringIO(execute(*words, "--format", "csv").stdout)))
    shown = execute(*words).stdout
    marked = execute(*words, "--format", "markdown").stdout
    for row, line in zip(rows, lines, strict=True):
        assert float(line["ua_mean"]) == row["ua"]["mean"]
        assert (line["corpus"], line["profile"], line["reading"]) == ("demo", "quick", "as-written")
        assert f"{100 * row['ua']['mean']:.1f} ±" in shown
        assert f"{100 * row['ua']['mean']:.1f} ±" in marked
    assert "| row | n | UA ± 95 % | WA |" in marked


def test_an_unfinished_table_says_what_is_missing(store: Path) -> None:
    trial = next(iter(sorted((store / "trials").iterdir())))
    shutil.rmtree(trial)
    text = execute("report", "smoke", "--store", store).stdout
    assert "1/2" in text
    fill = "`ablate run studies/smoke.yaml` trains them."
    assert f"Missing: 1 trainings of `smoke` are not finished; {fill}" in (" ".join(text.split()))


@pytest.mark.parametrize("words", [("--table", "4"), ("--figure", "2"), ("--table", "1")])
def test_a_table_that_nobody_has_run_is_a_table_of_dashes(
    root: Path, tmp_path: Path, words: tuple[str, str]
) -> None:
    text = execute("report", *words, "--store", tmp_path / "none", cwd=root).stdout
    assert text.startswith(f"{words[0][2:].capitalize()} {words[1]}.")
    said = " ".join(text.split())
    commands = re.findall(r"`ablate run (\S+)` trains them\.", said)
    assert "0/5" in text and commands and all((root / study).is_file() for study in commands)
    assert not (tmp_path / "none").exists()


def test_a_table_of_dashes_says_what_ran_instead(root: Path, store: Path, tmp_path: Path) -> None:
    (tmp_path / "studies").mkdir()
    text = (root / "studies" / "smoke.yaml").read_text()
    other = text.replace("corpus: demo\n", "corpus: demo\nreading: as-likely-run\n")
    (tmp_path / "studies" / "smoke.yaml").write_text(other)
    done = execute("report", "--table", "99", "--store", store, cwd=tmp_path)
    assert "0/2" in done.stdout and "reading as-likely-run" in done.stdout
    assert " ".join(done.stderr.split()) == (
        "`smoke` last ran here in another form (corpus demo, profile quick, reading as-written, "
        "score averaged): `ablate report smoke` shows that."
    )
    assert execute("report", "smoke", "--store", store, cwd=tmp_path).stderr == ""


def test_bad_requests_get_a_sentence_and_their_exit_code(
    root: Path, store: Path, tmp_path: Path
) -> None:
    smoke = root / "studies" / "smoke.yaml"
    typo = tmp_path / "typo.yaml"
    typo.write_text(smoke.read_text().replace("layers", "leyers"))
    lacking = tmp_path / "lacking.yaml"
    lacking.write_text(smoke.read_text().replace("corpus: demo", "corpus: ravdess"))
    folds = tmp_path / "folds.yaml"
    folds.write_text(smoke.read_text().replace("folds: 2", "folds: 9"))
    empty = tmp_path / "empty"
    empty.mkdir()
    file = tmp_path / "file"
    file.write_text("")
    cases: list[tuple[list[str | Path], int, str]] = [
        (["run", typo], 2, "`baseline.leyers` is not a key. Did you mean `layers`?"),
        (["run", tmp_path / "none.yaml"], 2, "does not exist."),
        (["run", lacking], 3, "`ablate corpus add ravdess FOLDER` registers it."),
        (["run", folds], 2, "folds.yaml:6:19: `protocol.folds` must be at most 5"),
        (["run", smoke, "--store", file / "x"], 3, "cannot be written: "),
        (["run", smoke, "--store", "gs://x"], 2, "`--store` must be a folder"),
        (["run", smoke, "--gpus-per-trial", "1.5"], 2, "`--gpus-per-trial` must be a share"),
        (["report", "--table", "7", "--store", store], 2, "No study declares table 7."),
        (["report", "smoek", "--store", store], 2, "Did you mean `smoke`?"),
        (["report", "--store", store], 2, "needs a STUDY, `--table N` or `--figure N`"),
        (["report", "--table", "1", "--store", tmp_path / "no"], 3, "There is no store at"),
        (["corpus", "add", "ravdess", empty], 2, "empty"),
        (["corpus", "add", "ravdess", tmp_path / "nowhere"], 2, "nowhere"),
        (["corpus", "add", "ravdes", empty], 2, "did you mean `ravdess`?"),
        (["corpus", "check", "ravdess"], 3, "is not registered"),
        (["corpus", "check", "ravdes"], 3, "Did you mean `ravdess`?"),
        (["corpus", "folds", "demo", "--folds", "six"], 2, "`--folds` must be a whole number"),
        (["corpus", "folds", "demo", "--folds", "published"], 2, "must publish a split"),
        (["corpus", "folds", "demo", "--deals", "6"], 2, "must be at most 5 for the 10 speakers"),
        (["plan", smoke, "--stoer", "x"], 2, "--stoer"),
    ]
    for words, code, sentence in cases:
        done = execute(*words, cwd=tmp_path, code=code, columns=200)
        assert sentence in done.stderr, (words, done.stderr)
    assert not (tmp_path / ".ablate" / "trials").exists()


def test_an_unwritable_store_is_named(root: Path) -> None:
    """Where not even the superuser may write."""
    where = "/proc/ablate" if sys.platform == "linux" else "/System/ablate"
    done = execute("run", root / "studies" / "smoke.yaml", "--store", where, code=3)
    assert f"The store `{where}` cannot be written: " in done.stderr


def test_damage_is_exit_code_4(root: Path, store: Path) -> None:
    trial = next(iter(sorted((store / "trials").iterdir())))
    (trial / "outcome.json").write_text("{}")
    for words in (["report", "smoke"], ["run", str(root / "studies" / "smoke.yaml")]):
        done = execute(*words, "--store", store, code=4)
        assert "is damaged" in done.stderr


def test_corpora_are_listed_and_checked(store: Path) -> None:
    listed = json.loads(execute("corpus", "list", "--store", store, "--json").stdout)
    assert [c["name"] for c in listed] == sorted(READERS)
    found = json.loads(execute("corpus", "check", "demo", "--store", store, "--json").stdout)
    assert found["utterances"] == 160 and len(found["speakers"]) == 10
    assert set(found["emotions"].values()) == {40}
    assert found["audio"]["heard"] == 160 and found["audio"]["channels"] == {"1": 160}
    assert (found["problems"], found["folds"]) == ([], {"most": 5, "published": False})
    text = execute("corpus", "check", "demo", "--store", store).stdout
    assert max(map(len, text.splitlines())) <= 80


def table_of(folder: Path, bad: bool = False) -> Path:
    """A table of short tones: six speakers of two sexes, two emotions, a published split."""
    folder.mkdir()
    sides = {
        "ann": "train",
        "bea": "dev",
        "cid": "test",
        "dan": "train",
        "eve": "dev",
        "fay": "test",
    }
    rows = ["file,speaker,sex,emotion,split"]
    for phase, (speaker, side) in enumerate(sides.items()):
        sex = "male" if speaker in ("cid", "dan") else "female"
        for pitch, emotion in enumerate(("angry", "sad"), start=1):
            with wave.open(str(folder / f"{speaker}-{emotion}.wav"), "wb") as out:
                out.setparams((1, 2, 16_000, 0, "NONE", ""))
                out.writeframes(
                    b"".join(
                        struct.pack("<h", int(8000 * math.sin(n * pitch / 20 + phase)))
                        for n in range(4000)
                    )
                )
            rows.append(f"{speaker}-{emotion}.wav,{speaker},{sex},{emotion},{side}")
    if bad:
        (folder / "empty.wav").write_bytes(b"")
        rows.append("empty.wav,ann,female,sad,train")
    (folder / "labels.csv").write_text("\n".join(rows))
    return folder / "labels.csv"


OWN = """\
study: mine
table: 98
corpus: mine
protocol: {folds: published, seeds: 1}
emotions: [angry, sad]
training: {epochs: 2}
baseline: {layers: 1, hidden: 8, fa_layer: none}
rows:
  - {name: Alone}
"""


def test_a_table_of_ones_own_is_studied_with_its_split_and_its_omission(tmp_path: Path) -> None:
    file, store = table_of(tmp_path / "speech", bad=True), tmp_path / "store"
    (tmp_path / "mine.yaml").write_text(OWN)
    lacking = execute("plan", tmp_path / "mine.yaml", "--store", store, code=3)
    assert "`ablate corpus add table FILE_OR_FOLDER --name mine` registers it." in lacking.stderr
    refused = execute("corpus", "add", "table", file, "--name", "mine", "--store", store, code=2)
    assert "  labels.csv:14: empty.wav: empty" in refused.stderr
    execute("corpus", "add", "table", file, "--name", "mine", "--skip-bad", "--store", store)
    assert "mine" in execute("corpus", "list", "--store", store).stdout
    told = json.loads(
        execute(
            "corpus", "folds", "mine", "--folds", "published", "--json", "--store", store
        ).stdout
    )
    assert [told["folds"][0][side]["speakers"] for side in ("train", "a", "b")] == [
        ["ann", "dan"],
        ["bea", "eve"],
        ["cid", "fay"],
    ]
    execute("run", tmp_path / "mine.yaml", "--inline", "--store", store)
    omission = (
        "1 unusable file is left out of corpus `mine` (`--skip-bad`): labels.csv:14: empty.wav "
        "(empty)."
    )
    published = "Published split: scores are of the test side alone (2 speakers); the dev side (2"
    for form in ("text", "markdown", "csv", "json"):
        form_words = ["--format", form] if form != "text" else []
        text = execute("report", "mine", "--store", store, *form_words).stdout
        flat = " ".join(text.split())
        assert omission in flat and published in flat, form


def test_check_lists_every_problem_and_exits_with_2(tmp_path: Path) -> None:
    file, store = table_of(tmp_path / "speech"), tmp_path / "store"
    execute("corpus", "add", "table", file, "--name", "mine", "--store", store)
    (file.parent / "ann-sad.wav").write_bytes(b"")
    (file.parent / "bea-sad.wav").unlink()
    done = execute("corpus", "check", "mine", "--json", "--store", store, code=2)
    assert json.loads(done.stdout)["problems"] == [
        {"path": "ann-sad.wav", "reason": "empty"},
        {"path": "bea-sad.wav", "reason": "missing"},
    ]
    assert done.stderr == (
        "2 of the 12 recordings of corpus `mine` cannot be used (named above): restore them, or "
        f"`ablate corpus add table {file} --name mine --skip-bad`.\n"
    )


def test_folds_say_who_is_where_in_80_columns(tmp_path: Path) -> None:
    text = execute("corpus", "folds", "demo", "--store", tmp_path).stdout
    assert max(map(len, text.splitlines())) <= 80
    assert "fold 4" in text and "  a: female-5" in text and "  b: male-5" in text
    dealt = execute("corpus", "folds", "demo", "--deals", "2", "--store", tmp_path).stdout
    assert max(map(len, dealt.splitlines())) <= 80
    assert "fold 1 of deal 1" in dealt and "fold 5 of deal 2" in dealt


@pytest.mark.ravdess
def test_real_speech_is_registered_and_checked(tmp_path: Path) -> None:
    folder = os.environ.get("ABLATE_RAVDESS")
    if not folder:
        pytest.skip("ABLATE_RAVDESS names no folder")
    store = tmp_path / "store"
    execute("corpus", "add", "ravdess", folder, "--store", store)
    found = json.loads(execute("corpus", "check", "ravdess", "--store", store, "--json").stdout)
    assert found["emotions"] == {"angry": 80, "calm": 80, "happy": 80, "neutral": 40, "sad": 80}
    text = execute("corpus", "check", "ravdess", "--store", store).stdout
    assert "left out" in text


def test_networks_are_shown_in_80_columns_and_as_json(root: Path) -> None:
    path = root / "studies" / "components.yaml"
    for words in ([], ["w/o multi-stage loss"]):
        text = execute("model", "show", path, *words).stdout
        assert max(map(len, text.splitlines())) <= 80
        assert "579,864" in text and "0.98M" in text and "976,664" in text
    told = json.loads(execute("model", "show", path, "WMA-GIN", "--json").stdout)
    (row,) = told["rows"]
    assert (row["parameters"], row["published"], row["inputs"]) == (579_864, 980_000, 78)
    assert sum(part["parameters"] for part in row["parts"]) == 579_864
    assert len(told["notes"]) == 3


def test_the_schema_is_json() -> None:
    assert json.loads(execute("schema").stdout)["title"] == "ablate study"


def test_the_version_is_told_and_is_the_packages(root: Path) -> None:
    version = tomllib.loads((root / "pyproject.toml").read_text())["project"]["version"]
    assert execute("--version").stdout == f"ablate {version}\n"


def test_every_command_has_help_and_the_options_are_pinned() -> None:
    options = {
        ("run",): {
            "--store",
            "--inline",
            "--cpus",
            "--gpus",
            "--gpus-per-trial",
            "--address",
            "--budget",
            "--allow-config",
            "--log",
            "--json",
        },
        ("plan",): {
            "--store",
            "--json",
            "--allow-config",
            "--probe",
            "--budget",
            "--cpus",
            "--gpus",
            "--rate",
        },
        ("schema",): set(),
        ("status",): {"--store", "--json"},
        ("show",): {"--store", "--json"},
        ("logs",): {"--store", "--json"},
        ("rerun",): {"--store", "--gpus", "--keep", "--json"},
        ("watch",): {"--store", "--every", "--json"},
        ("gc",): {"--store", "--yes", "--keep-newest", "--json"},
        ("doctor",): {"--store", "--deep", "--address", "--json"},
        ("report",): {
            "--table",
            "--figure",
            "--store",
            "--details",
            "--format",
            "--output",
            "--picture",
            "--row",
            "--score",
        },
        ("export",): {"--store", "--output", "--json"},
        ("compare",): {"--store", "--limit", "--json"},
        ("model", "show"): {"--json", "--allow-config"},
        ("corpus", "add"): {
            "--store",
            "--json",
            "--name",
            "--columns",
            "--root",
            "--table",
            "--column",
            "--skip-bad",
            "--mend-headers",
            "--same-speaker",
            "--distinct-speakers",
            "--keep-speaker",
            "--same-session",
            "--distinct-sessions",
            "--keep-session",
        },
        ("corpus", "folds"): {"--store", "--json", "--folds", "--deals"},
        ("corpus", "list"): {"--store", "--json"},
        ("corpus", "check"): {"--store", "--json", "--deep"},
        ("features", "list"): {"--json"},
        ("features", "build"): {"--store", "--cpus", "--address", "--allow-config", "--json"},
        ("features", "verify"): {"--store", "--repair", "--cpus", "--allow-config", "--json"},
    }
    for command, wanted in options.items():
        text = execute(*command, "--help", columns=200).stdout
        found = {word.strip(",") for word in text.split() if word.startswith("--")}
        assert found - {"--help", "--"} - {w for w in found if w.startswith("---")} == wanted


@pytest.fixture
def slow(tiny: Tiny, tmp_path: Path) -> Tiny:
    """The tiny study of a dozen epochs, so that a trial takes a while; none has run."""
    study = tmp_path / "slow.yaml"
    study.write_text(tiny.study.read_text().replace("epochs: 3", "epochs: 12"))
    made = shutil.ignore_patterns("trials", "studies")
    return Tiny(study, shutil.copytree(tiny.store, tmp_path / "slow", ignore=made))


def test_ctrl_c_keeps_what_is_done_and_says_how_to_go_on(slow: Tiny) -> None:
    study, store = slow
    line = [str(ABLATE), "run", str(study), "--inline", "--store", str(store)]
    with subprocess.Popen(
        line,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    ) as process:
        assert process.stdout is not None and process.stderr is not None
        for shown in process.stdout:
            if "2/4  done" in shown:
                process.send_signal(signal.SIGINT)
                break
        process.wait(60)
        said = process.stderr.read()
    assert process.returncode == 130
    assert re.fullmatch(
        r"Interrupted\. [23] of 4 trials are done and kept\. "
        r"The same command goes on from there\.\n",
        said,
    )
    plan = json.loads(execute("plan", study, "--store", store, "--json").stdout)
    assert plan["done"] >= 2 and plan["failed"] == 0
    execute("run", study, "--inline", "--store", store)


def test_two_runs_on_one_store_share_the_work(slow: Tiny) -> None:
    study, store = slow
    words = ["run", study, "--inline", "--store", store]
    with Command(*words) as one, Command(*words) as other:
        runs = [one.finished(), other.finished()]
    said = [run.stdout for run in runs]
    assert [run.returncode for run in runs] == [0, 0], said
    attempts = [len(list(t.glob("attempt-*"))) for t in (store / "trials").iterdir()]
    assert attempts == [1, 1, 1, 1]
    trained = [int(m[1]) if (m := re.search(r"Done: (\d) trained", s)) else 0 for s in said]
    assert sum(trained) == 4
    assert "another run trains it" in "".join(said)


# --- for scripts -----------------------------------------------------------------------------

WITHOUT_JSON = {
    "ablate schema": "what it prints is JSON",
    "ablate cluster check": "it says yes by its exit code; faults are sentences with their place",
    "ablate features show": "what it makes is a picture",
}
"""Commands that have no form for programs, and why."""


def commands() -> dict[str, Any]:
    """Every command of the program, by the words that call it."""

    def walk(command: Any, words: str) -> Iterator[tuple[str, Any]]:
        if hasattr(command, "commands"):
            for name, below in command.commands.items():
                yield from walk(below, f"{words} {name}")
        else:
            yield words, command

    return dict(walk(typer.main.get_command(app), "ablate"))


def test_every_command_speaks_json_or_has_a_reason() -> None:
    known = commands()
    assert len(known) > 20 and WITHOUT_JSON.keys() <= known.keys()
    for words, command in known.items():
        options = {option for parameter in command.params for option in parameter.opts}
        assert bool({"--json", "--format"} & options) != (words in WITHOUT_JSON), words


def test_what_a_trial_said_and_the_sets_of_features_are_json_as_well(store: Path) -> None:
    (id, *_) = sorted(os.listdir(store / "trials"))
    done = execute("logs", id[:8], "--json", "--store", store)
    logged = json.loads(done.stdout)
    assert logged["id"] == id and logged["state"] == "done" and logged["failures"] == []
    assert logged["log"][-1].endswith("finished after 2 epochs")
    sets = json.loads(execute("features", "list", "--json").stdout)
    assert {"lld78", "logmel128"} <= {known["features"] for known in sets}


def test_verified_features_are_json_as_well(root: Path, store: Path) -> None:
    smoke = root / "studies" / "smoke.yaml"
    whole = json.loads(execute("features", "verify", smoke, "--json", "--store", store).stdout)
    assert (whole["shards"], whole["whole"], whole["findings"]) == (10, 10, [])
    (damaged, *_) = sorted((store / "shards").glob("*.arrow"))
    damaged.write_bytes(b"?")
    done = execute("features", "verify", "--json", "--store", store, code=4)
    (finding,) = json.loads(done.stdout)["findings"]
    assert finding["kind"] == "damaged" and damaged.name in finding["sentence"]
    done = execute("features", "build", smoke, "--json", "--store", store)
    kinds = [json.loads(line)["kind"] for line in done.stdout.splitlines()]
    assert kinds and set(kinds) <= {"Progress", "Note"}
