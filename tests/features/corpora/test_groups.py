from itertools import islice

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.corpora.groups import Deal, Speaker, SpeakerGroup, balanced, dealing_order, dealt_anew

Kind = tuple[str, tuple[int, int]]
"""The sex of a speaker, and how many utterances of each class he has."""

people = st.lists(
    st.tuples(
        st.sampled_from(["female", "male", ""]), st.tuples(st.integers(0, 9), st.integers(1, 9))
    ),
    min_size=4,
    max_size=24,
)


def speakers(kinds: list[Kind], prefix: str = "s") -> list[Speaker]:
    """One speaker of each kind, in the order in which they are dealt."""
    found = [
        Speaker(name=f"{prefix}{n:02}", sex=sex, session="", classes=classes)
        for n, (sex, classes) in enumerate(kinds)
    ]
    return sorted(found, key=dealing_order)


def of(women: int, men: int, others: int = 0) -> list[Speaker]:
    sexes = ["female"] * women + ["male"] * men + [""] * others
    return speakers([(sex, (2, 2)) for sex in sexes])


def deals(known: list[Speaker], groups: int, most: int = 200) -> list[Deal]:
    """The first deal and all that follow it, ``most`` at most."""
    first = balanced(known, groups)
    return [first, *islice(dealt_anew(first), most - 1)]


def names(deal: Deal) -> list[frozenset[str]]:
    return [frozenset(speaker.name for speaker in group) for group in deal]


def makeup(deal: Deal) -> list[tuple[int, ...]]:
    """Women, men and others of each group, sorted."""
    return sorted(tuple(sum(s.sex == x for s in g) for x in ("female", "male", "")) for g in deal)


@given(people, st.data())
@settings(max_examples=150, deadline=None)
def test_no_group_comes_twice_and_everyone_is_in_one_group_of_each_deal(
    kinds: list[Kind], data: st.DataObject
) -> None:
    known = speakers(kinds)
    found = deals(known, data.draw(st.integers(2, len(known) // 2)), most=8)
    groups = [group for deal in found for group in names(deal)]
    assert len(groups) == len(set(groups))
    for deal in found:
        assert sorted(s.name for group in deal for s in group) == sorted(s.name for s in known)
        assert sorted(map(len, deal)) == sorted(map(len, found[0]))


@given(people, st.data())
@settings(max_examples=150, deadline=None)
def test_each_deal_has_as_many_women_and_men_in_its_groups_as_the_first(
    kinds: list[Kind], data: st.DataObject
) -> None:
    known = speakers([(sex or "male", classes) for sex, classes in kinds])
    found = deals(known, data.draw(st.integers(2, len(known) // 2)), most=8)
    assert all(makeup(deal) == makeup(found[0]) for deal in found)


@given(people, st.data())
@settings(max_examples=100, deadline=None)
def test_a_deal_does_not_depend_on_how_many_follow_nor_on_what_speakers_are_called(
    kinds: list[Kind], data: st.DataObject
) -> None:
    count = data.draw(st.integers(2, len(kinds) // 2))
    many = deals(speakers(kinds), count, most=8)
    assert deals(speakers(kinds), count, most=3) == many[:3]
    renamed = deals(speakers(kinds, "t"), count, most=8)
    assert [[sorted(n[1:] for n in group) for group in names(deal)] for deal in many] == [
        [sorted(n[1:] for n in group) for group in names(deal)] for deal in renamed
    ]


@pytest.mark.parametrize("pairs", range(2, 13))
def test_speakers_of_one_sex_meet_each_other_once(pairs: int) -> None:
    found = deals(of(0, 2 * pairs), pairs)
    assert len(found) == 2 * pairs - 1
    assert len({group for deal in found for group in names(deal)}) == pairs * (2 * pairs - 1)


@pytest.mark.parametrize("pairs", range(2, 13))
def test_each_woman_meets_each_man_once(pairs: int) -> None:
    found = deals(of(pairs, pairs), pairs)
    assert len(found) == pairs
    assert len({group for deal in found for group in names(deal)}) == pairs**2


@pytest.mark.parametrize(("women", "men"), [(6, 4), (4, 6), (1, 9), (9, 1), (2, 8), (13, 11)])
def test_each_of_the_rarer_sex_meets_each_of_the_other_once(women: int, men: int) -> None:
    found = deals(of(women, men), (women + men) // 2)
    assert len(found) == max(women, men)
    mixed = {
        g for deal in found for g in names(deal) if len({n for n in g if n < f"s{women:02}"}) == 1
    }
    assert len(mixed) == women * men


def test_groups_of_more_are_dealt_anew_whole_and_speakers_meet_many_others() -> None:
    found = deals(of(12, 12), 6, most=4)
    assert all(makeup(deal) == [(2, 2, 0)] * 6 for deal in found)
    met = {
        s.name: {other for deal in found for g in names(deal) if s.name in g for other in g}
        for s in of(12, 12)
    }
    assert min(len(others) for others in met.values()) - 1 >= 10  # of 12 possible: 4 deals of 3


def test_an_odd_speaker_makes_a_group_of_three_which_is_dealt_anew_too() -> None:
    found = deals(of(6, 5), 5)
    assert [sorted(map(len, deal)) for deal in found] == [[2, 2, 2, 2, 3]] * len(found)
    assert len(found) >= 3


def test_deals_with_the_least_overlap_in_classes_come_first() -> None:
    kinds: list[Kind] = [("female", (9, 1)), ("female", (1, 9)), ("female", (5, 5))]
    kinds += [("male", (1, 9)), ("male", (9, 1)), ("male", (5, 5))]

    def overlap(group: SpeakerGroup) -> int:
        one, other = group
        return sum(a * b for a, b in zip(one.classes, other.classes, strict=True))

    first, *others = deals(speakers(kinds), 3)
    totals = [sum(map(overlap, deal)) for deal in others]
    assert len(others) == 2 and totals == sorted(totals) and sum(map(overlap, first)) <= totals[0]
