"""A check of every recording of a corpus: durations, sample rates, unusable and doubtful files.

Light to import: `inspect` opens the audio.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from features.corpora.corpus import (
    Corpus,
    FileNote,
    OnProgress,
    Utterance,
    no_progress,
)
from features.corpora.recordings import identify, refuse_outside
from features.soundprint import HeardRecording

if TYPE_CHECKING:
    from features.audio import RecordingCheck


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
    heard: Mapping[str, HeardRecording]
    """Id of a usable utterance -> how it sounds, to be compared (`copies`); silent ones left out,
    and synthesised ones, which are known by their recipes."""


def inspect(
    corpus: Corpus, on_progress: OnProgress = no_progress, *, threads: int = 1
) -> Inspection:
    """Decode every recording of a corpus and collect what is found.

    Synthesised audio that does not exist yet is left out.

    Args:
        corpus: the corpus as it was registered.
        on_progress: called with (utterances done, utterances in all).
        threads: how many recordings are decoded at once.

    Raises:
        CorpusError: recordings of a table lead out of its folder by now.
    """
    from statistics import median

    bad, doubts, sounds = list[FileNote](), list[FileNote](), []
    heard: dict[str, HeardRecording] = {}
    hashed: dict[str, dict[str, Any]] = {}
    for done, (utterance, sound) in enumerate(_checked(corpus, threads), start=1):
        if sound is not None and sound.bad:
            bad.append(FileNote(path=utterance.id, reason=sound.bad, bad=True))
        elif sound is not None:
            sounds.append(sound)
            doubts += [FileNote(path=utterance.id, reason=doubt) for doubt in sound.doubts]
            if sound.sound is not None and utterance.mtime_ns:
                file = _file_digest(corpus.root, utterance, hashed)
                heard[utterance.id] = HeardRecording(sound=sound.sound, file=file)
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
        heard=heard,
    )


def _checked(corpus: Corpus, threads: int) -> "Iterator[tuple[Utterance, RecordingCheck | None]]":
    """Yield every utterance with the check of its recording; None for audio not yet synthesised."""
    from concurrent.futures import ThreadPoolExecutor

    from features.audio import check_recording

    def check(utterance: Utterance) -> "RecordingCheck | None":
        path = Path(corpus.root) / utterance.path
        if not utterance.mtime_ns and not path.exists():
            return None
        return check_recording(path, utterance.start, utterance.end, mend=utterance.mended)

    with ThreadPoolExecutor(threads, "checks") as workers:
        for at in range(0, len(corpus.utterances), BATCH):  # an interrupt waits for one batch
            batch = corpus.utterances[at : at + BATCH]
            refuse_outside(corpus, batch)
            yield from zip(batch, workers.map(check, batch), strict=True)


BATCH = 64
"""Recordings that are handed to the threads at once."""


def _file_digest(root: str, utterance: Utterance, hashed: dict[str, dict[str, Any]]) -> str:
    """The sha256 of an utterance's file; that of a part is not in its own digest, so it is read.

    Args:
        root: folder of the corpus.
        utterance: the utterance.
        hashed: a cache, path -> result of `identify`; filled here.
    """
    if utterance.start is None and utterance.end is None:
        return utterance.digest
    found = hashed[utterance.path] = hashed.get(utterance.path) or identify(root, utterance.path)
    return str(found["digest"])
