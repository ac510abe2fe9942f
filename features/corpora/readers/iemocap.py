"""IEMOCAP: five sessions of a woman and a man each, scripted and improvised, about 12 hours.

Source: Busso et al., Language Resources and Evaluation 42 (2008), https://sail.usc.edu/iemocap/.
Licence: on request from USC SAIL, research only; not to be passed on.
Layout: `Session*/sentences/wav/<dialog>/<turn>.wav` holds the audio,
`Session*/dialog/EmoEvaluation/<dialog>.txt` the labels, one summary line a turn:
`[6.2901 - 8.2357]<tab>Ses01F_impro01_F000<tab>neu<tab>[2.5000, 2.5000, 2.5000]`.

What is special in its files, each held by a test:
the letter in a turn's *suffix* says who speaks; the one in its prefix says who wore the markers
(`Ses01F_impro01_M003` is spoken by the man). Evaluators' own lines follow each summary line, and
sub-folders hold their files: neither is read. `._*` files lie about. Line ends vary. Copies that
went through other systems have `.WAV`, UTF-16, and summary lines in other notations.
`xxx` means that the evaluators did not agree.
"""

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from features.corpora.corpus import Corpus, OnProgress, Utterance, no_progress
from features.corpora.readers import scan

ABOUT = "ten speakers in five sessions; the paper's corpus"
LICENSE = "on request from USC SAIL, research only"
SOURCE = "https://sail.usc.edu/iemocap/"
LAYOUT = "Session*/sentences/wav/*/*.wav and Session*/dialog/EmoEvaluation/*.txt"

EMOTIONS = {
    "ang": "angry",
    "dis": "disgust",
    "exc": "excited",
    "fea": "fearful",
    "fru": "frustrated",
    "hap": "happy",
    "neu": "neutral",
    "oth": "other",
    "sad": "sad",
    "sur": "surprised",
    "xxx": "undecided",
}
COMPLETE = {"angry": 1103, "happy": 1636, "neutral": 1708, "sad": 1084}
"""Class -> number of utterances in the complete corpus, happy and excited together; 5,531 in all
(paper, section 3.1)."""

FOLDER = "IEMOCAP_full_release"
"""Name of the folder that the release unpacks to."""
AUDIO = re.compile(r"Session\d+/sentences/wav/[^/]+/([^/]+)\.(?:wav|flac)", re.IGNORECASE)
LABELS = re.compile(r"Session\d+/dialog/EmoEvaluation/[^/]+\.txt", re.IGNORECASE)
SUMMARY = re.compile(r"\s*\[[^\]]*\]\s*(\S+)\s+(\S+?)\s*(?:\[[^\]]*\]?)?\s*")
"""A summary line of an evaluation file, times and ratings in any notation; groups: turn, code of
the label. A line counts where the first is the name of a turn."""
TURN = re.compile(r"(Ses\d\d)[FM]_([a-z]+)\w*_([FM])[0-9A-Za-z]+")
"""Name of a turn; groups: session, kind of the dialog, who speaks (F or M)."""
TURN_INSIDE = re.compile(r"(?<![0-9A-Za-z_])Ses\d\d[FM]_[a-z]+\w*_[FM][0-9A-Za-z]+(?!\w)")
"""The name of a turn within a line."""
KINDS = {"impro": "improvised", "script": "scripted"}
"""First letters of a dialog's name -> `Utterance.kind`, which `corpus_part` of a study selects."""


def read(
    root: Path,
    on_progress: OnProgress = no_progress,
    *,
    skip_bad: bool = False,
    mend_headers: bool = False,
) -> Corpus:
    """Read IEMOCAP from the release's folder; every audio file is decoded and hashed.

    Args:
        root: the folder `IEMOCAP_full_release`, or the folder that holds it.
        on_progress: called with (files done, files in all).
        skip_bad: leave out recordings that cannot be used, instead of refusing the corpus.
        mend_headers: read what lies behind headers that say 0.

    Raises:
        CorpusError: the folder is missing or empty or not IEMOCAP, or audio is unusable.
    """
    root = root.resolve()
    root = root / FOLDER if (root / FOLDER).is_dir() else root
    left: dict[str, str] = {}
    names = scan.files(root, "iemocap", left)
    audio: dict[str, str] = {}
    for match in filter(None, map(AUDIO.fullmatch, names)):
        if audio.setdefault(match[1], match[0]) != match[0]:
            left[match[0]] = f"its turn has a recording already, {audio[match[1]]}"
    labels, reasons = _labels(root, [name for name in names if LABELS.fullmatch(name)])
    left |= scan.undecoded(names)
    if not audio or not labels:
        raise scan.wrong_folder(
            root,
            "iemocap",
            "`Session1/sentences/wav/Ses01F_impro01/Ses01F_impro01_F000.wav` and "
            "`Session1/dialog/EmoEvaluation/Ses01F_impro01.txt`",
            names,
        )
    for turn in audio.keys() - labels.keys():
        left[audio[turn]] = reasons.get(turn, "no evaluation file labels it")
    for turn in labels.keys() - audio.keys():
        left[turn] = "labelled, but its wav is missing"
    found = [
        utterance
        for turn in sorted(audio.keys() & labels.keys())
        if (utterance := _utterance(turn, audio[turn], labels[turn], left))
    ]
    measured = scan.measure_recordings(
        root, "iemocap", found, on_progress, skip_bad=skip_bad, mend_headers=mend_headers
    )
    return Corpus(
        name="iemocap",
        root=str(root),
        utterances=measured.utterances,
        left_out=(*scan.file_notes(left), *measured.bad),
        notes=_notes(measured.utterances),
        doubts=measured.doubts,
        heard=measured.heard,
    )


def _labels(root: Path, files: list[str]) -> tuple[dict[str, str], dict[str, str]]:
    """Read the label of each turn (utterance) from the evaluation files.

    Args:
        root: the folder of the corpus.
        files: paths of the evaluation files below it.

    Returns:
        Turn -> code such as ``ang``; and turn without one code -> why it is left out: it has two,
        or the line that names it is no summary line.
    """
    labels: dict[str, str] = {}
    twice: dict[str, str] = {}
    unread: dict[str, str] = {}
    for file in files:
        for number, line in enumerate(_text(root / file).splitlines(), start=1):
            match = SUMMARY.fullmatch(line)
            if not match or not TURN.fullmatch(match[1]):
                for turn in TURN_INSIDE.findall(line):
                    unread.setdefault(turn, f"no summary line: {PurePosixPath(file).name}:{number}")
                continue
            turn, code = match[1], match[2].lower()
            if labels.setdefault(turn, code) != code:
                twice[turn] = f"labelled both {labels[turn]} and {code}"
    for turn in twice:
        del labels[turn]
    return labels, unread | twice


def _text(path: Path) -> str:
    """Read an evaluation file in UTF-8 or UTF-16, with or without a mark of the order of bytes."""
    data = path.read_bytes()
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16", errors="replace")
    for order, nulls in (("utf-16-le", data[1:200:2]), ("utf-16-be", data[0:200:2])):
        if nulls and nulls.count(0) > len(nulls) // 2:
            return data.decode(order, errors="replace")
    return data.decode("utf-8-sig", errors="replace")


def _utterance(turn: str, path: str, code: str, left: dict[str, str]) -> Utterance | None:
    """Make the utterance of a turn (no digest yet), or note in ``left`` why the turn is left out.

    Args:
        turn: name of the turn, such as ``Ses01F_impro01_F000``.
        path: path of its audio below the corpus's folder.
        code: code of its label, such as ``ang``.
        left: path -> reason why it is left out; changed.
    """
    match = TURN.fullmatch(turn)
    if not match or code not in EMOTIONS:
        left[path] = f"unknown label {code}" if match else "its name is no turn's"
        return None
    session, dialog, letter = match.groups()
    return Utterance(
        id=turn,
        path=PurePosixPath(path).as_posix(),
        speaker=session + letter,
        sex="female" if letter == "F" else "male",
        session=session,
        emotion=EMOTIONS[code],
        digest="",
        size=0,
        mtime_ns=0,
        kind=KINDS.get(dialog, ""),
    )


def _notes(utterances: Sequence[Utterance]) -> tuple[str, ...]:
    """Return one sentence: whether the corpus has the paper's 5,531 utterances of four classes."""
    gathered = Counter("happy" if u.emotion == "excited" else u.emotion for u in utterances)
    counts = {name: gathered[name] for name in COMPLETE}
    if counts == COMPLETE:
        return ("complete: 5,531 utterances of the paper's four classes",)
    listed = ", ".join(f"{name} {count:,} of {COMPLETE[name]:,}" for name, count in counts.items())
    return (
        f"not the complete corpus: {sum(counts.values()):,} utterances of the paper's four "
        f"classes instead of 5,531 ({listed})",
    )
