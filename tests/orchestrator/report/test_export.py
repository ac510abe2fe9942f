"""A bundle stands alone: whole or not there, and every printed number follows from its predictions.

`recompute.py` is run as a stranger would, in a Python of its own; nothing of the product's
arithmetic is in it.
"""

import ast
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from typer.testing import CliRunner

from orchestrator.cli.app import app
from orchestrator.errors import AblateError, DamageError
from orchestrator.report.export import bundle as bundle_module
from orchestrator.report.export.bundle import PROGRAM, export
from orchestrator.report.figures import gallery
from orchestrator.report.results import measure
from orchestrator.store.ledger import Ledger
from orchestrator.store.snapshot import SnapshotRow
from orchestrator.study.study import PaperClaim
from orchestrator.study.trials import SEMANTICS
from tests import stores

ROWS = {
    "full": {"fa_layer": "2"},
    "w/o FA | [all] <b>": {"fa_layer": "none"},
    "weak 日本": {"fa_layer": "last"},
    "never run": {"fa_layer": "1"},
}
STRANGER = """
import contextlib, io, json, os, runpy, sys
sys.path.insert(0, ".")  # as `python recompute.py` does
for line in sys.stdin:
    folder, *words = json.loads(line)
    os.chdir(folder)
    sys.argv = ["recompute.py", *words]
    code = 0
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        try:
            runpy.run_path("recompute.py", run_name="__main__")
        except SystemExit as end:
            code = end.code
    rooms = {name.partition(".")[0] for name in sys.modules}
    assert not rooms & {"orchestrator", "model", "features", "torch"}, rooms
    del sys.modules["recompute_rows"], sys.modules["recompute_statistics"]  # each bundle's own
    print(json.dumps([code, printed.getvalue()]), flush=True)
"""
Recompute = Callable[..., tuple[int, str]]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five folds and three seeds, some of it missing; blocks, a published system, a claim."""
    root = tmp_path_factory.mktemp("made") / "store"
    gone = [("weak 日本", 1, 0), ("weak 日本", 1, 2)]
    gone += [("never run", fold, seed) for fold in range(5) for seed in range(3)]
    rows = tuple(
        SnapshotRow(
            name=name, reading="as-written", paper={"ua": 50.0}, settings=own, blocks=blocks
        )
        for (name, own), blocks in zip(
            ROWS.items(), (("one", "two"), ("one",), ("two",), ("two",)), strict=True
        )
    )
    stores.made(
        root,
        ROWS,
        seeds=3,
        missing=gone,
        rows=rows,
        comparable=True,
        corpus="iemocap",
        skill={"full": 1.6, "w/o FA | [all] <b>": 1.2, "weak 日本": 0.2},
        claim=PaperClaim(better="full", than=("w/o FA | [all] <b>",), on="ua"),
        published=(SnapshotRow(name="Theirs", reading="", paper={"ua": 60.0}, model=""),),
        text="study: made\n",
    )
    return root


@pytest.fixture(scope="module")
def bundle(store: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Made once; copy it before you change it."""
    folder = tmp_path_factory.mktemp("out") / "bundle"
    assert "17 trainings are missing" in ablate("export", "made", "-o", folder, "--store", store)
    return folder


def ablate(*words: object, code: int = 0) -> str:
    done = CliRunner().invoke(app, [str(word) for word in words])
    if isinstance(done.exception, AblateError):
        assert done.exception.exit_code == code, done.exception
        return str(done.exception)
    assert done.exit_code == code, done.output
    return done.stdout


@pytest.fixture(scope="module")
def recompute(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recompute]:
    """Runs a bundle's script: its exit code, and what it says.

    All run in one isolated Python that takes warnings for errors; the libraries are imported once.
    """
    complaints = tmp_path_factory.mktemp("stranger") / "stderr"
    with (
        complaints.open("w") as stderr,
        subprocess.Popen(
            [sys.executable, "-I", "-W", "error", "-c", STRANGER],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
        ) as stranger,
    ):
        asks, answers = stranger.stdin, stranger.stdout
        assert asks is not None and answers is not None

        def run(folder: Path, *words: str) -> tuple[int, str]:
            print(json.dumps([str(folder), *words]), file=asks, flush=True)
            answer = answers.readline()
            assert not complaints.read_text(), complaints.read_text()
            code, said = json.loads(answer)
            return code, said

        yield run
        asks.close()


@pytest.fixture
def one_form(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pictures are drawn in one form alone, where they are not the subject."""
    monkeypatch.setattr(bundle_module, "FORMATS", (".svg",))


def copied(bundle: Path, tmp_path: Path) -> Path:
    import shutil

    return Path(shutil.copytree(bundle, tmp_path / "copy"))


@pytest.mark.parametrize(
    "shape", [{"seeds": 3, "split": (2, 6)}, {"seeds": 2, "split": (1, 6)}, {"split": (1, 4)}]
)
def test_a_published_split_is_computed_again(
    shape: dict[str, Any], recompute: Recompute, one_form: None, tmp_path: Path
) -> None:
    """Test speakers crossed with seeds, for these networks, the dev side apart; or no verdict."""
    rows = {"full": {"hidden": 64}, "small": {"hidden": 32}, "smaller": {"hidden": 16}}
    root, folder = tmp_path / "store", tmp_path / "bundle"
    stores.made(root, rows, skill={"full": 2.0, "small": 1.0, "smaller": 1.9}, **shape)
    ablate("export", "made", "-o", folder, "--store", root)
    code, said = recompute(folder, "--each")
    assert code == 0, [line for line in said.splitlines() if "DIFFERS" in line]
    for what in ("dev ua", "ua low", "difference low", "difference p_holm", "verdict"):
        assert f"agrees   small: {what}: " in said, what
    for column in ("UA ± 95 %, these networks", "dev WA/UA", "ΔUA ± 95 %", "would show"):
        assert f"agrees   small: printed under {column}: " in said, column


def test_a_grid_on_a_published_split_is_computed_again(
    recompute: Recompute, one_form: None, tmp_path: Path
) -> None:
    rows = {f"{h} {n}": {"hidden": h, "layers": n} for h in (16, 32) for n in (1, 2)}
    skill = {name: 1.0 + 0.6 * own["layers"] for name, own in rows.items()}
    root, folder = tmp_path / "store", tmp_path / "bundle"
    axes = ("hidden", "layers")
    stores.made(root, rows, seeds=3, skill=skill, split=(1, 6), axes=axes, reference=None)
    ablate("export", "made", "-o", folder, "--store", root)
    code, said = recompute(folder, "--each")
    assert code == 0, [line for line in said.splitlines() if "DIFFERS" in line]
    assert "printed under UA ± 95 %, these networks" in said


def test_every_printed_number_follows_from_the_predictions_alone(
    bundle: Path, recompute: Recompute
) -> None:
    code, said = recompute(bundle, "--each")
    assert code == 0, [line for line in said.splitlines() if "DIFFERS" in line]
    *lines, last = said.splitlines()
    agreeing, total = (int(word) for word in last.split()[:3:2])
    assert agreeing == total == len(lines)
    assert float(last.split()[-1].rstrip(".")) < 1e-9
    for what in (
        "wa low",
        "ua high",
        "segment ua",
        "last_epoch wa",
        "best_on_test ua",
        "pooled wa",
        "difference p_holm",
        "difference p_sign_flip",
        "difference effect",
        "difference detectable",
        "difference df",
        "difference luck",
        "new_seeds p",
        "printed under ΔUA ± 95 %",
        "printed under p Holm",
        "printed under g_z",
        "printed under new seeds ΔUA ± 95 %",
        "printed under pooled WA",
        "happy taken for sad",
    ):
        found = [line for line in lines if f": {what}: " in line]
        assert any(line.startswith("agrees   full: ") or "w/o FA" in line for line in found), what
    numbers = json.loads((bundle / "table.json").read_text())
    assert numbers["claim"] and f"the claim: why: {numbers['reason']}" in said
    assert {row["n"] for row in numbers["rows"]} == {15, 13, 0}


@pytest.mark.usefixtures("one_form")
def test_what_a_training_really_gave_is_recomputed_too(
    trained_store: Path, tmp_path: Path, recompute: Recompute
) -> None:
    ablate("export", "smoke", "-o", tmp_path / "smoke", "--store", trained_store)
    code, said = recompute(tmp_path / "smoke")
    assert code == 0 and "agree" in said, said
    assert (tmp_path / "smoke" / "study.yaml").read_text().startswith("# Does the whole chain")


THREE_ROWS = {"full": {"hidden": 64}, "small": {"hidden": 32}, "smaller": {"hidden": 16}}
"""Name of a drawn row -> what it sets."""


@pytest.mark.usefixtures("one_form")
@pytest.mark.parametrize(
    ("score", "short"), [("averaged", []), ("averaged", [("small", 1, 0)]), ("last", [])]
)
def test_the_script_goes_by_the_score_of_the_study(
    tmp_path: Path, recompute: Recompute, score: str, short: list[tuple[str, int, int]]
) -> None:
    """Where a training stopped early, its row has no averaged weights, and no score by them."""
    ledger, _ = stores.made(tmp_path / "store", THREE_ROWS, seeds=3, short=short, score=score)
    ablate("export", "made", "-o", tmp_path / "bundle", "--store", ledger.root)
    code, said = recompute(tmp_path / "bundle", "--each")
    assert code == 0, [line for line in said.splitlines() if "DIFFERS" in line]
    for choice in ("averaged", "chosen", "last epoch"):
        assert f"small: printed under {choice}:" in said
    assert ("agrees   small: verdict: no score / no score" in said) == bool(short)
    assert ("agrees   small: printed under averaged: – / –" in said) == bool(short)


@pytest.mark.usefixtures("one_form")
def test_verdicts_follow_too_where_a_training_was_given_up(
    tmp_path: Path, recompute: Recompute
) -> None:
    """And the script finds the verdict wrong, once nobody says that the training diverged."""
    ledger, snapshot = stores.made(
        tmp_path / "store",
        THREE_ROWS,
        skill={"full": 2.5, "small": 0.5, "smaller": 0.3},
        missing=[("smaller", 4, 0)],
        comparable=True,
        claim=PaperClaim(better="full", than=("small", "smaller"), on="ua"),
    )
    (gone,) = (t.id for t in snapshot.trials if not ledger.outcomes.has(t.id))
    identity = {"semantics": SEMANTICS}
    stores.failed(ledger, gone, "diverged", identity)
    bundle = tmp_path / "bundle"
    ablate("export", "made", "-o", bundle, "--store", ledger.root)
    code, said = recompute(bundle, "--each")
    assert code == 0, [line for line in said.splitlines() if "DIFFERS" in line]
    assert "agrees   small: verdict: yes / yes" in said
    assert "agrees   small: difference p_holm: 0.0" in said
    assert "agrees   the table: promise: comparisons: 1 / 1" in said
    assert "agrees   the table: promise: luck: 0.0" in said
    for where in ("verdict", "printed under differs"):
        text = "open, 4 of 5 (1 diverged)"
        assert f"agrees   smaller: {where}: {text} / {text}" in said
    assert "the claim: verdict: open / open" in said
    record = json.loads((bundle / "provenance.json").read_text())
    assert record["missing"] == [] and [t["trial"] for t in record["given_up"]] == [gone]
    assert "14 trainings are in it; 1 diverged" in (bundle / "README.md").read_text()
    (bundle / "provenance.json").write_text(json.dumps({**record, "given_up": []}))
    code, said = recompute(bundle)
    assert code == 1 and "DIFFERS  small: verdict: yes / open, 5 of 5" in said


@pytest.mark.usefixtures("one_form")
def test_the_looks_of_an_adaptive_study_follow_where_a_training_was_given_up(
    tmp_path: Path, recompute: Recompute
) -> None:
    ledger, snapshot = stores.made(
        tmp_path / "store",
        THREE_ROWS,
        seeds=5,
        skill={"full": 2.5, "small": 1.0, "smaller": 0.3},
        missing=[("smaller", 4, 3)],
        replicates="adaptive",
    )
    (gone,) = (t.id for t in snapshot.trials if not ledger.outcomes.has(t.id))
    stores.failed(ledger, gone, "diverged", {"semantics": SEMANTICS})
    ablate("export", "made", "-o", tmp_path / "bundle", "--store", ledger.root)
    code, said = recompute(tmp_path / "bundle", "--each")
    assert code == 0, [line for line in said.splitlines() if "DIFFERS" in line]
    assert "agrees   small: verdict: yes / yes" in said


@pytest.mark.usefixtures("one_form")
def test_the_main_effects_of_a_grid_follow_too(tmp_path: Path, recompute: Recompute) -> None:
    """Two axes and three seeds; `hidden: 16` has a training that was given up."""
    points = [(hidden, fa) for hidden in (8, 16, 32) for fa in ("none", "last")]
    rows = {f"{hidden} {fa}": {"hidden": hidden, "fa_layer": fa} for hidden, fa in points}
    ledger, snapshot = stores.made(
        tmp_path / "store",
        rows,
        seeds=3,
        skill={f"{hidden} {fa}": hidden / 12 if fa == "last" else 0.7 for hidden, fa in points},
        missing=[("16 last", 4, 0)],
        axes=("hidden", "fa_layer"),
    )
    (gone,) = (t.id for t in snapshot.trials if not ledger.outcomes.has(t.id))
    stores.failed(ledger, gone, "diverged", {"semantics": SEMANTICS})
    bundle = tmp_path / "bundle"
    ablate("export", "made", "-o", bundle, "--store", ledger.root)
    code, said = recompute(bundle, "--each")
    assert code == 0, [line for line in said.splitlines() if "DIFFERS" in line]
    for line in (
        "hidden 32: verdict: yes / yes",
        "hidden 32: depends_on: ['fa_layer'] / ['fa_layer']",
        "hidden 32: printed under depends on: fa layer / fa layer",
        "hidden 16: verdict: open, 59 of 60 (1 diverged) / open, 59 of 60 (1 diverged)",
        "hidden 32, fa_layer last: verdict: yes / yes",
    ):
        assert f"agrees   {line}" in said
    for what in ("difference detectable", "new_seeds p", "printed under ΔΔUA ± 95 %", "ua low"):
        assert f"agrees   hidden 32: {what}" in said or f"last: {what}" in said
    table = json.loads((bundle / "table.json").read_text())
    table["main_effects"][1]["difference"]["p_holm"] += 2e-9
    table["dependences"][1]["verdict"] = "cannot tell"
    (bundle / "table.json").write_text(json.dumps(table))
    code, said = recompute(bundle)
    assert code == 1 and said.count("DIFFERS") == 2
    assert "DIFFERS  hidden 32: difference p_holm" in said
    assert "DIFFERS  hidden 32, fa_layer last: verdict: cannot tell / yes" in said


def test_a_number_that_does_not_follow_is_named(
    bundle: Path, tmp_path: Path, recompute: Recompute
) -> None:
    """In full, as rounded, and of a record: each is told, and nothing else."""
    folder = copied(bundle, tmp_path)
    table = json.loads((folder / "table.json").read_text())
    table["rows"][1]["difference"]["high"] += 2e-9
    (folder / "table.json").write_text(json.dumps(table))
    full = table["rows"][0]["wa"]["mean"]
    text = (folder / "table.md").read_text()
    shown = f"| {100 * full:.1f} |"
    assert text.count(shown) >= 1
    (folder / "table.md").write_text(text.replace(shown, f"| {100 * full + 0.2:.1f} |"))
    record = json.loads((folder / "provenance.json").read_text())
    record["trials"][3]["scores"][0]["confusion"][0][0] += 1
    (folder / "provenance.json").write_text(json.dumps(record))
    code, said = recompute(folder)
    differing = [line for line in said.splitlines() if line.startswith("DIFFERS")]
    assert code == 1
    for expected in ("difference high", "printed under WA", "counts of speaker-"):
        assert any(expected in line for line in differing), expected
    assert len(differing) == 2 + text.count(shown)


def test_a_prediction_that_was_changed_is_found(
    bundle: Path, tmp_path: Path, recompute: Recompute
) -> None:
    folder = copied(bundle, tmp_path)
    frame = pd.read_parquet(folder / "predictions.parquet")
    first = (frame.choice == "chosen") & (frame.utterance == "speaker-00-00")
    frame.loc[first, [c for c in frame if c.startswith("p_")]] = [0.0, 0.0, 0.0, 1.0]
    frame.to_parquet(folder / "predictions.parquet")
    code, said = recompute(folder)
    assert code == 1 and "DIFFERS  full: ua mean: " in said


def test_the_script_knows_nothing_of_the_program(root: Path) -> None:
    files = [root / "orchestrator" / "report" / "export" / name for name in PROGRAM]
    names = {
        name.partition(".")[0]
        for file in files
        for node in ast.walk(ast.parse(file.read_text()))
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    others = names - set(sys.stdlib_module_names) - {file.stem for file in files}
    assert others == {"numpy", "pandas", "scipy", "sklearn"}


def test_a_bundle_holds_every_form_and_says_what_it_lacks(bundle: Path, store: Path) -> None:
    names = {path.relative_to(bundle).as_posix() for path in bundle.rglob("*") if path.is_file()}
    figures = {
        f"figures/{name}.{form}"
        for name in ("forest", "axes", "curves", "confusion")
        for form in ("png", "svg", "pdf")
    }
    tables = {f"table.{ending}" for ending in ("txt", "md", "tex", "csv", "json", "html")}
    rest = {
        "README.md",
        "predictions.parquet",
        "study.json",
        "study.yaml",
        "provenance.json",
        "recompute.py",
        "recompute_effects.py",
        "recompute_printed.py",
        "recompute_rows.py",
        "recompute_statistics.py",
    }
    assert names == figures | tables | rest
    shown = ablate("report", "made", "--store", store, "--format", "markdown", "--details")
    assert (bundle / "table.md").read_text() == shown
    readme = (bundle / "README.md").read_text()
    assert "**17 are missing**" in readme and "corpus iemocap, profile quick" in readme
    assert (bundle / "study.yaml").read_text() == "study: made\n"
    for text in [readme, *((bundle / name).read_text() for name in rest if name.endswith("json"))]:
        assert str(store) not in text


def test_predictions_and_provenance_name_every_trial(bundle: Path, store: Path) -> None:
    ledger = Ledger.open(str(store))
    (snapshot,) = ledger.studies.snapshots("made")
    frame = pd.read_parquet(bundle / "predictions.parquet")
    record = json.loads((bundle / "provenance.json").read_text())
    done = {trial.id for trial in snapshot.trials if ledger.outcomes.has(trial.id)}
    assert set(frame.trial) == {t["trial"] for t in record["trials"]} == done
    assert {t["trial"] for t in record["missing"]} == {t.id for t in snapshot.trials} - done
    assert sum(record["determinism_classes"].values()) == len(done)
    some = record["trials"][0]
    outcome = ledger.outcomes.read(some["trial"])
    assert outcome is not None and some["digests"] == dict(outcome.digests)
    assert some["again"] == f"ablate rerun {some['trial'][:12]}"
    assert "host" not in some
    chosen = frame[(frame.trial == some["trial"]) & (frame.choice == "chosen")]
    assert chosen.utterance.nunique() == 32 and set(frame.fold) == {1, 2, 3, 4, 5}


@pytest.mark.usefixtures("one_form")
def test_a_folder_that_holds_something_is_refused_and_an_empty_one_is_not(
    store: Path, tmp_path: Path
) -> None:
    full, file = tmp_path / "full", tmp_path / "file"
    full.mkdir()
    (full / "mine.txt").write_text("mine")
    file.write_text("mine")
    for folder, sentence in (
        (full, "must name a new or empty folder"),
        (file, "must be a folder"),
        (tmp_path / "no" / "where", "must lie in a folder that exists"),
    ):
        assert sentence in ablate("export", "made", "-o", folder, "--store", store, code=2)
    assert [path.name for path in full.iterdir()] == ["mine.txt"]
    (tmp_path / "empty").mkdir()
    ledger, _ = stores.made(tmp_path / "small", {"a": {}, "b": {}}, folds=2)
    ablate("export", "made", "-o", tmp_path / "empty", "--store", ledger.root)
    assert (tmp_path / "empty" / "README.md").is_file()


@pytest.mark.usefixtures("one_form")
def test_a_bundle_is_whole_or_not_there(tmp_path: Path) -> None:
    """Also where a file of the store is damaged, or a picture cannot be drawn."""
    ledger, snapshot = stores.made(tmp_path / "store", {"a": {}, "b": {}}, folds=2)
    study = measure(ledger, snapshot)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(gallery.PICTURES, "curves", gallery.Picture(lambda study, row: 1 / 0))
        with pytest.raises(ZeroDivisionError):
            export(study, tmp_path / "out")
    stores.spoilt(ledger, snapshot.trials[0].id, "predictions.parquet")
    with pytest.raises(DamageError):
        export(study, tmp_path / "out")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["store"]


def test_nothing_run_is_nothing_to_export(tmp_path: Path) -> None:
    missing = [(name, fold, 0) for name in "ab" for fold in range(2)]
    stores.made(tmp_path / "store", {"a": {}, "b": {}}, folds=2, missing=missing)
    words = ("export", "made", "-o", tmp_path / "out", "--store", tmp_path / "store")
    assert "`ablate run` with its study file trains them" in ablate(*words, code=2)
