"""A table that must not be judged yet says so in every form, and has no p in any of them."""

import csv
import io
import json
import re
from pathlib import Path

import pytest
from rich.console import Console

from orchestrator.analysis.comparison import compare_rows
from orchestrator.execution.events import Done, Failed, Planned
from orchestrator.execution.monitor.run_state import RunState
from orchestrator.report.figures.gallery import PICTURES
from orchestrator.report.formats import FORMS
from orchestrator.report.results import StudyResults, measure
from orchestrator.report.tables.comparison import record, scores
from orchestrator.report.tables.headline import tables
from orchestrator.report.terminal.live import View
from orchestrator.study.trials import SEMANTICS
from tests import stores

ROWS = {"full": {"hidden": 64}, "small": {"hidden": 32}, "smaller": {"hidden": 16}}
SKILL = {"full": 2.5, "small": 1.0, "smaller": 0.3}
GONE = [("small", fold, seed) for seed in (1, 2) for fold in range(5)][2:]
"""Eight of fifteen: the first seed of every row is finished, and so are all of their groups."""


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> StudyResults:
    root = tmp_path_factory.mktemp("open") / "store"
    return measure(*stores.made(root, ROWS, seeds=3, skill=SKILL, missing=GONE, axes=("hidden",)))


@pytest.mark.parametrize("form", FORMS)
def test_every_form_says_open_and_has_no_p(study: StudyResults, form: str) -> None:
    text = " ".join(FORMS[form].write([study], True).split())
    assert "open, 7 of 15" in text and "open, 15 of 15" in text
    assert "nothing is judged: no verdict, and no p" in text
    if form not in ("csv", "json"):
        assert "Means over 10 held-out speakers" in text
    if form == "html":
        assert "◌" in text and 'class="ring open"' in text and 'class="mark" d=' not in text
    if form == "json":
        for row in json.loads(FORMS[form].write([study], True))["rows"]:
            ps = [row["difference"][key] for key in ("p", "p_holm", "p_sign_flip")]
            assert [*ps, row["new_seeds"]["p"]] == [None] * 4
    if form == "csv":
        for line in csv.DictReader(io.StringIO(FORMS[form].write([study], True))):
            keys = ("difference_p", "difference_p_holm", "difference_p_sign_flip", "new_seeds_p")
            assert [line[key] for key in keys] == [""] * 4


def test_the_tables_of_tests_have_estimates_and_no_p(study: StudyResults) -> None:
    (one,) = (
        t for t in tables(study.summary, details=True) if "p Holm" in [c.head for c in t.columns]
    )
    for cells in one.cells:
        assert cells[1:4] == ("–", "–", "–") and re.match(r"[+-]\d", cells[6])


def test_notes_count_the_speakers_that_are_there(tmp_path: Path) -> None:
    """Not the ten of the end."""
    missing = [("small", fold, 0) for fold in (1, 2, 3, 4)]
    missing += [("smaller", fold, 0) for fold in (3, 4)]
    found = measure(*stores.made(tmp_path / "store", ROWS, missing=missing))
    text = " ".join(FORMS["markdown"].write([found], False).split())
    assert "Means over 2 to 10 of 10 held-out speakers" in text
    assert "corrected t over 1 to 5 of 5 held-out groups" in text
    assert "of 5 folds x 1 seed" in text


def test_pictures_draw_no_verdict(study: StudyResults) -> None:
    figure = PICTURES["forest"].draw(study, None)
    marks = [line.get_marker() for line in figure.axes[1].get_lines()]
    assert marks.count("x") == 2 and not {"D", "o"} & set(marks)
    words = " ".join(text.get_text() for text in figure.findobj() if hasattr(text, "get_text"))
    assert "Cross: not judged" in words.replace("\n", " ") and "   p " not in words


def test_a_comparison_has_no_p_while_another_row_is_missing(study: StudyResults) -> None:
    """Whoever compares two finished rows looks at a table that is not finished."""
    found = compare_rows(study.snapshot, study.ledger, "full", ["smaller"])[0]
    assert found.shared == found.wanted == 15
    notes = " ".join(scores(found).footnotes)
    assert "no p: B is open, 15 of 15, and p waits for every training of the study" in notes
    told = record(found, 0)
    assert told["open"] == "open, 15 of 15" and told["difference"]["p_alone"] is None
    assert told["difference"]["again"]["p"] is None and told["comparisons"] == 3


def test_a_comparison_says_of_how_many_its_p_is_one(tmp_path: Path) -> None:
    ledger, snapshot = stores.made(tmp_path / "store", ROWS, skill=SKILL)
    found = compare_rows(snapshot, ledger, "small", ["smaller"])[0]
    (note,) = (n for n in scores(found).footnotes if "B - A in UA" in n)
    assert re.search(r"p = 0\.\d{3}, of this one comparison of 3 that the 3 rows allow", note)


def test_running_estimates_are_of_an_open_table(study: StudyResults) -> None:
    """Up to the last trial, and longer where one of the row's diverged."""
    trials = study.snapshot.trials
    done = frozenset(t.id for t in trials if study.ledger.outcomes.has(t.id))
    gone = [t for t in trials if t.id not in done]
    sink = io.StringIO()
    state = RunState(study.ledger)
    view = View(Console(file=sink, width=200), state)
    last = next(t for t in trials if t.row == "full")
    view.show(Planned(trials, done - {last.id}, 1, "made"))
    view.show(Done(last.id, 1.0))
    assert "(open, 15 of 15)" in sink.getvalue()
    estimate = state.estimate("small")
    assert estimate is not None and state.open_verdict("small", estimate) == "open, 7 of 15"
    for trial in gone:
        view.show(Failed(trial.id, "diverged", "Its loss was not a number.", "r"))
    assert state.open_verdict("small", estimate) == "open, 7 of 15 (8 diverged)"
    full = state.estimate("full")
    assert full is not None and state.open_verdict("full", full) == ""


def test_all_is_judged_once_the_last_training_is_given_up(study: StudyResults) -> None:
    for trial in study.snapshot.trials:
        if not study.ledger.outcomes.has(trial.id):
            stores.failed(study.ledger, trial.id, "diverged", {"semantics": SEMANTICS})
    found = measure(study.ledger, study.snapshot)
    text = " ".join(FORMS["html"].write([found], True).split())
    assert "open, 7 of 15 (8 diverged)" in text and "Diverged, and given up: group 1 seed 2" in text
    assert 'class="mark" d=' in text and "Diverged: trainings whose loss" in text
