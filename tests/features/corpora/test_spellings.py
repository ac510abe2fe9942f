"""Names that may be two spellings of one: what raises the question, and how it is answered."""

import json
from dataclasses import asdict

import pytest

from features.corpora.spellings import (
    NO_ANSWERS,
    NameAnswers,
    canonical_form,
    joined_names,
    looks_missing,
    open_questions,
    read_name,
    read_pair,
    same_option,
    visible,
)
from features.errors import CorpusError

ONE = [
    ("01", "1"),
    ("1", "1.0"),
    ("01", "1.00"),
    ("s1", "S1"),
    ("s01", "s1"),
    ("s1.0", "s1"),
    ("J\u00f6rg", "Jo\u0308rg"),
    ("Ann Lee", "Ann  Lee"),
    ("Ann Lee", "Ann\u00a0Lee"),
    ("Ann Lee", "Ann_Lee"),
    ("Ann-Lee", "Ann\u2010Lee"),
    ("Ann Lee", "ann\tlee"),
    ("s1", "s1\u200b"),
    ("s1", "\ufeffs1"),
    ("s1", "s\u00ad1"),
    ("s1", "s1\u034f"),
    ("s1", "s1\ufe0f"),
    ("s1", "\uff531"),
    ("s1", "s\u0661"),
    ("s1", 's1""'),
    ("O'Brien", "O\u2019Brien"),
    ("Strasse", "Stra\u00dfe"),
    ("\u0130lk", "i\u0307lk"),
]
TWO = [
    ("1", "10"),
    ("1", "11"),
    ("1.1", "1.10"),
    ("1.01", "1.1"),
    ("1.0.2", "1.2"),
    ("1.5", "15"),
    ("1_11", "11_1"),
    ("1 11", "11 1"),
    ("s1", "s2"),
    ("Ann", "Anna"),
    ("0", "1"),
]


@pytest.mark.parametrize(("first", "second"), ONE)
def test_spellings_of_one_name_raise_a_question(first: str, second: str) -> None:
    assert canonical_form(first) == canonical_form(second)
    (question,) = open_questions("speaker", {first: 1, second: 3, "bob": 2}, NO_ANSWERS)
    assert question.names == (second, first)  # the most frequent first
    assert question.counts == (3, 1)


@pytest.mark.parametrize(("first", "second"), TWO)
def test_two_names_are_two(first: str, second: str) -> None:
    assert open_questions("speaker", {first: 1, second: 1}, NO_ANSWERS) == ()


@pytest.mark.parametrize(("first", "second"), ONE)
def test_what_is_shown_tells_spellings_apart_and_is_taken_back(first: str, second: str) -> None:
    assert visible(first) != visible(second)
    assert visible(visible(first)) == visible(first)
    option, text = same_option("speaker", first, second)
    assert read_pair("speaker", option, text, [first, second, "bob"]) == (first, second)


@pytest.mark.parametrize(
    "name", ["NA", "na", "N/A", "n.a.", "None", "nan", "NaN", "<NA>", "null", "NULL", "?", "-", "#"]
)
def test_a_missing_value_as_a_name_is_a_question_of_its_own(name: str) -> None:
    (question,) = open_questions("speaker", {name: 4, "bob": 2}, NO_ANSWERS)
    assert (question.names, question.counts, question.pairs) == ((name,), (4,), ())
    assert open_questions("speaker", {name: 4, "bob": 2}, NameAnswers(kept=(name,))) == ()


@pytest.mark.parametrize("name", ["Nana", "Ann", "0", "nan1", "nonet", "\u00e5", "\u5c71\u7530"])
def test_a_name_is_no_missing_value(name: str) -> None:
    assert not looks_missing(name)


def test_the_empty_name_raises_no_question() -> None:
    assert open_questions("session", {"": 4, "A": 2}, NO_ANSWERS) == ()


def test_each_pair_of_three_spellings_is_answered_for_itself() -> None:
    counts = {"01": 3, "1": 2, "1.0": 1}
    (question,) = open_questions("speaker", counts, NO_ANSWERS)
    assert question.pairs == (("01", "1"), ("01", "1.0"), ("1", "1.0"))
    partly = NameAnswers(distinct=(("1", "01"),))
    (question,) = open_questions("speaker", counts, partly)
    assert question.pairs == (("01", "1.0"), ("1", "1.0"))
    whole = NameAnswers(distinct=(("1", "01"), ("1.0", "1"), ("01", "1.0")))
    assert open_questions("speaker", counts, whole) == ()


def test_joined_names_are_resolved_to_the_first_of_a_chain() -> None:
    answers = NameAnswers(same=(("01", "1"), ("1", "1.0"), ("1.0", "01")))
    assert joined_names(answers) == {"1": "01", "1.0": "01"}


def test_one_and_two_at_once_is_refused() -> None:
    answers = NameAnswers(same=(("01", "1"), ("1", "1.0")), distinct=(("01", "1.0"),))
    with pytest.raises(CorpusError, match=r"^`01` and `1\.0` must be one name or two, but are"):
        joined_names(answers)


def test_names_may_hold_the_separators() -> None:
    names = ["a=b", "a=B", "Lee, Ann", "Lee,Ann"]
    assert read_pair("speaker", "--same-speaker", "a=b=a=B", names) == ("a=b", "a=B")
    pair = read_pair("speaker", "--distinct-speakers", "Lee, Ann,Lee,Ann", names)
    assert pair == ("Lee, Ann", "Lee,Ann")


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("01=9", r"`9` is none\."),
        ("01=bpb", r"`bpb` is none \(did you mean `bob`\?\)\."),
        ("01", r"it is `01`\."),
        ("01=01", r"it is `01=01`\."),
        ("=", r"`` is none\."),
    ],
)
def test_an_answer_about_nobody_is_refused(text: str, fault: str) -> None:
    with pytest.raises(CorpusError, match=f"^`--same-speaker` must name two speakers .*{fault}$"):
        read_pair("speaker", "--same-speaker", text, ["01", "1", "bob"])


def test_a_name_to_keep_must_be_one_of_the_corpus() -> None:
    assert read_name("session", "--keep-session", "NA", ["NA", "S1"]) == "NA"
    with pytest.raises(CorpusError, match=r"^`--keep-session` must name a session .* `N` is none"):
        read_name("session", "--keep-session", "N", ["NA", "S1"])


def test_answers_survive_json() -> None:
    answers = NameAnswers(same=(("01", "1"),), distinct=(("a", "A"),), kept=("NA",))
    assert NameAnswers.from_json(json.loads(json.dumps(asdict(answers)))) == answers
