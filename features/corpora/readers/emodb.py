"""EMO-DB: ten German actors speak ten sentences in seven emotions; 535 utterances.

Source: Burkhardt et al., Interspeech 2005, http://emodb.bilderbar.info/.
Licence: free to use; cite the paper.
Layout: `wav/03a01Fa.wav`: speaker 03, text a01, emotion F, version a; in any folder.
The letters are German: Wut, Langeweile, Ekel, Angst, Freude, Trauer, neutral.
"""

import re
from pathlib import Path, PurePosixPath

from features.corpora.corpus import Corpus, OnProgress, Utterance, no_progress
from features.corpora.readers import scan

ABOUT = "ten German actors, seven emotions, 535 utterances"
LICENSE = "free to use, cite Burkhardt et al. 2005"
SOURCE = "https://doi.org/10.21437/Interspeech.2005-446"
LAYOUT = "wav/SPEAKER TEXT EMOTION VERSION.wav, e.g. wav/03a01Fa.wav, in any folder"

NAME = re.compile(r"(\d\d)([ab]\d\d)([A-Z])([a-z]?)")
EMOTIONS = {
    "W": "angry",
    "L": "bored",
    "E": "disgust",
    "A": "fearful",
    "F": "happy",
    "T": "sad",
    "N": "neutral",
}
SPEAKERS = {
    "03": "male",
    "08": "female",
    "09": "female",
    "10": "male",
    "11": "male",
    "12": "male",
    "13": "female",
    "14": "female",
    "15": "male",
    "16": "female",
}
COMPLETE = 535
"""Number of utterances of the complete corpus."""


def read(
    root: Path,
    on_progress: OnProgress = no_progress,
    *,
    skip_bad: bool = False,
    mend_headers: bool = False,
) -> Corpus:
    """Read EMO-DB from its folder; every audio file is decoded and hashed.

    Args:
        root: the folder of the corpus.
        on_progress: called with (files done, files in all).
        skip_bad: leave out recordings that cannot be used, instead of refusing the corpus.
        mend_headers: read what lies behind headers that say 0.

    Raises:
        CorpusError: the folder is missing or empty or not EMO-DB, or audio is unusable.
    """
    return scan.read_by_file_names(
        "emodb",
        root,
        _utterance,
        example="wav/03a01Fa.wav",
        complete_count=COMPLETE,
        on_progress=on_progress,
        skip_bad=skip_bad,
        mend_headers=mend_headers,
    )


def _utterance(path: str) -> Utterance | str:
    """Parse a file's name: return its utterance (no digest yet), or why the file is left out."""
    file = PurePosixPath(path)
    match = NAME.fullmatch(file.stem)
    if not match:
        return "its name is none of EMO-DB"
    speaker, _, letter, _ = match.groups()
    if speaker not in SPEAKERS:
        return f"unknown speaker {speaker}"
    if letter not in EMOTIONS:
        return f"unknown emotion {letter}"
    return Utterance(
        id=file.stem,
        path=path,
        speaker=f"speaker-{speaker}",
        sex=SPEAKERS[speaker],
        session="",
        emotion=EMOTIONS[letter],
        digest="",
        size=0,
        mtime_ns=0,
    )
