"""Speaker-independent folds: which speakers are held out together.

A fold holds out one **group** of speakers, split into halves a and b, and trains on all others.
The network trains once a fold; the epoch is chosen on a for the score of b, and on b for the
score of a (the paper's 8:1:1 with every speaker tested once). Light: the standard library only.
"""

import math
from collections import Counter
from dataclasses import dataclass, replace
from typing import Literal

from features.corpora.corpus import Selection, Utterance
from features.corpora.identities import refuse_open_speakers
from features.errors import CorpusError

SEX_ORDER = ("female", "male", "")
"""Order in which speakers are dealt to groups; empty where the corpus does not say."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Fold:
    """One held-out group of speakers, in two halves, and the speakers to train on.

    The three sets of speakers are disjoint and not empty.
    """

    index: int
    """Number of the fold, from 0."""
    train: tuple[str, ...]
    """Names of the speakers to train on, sorted."""
    a: tuple[str, ...]
    """Names of the speakers in half A of the held-out group, sorted."""
    b: tuple[str, ...]
    """Names of the speakers in half B of the held-out group, sorted."""

    def __post_init__(self) -> None:
        everyone = (*self.train, *self.a, *self.b)
        if len(set(everyone)) != len(everyone) or not (self.train and self.a and self.b):
            raise CorpusError(
                f"The speakers of fold {self.index} must be three disjoint, non-empty sets, but "
                f"are {list(self.train)}, {list(self.a)}, {list(self.b)} instead."
            )


def deal(selection: Selection, folds: int | Literal["published"]) -> tuple[Fold, ...]:
    """Divide the speakers into `folds` groups, each held out once; or take the published split.

    Where the corpus has exactly `folds` sessions of two speakers or more, the groups are its
    sessions (IEMOCAP: one woman, one man). Elsewhere groups, and the halves of each, are balanced
    by number of speakers first, then by sex, then by emotion (RAVDESS: one woman, one man each).
    The result depends on the speakers, their sexes and their numbers of utterances by class, never
    on the order of utterances.

    Args:
        selection: the chosen utterances.
        folds: number of folds, at least 2; or ``published``: one fold with the corpus's own split,
            dev speakers as half A and test speakers as half B.

    Raises:
        CorpusError: more folds than the speakers allow, fewer than two, a speaker with two sexes;
            with ``published``, no split, or a speaker on two sides of it.
    """
    if folds == "published":
        return (_published(selection),)
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


def inner(selection: Selection, fold: Fold, folds: int) -> tuple[Fold, ...]:
    """Divide the training speakers of a fold into inner folds, as `deal` does (nested CV).

    The fold's held-out speakers are in no inner fold, so a search that scores configurations on
    inner folds never sees them.

    Args:
        selection: the chosen utterances.
        fold: the outer fold.
        folds: number of inner folds, at least 2.

    Raises:
        CorpusError: the fold trains on fewer than two speakers an inner fold, or than four in all.
    """
    most = len(fold.train) // 2
    if folds > most or most < 2:
        raise CorpusError(
            f"`search.inner_folds` must be at most {most} and at least 2, since fold "
            f"{fold.index + 1} trains on {len(fold.train)} speakers and an inner fold holds out "
            f"two, but is {folds} instead."
        )
    items = tuple(item for item in selection.items if item[0].speaker in set(fold.train))
    return deal(replace(selection, items=items), folds)


def _published(selection: Selection) -> Fold:
    """Make the fold of a published split: dev speakers are half A, test speakers half B.

    Raises:
        CorpusError: there is no split, a part of it is empty, a speaker is on two sides, or two
            names may be one speaker.
    """
    name = selection.corpus.name
    splits: dict[str, set[str]] = {}
    for utterance, _ in selection.items:
        splits.setdefault(utterance.speaker, set()).add(utterance.split)
    if all(split == {""} for split in splits.values()):
        raise CorpusError(
            f"Corpus `{name}` must publish a split for `folds: published`, but has none: "
            "give a number of folds."
        )
    torn = sorted(
        f"`{who}` ({', '.join(sorted(s or 'none' for s in where))})"
        for who, where in splits.items()
        if len(where) > 1
    )
    if torn:
        raise CorpusError(
            f"The published split of corpus `{name}` must keep each speaker on one side, but these "
            f"stand on several: {', '.join(torn)}. Give a number of folds, or mend the split."
        )
    refuse_open_speakers(selection)
    sides = {
        side: tuple(sorted(who for who, where in splits.items() if where == {side}))
        for side in ("train", "dev", "test", "")
    }
    empty = [side for side in ("train", "dev", "test") if not sides[side]]
    if empty or sides[""]:
        fault = f"`{empty[0]}` has none" if empty else f"`{sides[''][0]}` has no split"
        raise CorpusError(
            f"The published split of corpus `{name}` must give speakers to `train`, `dev` and "
            f"`test`, but {fault}."
        )
    return Fold(index=0, train=sides["train"], a=sides["dev"], b=sides["test"])


@dataclass(frozen=True, kw_only=True, slots=True)
class _Speaker:
    """A speaker with the facts by which groups are balanced."""

    name: str
    sex: str
    session: str
    """Name of the speaker's session; empty for a speaker of several sessions or of none."""
    classes: tuple[int, ...]
    """Number of the speaker's utterances of each class, in the order of the class indices."""


def _speakers(selection: Selection) -> list[_Speaker]:
    """List the speakers: women, men, then others; within each, by falling number of utterances."""
    spoken: dict[str, list[tuple[Utterance, int]]] = {}
    for utterance, label in selection.items:
        spoken.setdefault(utterance.speaker, []).append((utterance, label))
    known = []
    for name, items in spoken.items():
        sexes = sorted({utterance.sex for utterance, _ in items})
        if len(sexes) > 1:
            both = " and ".join(f"`{sex}`" for sex in sexes)
            raise CorpusError(
                f"Speaker `{name}` of corpus `{selection.corpus.name}` must have one sex, "
                f"but has {both} instead."
            )
        sessions = {utterance.session for utterance, _ in items}
        counts = Counter(label for _, label in items)
        classes = tuple(counts[label] for label in range(len(selection.classes)))
        session = sessions.pop() if len(sessions) == 1 else ""
        known.append(_Speaker(name=name, sex=sexes[0], session=session, classes=classes))
    return sorted(known, key=lambda s: (SEX_ORDER.index(s.sex), -sum(s.classes), s.name))


def _sessions(speakers: list[_Speaker], folds: int) -> list[list[_Speaker]]:
    """Group the speakers by session, if there are ``folds`` sessions of two speakers or more.

    Returns:
        One list of speakers a session; an empty list where sessions do not fit.
    """
    groups: dict[str, list[_Speaker]] = {}
    for speaker in speakers:
        groups.setdefault(speaker.session, []).append(speaker)
    fits = "" not in groups and len(groups) == folds
    if fits and all(len(group) >= 2 for group in groups.values()):
        return [groups[session] for session in sorted(groups)]
    return []


def _dealt(speakers: list[_Speaker], groups: int) -> list[list[_Speaker]]:
    """Divide speakers into balanced groups: each speaker in turn joins the group that fits best.

    That is the group with the fewest speakers, then with the fewest of the same sex, then with the
    least overlap in classes (utterances of the classes that the speaker has, each class counted as
    a share of its total, in whole numbers so that ties are exact); of equal groups the first. If
    all speakers have the same counts, they are dealt to the groups in turn.

    Args:
        speakers: as `_speakers` orders them.
        groups: number of groups.
    """
    wholes = [sum(counts) or 1 for counts in zip(*(s.classes for s in speakers), strict=True)]
    weights = [math.prod(wholes) ** 2 // whole**2 for whole in wholes]
    dealt: list[list[_Speaker]] = [[] for _ in range(groups)]
    held = [[0] * len(wholes) for _ in range(groups)]
    for speaker in speakers:

        def lack(index: int, speaker: _Speaker = speaker) -> tuple[int, int, int]:
            """Rank a group for the speaker, least first: size, same sex, overlap in classes."""
            shares = zip(held[index], speaker.classes, weights, strict=True)
            overlap = sum(has * brings * weight for has, brings, weight in shares)
            return len(dealt[index]), sum(s.sex == speaker.sex for s in dealt[index]), overlap

        best = min(range(groups), key=lack)
        dealt[best].append(speaker)
        held[best] = [has + more for has, more in zip(held[best], speaker.classes, strict=True)]
    return dealt


def _fold(index: int, group: list[_Speaker], speakers: list[_Speaker]) -> Fold:
    """Make the fold that holds a group out, and divide the group into halves by `_dealt`."""
    a, b = (tuple(sorted(s.name for s in half)) for half in _dealt(group, 2))
    train = tuple(sorted({s.name for s in speakers} - {s.name for s in group}))
    return Fold(index=index, train=train, a=a, b=b)
