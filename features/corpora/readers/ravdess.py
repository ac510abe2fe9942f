"""RAVDESS: 24 actors speak (and sing) two sentences in eight emotions; audio, video, or both.

Source: Livingstone and Russo, PLoS ONE 13(5): e0196391 (2018), https://zenodo.org/records/1188976.
Licence: CC BY-NC-SA 4.0.
Layout: seven numbers a name, in any folder:
MODALITY-CHANNEL-EMOTION-INTENSITY-STATEMENT-REPETITION-ACTOR, e.g. 03-01-05-01-02-01-12.wav:
audio only (03), speech (01), angry (05), normal, "Dogs ...", first repetition, actor 12.
Odd actors are men, even ones women. Speech alone is 24 actors and 1,440 files. Calm is in no
default class; `emotions: {neutral: [neutral, calm], ...}` in a study joins it to neutral.
Copies that some mirrors carry in a second folder are left out.
"""

import re
from pathlib import Path, PurePosixPath

from features.corpora.corpus import Corpus, OnProgress, Utterance, no_progress
from features.corpora.readers import scan

ABOUT = "24 actors, eight emotions, 1,440 utterances"
LICENSE = "CC BY-NC-SA 4.0"
SOURCE = "https://zenodo.org/records/1188976"
LAYOUT = "03-01-EMOTION-INTENSITY-STATEMENT-REPETITION-ACTOR.wav (or .flac), in any folder"

NAME = re.compile(r"(\d\d)-(\d\d)-(\d\d)-(\d\d)-(\d\d)-(\d\d)-(\d\d)")
EMOTIONS = {
    "01": "neutral",
    "02": "calm",
    "03": "happy",
    "04": "sad",
    "05": "angry",
    "06": "fearful",
    "07": "disgust",
    "08": "surprised",
}
ACTORS = range(1, 25)
"""Numbers of the actors."""
MODALITIES = {"01": "audio with video", "02": "video without sound", "03": "audio only"}
VIDEO = (".mp4",)
COMPLETE = 1440
"""Number of utterances of the complete corpus: speech alone, without song."""


def read(
    root: Path,
    on_progress: OnProgress = no_progress,
    *,
    skip_bad: bool = False,
    mend_headers: bool = False,
) -> Corpus:
    """Read the speech of RAVDESS from its folder; every audio file is decoded and hashed.

    Args:
        root: the folder of the corpus.
        on_progress: called with (files done, files in all).
        skip_bad: leave out recordings that cannot be used, instead of refusing the corpus.
        mend_headers: read what lies behind headers that say 0.

    Raises:
        CorpusError: the folder is missing or empty or not RAVDESS, or audio is unusable.
    """
    return scan.read_by_file_names(
        "ravdess",
        root,
        _utterance,
        example="03-01-05-01-02-01-12.wav",
        complete_count=COMPLETE,
        on_progress=on_progress,
        skip_bad=skip_bad,
        mend_headers=mend_headers,
        endings=scan.AUDIO + VIDEO,
    )


def _utterance(path: str) -> Utterance | str:
    """Parse a file's name: return its utterance (no digest yet), or why the file is left out."""
    file = PurePosixPath(path)
    match = NAME.fullmatch(file.stem)
    if not match:
        return "its name is none of RAVDESS"
    modality, channel, emotion, *_, actor = match.groups()
    if modality != "03" or file.suffix.lower() in VIDEO:
        return MODALITIES.get(modality, f"unknown modality {modality}")
    if channel != "01":
        return "song" if channel == "02" else f"unknown vocal channel {channel}"
    if emotion not in EMOTIONS:
        return f"unknown emotion {emotion}"
    if int(actor) not in ACTORS:
        return f"unknown actor {actor}"
    return Utterance(
        id=file.stem,
        path=path,
        speaker=f"actor-{actor}",
        sex="male" if int(actor) % 2 else "female",
        session="",
        emotion=EMOTIONS[emotion],
        digest="",
        size=0,
        mtime_ns=0,
    )
