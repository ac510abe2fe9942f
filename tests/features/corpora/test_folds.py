import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.config import DEFAULT_EMOTIONS
from features.corpora.corpus import Corpus, Selection, Utterance
from features.corpora.folds import Fold, deal, deal_anew, inner, split_fault
from features.errors import CorpusError

EMOTIONS = {"angry": ("angry",), "sad": ("sad",)}


def selection(people: dict[str, tuple[str, str]], name: str = "made-up") -> Selection:
    """Speaker -> (sex, session); each speaks twice."""
    utterances = tuple(
        Utterance(
            id=f"{speaker}-{emotion}",
            path="",
            speaker=speaker,
            sex=sex,
            session=session,
            emotion=emotion,
            digest="",
            size=0,
            mtime_ns=0,
        )
        for speaker, (sex, session) in people.items()
        for emotion in ("angry", "sad")
    )
    return Corpus(name=name, root="/", utterances=utterances, left_out=()).select(EMOTIONS)


def groups(folds: tuple[Fold, ...]) -> list[tuple[tuple[str, ...], tuple[str, ...]]]:
    return [(fold.a, fold.b) for fold in folds]


people = st.dictionaries(
    st.text("abcdefgh", min_size=1, max_size=4),
    st.tuples(st.sampled_from(["female", "male", ""]), st.sampled_from(["", "s1", "s2", "s3"])),
    min_size=4,
    max_size=24,
)


@given(people, st.data())
@settings(max_examples=200, deadline=None)
def test_every_speaker_is_held_out_once_and_never_trained_on(
    known: dict[str, tuple[str, str]], data: st.DataObject
) -> None:
    count = data.draw(st.integers(2, len(known) // 2))
    folds = deal(selection(known), count)
    assert [fold.index for fold in folds] == list(range(count))
    assert sorted(s for fold in folds for s in (*fold.a, *fold.b)) == sorted(known)
    for fold in folds:
        assert sorted((*fold.train, *fold.a, *fold.b)) == sorted(known)
        assert fold.train and fold.a and fold.b


@given(people, st.randoms(), st.data())
@settings(max_examples=100, deadline=None)
def test_the_order_of_the_input_does_not_matter(
    known: dict[str, tuple[str, str]], random: Any, data: st.DataObject
) -> None:
    count = data.draw(st.integers(2, len(known) // 2))
    shuffled = list(known.items())
    random.shuffle(shuffled)
    assert deal(selection(dict(shuffled)), count) == deal(selection(known), count)


@given(st.integers(2, 8), st.integers(0, 20), st.integers(0, 20))
@settings(max_examples=100, deadline=None)
def test_sexes_are_spread_evenly_over_groups(count: int, women: int, men: int) -> None:
    if women + men < 2 * count:
        return
    known = {f"w{n:02}": ("female", "") for n in range(women)}
    known |= {f"m{n:02}": ("male", "") for n in range(men)}
    folds = deal(selection(known), count)
    for letter in "wm":
        held = [sum(s[0] == letter for s in (*fold.a, *fold.b)) for fold in folds]
        assert max(held) - min(held) <= 1


def test_ten_actors_become_five_pairs_of_a_woman_and_a_man() -> None:
    known = {f"actor-{n:02}": ("male" if n % 2 else "female", "") for n in range(1, 11)}
    assert groups(deal(selection(known), 5)) == [
        ((f"actor-{n + 1:02}",), (f"actor-{n:02}",)) for n in (1, 3, 5, 7, 9)
    ]


def test_sessions_are_the_groups_where_they_fit() -> None:
    known = {
        f"Ses{n:02}{letter}": (sex, f"Ses{n:02}")
        for n in range(1, 6)
        for letter, sex in (("M", "male"), ("F", "female"))
    }
    folds = deal(selection(known), 5)
    assert groups(folds) == [((f"Ses{n:02}F",), (f"Ses{n:02}M",)) for n in range(1, 6)]
    assert folds[0].train == tuple(sorted(s for s in known if not s.startswith("Ses01")))


def test_sessions_do_not_bind_where_another_number_of_folds_is_asked_for() -> None:
    known = {f"Ses0{n}{x}": ("", f"Ses0{n}") for n in range(1, 4) for x in "FM"}
    assert len(deal(selection(known), 2)) == 2


@pytest.mark.parametrize(
    ("speakers", "folds", "expected"),
    [
        (
            10,
            6,
            "`protocol.folds` must be at most 5 for the 10 speakers of corpus `made-up`, "
            "but is 6 instead.",
        ),
        (10, 1, "`protocol.folds` must be at least 2, but is 1 instead."),
        (
            3,
            2,
            "Corpus `made-up` must have at least 4 speakers in the chosen classes (two folds of "
            "two), but has 3 instead.",
        ),
    ],
)
def test_impossible_folds_are_refused(speakers: int, folds: int, expected: str) -> None:
    known = {str(n): ("", "") for n in range(speakers)}
    with pytest.raises(CorpusError, match=f"^{re.escape(expected)}$"):
        deal(selection(known), folds)


def test_a_speaker_of_two_sexes_is_refused() -> None:
    one, two = selection({"ann": ("female", "")}), selection({"ann": ("male", "")})
    mixed = Corpus(
        name="made-up",
        root="/",
        utterances=(*one.corpus.utterances[:1], *two.corpus.utterances[1:]),
        left_out=(),
    ).select(EMOTIONS)
    expected = (
        "Speaker `ann` of corpus `made-up` must have one sex, but has `female` and `male` instead."
    )
    with pytest.raises(CorpusError, match=f"^{re.escape(expected)}$"):
        deal(mixed, 2)


def test_a_speaker_of_two_sessions_is_dealt_and_sessions_do_not_bind() -> None:
    known = {f"{n}{x}": ("", f"s{n}") for n in (1, 2) for x in "ab"}
    assert groups(deal(selection(known), 2)) == [(("1a",), ("1b",)), (("2a",), ("2b",))]
    first, *rest = selection(known).corpus.utterances
    moved = Corpus(
        name="made-up",
        root="/",
        utterances=(replace(first, session="s2"), *rest),
        left_out=(),
    ).select(EMOTIONS)
    assert groups(deal(moved, 2)) == [(("1a",), ("2a",)), (("1b",), ("2b",))]


def round_robin(known: dict[str, tuple[str, str]], folds: int) -> list[Any]:
    """How speakers who all say the same have been dealt from the first day: ids hang on it."""
    order = sorted(known, key=lambda name: (("female", "male", "").index(known[name][0]), name))
    held = [order[index::folds] for index in range(folds)]
    return [(tuple(sorted(g[0::2])), tuple(sorted(g[1::2]))) for g in held]


@given(people, st.data())
@settings(max_examples=200, deadline=None)
def test_balanced_corpora_of_one_or_two_sexes_are_dealt_round(
    known: dict[str, tuple[str, str]], data: st.DataObject
) -> None:
    known = {name: (sex or "male", "") for name, (sex, _) in known.items()}
    count = data.draw(st.integers(2, len(known) // 2))
    assert groups(deal(selection(known), count)) == round_robin(known, count)


def test_the_folds_of_the_demo_stay_as_they_were(demo: Corpus) -> None:
    """Trial ids hold speakers: another dealing would train everything again."""
    assert groups(deal(demo.select(DEFAULT_EMOTIONS), 5)) == [
        ((f"female-{n}",), (f"male-{n}",)) for n in range(1, 6)
    ]


def counted(spoken: dict[str, tuple[str, int, int]]) -> Selection:
    """Speaker -> (sex, angry utterances, sad utterances)."""
    template = selection({"x": ("", "")}).corpus.utterances[0]
    utterances = tuple(
        replace(template, id=f"{name}-{emotion}-{n:03}", speaker=name, sex=sex, emotion=emotion)
        for name, (sex, angry, sad) in spoken.items()
        for emotion, count in (("angry", angry), ("sad", sad))
        for n in range(count)
    )
    return Corpus(name="made-up", root="/", utterances=utterances, left_out=()).select(EMOTIONS)


def test_emotions_are_spread_over_groups_and_halves() -> None:
    spoken = {f"a{n}": ("female", 9, 1) for n in range(4)}
    spoken |= {f"s{n}": ("female", 1, 9) for n in range(4)}
    for fold in deal(counted(spoken), 2):
        for half in (fold.a, fold.b):
            assert sorted(name[0] for name in half) == ["a", "s"]


@given(
    st.lists(st.tuples(st.integers(0, 30), st.integers(1, 30)), min_size=4, max_size=91),
    st.data(),
)
@settings(max_examples=100, deadline=None)
def test_groups_hold_equally_many_speakers_whatever_they_say(
    said: list[tuple[int, int]], data: st.DataObject
) -> None:
    if not any(angry for angry, _ in said):
        return
    sexes = ("female", "male")
    spoken = {f"p{n:02}": (sexes[n % 2], angry, sad) for n, (angry, sad) in enumerate(said)}
    folds = deal(counted(spoken), data.draw(st.integers(2, len(spoken) // 2)))
    sizes = [len((*fold.a, *fold.b)) for fold in folds]
    assert sum(sizes) == len(spoken) and max(sizes) - min(sizes) <= 1
    for fold in folds:
        assert abs(len(fold.a) - len(fold.b)) <= 1


def split(sides: dict[str, str]) -> Selection:
    """Speaker -> the words of the split of both utterances, with a slash where they differ."""
    corpus = selection(dict.fromkeys(sides, ("", ""))).corpus
    utterances = tuple(
        replace(u, split=sides[u.speaker].split("/")[-1 if u.emotion == "sad" else 0])
        for u in corpus.utterances
    )
    return replace(corpus, utterances=utterances).select(EMOTIONS)


def test_a_published_split_is_one_fold() -> None:
    (fold,) = deal(split({"d": "dev", "a": "train", "b": "train", "t": "test"}), "published")
    assert fold == Fold(index=0, train=("a", "b"), a=("d",), b=("t",))


@pytest.mark.parametrize(
    ("sides", "expected"),
    [
        (
            {"ann": "", "bob": ""},
            "Corpus `made-up` must publish a split for `folds: published`, but has none: give a "
            "number of folds.",
        ),
        (
            {"ann": "train/test", "bob": "dev", "cid": "dev/train", "dan": "test"},
            "The published split of corpus `made-up` must keep each speaker on one side, but these "
            "stand on several: `ann` (test, train), `cid` (dev, train). Give a number of folds, "
            "or mend the split.",
        ),
        (
            {"ann": "train", "bob": "test"},
            "The published split of corpus `made-up` must give speakers to `train`, `dev` and "
            "`test`, but `dev` has none.",
        ),
        (
            {"ann": "train", "bob": "test", "cid": "dev", "dan": ""},
            "The published split of corpus `made-up` must give speakers to `train`, `dev` and "
            "`test`, but `dan` has no split.",
        ),
    ],
)
def test_a_split_that_is_none_is_refused_by_name(sides: dict[str, str], expected: str) -> None:
    with pytest.raises(CorpusError, match=f"^{re.escape(expected)}$"):
        deal(split(sides), "published")
    has_none = not any(sides.values())
    assert split_fault(corpus_with(sides)) == ("" if has_none else expected)


def test_a_split_that_can_be_studied_has_no_fault() -> None:
    assert split_fault(corpus_with({"d": "dev", "a": "train", "t": "test"})) == ""


def corpus_with(sides: dict[str, str]) -> Corpus:
    """The corpus of `split`, with all of its utterances."""
    found = split(sides)
    return replace(found.corpus, utterances=tuple(utterance for utterance, _ in found.items))


def test_a_fold_whose_sets_meet_cannot_be_made() -> None:
    expected = (
        "The speakers of fold 0 must be three disjoint, non-empty sets, but are "
        "['x', 'y'], ['y'], ['z'] instead."
    )
    with pytest.raises(CorpusError, match=f"^{re.escape(expected)}$"):
        Fold(index=0, train=("x", "y"), a=("y",), b=("z",))


@given(people, st.data())
@settings(max_examples=100, deadline=None)
def test_inner_folds_know_no_held_out_speaker(
    known: dict[str, tuple[str, str]], data: st.DataObject
) -> None:
    spoken = selection(known)
    for fold in deal(spoken, 2):
        most = len(fold.train) // 2
        if most < 2:
            continue
        count = data.draw(st.integers(2, most))
        held = {s for one in inner(spoken, fold, count) for s in (*one.a, *one.b)}
        assert held == set(fold.train)
        for one in inner(spoken, fold, count):
            assert sorted((*one.train, *one.a, *one.b)) == sorted(fold.train)
            assert not {*one.train, *one.a, *one.b} & {*fold.a, *fold.b}


def test_a_fold_of_few_speakers_bears_few_inner_folds() -> None:
    spoken = selection({name: ("", "") for name in "abcdefgh"})
    fold = deal(spoken, 4)[1]
    expected = (
        "`search.inner_folds` must be at most 3 and at least 2, since fold 2 trains on 6 speakers "
        "and an inner fold holds out two, but is 4 instead."
    )
    with pytest.raises(CorpusError, match=f"^{re.escape(expected)}$"):
        inner(spoken, fold, 4)


@given(people, st.randoms(), st.data())
@settings(max_examples=60, deadline=None)
def test_the_first_deal_is_that_of_one_deal_and_the_order_of_the_input_does_not_matter(
    known: dict[str, tuple[str, str]], random: Any, data: st.DataObject
) -> None:
    known = {name: (sex, "") for name, (sex, _) in known.items()}
    count = data.draw(st.integers(2, len(known) // 2))
    try:
        folds = deal_anew(selection(known), count, 2)
    except CorpusError:
        assert len(known) == 4  # few speakers of three sexes are dealt in one way alone
        return
    assert [(fold.deal, fold.index) for fold in folds] == [
        (number, index) for number in range(2) for index in range(count)
    ]
    first = deal(selection(known), count)
    assert tuple(replace(fold, deal=None) for fold in folds[:count]) == first
    assert deal_anew(selection(known), count, 1) == first
    shuffled = list(known.items())
    random.shuffle(shuffled)
    assert deal_anew(selection(dict(shuffled)), count, 2) == folds
    for number in range(2):
        held = sorted(s for f in folds if f.deal == number for s in (*f.a, *f.b))
        assert held == sorted(known)


@pytest.mark.parametrize(
    ("known", "folds", "deals", "expected"),
    [
        (
            {f"{sex[0]}{n}": (sex, "") for n in range(5) for sex in ("female", "male")},
            5,
            6,
            "`protocol.deals` must be at most 5 for the 10 speakers of corpus `made-up` in 5 "
            "folds, since no held-out group may come twice, but is 6 instead.",
        ),
        (
            {f"s{n}": ("", "") for n in range(10)},
            5,
            100,
            "`protocol.deals` must be at most 9 for the 10 speakers of corpus `made-up` in 5 "
            "folds, since no held-out group may come twice, but is 100 instead.",
        ),
        (
            {f"Ses0{n}{x}": ("", f"Ses0{n}") for n in range(1, 6) for x in "FM"},
            5,
            2,
            "`protocol.deals` must be 1 here, but is 2 instead: the held-out groups of corpus "
            "`made-up` are its sessions, whose speakers talk to each other, so that they cannot be "
            "dealt anew. Leave `deals` out, and give `seeds`.",
        ),
    ],
)
def test_more_deals_than_there_are_and_those_of_sessions_are_refused(
    known: dict[str, tuple[str, str]], folds: int, deals: int, expected: str
) -> None:
    with pytest.raises(CorpusError, match=f"^{re.escape(expected)}$"):
        deal_anew(selection(known), folds, deals)
    assert deal_anew(selection(known), folds, 1) == deal(selection(known), folds)
