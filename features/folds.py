"""Who is held out together: speaker-independent folds.

A fold holds out one **group** of speakers, split into halves a and b, and trains on all others.
The network trains once a fold; the epoch is chosen on a for the score of b, and on b for the
score of a (the paper's 8:1:1 with every speaker tested once). Light: the standard library only.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from features.corpus import Selection
from features.errors import CorpusError

SEX_ORDER = ("female", "male", "")


@dataclass(frozen=True, kw_only=True, slots=True)
class Fold:
    """Three disjoint, non-empty sets of speakers, each sorted."""

    index: int
    train: tuple[str, ...]
    a: tuple[str, ...]
    """First half of the held-out group."""
    b: tuple[str, ...]
    """Second half."""

    def __post_init__(self) -> None:
        everyone = (*self.train, *self.a, *self.b)
        if len(set(everyone)) != len(everyone) or not (self.train and self.a and self.b):
            raise CorpusError(
                f"The speakers of fold {self.index} must be three disjoint, non-empty sets, but "
                f"are {list(self.train)}, {list(self.a)}, {list(self.b)} instead."
            )


def deal(selection: Selection, folds: int) -> tuple[Fold, ...]:
    """Deal the speakers into `folds` groups, each held out once.

    Where the corpus has exactly `folds` sessions of two speakers or more, the groups are its
    sessions (IEMOCAP: one woman, one man). Elsewhere women, men and the rest are dealt round the
    groups in the order of their names, so groups and halves are balanced by sex as far as the
    numbers allow (RAVDESS: one woman, one man each).
    Depends on the set of speakers only, never on the order of utterances.

    Raises:
        CorpusError: more folds than the speakers allow, fewer than two, or a speaker who
            appears with two sexes or in two sessions.
    """
    speakers = _speakers(selection)
    corpus = selection.corpus.name
    if folds < 2:
        raise CorpusError(f"`protocol.folds` must be at least 2, but is {folds} instead.")
    if len(speakers) < 4:
        raise CorpusError(
            f"Corpus `{corpus}` must have at least 4 speakers in the chosen classes (two folds "
            f"of two), but has {len(speakers)} instead."
        )
    if len(speakers) < 2 * folds:
        raise CorpusError(
            f"`protocol.folds` must be at most {len(speakers) // 2} for the {len(speakers)} "
            f"speakers of corpus `{corpus}`, but is {folds} instead."
        )
    groups = _sessions(speakers, folds) or _dealt(speakers, folds)
    return tuple(_fold(index, group, speakers) for index, group in enumerate(groups))


def _speakers(selection: Selection) -> dict[str, tuple[str, str]]:
    """Speaker -> (sex, session), women first, then men, then the rest, each by name."""
    known: dict[str, tuple[str, str]] = {}
    for utterance, _ in selection.items:
        here = (utterance.sex, utterance.session)
        if known.setdefault(utterance.speaker, here) != here:
            raise CorpusError(
                f"Speaker `{utterance.speaker}` of corpus `{selection.corpus.name}` must have one "
                f"sex and one session, but has {known[utterance.speaker]} and {here} instead."
            )
    return dict(sorted(known.items(), key=lambda item: (SEX_ORDER.index(item[1][0]), item[0])))


def _sessions(speakers: dict[str, tuple[str, str]], folds: int) -> list[list[str]]:
    """The sessions as groups, or an empty list where they do not fit."""
    groups: dict[str, list[str]] = {}
    for speaker, (_, session) in speakers.items():
        groups.setdefault(session, []).append(speaker)
    fits = "" not in groups and len(groups) == folds
    if fits and all(len(group) >= 2 for group in groups.values()):
        return [groups[session] for session in sorted(groups)]
    return []


def _dealt(speakers: Iterable[str], folds: int) -> list[list[str]]:
    groups: list[list[str]] = [[] for _ in range(folds)]
    for position, speaker in enumerate(speakers):
        groups[position % folds].append(speaker)
    return groups


def _fold(index: int, group: list[str], speakers: Iterable[str]) -> Fold:
    """Every second speaker of a group, which is ordered by sex, goes to half b."""
    return Fold(
        index=index,
        train=tuple(sorted(set(speakers) - set(group))),
        a=tuple(sorted(group[0::2])),
        b=tuple(sorted(group[1::2])),
    )
