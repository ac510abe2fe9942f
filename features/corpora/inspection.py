"""A listen to every recording of a corpus: how long, which rates, what looks wrong.

Light to import: audio is opened by `inspect`.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from features.corpora.corpus import Corpus, LeftOut, OnProgress, nothing


@dataclass(frozen=True, kw_only=True, slots=True)
class Inspection:
    """What was heard; the durations and counts are of what can be used."""

    heard: int
    shortest: float
    median: float
    longest: float
    total: float
    """Seconds, as the three before it."""
    rates: Mapping[int, int]
    """Samples a second -> utterances."""
    channels: Mapping[int, int]
    bad: tuple[LeftOut, ...]
    """Cannot be used."""
    doubts: tuple[LeftOut, ...]
    """Can be used, but look wrong."""


def inspect(corpus: Corpus, tell: OnProgress = nothing) -> Inspection:
    """Decode every recording; synthesised audio that does not exist yet is not heard."""
    from statistics import median

    from features.audio import inspect as hear

    bad, doubts, sounds = list[LeftOut](), list[LeftOut](), []
    for done, utterance in enumerate(corpus.utterances, start=1):
        path = Path(corpus.root) / utterance.path
        if utterance.mtime_ns or path.exists():
            sound = hear(path, utterance.start, utterance.end)
            if sound.bad:
                bad.append(LeftOut(path=utterance.id, reason=sound.bad, bad=True))
            else:
                sounds.append(sound)
                doubts += [LeftOut(path=utterance.id, reason=doubt) for doubt in sound.doubts]
        tell(done, len(corpus.utterances))
    seconds = [sound.seconds for sound in sounds] or [0.0]
    return Inspection(
        heard=len(sounds),
        shortest=min(seconds),
        median=median(seconds),
        longest=max(seconds),
        total=sum(seconds),
        rates=dict(sorted(Counter(sound.rate for sound in sounds).items())),
        channels=dict(sorted(Counter(sound.channels for sound in sounds).items())),
        bad=tuple(bad),
        doubts=tuple(doubts),
    )
