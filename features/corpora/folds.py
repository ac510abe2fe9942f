"""Speaker-independent folds: which speakers are held out together.

A fold holds out one **group** of speakers, split into halves a and b, and trains on all others.
The network trains once a fold; the epoch is chosen on a for the score of b, and on b for the
score of a (the paper's 8:1:1 with every speaker tested once). Light: the standard library only.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Literal

from features.corpora.corpus import Corpus, Selection, Utterance
from features.corpora.groups import Deal, Speaker, SpeakerGroup, balanced, dealing_order, dealt_anew
from features.corpora.identities import refuse_open_speakers
from features.errors import CorpusError


@dataclass(frozen=True, kw_only=True, slots=True)
class Fold:
    """One held-out group of speakers, in two halves, and the speakers to train on.

    The three sets of speakers are disjoint and not empty.
    """

    index: int
    """Number of the fold among those of its deal, from 0."""
    train: tuple[str, ...]
    """Names of the speakers to train on, sorted."""
    a: tuple[str, ...]
    """Names of the speakers in half A of the held-out group, sorted."""
    b: tuple[str, ...]
    """Names of the speakers in half B of the held-out group, sorted."""
    deal: int | None = None
    """Number of the deal, from 0; None where the speakers are dealt once."""

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
    groups = _sessions(speakers, folds) or balanced(speakers, folds)
    return _folds(groups, speakers)


def deal_anew(selection: Selection, folds: int, deals: int) -> tuple[Fold, ...]:
    """Divide the speakers into groups several times, with no group twice.

    Each speaker is held out once in each deal, and has others at his side each time. The first deal
    is that of `deal`; `groups.dealt_anew` says how the others follow from it. With more deals the
    earlier ones stay as they are.

    Args:
        selection: the chosen utterances.
        folds: number of folds of each deal.
        deals: number of deals, at least 1; with 1 the folds are those of `deal`.

    Raises:
        CorpusError: as `deal` does; the groups are sessions; there are not as many deals.
    """
    first = deal(selection, folds)
    if deals == 1:
        return first
    speakers, corpus = _speakers(selection), selection.corpus.name
    if _sessions(speakers, folds):
        raise CorpusError(
            f"`protocol.deals` must be 1 here, but is {deals} instead: the held-out groups of "
            f"corpus `{corpus}` are its sessions, whose speakers talk to each other, so that they "
            "cannot be dealt anew. Leave `deals` out, and give `seeds`."
        )
    groups = balanced(speakers, folds)
    found = [first, *(_folds(g, speakers) for g in islice(dealt_anew(groups), deals - 1))]
    if len(found) < deals:
        raise CorpusError(
            f"`protocol.deals` must be at most {len(found)} for the {len(speakers)} speakers of "
            f"corpus `{corpus}` in {folds} folds, since no held-out group may come twice, but is "
            f"{deals} instead."
        )
    return tuple(replace(fold, deal=number) for number, one in enumerate(found) for fold in one)


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
    sides = _sides(selection.corpus.name, [utterance for utterance, _ in selection.items])
    refuse_open_speakers(selection)
    return Fold(index=0, train=sides["train"], a=sides["dev"], b=sides["test"])


def split_fault(corpus: Corpus) -> str:
    """Why `folds: published` would refuse the split of a corpus, as a sentence.

    Returns:
        Empty where it would not, and where the corpus has no split.
    """
    if not any(utterance.split for utterance in corpus.utterances):
        return ""
    try:
        _sides(corpus.name, corpus.utterances)
    except CorpusError as error:
        return str(error)
    return ""


def _sides(name: str, utterances: Sequence[Utterance]) -> dict[str, tuple[str, ...]]:
    """The speakers of each side of a published split, sorted; see `_published`."""
    splits: dict[str, set[str]] = {}
    for utterance in utterances:
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
    return sides


def _speakers(selection: Selection) -> list[Speaker]:
    """List the speakers in the order in which they are dealt."""
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
        known.append(Speaker(name=name, sex=sexes[0], session=session, classes=classes))
    return sorted(known, key=dealing_order)


def _sessions(speakers: list[Speaker], folds: int) -> Deal:
    """Group the speakers by session, if there are ``folds`` sessions of two speakers or more.

    Returns:
        One list of speakers a session; an empty list where sessions do not fit.
    """
    groups: dict[str, list[Speaker]] = {}
    for speaker in speakers:
        groups.setdefault(speaker.session, []).append(speaker)
    fits = "" not in groups and len(groups) == folds
    if fits and all(len(group) >= 2 for group in groups.values()):
        return [groups[session] for session in sorted(groups)]
    return []


def _folds(groups: Deal, speakers: Sequence[Speaker]) -> tuple[Fold, ...]:
    """Make one fold a group, each divided into balanced halves."""
    return tuple(_fold(index, group, speakers) for index, group in enumerate(groups))


def _fold(index: int, group: SpeakerGroup, speakers: Sequence[Speaker]) -> Fold:
    """Make the fold that holds a group out, and divide the group into balanced halves."""
    a, b = (tuple(sorted(s.name for s in half)) for half in balanced(group, 2))
    train = tuple(sorted({s.name for s in speakers} - {s.name for s in group}))
    return Fold(index=index, train=train, a=a, b=b)
