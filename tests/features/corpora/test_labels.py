"""Labels that may be one, in another case or with a slip."""

import pytest
import yaml

from features.corpora.corpus import Corpus
from features.corpora.labels import EMOTION_WORDS, as_yaml, completed, label_doubts
from features.corpora.notes import corpus_doubts, plan_notes, refuse_unnamed_forms
from features.errors import CorpusError
from tests.features.conftest import Make


def corpus_of(make: type[Make], **counts: int) -> Corpus:
    labels = [label for label, count in counts.items() for _ in range(count)]
    return make.corpus(*(make.utterance(f"{n}", "ann", e) for n, e in enumerate(labels)))


@pytest.mark.parametrize(
    ("label", "wanted"),
    [
        ("Angry", "angry"),
        ("ANGRY", "angry"),
        ("an gry", "angry"),
        ("very_happy", "very happy"),
        ("neutral\u200b", "neutral"),
        ("\uff41ngry", "angry"),
        ("\u00c4rger", "A\u0308rger"),
        ("Sad", "sad"),
        ("JOY", "joy"),
    ],
)
def test_another_form_of_a_wanted_label_is_a_doubt_however_often_it_occurs(
    label: str, wanted: str
) -> None:
    (found,) = label_doubts({label: 90, wanted: 10, "calm": 10}, {wanted})
    assert (found.label, found.wanted, found.count, found.slip) == (label, wanted, 90, False)
    (absent,) = label_doubts({label: 90}, {wanted})
    assert absent == found


@pytest.mark.parametrize("slip", ["hapy", "happyy", "hqppy", "hpapy", "Hapy", "hapy ", "happ1"])
def test_a_rare_label_one_letter_from_a_wanted_one_is_a_slip(slip: str) -> None:
    (found,) = label_doubts({slip: 2, "happy": 10}, {"happy"})
    assert (found.label, found.wanted, found.slip) == (slip, "happy", True)
    assert label_doubts({slip: 3, "happy": 10}, {"happy"}) == ()
    assert label_doubts({slip: 2, "happy": 10}, {"happy", slip}) == ()


@pytest.mark.parametrize(
    ("label", "wanted"),
    [
        ("bad", "sad"),
        ("content", "contempt"),
        ("contempt", "content"),
        ("surprise", "surprised"),
        ("bored", "boredom"),
        ("moved", "loved"),
        ("hapi", "happy"),
        ("glum", "glad"),
    ],
)
def test_two_words_are_two(label: str, wanted: str) -> None:
    assert label_doubts({label: 1, wanted: 100}, {wanted}) == ()


@pytest.mark.parametrize(("label", "wanted"), [("w", "W"), ("HAP", "hap"), ("f", "F"), ("xx", "x")])
def test_codes_are_never_compared(label: str, wanted: str) -> None:
    assert label_doubts({label: 1, wanted: 100}, {wanted}) == ()


def test_emotion_words_are_forms_of_themselves() -> None:
    assert {"sad", "bad", "content", "contempt", "neutral", "fearful"} <= EMOTION_WORDS
    assert all(word.isalpha() and word.islower() for word in EMOTION_WORDS)


def test_the_line_for_a_study_is_yaml_that_gives_the_labels_back() -> None:
    labels = ("no", "05", "a: b", "J\u00f6", "Jo\u0308", "\u4e2d", 'q"\u200bx', "it's", "y", "\\n")
    line = as_yaml({"off": labels, "sad": ("sad", "absent"), "none": ("gone",)}, {*labels, "sad"})
    assert yaml.safe_load(line) == {"emotions": {"off": list(labels), "sad": "sad"}}


def test_a_map_is_completed_with_every_form() -> None:
    doubts = label_doubts({"angry": 4, "Angry": 4, "sad": 2, "Sad": 1}, {"angry", "sad"})
    whole = completed({"angry": ("angry",), "low": ("sad", "tired")}, doubts)
    assert whole == {"angry": ("angry", "Angry"), "low": ("sad", "tired", "Sad")}


def test_a_study_must_name_every_form_and_no_more_is_said_then(make: type[Make]) -> None:
    corpus = corpus_of(make, angry=4, Angry=4, sad=6, Sad=2, Calm=1, calm=2)
    with pytest.raises(CorpusError) as error:
        refuse_unnamed_forms(corpus, {"angry": ["angry"], "sad": ["sad"]})
    assert str(error.value) == (
        "`emotions` must name every form of a label, but in corpus `made-up` labels differ in "
        "case, blanks or Unicode form alone: `Angry` (4) from `angry`, `Sad` (2) from `sad`. Write "
        "`emotions: {angry: [angry, Angry], sad: [sad, Sad]}`."
    )
    every = {"angry": ["angry", "Angry"], "sad": ["sad", "Sad"]}
    refuse_unnamed_forms(corpus, every)
    assert plan_notes(corpus.select(every), every) == (
        "Left out: 3 utterances, whose labels are in no class (2 `calm`, 1 `Calm`).",
    )


def test_forms_may_stand_in_classes_of_their_own(make: type[Make]) -> None:
    corpus = corpus_of(make, angry=4, ANGRY=4)
    refuse_unnamed_forms(corpus, {"mild": ["angry"], "loud": ["ANGRY"]})


def test_a_slip_is_named_with_its_recording_and_counted(make: type[Make]) -> None:
    corpus = corpus_of(make, happy=8, sad=8, hapy=1)
    wanted = {"happy": ["happy"], "sad": ["sad"]}
    refuse_unnamed_forms(corpus, wanted)
    assert plan_notes(corpus.select(wanted), wanted) == (
        "Left out: 1 utterance, whose label is in no class (1 `hapy`).",
        "Label `hapy` (1: 16.wav) may be a slip of `happy`. It is left out unless the study says "
        "`emotions: {happy: [happy, hapy], sad: sad}`.",
    )


def test_many_left_out_labels_are_summed(make: type[Make]) -> None:
    corpus = corpus_of(make, happy=1, sad=1, **{f"label{chr(97 + n)}": n + 1 for n in range(10)})
    wanted = {"happy": ["happy"], "sad": ["sad"]}
    (note,) = plan_notes(corpus.select(wanted), wanted)
    assert note.startswith("Left out: 55 utterances, whose labels are in no class (10 `labelj`, ")
    assert note.endswith("3 `labelc`, and 3 of 2 more labels).")


def test_a_corpus_alone_raises_doubts_about_its_labels(make: type[Make]) -> None:
    corpus = corpus_of(
        make, Angry=8, happy=9, hapy=1, Calm=1, calm=5, joyful=10, joyfull=2, W=1, w=1
    )
    found = {doubt.sentence: doubt.ways_on for doubt in corpus_doubts(corpus)}
    assert found == {
        "Labels differ in case, blanks or Unicode form alone: `Angry` (8) from `angry`, `Calm` (1) "
        "from `calm`": (
            (
                "in a study",
                "emotions: {angry: Angry, happy: happy, calm: [calm, Calm], joyful: joyful}",
            ),
        ),
        "Label `hapy` (1: 17.wav) may be a slip of `happy`": (
            (
                "in a study",
                "emotions: {angry: Angry, happy: [happy, hapy], calm: [calm, Calm], "
                "joyful: joyful}",
            ),
        ),
        "Label `joyfull` (2: 34.wav, 35.wav) may be a slip of `joyful`": (
            (
                "in a study",
                "emotions: {angry: Angry, happy: happy, calm: [calm, Calm], "
                "joyful: [joyful, joyfull]}",
            ),
        ),
    }


def test_a_missing_label_is_no_misspelling_of_another_word(make: type[Make]) -> None:
    corpus = corpus_of(make, happy=3, sad=3, contempt=1)
    chosen = corpus.select({"happy": ["happy", "content"], "sad": ["sad"]})
    assert chosen.left_out == {"contempt": 1}


def test_sentences_and_numbers_are_not_compared_with_each_other(make: type[Make]) -> None:
    few = corpus_of(make, **{f"sentence {n}": 1 for n in range(150)}, Again=1, again=1)
    assert [doubt.names for doubt in corpus_doubts(few)] == [("again",)]
    many = corpus_of(make, **{f"sentence {n}": 1 for n in range(250)}, Again=1, again=1)
    assert corpus_doubts(many) == ()
