"""Copies of one recording in a corpus: the same speech under two speakers, sides or labels.

An epoch that is chosen on a recording must not be scored on its copy. So copies that stand under
two speakers, or on two sides of a published split, are refused; other copies, parts of a file that
overlap, and recordings that only sound alike are doubts. Light to import.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from operator import itemgetter

from features.canonical import digest as digest_of
from features.corpora.corpus import Corpus, FileNote, Utterance
from features.corpora.identities import spelling_hint
from features.errors import CorpusError
from features.soundprint import HeardRecording

MOST = 12
"""Most pairs that an error names."""
OVERLAP_S = 0.01
"""Seconds by which parts of a file may overlap, since label files round their times."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Copy:
    """A recording that is there a second time, under another speaker or on another side."""

    first: Utterance
    """The one that was read first."""
    later: Utterance
    """Its copy, which `--skip-bad` leaves out."""

    def __str__(self) -> str:
        same = "bytes" if self.first.digest == self.later.digest else "samples"
        return (
            f"{_title(self.later)} and {_title(self.first)} "
            f"({_sides(self.later, self.first)}): the same {same}"
        )

    @property
    def note(self) -> FileNote:
        """The note on the copy where it is left out."""
        of = f"speaker {self.first.speaker}"
        if self.first.speaker == self.later.speaker:
            of = f"the side {self.first.split}"
        reason = f"the same recording as {_title(self.first)} of {of}"
        return FileNote(path=_title(self.later), reason=reason, bad=True, copy=True)


@dataclass(frozen=True, kw_only=True, slots=True)
class CopiesFound:
    """The copies in a corpus, and the recordings that may be copies."""

    copies: tuple[Copy, ...]
    """Copies under two speakers or on two sides, in the order of reading."""
    doubts: tuple[FileNote, ...]
    """Copies of the same speaker, parts that overlap, recordings that sound alike."""


def compare(utterances: Iterable[Utterance], heard: Mapping[str, HeardRecording]) -> CopiesFound:
    """Look for copies among the recordings of a corpus.

    Args:
        utterances: its utterances.
        heard: id of an utterance -> how its recording sounds, in the order of reading; silent
            recordings are absent, and not compared.
    """
    by_id = {utterance.id: utterance for utterance in utterances}
    order = [by_id[id] for id in heard if id in by_id]
    copies, doubts = list[Copy](), list[FileNote]()
    groups: dict[str, list[Utterance]] = defaultdict(list)
    for utterance in order:
        groups[heard[utterance.id].sound.samples].append(utterance)
    for group in groups.values():
        _compare_same(group, copies, doubts)
    dropped = {copy.later.id for copy in copies}
    kept = [utterance for utterance in order if utterance.id not in dropped]
    same = {utterance.id: group[0].id for group in groups.values() for utterance in group}
    overlaps = _overlaps(kept, heard, same)
    doubts += [_doubt(b, a, f"overlaps by {s:.2f} s with") for a, b, s in overlaps]
    known = {frozenset((a.id, b.id)) for a, b, _ in overlaps}
    for first, later in _alike([group[0] for group in groups.values()], heard):
        if frozenset((first.id, later.id)) not in known:
            doubts.append(_doubt(later, first, "sounds like"))
    return CopiesFound(copies=tuple(copies), doubts=tuple(doubts))


def settle(
    corpus: Corpus, heard: Mapping[str, HeardRecording], *, skip_bad: bool = False
) -> Corpus:
    """Return the corpus as one whose recordings were compared, with the doubts that were found.

    Args:
        corpus: the corpus.
        heard: id of an utterance -> how its recording sounds, in the order of reading.
        skip_bad: leave out the later one of two copies, instead of refusing the corpus.

    Raises:
        CorpusError: copies stand under two speakers or on two sides of the published split.
    """
    found = compare(corpus.utterances, heard)
    if found.copies and not skip_bad:
        raise CorpusError(refusal(corpus, found.copies))
    dropped = {copy.later.id for copy in found.copies}
    settled = replace(
        corpus,
        utterances=tuple(u for u in corpus.utterances if u.id not in dropped),
        left_out=(*corpus.left_out, *(copy.note for copy in found.copies)),
        doubts=(*(doubt for doubt in corpus.doubts if not doubt.copy), *found.doubts),
        heard={},
    )
    return replace(settled, compared=_compared(settled))


def refusal(corpus: Corpus, copies: Sequence[Copy]) -> str:
    """Write the error that names copies, and the command that goes on without them."""
    speakers = any(copy.first.speaker != copy.later.speaker for copy in copies)
    sides = any(copy.first.speaker == copy.later.speaker for copy in copies)
    where = ["under two speakers"] * speakers + ["on two sides of the published split"] * sides
    lines = [f"  {copy}" for copy in copies[:MOST]]
    if len(copies) > MOST:
        lines.append(f"  and {len(copies) - MOST} more pairs")
    are = "1 recording" if len(copies) == 1 else f"{len(copies)} recordings"
    return (
        f"{are} of corpus `{corpus.name}` in {corpus.root} must be there once, but "
        f"{'stands' if len(copies) == 1 else 'stand'} {' or '.join(where)}, so a network would be "
        "tested on speech that it was trained on: take the copies out, or leave the later one of "
        f"each pair out with `{corpus.registration_command} --skip-bad`."
        f"{spelling_hint(corpus, (u for copy in copies for u in (copy.first, copy.later)))}\n"
        + "\n".join(lines)
    )


def with_current_state(corpus: Corpus) -> Corpus:
    """Return the corpus as not compared if its recordings or labels changed since they were."""
    if corpus.compared and corpus.compared != _compared(corpus):
        return replace(corpus, compared="")
    return corpus


def _compared(corpus: Corpus) -> str:
    """Digest of all that a comparison depends on."""
    return digest_of([[u.id, u.digest, u.speaker, u.emotion, u.split] for u in corpus.utterances])


def _compare_same(group: Sequence[Utterance], copies: list[Copy], doubts: list[FileNote]) -> None:
    """Compare utterances with the same samples; add to ``copies`` and ``doubts``.

    What is kept is of one speaker and on one side, so each is compared with few of the others.
    """
    first = group[0]
    on_side = first if first.split else None
    of_label = {first.emotion: first}
    for later in group[1:]:
        if later.speaker != first.speaker:
            copies.append(Copy(first=first, later=later))
        elif on_side and later.split and later.split != on_side.split:
            copies.append(Copy(first=on_side, later=later))
        else:
            on_side = on_side or (later if later.split else None)
            other = next((u for e, u in of_label.items() if e != later.emotion), first)
            of_label.setdefault(later.emotion, later)
            doubts.append(_doubt(later, other, "the same recording as"))


def _overlaps(
    utterances: Sequence[Utterance], heard: Mapping[str, HeardRecording], same: Mapping[str, str]
) -> list[tuple[Utterance, Utterance, float]]:
    """List the parts of a file that overlap with one that begins before them.

    Args:
        utterances: the utterances.
        heard: id of an utterance -> how its recording sounds.
        same: id of an utterance -> id of the first one with the same samples; such pairs are known.

    Returns:
        The part that begins first, the one that overlaps with it, and by how many seconds.
    """
    files: dict[str, list[tuple[float, float, Utterance]]] = defaultdict(list)
    for u in utterances:
        begins = u.start or 0.0
        ends = begins + heard[u.id].sound.seconds
        files[heard[u.id].file].append((begins, ends, u))
    found = []
    for parts in files.values():
        parts.sort(key=itemgetter(0, 1))
        last_end, last = parts[0][1], parts[0][2]
        for begins, ends, u in parts[1:]:
            seconds = min(last_end, ends) - begins
            if seconds > OVERLAP_S and same[u.id] != same[last.id]:
                found.append((last, u, seconds))
            if ends > last_end:
                last_end, last = ends, u
    return found


def _alike(
    utterances: Sequence[Utterance], heard: Mapping[str, HeardRecording]
) -> list[tuple[Utterance, Utterance]]:
    """List the recordings that sound like one that was read before them, with that one.

    Of several that it sounds like, one of another speaker is taken if there is any.
    """
    if len(utterances) < 2:
        return []
    from features.corpora.likeness import alike

    found: dict[int, int] = {}
    for first, later in alike([heard[utterance.id].sound for utterance in utterances]):
        own = utterances[later].speaker
        if later not in found or utterances[found[later]].speaker == own:
            found[later] = first
    return [(utterances[first], utterances[later]) for later, first in sorted(found.items())]


def _doubt(later: Utterance, first: Utterance, how: str) -> FileNote:
    """Note that an utterance may be a copy of another one, and in what they differ."""
    differences = []
    if later.speaker != first.speaker:
        differences.append(f"of speaker {first.speaker}, not {later.speaker}")
    if later.split and first.split and later.split != first.split:
        differences.append(f"in {first.split}, not {later.split}")
    if later.emotion != first.emotion:
        differences.append(f"labelled {first.emotion}, not {later.emotion}")
    reason = ", ".join([f"{how} {_title(first)}", *differences])
    return FileNote(path=_title(later), reason=reason, copy=True)


def _sides(later: Utterance, first: Utterance) -> str:
    """Say under which two speakers, or on which two sides, copies stand."""
    if later.speaker != first.speaker:
        return f"speakers {later.speaker} and {first.speaker}"
    return f"{later.split} and {first.split}"


def _title(utterance: Utterance) -> str:
    """The path of an utterance, with its seconds where it is a part of a file."""
    if utterance.start is None and utterance.end is None:
        return utterance.path
    end = "the end" if utterance.end is None else f"{utterance.end:g} s"
    return f"{utterance.path} from {utterance.start or 0:g} s to {end}"
