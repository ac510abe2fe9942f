import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.corpus import Corpus, Selection, Utterance
from features.errors import CorpusError
from features.folds import Fold, deal

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


def test_a_speaker_of_two_sessions_is_refused() -> None:
    one, two = selection({"ann": ("female", "s1")}), selection({"ann": ("female", "s2")})
    corpus = one.corpus
    mixed = Corpus(
        name="made-up",
        root="/",
        utterances=(*corpus.utterances[:1], *two.corpus.utterances[1:]),
        left_out=(),
    ).select(EMOTIONS)
    expected = (
        "Speaker `ann` of corpus `made-up` must have one sex and one session, but has "
        "('female', 's1') and ('female', 's2') instead."
    )
    with pytest.raises(CorpusError, match=f"^{re.escape(expected)}$"):
        deal(mixed, 2)


def test_a_fold_whose_sets_meet_cannot_be_made() -> None:
    expected = (
        "The speakers of fold 0 must be three disjoint, non-empty sets, but are "
        "['x', 'y'], ['y'], ['z'] instead."
    )
    with pytest.raises(CorpusError, match=f"^{re.escape(expected)}$"):
        Fold(index=0, train=("x", "y"), a=("y",), b=("z",))
