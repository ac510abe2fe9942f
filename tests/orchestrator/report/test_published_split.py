"""A published split in every form: the test side is the result, the dev side stands apart."""

import csv
import io
import json
import os
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from features.corpora import catalogue
from model.evaluation.metrics import ua
from orchestrator.analysis.comparison import compare_rows
from orchestrator.execution.cluster.inline import InlineCluster
from orchestrator.execution.run import run
from orchestrator.report.figures.gallery import PICTURES
from orchestrator.report.formats import FORMS
from orchestrator.report.results import StudyResults, measure
from orchestrator.report.row_details import row_details
from orchestrator.report.tables.comparison import record, scores
from orchestrator.report.trackers import finished
from orchestrator.store.ledger import Ledger
from orchestrator.store.records import CHOICE_OF
from orchestrator.study.protocol import ScoreRule
from orchestrator.study.reader import read_study
from tests import stores

ROWS = {"full": {"hidden": 64}, "small": {"hidden": 32}, "smaller": {"hidden": 16}}
SKILL = {"full": 2.5, "small": 1.0, "smaller": 0.9}
DEV, TEST = ["speaker-04", "speaker-05"], [f"speaker-{n:02}" for n in range(6, 12)]
SCORES: tuple[ScoreRule, ...] = ("averaged", "chosen", "last")


def made(root: Path, *, seeds: int = 3, test: int = 6, **changes: object) -> StudyResults:
    return measure(
        *stores.made(root, ROWS, seeds=seeds, skill=SKILL, split=(2, test), **changes)  # type: ignore[arg-type]
    )


@pytest.fixture(scope="module", params=SCORES)
def study(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> StudyResults:
    return made(tmp_path_factory.mktemp("split") / "store", score=request.param)


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory) -> StudyResults:
    return made(tmp_path_factory.mktemp("few") / "store", seeds=2)


def uas(study: StudyResults, row: str) -> dict[str, dict[int, float]]:
    """Speaker -> seed -> UA of every held-out speaker, counted from the records."""
    found: dict[str, dict[int, float]] = {}
    for trial in study.snapshot.trials:
        outcome = study.ledger.outcomes.read(trial.id)
        assert outcome is not None
        for s in outcome.scores:
            wanted = trial.row == row and s.choice == CHOICE_OF[study.snapshot.score]
            if wanted and s.unit == "utterance":
                found.setdefault(s.speaker, {})[trial.seed] = ua(s.confusion)
    return found


def test_the_headline_is_the_test_side_alone(study: StudyResults) -> None:
    for row in study.summary.rows:
        by_speaker = uas(study, row.name)
        assert sorted(by_speaker) == [*DEV, *TEST]
        means = np.array([np.mean(list(by_speaker[who].values())) for who in TEST])
        interval = stats.ttest_1samp(means, 0.0).confidence_interval(0.95)
        assert row.ua is not None and row.dev is not None and row.pooled is not None
        assert row.ua.mean == pytest.approx(means.mean(), abs=1e-12)
        assert row.ua.low == pytest.approx(interval.low, abs=1e-12)
        assert row.ua.high == pytest.approx(min(1, interval.high), abs=1e-12)
        assert row.dev.ua == pytest.approx(
            np.mean([np.mean(list(by_speaker[who].values())) for who in DEV]), abs=1e-12
        )
        assert (row.speakers, row.groups, row.n) == (6, 1, 3)
        assert sum(map(sum, row.pooled.confusion)) == 3 * 6 * 16


def test_a_difference_is_over_speakers_crossed_with_seeds(study: StudyResults) -> None:
    reference, small = uas(study, "full"), uas(study, "small")
    table_SK = np.array([[small[s][k] - reference[s][k] for k in range(3)] for s in TEST])
    of_speakers = table_SK.mean(axis=1).var(ddof=1) / 6
    of_seeds = table_SK.mean(axis=0).var(ddof=1) / 3
    t_speakers, t_seeds = (stats.t.isf(0.025, df) for df in (5, 2))
    half = np.sqrt(t_speakers**2 * of_speakers + t_seeds**2 * of_seeds)
    found = study.summary.rows[1].difference
    assert found is not None and found.low is not None and found.over_seeds is not None
    assert (found.ua, found.ua - found.low) == pytest.approx((table_SK.mean(), half), abs=1e-12)
    assert found.p_sign_flip is None and study.summary.rows[1].verdict in ("yes", "cannot tell")
    again = stats.ttest_1samp(table_SK.mean(axis=0), 0.0)
    assert found.over_seeds.p == pytest.approx(again.pvalue, rel=1e-9)


@pytest.mark.parametrize("form", FORMS)
def test_every_form_says_whose_scores_they_are(study: StudyResults, form: str) -> None:
    text = FORMS[form].write([study], True)
    if form == "json":
        rows = json.loads(text)["rows"]
        assert [row["dev"].keys() for row in rows] == [{"wa", "ua"}] * 3
        assert [row["speakers"] for row in rows] == [6] * 3
        promise = json.loads(text)["promise"]
        assert (promise["comparisons"], promise["luck"]) == (2, None)
    elif form == "csv":
        assert "dev_ua" in next(csv.reader(io.StringIO(text)))
    else:
        plain = re.sub(r"<[^>]+>|\\\\|\\textbackslash|\\|[{}~]", " ", text).replace("*", "")
        flat = " ".join(plain.split())
        assert "Means over 6 test speakers" in flat and "the published split x 3 seeds" in flat
        assert "for new speakers and these networks" in flat and "these networks" in flat
        assert "this one training side suits a row by luck" in flat
        assert "apart from the luck of its one training side" in flat
        assert "dev WA/UA" in flat or "dev WA/ UA" in flat or form == "latex"
        its = "at the epoch that the test side chose: never quote it"
        assert (its in flat) == (study.snapshot.score == "chosen")
        assert "held-out groups" not in flat


@pytest.mark.parametrize("form", FORMS)
def test_below_three_seeds_there_is_no_verdict_and_the_cell_says_why(
    few: StudyResults, form: str
) -> None:
    text = " ".join(FORMS[form].write([few], True).split())
    assert "none: 2 seeds, 3 are needed" in text
    for row in few.summary.rows[1:]:
        assert row.difference is not None and row.is_open
        assert (row.difference.low, row.difference.p, row.difference.p_alone) == (None,) * 3


def test_below_five_test_speakers_no_number_of_seeds_gives_a_verdict(tmp_path: Path) -> None:
    found = made(tmp_path / "store", seeds=4, test=4)
    verdicts = [row.verdict for row in found.summary.rows]
    assert verdicts == ["", *["none: 4 test speakers, 5 are needed"] * 2]


def test_a_training_that_is_missing_keeps_the_table_open(tmp_path: Path) -> None:
    found = made(tmp_path / "store", missing=[("small", 0, 1)])
    assert [row.verdict for row in found.summary.rows] == ["", "open, 2 of 3", "open, 3 of 3"]


def test_pictures_say_what_their_bars_are(study: StudyResults, few: StudyResults) -> None:
    for one, words in ((study, "test speakers crossed with seeds"), (few, "none: 2 seeds")):
        figure = PICTURES["forest"].draw(one, None)
        text = " ".join(t.get_text() for t in figure.findobj() if hasattr(t, "get_text"))
        flat = " ".join(text.split())
        assert words in flat and "means over test speakers" in flat and "for new speakers" in flat


def test_a_comparison_is_of_the_test_side(study: StudyResults, few: StudyResults) -> None:
    (found,) = compare_rows(study.snapshot, study.ledger, "full", ["small"])
    own = study.summary.rows[1].difference
    assert found.difference is not None and own is not None
    assert (found.difference.low, found.difference.p_alone) == (own.low, own.p_alone)
    assert found.difference.p == own.p_alone
    assert [(one.name, one.speakers) for one in found.folds] == [("1", 6)]
    assert {one.speakers for one in found.emotions} == {6}
    assert {flip.speaker for flip in found.flips} <= set(TEST)
    assert found.decisions == 3 * 6 * 16 and found.balance is not None
    assert found.balance.low is not None
    notes = " ".join(scores(found).footnotes)
    assert "test speakers crossed with seeds" in notes and "held-out groups" not in notes
    (lacking,) = compare_rows(few.snapshot, few.ledger, "full", ["small"])
    assert "no p: 2 seeds, 3 are needed" in " ".join(scores(lacking).footnotes)
    assert record(lacking, 0)["difference"]["p_alone"] is None


def test_what_a_training_shows_of_the_dev_side_is_named_so(study: StudyResults) -> None:
    (row, *_) = row_details(study.ledger, study.snapshot, study.outcomes)
    for training in row.trials:
        assert [s.speaker for s in training.scores] == TEST
        assert [s.speaker for s in training.dev_scores] == DEV
        ((curve, epoch),) = training.choosing_halves
        assert [e.ua for e in curve] == [e.a.ua for e in training.history]
        assert epoch == training.chosen_on_a
    page = FORMS["html"].write([study], True)
    assert "<bdi>dev speaker-04</bdi>" in page and "<bdi>speaker-06</bdi>" in page


def test_trackers_get_the_test_side_and_curves_by_side(study: StudyResults) -> None:
    trial = study.snapshot.trials[0]
    one = finished.read(study.ledger, study.snapshot, trial)
    assert one is not None
    by_speaker = uas(study, trial.row)
    own = [by_speaker[who][trial.seed] for who in TEST]
    assert one.scores["ua"] == pytest.approx(np.mean(own), abs=1e-12)
    assert {key for key in one.scores if key.startswith("ua/")} == {f"ua/{who}" for who in TEST}
    _, _, figures = next(iter(one.curves()))
    assert {"dev/ua", "test/ua"} <= figures.keys() and "dev_a/ua" not in figures


STUDY = """\
study: split
question: Does the second layer earn its place?
corpus: relabelled
protocol: {folds: published, seeds: 3}
emotions: [angry, sad]
training: {epochs: 4, batch: 16}
baseline: {hidden: 8, fa_layer: none}
rows:
  - {name: one layer, set: {layers: 1}}
  - {name: two layers, set: {layers: 2}}
"""
SIDES = {"female-1": "train", "male-1": "train", "female-2": "train", "male-2": "train"}
SIDES |= {"female-3": "dev"}


def relabelled(speech: Path, file: Path) -> None:
    """The demo speech as a table: two women and two men train, one woman is dev, five test."""
    shutil.copytree(speech, file.parent, copy_function=os.link, dirs_exist_ok=True)
    lines = ["file,speaker,emotion,split"]
    for u in catalogue.read("demo", speech).utterances:
        side = SIDES.get(u.speaker, "test")
        lines.append(f"{u.path},{u.speaker},{u.emotion},{side}")
    file.write_text("\n".join(lines) + "\n")


def test_speech_is_trained_and_judged_on_its_published_split(
    demo_speech: Path, tmp_path: Path
) -> None:
    """The whole chain: audio, a table with a column `split`, three seeds, a verdict."""
    (tmp_path / "speech").mkdir()
    relabelled(demo_speech, tmp_path / "speech" / "labels.csv")
    (tmp_path / "split.yaml").write_text(STUDY)
    ledger = Ledger.open(str(tmp_path / "store"))
    corpus = catalogue.read("table", tmp_path / "speech" / "labels.csv", own_name="relabelled")
    ledger.write_corpus(corpus.name, corpus.to_json())
    result = run(read_study(tmp_path / "split.yaml"), ledger, InlineCluster(), lambda event: None)
    assert result.failed == ()
    found = measure(ledger, next(iter(ledger.studies.iter_snapshots("split"))))
    assert found.snapshot.dev_speakers == {"female-3"}
    assert len(found.snapshot.test_speakers) == 5 and len(found.snapshot.trials) == 6
    by_speaker = uas(found, "one layer")
    own = [np.mean(list(by_speaker[who].values())) for who in found.snapshot.test_speakers]
    row, other = found.summary.rows
    assert row.ua is not None and row.dev is not None and row.ua.low is not None
    assert row.ua.mean == pytest.approx(np.mean(own), abs=1e-12)
    assert row.dev.ua == pytest.approx(np.mean(list(by_speaker["female-3"].values())), abs=1e-12)
    assert other.verdict in ("yes", "cannot tell") and other.difference is not None
    assert other.difference.low is not None
    note = (
        "Published split: scores are of the test side alone (5 speakers); the dev side (1 speaker)"
    )
    assert note in " ".join(FORMS["text"].write([found], True).split())
