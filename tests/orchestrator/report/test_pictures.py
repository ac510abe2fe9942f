"""Pictures of a study: what is drawn is what was measured, in any script and format, in grey."""

import io
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from PIL import Image
from typer.testing import CliRunner

from orchestrator.cli.app import app
from orchestrator.errors import RequestError
from orchestrator.report.figures import canvas
from orchestrator.report.figures.gallery import PICTURES, all_fitting, fitting
from orchestrator.report.results import StudyResults, measure
from orchestrator.store.ledger import Ledger
from orchestrator.store.snapshot import Snapshot
from orchestrator.study.trials import SEMANTICS
from tests import stores

HOSTILE = (
    "$x_1$ & <script>alert(1)</script>",
    "日本語の行",
    "שורה אחת",
    "شبكة",
    "50 %_\\textbf{a}",
)
POINTS = ((4, 64), (4, 128), (5, 128), (5, 256))
Draw = Callable[..., Any]


@pytest.fixture(scope="module")
def grid(tmp_path_factory: pytest.TempPathFactory) -> StudyResults:
    """Figure 2 in small, which is no whole grid."""
    return measure(*_grid(tmp_path_factory.mktemp("grid") / "store"))


def _grid(root: Path) -> tuple[Ledger, Snapshot]:
    rows = {f"{n} x {h}": {"layers": n, "hidden": h} for n, h in POINTS}
    return stores.made(
        root,
        rows,
        figure=2,
        table=None,
        missing=[("5 x 256", 1, 0)],
        corpus="demo",
        skill={"5 x 128": 3.0},
    )


@pytest.fixture(scope="module")
def axes(tmp_path_factory: pytest.TempPathFactory) -> StudyResults:
    rows = {f"{p} {h}": {"pooling": p, "hidden": h} for p in ("mean", "sum") for h in (8, 16)}
    return measure(
        *stores.made(tmp_path_factory.mktemp("axes") / "store", rows, axes=("pooling", "hidden"))
    )


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> StudyResults:
    rows = {name: {} for name in HOSTILE}
    return measure(
        *stores.made(
            tmp_path_factory.mktemp("odd") / "store",
            rows,
            folds=2,
            question="Is `$\\frac{1}{2}$` \x1b[31m <b>?",
            corpus="demo",
        )
    )


def kinds(study: StudyResults) -> list[tuple[str, Any]]:
    """Every picture that the study has."""
    return [(name, PICTURES[name].draw(study, None)) for name in all_fitting(study.snapshot)]


def said(figure: Any) -> str:
    """All words of a picture, as they stand in its SVG."""
    root = ElementTree.fromstring(canvas.rendered(figure, "svg"))
    return "\n".join(
        "".join(text.itertext()) for text in root.iter("{http://www.w3.org/2000/svg}text")
    )


def test_each_study_has_the_pictures_that_fit(
    grid: StudyResults, axes: StudyResults, hostile: StudyResults
) -> None:
    assert [fitting(s.snapshot) for s in (grid, axes, hostile)] == ["sweep", "axes", "forest"]
    assert all_fitting(grid.snapshot) == ["forest", "sweep", "curves", "confusion"]
    assert all_fitting(axes.snapshot) == ["forest", "axes", "curves", "confusion"]
    assert all_fitting(hostile.snapshot) == ["forest", "curves", "confusion"]


def test_corpus_profile_reading_and_banner_stand_on_every_picture(grid: StudyResults) -> None:
    for name, figure in kinds(grid):
        words = said(figure)
        assert "corpus demo, profile quick, reading as-written" in words, name
        assert "Synthesised demo speech" in words, name
        assert re.search(r"\b5 folds\s+x 1\s+seed|\bn [45]\b", words), name
        assert "Missing: 1 trainings" in words.replace("\n", " "), name


def test_names_in_any_script_are_text_and_nothing_else(hostile: StudyResults) -> None:
    """No formula, no element, no escape sequence; without a warning."""
    for name, figure in kinds(hostile):
        words = said(figure).replace("\n", "")
        for row in HOSTILE:
            assert row.replace(" ", "") in words.replace(" ", ""), (name, row)
        assert "\x1b" not in words and b"<script" not in canvas.rendered(figure, "svg")
    for form in ("png", "pdf"):
        canvas.rendered(PICTURES["forest"].draw(hostile, None), form)


@pytest.mark.parametrize(
    ("form", "names"),
    [
        ("svg", tuple(name for name in PICTURES if name != "slices")),  # those of a search: there
        ("png", ("forest",)),
        ("pdf", ("confusion",)),
    ],
)
def test_the_same_question_gives_the_same_bytes(
    grid: StudyResults, axes: StudyResults, form: str, names: tuple[str, ...]
) -> None:
    for name in names:
        study = axes if name == "axes" else grid
        first, second = (canvas.rendered(PICTURES[name].draw(study, None), form) for _ in range(2))
        assert first == second, name
        if form == "png":
            Image.open(io.BytesIO(first)).load()
        if form == "pdf":
            assert first.startswith(b"%PDF") and b"/Type3" not in first
            assert b"CreationDate" not in first


def test_nothing_run_is_said_and_names_the_command(grid: StudyResults, axes: StudyResults) -> None:
    for study in (grid, axes):
        bare = StudyResults(ledger=study.ledger, outcomes={}, summary=_bare(study))
        for name, figure in kinds(bare):
            words = said(figure).replace("\n", " ")
            assert "No trial is finished yet" in words, name
            assert "ablate run studies/made.yaml" in words, name


def _bare(study: StudyResults) -> Any:
    from orchestrator.analysis.summary import summarise

    return summarise(study.snapshot, {})


def lines(panel: Any) -> dict[str, Any]:
    return {line.get_label(): line for line in panel.get_lines()}


def test_figure_2_draws_the_means_of_the_table_one_line_a_number_of_layers(
    grid: StudyResults,
) -> None:
    figure = PICTURES["sweep"].draw(grid, None)
    rows = {row.name: row for row in grid.summary.rows}
    for panel, metric in zip(figure.axes, ("wa", "ua"), strict=True):
        for layers in (4, 5):
            drawn = lines(panel)[f"{layers} layers"]
            widths = [h for n, h in POINTS if n == layers]
            assert [2**x for x in drawn.get_xdata()] == widths
            means = [100 * getattr(rows[f"{layers} x {h}"], metric).mean for h in widths]
            assert list(drawn.get_ydata()) == pytest.approx(means)
        bands = [p.get_extents() for band in panel.collections for p in band.get_paths()]
        low = 100 * max(0, getattr(rows["4 x 64"], metric).low)
        assert any(b.y0 <= low + 1e-9 for b in bands)


def test_series_are_told_apart_without_colour(grid: StudyResults) -> None:
    first, second = (
        lines(PICTURES["sweep"].draw(grid, None).axes[0])[f"{n} layers"] for n in (4, 5)
    )
    assert first.get_marker() != second.get_marker()
    assert first.get_linestyle() != second.get_linestyle()
    pairs = {(canvas.MARKERS[i % 8], str(canvas.DASHES[i % 4])) for i in range(8)}
    assert len(pairs) == 8


def test_a_verdict_is_the_shape_of_its_marker(tmp_path: Path) -> None:
    ledger, snapshot = _grid(tmp_path / "store")
    (gone,) = (trial.id for trial in snapshot.trials if not ledger.outcomes.has(trial.id))
    stores.failed(ledger, gone, "diverged", {"semantics": SEMANTICS})
    grid = measure(ledger, snapshot)
    assert "Diverged: trainings" in said(PICTURES["forest"].draw(grid, None)).replace("\n", " ")
    verdicts = {row.name: row.verdict for row in grid.summary.rows}
    given_up = "open, 4 of 5 (1 diverged)"
    assert set(verdicts.values()) == {"", "yes", "cannot tell", given_up}, "the study shows all"
    shapes = {"yes": ("D", False), "cannot tell": ("o", True), given_up: ("x", True)}
    marks = [
        (line.get_marker(), line.get_markerfacecolor(), float(line.get_xdata()[0]))
        for line in PICTURES["forest"].draw(grid, None).axes[1].get_lines()
        if line.get_marker() in ("D", "o", "x")
    ]
    rows = [row for row in grid.summary.rows if row.difference is not None]
    assert len(marks) == len(rows)
    for (marker, face, x), row in zip(marks, rows, strict=True):
        assert row.difference is not None
        assert (marker, face == "white") == shapes[row.verdict]
        assert x == pytest.approx(100 * row.difference.ua)


def test_curves_end_where_trainings_end_and_mark_what_was_chosen(grid: StudyResults) -> None:
    figure = PICTURES["curves"].draw(grid, "4 x 64")
    (row,) = grid.details(["4 x 64"])
    top, bottom = figure.axes
    chosen = sorted(
        float(line.get_xdata()[0]) for line in top.get_lines() if line.get_marker() == "o"
    )
    epochs = [e for t in row.trials for e in (t.chosen_on_a, t.chosen_on_b)]
    assert chosen == sorted(map(float, epochs))
    mean = lines(top)["held out"].get_ydata()
    first = [100 * half.ua for t in row.trials for half in (t.history[0].a, t.history[0].b)]
    assert mean[0] == pytest.approx(sum(first) / len(first)) and len(mean) == stores.EPOCHS
    train = lines(bottom)["trained on"].get_ydata()
    assert train[-1] == pytest.approx(sum(t.history[-1].loss for t in row.trials) / 5)


def test_a_confusion_shows_shares_of_what_was_spoken_and_counts(grid: StudyResults) -> None:
    figure = PICTURES["confusion"].draw(grid, "4 x 64")
    pooled = grid.summary.rows[0].pooled
    assert pooled is not None
    shown = [text.get_text() for text in figure.axes[0].texts]
    cells = [
        text
        for row in pooled.confusion
        for n in row
        for text in (f"{100 * n / sum(row):.0f}", str(n))
    ]
    assert shown == cells
    assert "4 x 64" in said(figure) and "4 x 128" not in said(figure)


def test_a_picture_stands_in_a_strict_page(hostile: StudyResults, grid: StudyResults) -> None:
    """No style, no script, no identifier twice, and nothing that is fetched."""
    for figure in (PICTURES["sweep"].draw(grid, None), PICTURES["forest"].draw(hostile, None)):
        text = canvas.svg_text(figure)
        root = ElementTree.fromstring(text)
        assert " style=" not in text and "<style" not in text and "<script" not in text
        assert root.get("role") == "img" and root.get("aria-label") == figure.get_label().replace(
            "\x1b", "?"
        )
        assert root.get("width") is None and root.get("viewBox")
        used = set(re.findall(r"#([A-Za-z][\w.-]*)\b(?=[\")])", text))
        found = [element.get("id") for element in root.iter() if element.get("id")]
        assert sorted(found) == sorted(set(found)) and set(found) <= used
        assert "currentColor" in text and not re.search(r"https?://(?!www\.w3\.org/)", text)


def ablate(*words: object, code: int = 0) -> str:
    done = CliRunner().invoke(app, [str(word) for word in words])
    if isinstance(done.exception, RequestError):
        assert code == 2, done.exception
        return str(done.exception)
    assert done.exit_code == code, done.output
    return done.stdout


def test_report_draws_what_fits_and_what_is_asked_for(grid: StudyResults, tmp_path: Path) -> None:
    store = grid.ledger.root
    assert "(sweep)" in ablate("report", "made", "--store", store, "-o", tmp_path / "a.svg")
    assert "hidden size" in (tmp_path / "a.svg").read_text()
    words = ("report", "made", "--store", store, "-o", tmp_path / "b.pdf", "--picture", "curves")
    assert "`4 x 64`" in ablate(*words, "--row", "4 x 64")
    assert (tmp_path / "b.pdf").read_bytes().startswith(b"%PDF")


def test_report_writes_a_table_in_the_form_that_its_name_ends_in(
    grid: StudyResults, tmp_path: Path
) -> None:
    store = grid.ledger.root
    for form, ending in (
        ("markdown", "md"),
        ("csv", "csv"),
        ("json", "json"),
        ("latex", "tex"),
        ("html", "html"),
    ):
        path = tmp_path / f"a.{ending}"
        assert "Wrote `made`" in ablate("report", "made", "--store", store, "-o", path)
        assert path.read_text() == ablate("report", "made", "--store", store, "--format", form)
    path = tmp_path / "a.txt"
    ablate("report", "made", "--store", store, "-o", path, "--details")
    assert "4 x 256" not in path.read_text() and max(map(len, path.read_text().splitlines())) <= 80


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("-o", "a.gif"), "must end in one of `.txt`, `.md`, `.tex`"),
        (("-o", "none/a.png"), "must lie in a folder that exists"),
        (("--picture", "forest"), "`--picture` draws: `-o FILE.png`"),
        (("-o", "a.md", "--row", "4 x 64"), "`--row` draws"),
        (("-o", "a.md", "--format", "csv"), "must not stand with `--output`"),
        (("-o", "a.png", "--details"), "`--details` is of tables"),
        (("-o", "a.png", "--row", "4 x 64"), "must stand with a picture of one row"),
        (("-o", "a.png", "--picture", "curves", "--row", "4x64"), "Did you mean `4 x 64`?"),
        (("-o", "a.png", "--picture", "axes"), "are no grid: `--picture forest` draws any rows"),
    ],
)
def test_what_cannot_be_drawn_is_one_sentence(
    grid: StudyResults, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: Any, sentence: str
) -> None:
    monkeypatch.chdir(tmp_path)
    told = ablate("report", "made", "--store", grid.ledger.root, *words, code=2)
    assert sentence in told and not list(tmp_path.iterdir())


def test_two_studies_of_one_table_are_no_one_picture(tmp_path: Path) -> None:
    for study in ("one", "two"):
        _: tuple[Ledger, Snapshot] = stores.made(
            tmp_path / "store", {"a": {}, "b": {}}, folds=2, study=study
        )
    monkey = ("report", "--table", "7", "--store", tmp_path / "store", "-o", tmp_path / "a.png")
    told = ablate(*monkey, code=2)
    assert "`one`" in told and "`two`" in told and "name one" in told


def test_more_rows_than_can_be_seen_are_refused_before_they_are_read(tmp_path: Path) -> None:
    rows = {f"row {n}": {"hidden": n + 1} for n in range(31)}
    missing = [(name, fold, 0) for name in rows for fold in range(2)]
    ledger, snapshot = stores.made(tmp_path / "store", rows, folds=2, missing=missing)
    assert all_fitting(snapshot) == ["forest", "sweep", "axes"]
    words = ("report", "made", "--store", ledger.root, "-o", tmp_path / "a.svg", "--picture")
    told = ablate(*words, "curves", code=2)
    assert "at most 30 rows, but `made` has 31 instead: `--row` names one." in told
    assert "`row 3`" in ablate(*words, "curves", "--row", "row 3")
    assert "No trial is finished yet" in (tmp_path / "a.svg").read_text()


def test_a_grid_of_more_axes_than_can_be_seen_is_a_forest(tmp_path: Path) -> None:
    keys = ("attention", "bigru", "residual", "fa_self", "stage_loss", "layer_norm")
    rows = {
        f"{bits:06b}": {key: bool(bits >> place & 1) for place, key in enumerate(keys)}
        for bits in range(64)
    }
    missing = [(name, fold, 0) for name in rows for fold in range(2)]
    _, snapshot = stores.made(tmp_path / "store", rows, folds=2, missing=missing, axes=keys)
    assert fitting(snapshot) == "forest" and "axes" not in all_fitting(snapshot)
    with pytest.raises(RequestError, match="at most 5 axes, but `made` spans 6 instead"):
        PICTURES["axes"].refuse(snapshot)


@pytest.mark.parametrize("width", ["8", -1, 10**400, None, True, [8]])
def test_a_strangers_widths_are_no_sweep(tmp_path: Path, width: Any) -> None:
    rows = {"a": {"hidden": 8}, "b": {"hidden": 16}}
    _, snapshot = stores.made(tmp_path / "store", rows, folds=2, figure=2, table=None)
    odd = replace(
        snapshot, rows=(snapshot.rows[0], replace(snapshot.rows[1], settings={"hidden": width}))
    )
    assert "sweep" not in all_fitting(odd)
    assert fitting(odd) in PICTURES


def test_damaged_curves_are_said_to_be_damaged(tmp_path: Path) -> None:
    ledger, snapshot = stores.made(tmp_path / "store", {"a": {}, "b": {}}, folds=2)
    for trial in snapshot.trials:
        if (trial.row, trial.fold) != ("b", 0):
            stores.spoilt(ledger, trial.id, "history.json")
    study = measure(ledger, snapshot)
    some = said(PICTURES["curves"].draw(study, None)).replace("\n", " ")
    assert "the histories of 3 trainings are damaged" in some and "b (n 2)" in some
    none = said(PICTURES["curves"].draw(study, "a")).replace("\n", " ")
    assert "What would be drawn is damaged" in none and "finished yet" not in none
