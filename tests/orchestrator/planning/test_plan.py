import json
import shutil
from pathlib import Path

import pytest

from features.corpora.corpus import Corpus, Utterance
from orchestrator.errors import LackError, StudyError
from orchestrator.planning.plan import plan_study
from orchestrator.report.tables.headings import protocol_line
from orchestrator.store.ledger import Ledger
from orchestrator.store.records import Failure
from orchestrator.study.reader import parse_study, read_study
from orchestrator.study.study import Study

STUDY = """\
study: smoke
table: 99
corpus: {corpus}
protocol: {{folds: {folds}, seeds: 1}}
training: {{epochs: {epochs}}}
{more}
baseline: {{layers: 2, hidden: 64}}
rows:
  - {{name: No FA, set: {{fa_layer: none}}}}
  - {{name: FA in layer 2, set: {{fa_layer: 2}}}}
{rows}
reference: No FA
"""


def study(corpus: str = "demo", folds: int = 2, epochs: int = 2, more: str = "", rows: str = ""):  # type: ignore[no-untyped-def]
    text = STUDY.format(corpus=corpus, folds=folds, epochs=epochs, more=more, rows=rows)
    return parse_study(text, "smoke.yaml")


def test_a_fresh_store_has_everything_to_do(tmp_path: Path) -> None:
    plan = plan_study(study(), Ledger.open(str(tmp_path / "s")))
    assert (len(plan.trials), len(plan.done), len(plan.to_do)) == (4, 0, 4)
    assert plan.notices == ("Profile: quick, the default for `demo`, and so score averaged.",)


def test_what_has_run_is_done_and_a_new_row_is_only_itself(store: Path) -> None:
    ledger = Ledger.open(str(store))
    assert len(plan_study(study(), ledger).done) == 4
    plan = plan_study(study(rows="  - {name: FA in layer 1, set: {fa_layer: 1}}"), ledger)
    assert (len(plan.done), len(plan.to_do)) == (4, 2)
    assert {item.row for item in plan.to_train} == {"FA in layer 1"}


def test_a_trial_shared_by_two_studies_is_one_trial(store: Path) -> None:
    text = STUDY.format(corpus="demo", folds=2, epochs=2, more="", rows="")
    other = parse_study(text.replace("smoke", "other").replace("No FA", "None at all"), "o.yaml")
    assert len(plan_study(other, Ledger.open(str(store))).done) == 4


def test_a_changed_setting_makes_trials_stale_and_says_which(store: Path) -> None:
    plan = plan_study(study(epochs=3), Ledger.open(str(store)))
    assert set(plan.stale.values()) == {"changed: training.epochs"}
    assert (len(plan.done), len(plan.stale), len(plan.to_do)) == (0, 4, 0)


def test_a_failed_trial_is_counted_and_trained_again(store: Path) -> None:
    ledger = Ledger.open(str(store))
    id = plan_study(study(), ledger).done[0]
    shutil.rmtree(ledger.paths.trial_folder(id))
    ledger.attempts.write_failure(
        Failure(id=id, cause="code", sentence="x", traceback="", epoch=0, attempt="a", host="h")
    )
    plan = plan_study(study(), ledger)
    assert (plan.failed, len(plan.done)) == ((id,), 3)
    assert [item.id for item in plan.to_train] == [id]


def test_auto_takes_the_demo_and_says_so_loudly(tmp_path: Path) -> None:
    plan = plan_study(study(corpus="auto"), Ledger.open(str(tmp_path / "s")))
    assert plan.snapshot.corpus == "demo"
    assert plan.notices[0].startswith("Corpus: `demo`, synthesised speech, since `iemocap` is not")


def test_an_unregistered_corpus_is_lacking_with_the_remedy(tmp_path: Path) -> None:
    ledger = Ledger.open(str(tmp_path / "s"))
    with pytest.raises(LackError) as caught:
        plan_study(study(corpus="ravdess"), ledger)
    assert str(caught.value) == (
        f"The corpus `ravdess` is not registered in `{ledger.root}`. "
        "`ablate corpus add ravdess FOLDER` registers it."
    )


def test_folds_that_the_corpus_cannot_give_are_refused_at_their_place(tmp_path: Path) -> None:
    with pytest.raises(StudyError) as caught:
        plan_study(study(folds=6), Ledger.open(str(tmp_path / "s")))
    first = str(caught.value).splitlines()[0]
    assert first.startswith("smoke.yaml:4:19: `protocol.folds` must be at most 5 for the 10 speake")


def dealt(deals: int, seeds: int = 1, folds: int = 2) -> Study:
    text = STUDY.format(corpus="demo", folds=folds, epochs=2, more="", rows="")
    return parse_study(text.replace("seeds: 1", f"seeds: {seeds}, deals: {deals}"), "smoke.yaml")


def test_the_first_deal_is_shared_with_a_study_without_deals(store: Path) -> None:
    """The same trial ids: what is trained is not trained again."""
    ledger = Ledger.open(str(store))
    plan = plan_study(dealt(3), ledger)
    assert (len(plan.trials), len(plan.done), len(plan.to_do)) == (12, 4, 8)
    assert {item.deal for item in plan.trials if item.id in plan.done} == {0}
    assert not plan.stale
    once = plan_study(study(), ledger)
    assert [item.id for item in once.trials] == [t.id for t in plan.trials if t.deal == 0]
    assert {item.deal for item in once.trials} == {None}


def test_trials_of_a_deal_follow_from_its_speakers_alone(tmp_path: Path) -> None:
    """More deals and more seeds change no trial; each trains its own draws."""
    ledger = Ledger.open(str(tmp_path / "s"))
    few, many = (plan_study(s, ledger) for s in (dealt(2, folds=5), dealt(4, seeds=2, folds=5)))
    slots = {(t.row, t.deal, t.fold, t.seed): t.id for t in many.trials}
    assert len(slots) == len(many.trials) == 4 * 2 * 5 * 2
    assert all(slots[t.row, t.deal, t.fold, t.seed] == t.id for t in few.trials)
    assert len({t.id for t in many.trials}) == len(many.trials)
    assert len({t.trial.random_seed for t in many.trials}) == 4 * 2 * 5
    assert [t.seed for t in many.trials] == sorted(t.seed for t in many.trials)
    first = [(t.deal, t.fold, t.row) for t in many.trials if t.seed == 0]
    assert [key[:2] for key in first] == sorted(key[:2] for key in first)


def test_more_deals_than_there_are_are_refused_at_their_place(tmp_path: Path) -> None:
    with pytest.raises(StudyError) as caught:
        plan_study(dealt(6, folds=5), Ledger.open(str(tmp_path / "s")))
    assert str(caught.value).splitlines()[0] == (
        "smoke.yaml:4:39: `protocol.deals` must be at most 5 for the 10 speakers of corpus `demo` "
        "in 5 folds, since no held-out group may come twice, but is 6 instead."
    )


def test_an_emotion_the_corpus_lacks_is_refused_at_its_place(tmp_path: Path) -> None:
    more = "emotions: {calm: calm, sad: sad}"
    with pytest.raises(StudyError) as caught:
        plan_study(study(more=more), Ledger.open(str(tmp_path / "s")))
    assert str(caught.value).splitlines()[0].startswith("smoke.yaml:6:11: ")
    assert "`calm`" in str(caught.value)


def test_rows_that_are_equal_under_the_profile_of_the_corpus_are_refused(tmp_path: Path) -> None:
    rows = "  - {name: Same, set: {fa_layer: none, profile: quick}}"
    text = STUDY.format(corpus="demo", folds=2, epochs=2, more="", rows=rows)
    text = text.replace("training: {epochs: 2}\n", "")
    with pytest.raises(StudyError) as caught:
        plan_study(parse_study(text, "s.yaml"), Ledger.open(str(tmp_path / "s")))
    assert "The rows `No FA` and `Same` are the same trials" in str(caught.value)


def test_the_snapshot_is_what_was_asked(store: Path, root: Path) -> None:
    (path,) = (store / "studies").glob("smoke@*.json")
    assert json.loads(path.read_bytes()) == json.loads(
        json.dumps(plan_study(study(), Ledger.open(str(store))).snapshot.to_json())
    ) | {
        "question": "Does anything break, with and without a fully adjacent layer?",
        "text": (root / "studies" / "smoke.yaml").read_text(),
    }


def test_a_part_is_refused_at_its_place_where_the_corpus_has_none(tmp_path: Path) -> None:
    with pytest.raises(StudyError) as caught:
        plan_study(study(more="corpus_part: scripted"), Ledger.open(str(tmp_path / "s")))
    assert str(caught.value).splitlines()[0] == (
        "smoke.yaml:6:14: `corpus_part` must be `all` for corpus `demo`, but is `scripted` instead."
    )


def test_a_part_of_iemocap_is_named_and_never_set_against_the_paper(tmp_path: Path) -> None:
    ledger = Ledger.open(str(tmp_path / "s"))
    utterances = tuple(
        Utterance(
            id=f"{speaker}-{kind}-{emotion}",
            path="",
            speaker=speaker,
            sex="",
            session="",
            emotion=emotion,
            digest=f"{speaker}{kind}{emotion}",
            size=0,
            mtime_ns=0,
            kind=kind,
        )
        for speaker in "abcdefghij"
        for kind in ("improvised", "scripted")
        for emotion in ("angry", "happy", "neutral", "sad")
    )
    corpus = Corpus(name="iemocap", root=str(tmp_path), utterances=utterances, left_out=())
    ledger.write_corpus("iemocap", corpus.to_json())
    text = STUDY.format(corpus="iemocap", folds=5, epochs=2, more="", rows="")
    text = text.replace("training: {epochs: 2}\n", "")
    whole = plan_study(parse_study(text, "s.yaml"), ledger)
    part = plan_study(parse_study(f"{text}corpus_part: improvised\n", "s.yaml"), ledger)
    assert (whole.snapshot.utterances, part.snapshot.utterances) == (80, 40)
    changed = plan_study(study("iemocap", folds=5, more="profile: paper"), ledger)
    assert not changed.snapshot.comparable  # two epochs are not the paper's training
    assert (whole.snapshot.comparable, part.snapshot.comparable) == (True, False)
    assert protocol_line(part.snapshot).startswith(
        "corpus iemocap (improvised only), profile paper"
    )
    assert not {p.id for p in whole.trials} & {p.id for p in part.trials}


def test_what_the_study_itself_sets_stands_in_every_report(tmp_path: Path) -> None:
    more = "scaling: speaker\nemotions: {angry: angry, calm: [neutral, sad]}"
    snapshot = plan_study(study(more=more), Ledger.open(str(tmp_path / "s"))).snapshot
    assert snapshot.notes[0] == (
        "Set by the study: scaling speaker; layers 2; hidden 64; epochs 2; calm = neutral + sad."
    )


def test_a_study_that_sets_nothing_has_no_such_note(tmp_path: Path, root: Path) -> None:
    snapshot = plan_study(
        read_study(root / "studies" / "fa_position.yaml"), Ledger.open(str(tmp_path))
    )
    assert not [note for note in snapshot.snapshot.notes if note.startswith("Set by")]


@pytest.mark.parametrize(
    ("written", "reference", "note"),
    [
        ({}, "No FA", ""),
        ({"reference: No FA\n": ""}, "No FA", "the first row, `No FA`"),
        (
            {"reference: No FA\n": "", ", set: {fa_layer: 2}": "", "hidden: 64": "fa_layer: 2"},
            "FA in layer 2",
            "the row that sets nothing, `FA in layer 2`",
        ),
    ],
)
def test_rows_are_compared_with_one_of_them(
    written: dict[str, str], reference: str, note: str, tmp_path: Path
) -> None:
    text = STUDY.format(corpus="demo", folds=2, epochs=2, more="", rows="")
    for old, new in written.items():
        text = text.replace(old, new)
    snapshot = plan_study(parse_study(text, "s.yaml"), Ledger.open(str(tmp_path / "s"))).snapshot
    assert snapshot.reference == reference
    said = [one for one in snapshot.notes if "`reference`" in one]
    assert said == ([f"The study names no `reference`: {note}, is taken."] if note else [])


@pytest.mark.parametrize(
    ("rows", "reference"),
    [
        ("rows: [{name: A, set: {fa_layer: 2}}]", None),
        ("axes: {fa_layer: [none, 2], bigru: [on, off]}", None),
        ("axes: {fa_layer: [none, 2], bigru: [off]}", "fa layer none, bigru off"),
    ],
)
def test_the_rows_of_a_grid_and_one_row_alone_are_compared_with_none(
    rows: str, reference: str | None, tmp_path: Path
) -> None:
    """Of a grid with a single axis the rows are its values, and are compared with the first."""
    text = STUDY.format(corpus="demo", folds=2, epochs=2, more="", rows="")
    head, _, _ = text.partition("rows:")
    plan = plan_study(parse_study(f"{head}{rows}\n", "s.yaml"), Ledger.open(str(tmp_path / "s")))
    assert plan.snapshot.reference == reference


def test_a_name_that_another_question_has_is_said(store: Path) -> None:
    text = STUDY.format(corpus="demo", folds=2, epochs=2, more="", rows="")
    other = text.replace("No FA", "None").replace("FA in layer 2", "Second")
    loud = plan_study(parse_study(other, "other.yaml"), Ledger.open(str(store))).notices
    assert "`smoke` had other rows when it last ran here" in loud[-1]


def test_a_system_that_cannot_read_the_default_descriptors_is_planned(tmp_path: Path) -> None:
    text = """
study: machine
question: How far does a support vector machine get?
corpus: demo
protocol: {folds: 2, seeds: 1}
features: egemaps
baseline: {model: svm}
rows: [{name: SVM}]
"""
    plan = plan_study(parse_study(text, "machine.yaml"), Ledger.open_readonly(str(tmp_path)))
    assert "Set by the study: features egemaps." in plan.snapshot.notes
