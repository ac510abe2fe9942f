"""A check of every recording of a corpus: durations, sample rates, what looks wrong.

Light to import: `inspect` opens the audio.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from features.corpora.corpus import Corpus, FileNote, OnProgress, no_progress


@dataclass(frozen=True, kw_only=True, slots=True)
class Inspection:
    """What the recordings of a corpus are; durations and counts are of those that can be used."""

    usable: int
    """Recordings that can be used."""
    shortest: float
    median: float
    longest: float
    total: float
    """All four durations are in seconds."""
    rates: Mapping[int, int]
    """Samples a second -> number of utterances."""
    channels: Mapping[int, int]
    """Number of channels -> number of utterances."""
    bad: tuple[FileNote, ...]
    """Recordings that cannot be used."""
    doubts: tuple[FileNote, ...]
    """Recordings that can be used, but look wrong."""


def inspect(corpus: Corpus, on_progress: OnProgress = no_progress) -> Inspection:
    """Decode every recording; synthesised audio that does not exist yet is left out."""
    from statistics import median

    from features.audio import check_recording

    bad, doubts, sounds = list[FileNote](), list[FileNote](), []
    for done, utterance in enumerate(corpus.utterances, start=1):
        path = Path(corpus.root) / utterance.path
        if utterance.mtime_ns or path.exists():
            sound = check_recording(path, utterance.start, utterance.end)
            if sound.bad:
                bad.append(FileNote(path=utterance.id, reason=sound.bad, bad=True))
            else:
                sounds.append(sound)
                doubts += [FileNote(path=utterance.id, reason=doubt) for doubt in sound.doubts]
        on_progress(done, len(corpus.utterances))
    seconds = [sound.seconds for sound in sounds] or [0.0]
    return Inspection(
        usable=len(sounds),
        shortest=min(seconds),
        median=median(seconds),
        longest=max(seconds),
        total=sum(seconds),
        rates=dict(sorted(Counter(sound.rate for sound in sounds).items())),
        channels=dict(sorted(Counter(sound.channels for sound in sounds).items())),
        bad=tuple(bad),
        doubts=tuple(doubts),
    )
