"""A check of every recording of a corpus: durations, sample rates, unusable and doubtful files.

Light to import: `inspect` opens the audio.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from features.corpora.corpus import Corpus, FileNote, OnProgress, no_progress


@dataclass(frozen=True, kw_only=True, slots=True)
class Inspection:
    """Durations, rates and faults of a corpus's recordings.

    Durations, rates and channels are those of the utterances that can be used.
    """

    usable: int
    """Number of utterances whose recordings can be used."""
    shortest: float
    """Shortest duration in seconds; 0 if nothing can be used."""
    median: float
    """Median duration in seconds."""
    longest: float
    """Longest duration in seconds."""
    total: float
    """Sum of the durations in seconds."""
    rates: Mapping[int, int]
    """Sample rate in Hz -> number of utterances."""
    channels: Mapping[int, int]
    """Number of channels -> number of utterances."""
    bad: tuple[FileNote, ...]
    """Ids of the utterances whose recordings cannot be used, with the reason."""
    doubts: tuple[FileNote, ...]
    """Ids of the utterances that can be used but look wrong (silent, clipped), with the reason."""


def inspect(corpus: Corpus, on_progress: OnProgress = no_progress) -> Inspection:
    """Decode every recording of a corpus and collect what is found.

    Synthesised audio that does not exist yet is left out.

    Args:
        corpus: the corpus as it was registered.
        on_progress: called with (utterances done, utterances in all).
    """
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
