"""Balanced groups of speakers: dealt once, and dealt anew so that no group comes twice.

Pure: groups depend on the speakers alone. Light: the standard library only.
"""

import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import count, islice, permutations

SEX_ORDER = ("female", "male", "")
"""Order in which speakers are dealt to groups; empty where the corpus does not say."""
TRIES = 100
"""In how many orders the speakers are dealt until each group is new; then there is no more deal."""
CANDIDATES = 10
"""Of how many deals the one is taken in which speakers meet others than before."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Speaker:
    """A speaker with the facts by which groups are balanced."""

    name: str
    """Name of the speaker."""
    sex: str
    """``female``, ``male``, or empty where the corpus does not say."""
    session: str
    """Name of the speaker's session; empty for a speaker of several sessions or of none."""
    classes: tuple[int, ...]
    """Number of the speaker's utterances of each class, in the order of the class indices."""


SpeakerGroup = Sequence[Speaker]
"""Speakers who are held out together, or half of them, in the order of `dealing_order`."""
Deal = list[SpeakerGroup]
"""All speakers, each in one group: one deal."""


def dealing_order(speaker: Speaker) -> tuple[int, int, str]:
    """Sort key: women, men, then others; within each, by falling number of utterances."""
    return SEX_ORDER.index(speaker.sex), -sum(speaker.classes), speaker.name


def balanced(
    speakers: Sequence[Speaker],
    groups: int,
    met: Callable[[Speaker, SpeakerGroup], int] = lambda speaker, group: 0,
) -> Deal:
    """Divide speakers into balanced groups: each speaker in turn joins the group that fits best.

    That is the group with the fewest speakers, then with the fewest of the same sex, then with
    those whom the speaker has met least, then with the least overlap in classes; of equal groups
    the first. If all speakers have the same counts, they are dealt to the groups in turn.

    Args:
        speakers: in the order in which they are dealt.
        groups: number of groups.
        met: how often a speaker was in one group with the speakers of a group before.
    """
    weights = _class_weights(speakers)
    dealt: list[list[Speaker]] = [[] for _ in range(groups)]
    held = [[0] * len(weights) for _ in range(groups)]
    for speaker in speakers:
        fits = [(len(group), sum(s.sex == speaker.sex for s in group)) for group in dealt]
        least = min(fits)
        best = min(
            (index for index, fit in enumerate(fits) if fit == least),
            key=lambda i: (met(speaker, dealt[i]), _overlap(held[i], speaker, weights)),
        )
        dealt[best].append(speaker)
        held[best] = [has + more for has, more in zip(held[best], speaker.classes, strict=True)]
    return [*dealt]


def dealt_anew(first: Deal) -> Iterator[Deal]:
    """Deal the speakers anew, again and again, for as long as no group comes twice.

    Each deal has groups of the same sizes as the first, and is balanced by sex as it is. Later
    deals do not depend on how many are taken.

    Two speakers a group: there are as many deals, the first counted, as there can be. Speakers of
    one sex (or of none) meet each other once, S - 1 deals for S speakers, by the round-robin
    schedule of a tournament. With two sexes each one of the rarer sex meets each one of the other
    once; there are as many deals as the other has members. Those with the least overlap in classes
    come first. All other groups are dealt by `balanced`, where each speaker joins those whom he has
    met least, until ``TRIES`` orders of the speakers give a group that was there before.

    Args:
        first: the groups of the first deal, as `balanced` gives them.
    """
    speakers = sorted((speaker for group in first for speaker in group), key=dealing_order)
    if any(len(group) != 2 for group in first) or len({s.sex for s in speakers}) > 2:
        deals = _searched(first, speakers)
    else:
        mixed = [pair for pair in first if pair[0].sex != pair[1].sex]
        alike = [pair for pair in first if pair[0].sex == pair[1].sex]
        found = _rotated(mixed, alike) if mixed else _round_robin(alike)
        weights = _class_weights(speakers)
        deals = iter(
            sorted(found, key=lambda deal: sum(_overlap(a.classes, b, weights) for a, b in deal))
        )
    position = {speaker: number for number, speaker in enumerate(speakers)}
    for deal in deals:
        groups = [sorted(group, key=position.__getitem__) for group in deal]
        yield sorted(groups, key=lambda group: position[group[0]])


def _class_weights(speakers: Sequence[Speaker]) -> list[int]:
    """The weight of each class in `_overlap`: its share of all utterances, as a whole number."""
    wholes = [sum(counts) or 1 for counts in zip(*(s.classes for s in speakers), strict=True)]
    return [math.prod(wholes) ** 2 // whole**2 for whole in wholes]


def _overlap(held: Sequence[int], speaker: Speaker, weights: Sequence[int]) -> int:
    """How much a speaker overlaps in classes with a group: utterances of the same classes.

    Each class counts as a share of its total, in whole numbers so that ties are exact.

    Args:
        held: number of the group's utterances of each class.
        speaker: the speaker.
        weights: of each class, see `_class_weights`.
    """
    shares = zip(held, speaker.classes, weights, strict=True)
    return sum(has * brings * weight for has, brings, weight in shares)


def _round_robin(pairs: Deal) -> Iterator[Deal]:
    """All other rounds of the round-robin schedule whose first round is ``pairs``.

    One speaker stays, the others stand in a circle and move on by one place from round to round:
    those at the same distance from the place opposite the one who stays are a pair.
    """
    (stays, opposite), *others = pairs
    circle = [opposite, *(a for a, _ in others), *(b for _, b in reversed(others))]
    places = len(circle)
    for turn in range(1, places):
        at = [circle[(place + turn) % places] for place in range(places)]
        yield [(stays, at[0]), *((at[j], at[-j]) for j in range(1, len(pairs)))]


def _rotated(mixed: Deal, alike: Deal) -> Iterator[Deal]:
    """All other turns of a circle whose first position gives the pairs ``mixed`` and ``alike``.

    The more frequent sex stands in the circle, the rarer one around it. The circle turns by one
    place at a time. Places with nobody outside are linked in pairs of unequal distances, so that no
    two speakers of the circle are linked twice.

    Args:
        mixed: the pairs of a woman and a man.
        alike: the pairs of two of the more frequent sex.
    """
    frequent = (alike or mixed)[0][0].sex
    places = len(mixed) + 2 * len(alike)
    links = list(islice(_links(places), len(alike)))
    circle = dict[int, Speaker]()
    for (one, other), pair in zip(links, alike, strict=True):
        circle[one], circle[other] = pair
    outside = dict[int, Speaker]()
    free = (place for place in range(places) if place not in circle)
    for place, (a, b) in zip([*free], mixed, strict=True):
        circle[place], outside[place] = (a, b) if a.sex == frequent else (b, a)
    for turn in range(1, places):
        at = [circle[(place + turn) % places] for place in range(places)]
        yield [
            *((at[place], speaker) for place, speaker in outside.items()),
            *((at[one], at[other]) for one, other in links),
        ]


def _links(places: int) -> Iterator[tuple[int, int]]:
    """Pairs of places of a circle, no place twice, each pair at another distance around it.

    The distances 2, 4, ... stand nested around one place, 1, 3, ... beside them; all are below half
    of the circle.

    >>> list(_links(7))
    [(0, 2), (4, 5), (3, 6)]
    """
    even, odd = (places - 1) // 4, (places + 1) // 4
    yield from ((even - i, even + i) for i in range(1, even + 1))
    middle = 2 * even + odd
    yield from ((middle - i, middle + 1 + i) for i in range(odd))


def _searched(first: Deal, speakers: Sequence[Speaker]) -> Iterator[Deal]:
    """Deals by `balanced` in other orders of the speakers, with no group that was there before.

    Of the first ``CANDIDATES`` it is the one in which speakers meet again least.
    """
    seen = set[frozenset[str]]()
    together = Counter[tuple[str, str]]()

    def met(speaker: Speaker, group: SpeakerGroup) -> int:
        return sum(together[speaker.name, other.name] for other in group)

    def meetings(deal: Deal) -> int:
        return sum(met(speaker, group) for group in deal for speaker in group)

    deal = first
    for number in count(1):
        seen |= set(map(_names, deal))
        for group in deal:
            together.update(permutations(_names(group), 2))
        orders = (_shuffled(speakers, number, turn) for turn in range(TRIES))
        tried = (balanced(order, len(first), met) for order in orders)
        fresh = (one for one in tried if seen.isdisjoint(map(_names, one)))
        candidates = list(islice(fresh, CANDIDATES))
        if not candidates:
            return
        deal = min(candidates, key=meetings)
        yield deal


def _names(group: SpeakerGroup) -> frozenset[str]:
    return frozenset(speaker.name for speaker in group)


def _shuffled(speakers: Sequence[Speaker], deal: int, turn: int) -> Sequence[Speaker]:
    """The speakers in another order for each deal and turn, sexes kept; at turn 0 as they are.

    Python's own shuffling may change between its versions, and with it what is trained.
    """
    if turn == 0:
        return speakers
    numbered = sorted(
        enumerate(speakers), key=lambda item: sha256(f"{deal} {turn} {item[0]}".encode()).digest()
    )
    return sorted((s for _, s in numbered), key=lambda s: SEX_ORDER.index(s.sex))
