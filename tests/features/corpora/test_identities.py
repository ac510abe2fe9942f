"""Names of speakers and sessions in doubt: what is asked, what an answer does, what is refused."""

import json

import pytest

from features.corpora import catalogue
from features.corpora.corpus import Corpus
from features.corpora.folds import deal
from features.corpora.identities import (
    NO_OPTIONS,
    NameOptions,
    answer_notes,
    questions,
    with_answers,
)
from features.corpora.notes import corpus_doubts, plan_notes, report_notes
from features.corpora.spellings import NameAnswers
from features.errors import CorpusError
from tests.features.conftest import Make

EMOTIONS = {"angry": ("angry",), "sad": ("sad",)}


def corpus_of(make: type[Make], *names: str, **fields: dict[str, str]) -> Corpus:
    """Each speaker says both emotions; ``fields``: field -> speaker -> its value."""
    return make.corpus(
        *(
            make.utterance(
                f"{number}-{emotion}",
                name,
                emotion,
                **{field: values.get(name, "") for field, values in fields.items()},
            )
            for number, name in enumerate(names)
            for emotion in EMOTIONS
        )
    )


def answered(
    corpus: Corpus, *, sessions: NameOptions = NO_OPTIONS, **speakers: list[str]
) -> Corpus:
    return with_answers(corpus, NameOptions(**speakers), sessions)


def test_a_joined_corpus_has_one_speaker_and_another_digest(make: type[Make]) -> None:
    corpus = corpus_of(make, "01", "1", "1.0", "2")
    joined = answered(corpus, same=["01=1", "01=1.0"])
    assert joined.select(EMOTIONS).speakers == ("01", "2")
    assert joined.select(EMOTIONS).digest != corpus.select(EMOTIONS).digest
    assert questions(joined, joined.utterances) == ()
    assert Corpus.from_json(json.loads(json.dumps(joined.to_json()))) == joined
    assert joined.registration_command == (
        "ablate corpus add made-up /nowhere --same-speaker 01=1 --same-speaker 01=1.0"
    )
    assert answer_notes(joined) == (
        "Speakers of corpus `made-up`, by its registration: `1` is the same as `01` "
        "(`--same-speaker`); `1.0` is the same as `01` (`--same-speaker`).",
    )


def test_what_is_kept_apart_or_kept_changes_no_number_and_is_said(make: type[Make]) -> None:
    corpus = corpus_of(make, "s1", "S1", "NA", "2")
    said = answered(corpus, distinct=["S1,s1"], keep=["NA"])
    assert said.select(EMOTIONS).digest == corpus.select(EMOTIONS).digest
    assert questions(said, said.utterances) == ()
    assert report_notes(said.select(EMOTIONS), EMOTIONS) == (
        "Speakers of corpus `made-up`, by its registration: `S1` and `s1` are two "
        "(`--distinct-speakers`); `NA` is a name (`--keep-speaker`).",
    )


def test_a_registration_of_before_has_no_answers_and_raises_the_question(make: type[Make]) -> None:
    record = corpus_of(make, "s1", "S1", "2").to_json()
    del record["speaker_answers"], record["session_answers"]
    corpus = Corpus.from_json(record)
    assert corpus.speaker_answers == NameAnswers()
    assert plan_notes(corpus.select(EMOTIONS), EMOTIONS) == (
        "Speakers `S1` (2) and `s1` (2) may be one, spelled two ways, and count as 2 until `ablate "
        "corpus add` is told: `--same-speaker S1=s1` (one speaker) or `--distinct-speakers S1,s1` "
        "(2 speakers).",
    )


def test_only_speakers_of_the_study_are_in_doubt(make: type[Make]) -> None:
    corpus = make.corpus(
        make.utterance("1", "s1", "angry"),
        make.utterance("2", "b", "sad"),
        make.utterance("3", "S1", "calm"),
    )
    assert len(corpus_doubts(corpus)) == 1
    assert plan_notes(corpus.select(EMOTIONS), EMOTIONS) == (
        "Left out: 1 utterance, whose label is in no class (1 `calm`).",
    )


def test_more_than_three_doubts_are_counted(make: type[Make]) -> None:
    corpus = corpus_of(make, *(f"{case}{n}" for n in range(1, 6) for case in "sS"))
    notes = plan_notes(corpus.select(EMOTIONS), EMOTIONS)
    assert len(notes) == 4
    assert notes[-1] == "2 more such doubts: `ablate corpus check made-up` lists them."
    assert len(corpus_doubts(corpus)) == 5


def test_a_published_split_does_not_go_on_while_a_speaker_is_in_doubt(make: type[Make]) -> None:
    sides = {"01": "train", "a": "train", "1": "test", "b": "test", "c": "dev"}
    corpus = corpus_of(make, *sides, split=sides)
    with pytest.raises(CorpusError) as error:
        deal(corpus.select(EMOTIONS), "published")
    assert str(error.value) == (
        "The published split of corpus `made-up` must keep each speaker on one side, but speakers "
        "`01` (2) and `1` (2) may be one, spelled two ways (`01` stands in train; `1` stands in "
        "test). Register the corpus again with the answer: `ablate corpus add made-up /nowhere` "
        "and `--same-speaker 01=1` (one speaker) or `--distinct-speakers 01,1` (2 speakers). Or "
        "give a number of folds."
    )
    assert len(deal(corpus.select(EMOTIONS), 2)) == 2
    two = answered(corpus, distinct=["01,1"]).select(EMOTIONS)
    assert deal(two, "published")[0].train == ("01", "a")
    one = answered(corpus, same=["01=1"]).select(EMOTIONS)
    with pytest.raises(CorpusError, match=r"these stand on several: `01` \(test, train\)"):
        deal(one, "published")


def test_a_name_that_may_be_none_asks_in_a_published_split_too(make: type[Make]) -> None:
    sides = {"NA": "train", "a": "train", "b": "test", "c": "dev"}
    corpus = corpus_of(make, *sides, split=sides)
    with pytest.raises(
        CorpusError, match=r"speaker `NA` \(2\) may mean that the speaker is not known .*--keep-s"
    ):
        deal(corpus.select(EMOTIONS), "published")
    assert deal(answered(corpus, keep=["NA"]).select(EMOTIONS), "published")


def test_sessions_ask_and_are_joined_in_the_same_way(make: type[Make]) -> None:
    sessions = {"a": "Ses1", "b": "ses1", "c": "Ses2", "d": "Ses2"}
    corpus = corpus_of(make, *sessions, session=sessions)
    (note,) = plan_notes(corpus.select(EMOTIONS), EMOTIONS)
    assert note.startswith("Sessions `Ses1` (2) and `ses1` (2) may be one, spelled two ways, and ")
    assert "`--same-session Ses1=ses1` (one session)" in note
    joined = answered(corpus, sessions=NameOptions(same=["Ses1=ses1"]))
    assert [fold.a + fold.b for fold in deal(joined.select(EMOTIONS), 2)] == [
        ("a", "b"),
        ("c", "d"),
    ]
    assert answer_notes(joined)[0].startswith("Sessions of corpus `made-up`, by its ")


def test_a_joined_speaker_has_the_sex_that_one_spelling_tells(make: type[Make]) -> None:
    corpus = corpus_of(make, "01", "1", "b", sex={"1": "female", "b": "male"})
    joined = answered(corpus, same=["01=1"])
    assert {u.speaker: u.sex for u in joined.utterances} == {"01": "female", "b": "male"}


def test_a_woman_and_a_man_are_not_one_speaker(make: type[Make]) -> None:
    corpus = corpus_of(make, "01", "1", "b", sex={"01": "male", "1": "female"})
    with pytest.raises(CorpusError) as error:
        answered(corpus, same=["01=1"])
    assert str(error.value) == (
        "`--same-speaker` must join spellings of one speaker, but `1` is female and `01` is male "
        "in corpus `made-up`: mend the table, or drop the option."
    )


def test_synthesised_speakers_are_not_renamed(demo: Corpus) -> None:
    from pathlib import Path

    with pytest.raises(CorpusError, match=r"^Corpus `demo` is synthesised: its speakers are given"):
        catalogue.read("demo", Path(demo.root), speakers=NameOptions(same=["female-1=female-2"]))
