"""CREMA-D: 91 American actors speak twelve sentences in six emotions; 7,442 clips.

Source: Cao et al., IEEE Transactions on Affective Computing 5(4) (2014),
https://github.com/CheyneyComputerScience/CREMA-D (the audio is in Git LFS).
Licence: Open Database License 1.0.
Layout: `AudioWAV/1001_DFA_ANG_XX.wav`: actor 1001, sentence, the emotion that was acted, level;
`VideoDemographics.csv` (ActorID, Age, Sex, ...) beside it says who is a woman.
"""

import re
from dataclasses import replace
from pathlib import Path, PurePosixPath

from features.corpora.corpus import Corpus, OnProgress, Utterance, no_progress
from features.corpora.readers import scan

ABOUT = "91 actors, six emotions, 7,442 clips"
LICENSE = "Open Database License 1.0"
SOURCE = "https://github.com/CheyneyComputerScience/CREMA-D"
LAYOUT = "AudioWAV/ACTOR_SENTENCE_EMOTION_LEVEL.wav and VideoDemographics.csv"

# One clip of the real corpus ends in a single X.
NAME = re.compile(r"(\d{4})_([A-Z]{3})_([A-Z]{3})_(XX?|LO|MD|HI)")
EMOTIONS = {
    "ANG": "angry",
    "DIS": "disgust",
    "FEA": "fearful",
    "HAP": "happy",
    "NEU": "neutral",
    "SAD": "sad",
}
ACTORS = range(1001, 1092)
"""Numbers of the actors."""
PEOPLE = "VideoDemographics.csv"
"""The file that says which actor is a woman."""
SEXES = {"female": "female", "male": "male"}
COMPLETE = 7442
"""Number of utterances of the complete corpus."""


def read(
    root: Path,
    on_progress: OnProgress = no_progress,
    *,
    skip_bad: bool = False,
    mend_headers: bool = False,
) -> Corpus:
    """Read CREMA-D from its folder; every audio file is decoded and hashed.

    Args:
        root: the folder of the corpus.
        on_progress: called with (files done, files in all).
        skip_bad: leave out recordings that cannot be used, instead of refusing the corpus.
        mend_headers: read what lies behind headers that say 0.

    Raises:
        CorpusError: the folder is missing or empty or not CREMA-D, or audio is unusable.
    """
    root = root.resolve()
    sexes = _sexes(root, scan.files(root, "cremad"))
    corpus = scan.read_by_file_names(
        "cremad",
        root,
        lambda path: _utterance(path, sexes),
        example="AudioWAV/1001_DFA_ANG_XX.wav",
        complete_count=COMPLETE,
        on_progress=on_progress,
        skip_bad=skip_bad,
        mend_headers=mend_headers,
    )
    unknown = sorted({u.speaker for u in corpus.utterances if not u.sex})
    if not unknown:
        return corpus
    note = f"{PEOPLE} does not give the sex of {len(unknown)} actors: {unknown[0]}, ..."
    return replace(corpus, notes=(*corpus.notes, note))


def _sexes(root: Path, names: list[str]) -> dict[str, str]:
    """Read each actor's sex from `VideoDemographics.csv`.

    Args:
        root: the folder of the corpus.
        names: paths of all files below it.

    Returns:
        Actor's number, such as ``1001``, -> ``female``, ``male`` or empty; nothing where the file
        is missing.
    """
    import csv  # not for a plan, which only imports this

    sexes: dict[str, str] = {}
    for name in names:
        if PurePosixPath(name).name == PEOPLE:
            with open(root / name, encoding="utf-8-sig", errors="replace", newline="") as file:
                for row in csv.DictReader(file):
                    sex = (row.get("Sex") or "").strip().lower()
                    sexes[(row.get("ActorID") or "").strip()] = SEXES.get(sex, "")
    return sexes


def _utterance(path: str, sexes: dict[str, str]) -> Utterance | str:
    """Parse a file's name: return its utterance (no digest yet), or why the file is left out."""
    file = PurePosixPath(path)
    match = NAME.fullmatch(file.stem)
    if not match:
        return "its name is none of CREMA-D"
    actor, _, emotion, _ = match.groups()
    if emotion not in EMOTIONS:
        return f"unknown emotion {emotion}"
    if int(actor) not in ACTORS:
        return f"unknown actor {actor}"
    return Utterance(
        id=file.stem,
        path=path,
        speaker=f"actor-{actor}",
        sex=sexes.get(actor, ""),
        session="",
        emotion=EMOTIONS[emotion],
        digest="",
        size=0,
        mtime_ns=0,
    )
