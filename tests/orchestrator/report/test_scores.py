"""The score of a study: every form names it and rests on it; another one is only looked at."""

import csv
import io
import json
import re
from collections.abc import Mapping
from pathlib import Path
from statistics import fmean

import pytest
from typer.testing import CliRunner

from model.evaluation.metrics import ua
from orchestrator.analysis.comparison import compare_rows
from orchestrator.cli.app import app
from orchestrator.report.figures.gallery import PICTURES
from orchestrator.report.formats import FORMS
from orchestrator.report.results import StudyResults, measure
from orchestrator.report.tables.comparison import scores
from orchestrator.report.tables.headline import tables
from orchestrator.store.records import CHOICE_OF
from orchestrator.study.protocol import ScoreRule
from tests import stores

ROWS = {"full": {"hidden": 64}, "small": {"hidden": 32}, "smaller": {"hidden": 16}}
SKILL = {"full": 2.5, "small": 1.0, "smaller": 0.3}
SHORT = [("small", 1, 0), ("small", 3, 2)]
"""Two trainings that stopped early."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("scores")


@pytest.fixture(scope="module")
def studies(folder: Path) -> Mapping[ScoreRule, StudyResults]:
    found: dict[ScoreRule, StudyResults] = {}
    for score in CHOICE_OF:
        made = stores.made(folder / score, ROWS, seeds=3, skill=SKILL, score=score)
        found[score] = measure(*made)
    return found


@pytest.fixture(scope="module")
def stopped(folder: Path) -> StudyResults:
    made = stores.made(
        folder / "stopped", ROWS, seeds=3, skill=SKILL, short=SHORT, score="averaged"
    )
    return measure(*made)


def by_hand(study: StudyResults, row: str, choice: str) -> float:
    """Mean UA of a row: seeds within a speaker, then speakers."""
    of: dict[str, list[float]] = {}
    for trial in study.snapshot.trials:
        for one in study.outcomes[trial.id].scores if trial.row == row else ():
            if (one.choice, one.unit) == (choice, "utterance"):
                of.setdefault(one.speaker, []).append(ua(one.confusion))
    return fmean(map(fmean, of.values()))


def written(study: StudyResults, form: str) -> str:
    return " ".join(FORMS[form].write([study], True).split())


@pytest.mark.parametrize("score", CHOICE_OF)
def test_means_verdicts_and_details_are_of_the_study_s_score(
    studies: Mapping[ScoreRule, StudyResults], score: ScoreRule
) -> None:
    study = studies[score]
    told = json.loads(FORMS["json"].write([study], True))
    assert told["title"]["score"] == score and told["exploratory"] is False
    for row in told["rows"]:
        assert row["ua"]["mean"] == pytest.approx(by_hand(study, row["name"], CHOICE_OF[score]))
        for choice in CHOICE_OF.values():
            assert row[choice]["ua"] == pytest.approx(by_hand(study, row["name"], choice))
    first, other = told["rows"][:2]
    assert other["difference"]["ua"] == pytest.approx(other["ua"]["mean"] - first["ua"]["mean"])
    choices = CHOICE_OF.values()
    assert len({tuple(by_hand(study, row, choice) for row in ROWS) for choice in choices}) == 3


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("score", CHOICE_OF)
def test_every_form_names_the_score(
    studies: Mapping[ScoreRule, StudyResults], score: ScoreRule, form: str
) -> None:
    text = written(studies[score], form)
    if form == "json":
        assert f'"score": "{score}"' in text
    elif form == "csv":
        assert {line["score"] for line in csv.DictReader(io.StringIO(text_of(studies[score])))} == {
            score
        }
    else:
        assert _head(score, form) in text
        assert "exploratory" not in text.lower()


def _head(score: str, form: str) -> str:
    if form == "html":
        return f"<dt>score</dt><dd><bdi>{score}</bdi>"
    return f"reading as-written, score {score}"


def text_of(study: StudyResults) -> str:
    return FORMS["csv"].write([study], True)


def test_pictures_name_the_score(studies: Mapping[ScoreRule, StudyResults]) -> None:
    for score, label in (("averaged", "averaged weights"), ("chosen", "chosen epoch")):
        figure = PICTURES["forest"].draw(studies[score], None)  # type: ignore[index]
        assert figure.axes[0].get_xlabel() == f"UA (%), {label}"
        rings = PICTURES["curves"].draw(studies[score], None)  # type: ignore[index]
        words = " ".join(t.get_text() for t in rings.findobj() if hasattr(t, "get_text"))
        assert ("Circles: the epoch" in words.replace("\n", " ")) == (score == "chosen")


@pytest.mark.parametrize("form", FORMS)
def test_a_row_with_a_training_that_stopped_early_has_no_averaged_score(
    stopped: StudyResults, form: str
) -> None:
    """Never a mean of the others; its comparison is not judged, and counts as p = 1."""
    text = written(stopped, form)
    assert "have no averaged weights (small: 2 of 15)" in text
    assert "no score" in text
    full, small, smaller = stopped.summary.rows
    assert (small.ua, small.wa, small.pooled, small.difference) == (None, None, None, None)
    assert (small.verdict, smaller.verdict, small.unscored) == ("no score", "yes", 2)
    assert small.averaged is None and small.chosen is not None and full.averaged is not None
    assert smaller.difference is not None and smaller.difference.p is not None
    assert smaller.difference.p_alone is not None
    assert smaller.difference.p >= smaller.difference.p_alone


def test_two_rows_one_of_which_has_no_score_are_not_compared(stopped: StudyResults) -> None:
    (found,) = compare_rows(stopped.snapshot, stopped.ledger, "full", ["small"])
    assert (found.shared, found.unscored, found.difference) == (0, 2, None)
    (note,) = (n for n in scores(found).footnotes if n.startswith("No score"))
    assert "2 trainings of A and B stopped before their last epoch" in note


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("other", ["chosen", "last"])
def test_another_score_is_marked_and_judges_nothing(
    studies: Mapping[ScoreRule, StudyResults], other: ScoreRule, form: str
) -> None:
    own = studies["averaged"]
    study = measure(own.ledger, own.snapshot, other)
    text = written(study, form)
    assert "own score is" in text and "no verdict, and no p" in text
    assert re.search("differs: p|cannot tell", text) is None
    for row in study.summary.rows[1:]:
        assert row.verdict == "exploratory" and row.difference is not None
        d = row.difference
        assert (d.p, d.p_alone, d.p_sign_flip) == (None, None, None)
        assert d.over_seeds is not None and d.over_seeds.p is None
        assert row.ua is not None
        assert row.ua.mean == pytest.approx(by_hand(own, row.name, CHOICE_OF[other]))
    if form == "json":
        told = json.loads(FORMS["json"].write([study], True))
        assert told["exploratory"] is True and told["title"]["score"] == other
    elif form != "csv":
        assert _head(f"{other} (exploratory)", form) in text


def test_an_adaptive_study_keeps_the_seeds_that_its_own_score_asked_for(folder: Path) -> None:
    ledger, snapshot = stores.made(
        folder / "adaptive", ROWS, seeds=5, skill=SKILL, replicates="adaptive", score="averaged"
    )
    own, other = measure(ledger, snapshot), measure(ledger, snapshot, "chosen")
    assert [row.n for row in other.summary.rows] == [row.n for row in own.summary.rows]
    assert not any(
        "settled" in [c.head for c in t.columns] for t in tables(other.summary, details=True)
    )


def test_the_command_looks_at_another_score(
    studies: Mapping[ScoreRule, StudyResults], folder: Path
) -> None:
    assert studies["averaged"]

    def said(*words: str) -> str:
        store = str(folder / "averaged")
        return CliRunner().invoke(app, ["report", "made", *words, "--store", store]).output

    assert "score last (exploratory)" in said("--score", "last")
    assert said("--score", "averaged") == said()
