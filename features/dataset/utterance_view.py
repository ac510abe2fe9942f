"""The data of an utterance's picture: signal, log-Mel, descriptors, segments over one time axis.

Light to import: `view_utterance` opens audio and engines.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING

from features.audio import RATE, check_recording, read_mono
from features.config import FeatureConfig
from features.corpora.corpus import Corpus, Utterance
from features.dataset.segments import cut
from features.descriptors.catalogue import feature_set
from features.descriptors.sets import logmel128
from features.errors import CorpusError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

LONGEST_S = 120.0
"""Most seconds of a recording that is drawn: no picture of a longer one shows single frames."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class UtteranceView:
    """The data of an utterance's picture (`ablate features show`).

    Letters: S samples at 16 kHz, T frames, M bands, F columns.

    A frame is drawn where the middle of its window lies: frame i of the descriptors at
    `first_ms` + 10 i ms, of the log-Mel at 10 i ms (its windows are centred).
    """

    name: str
    """The utterance's id; of a file of no corpus, the file's name."""
    speaker: str
    """Name of the speaker; empty for a file of no corpus."""
    emotion: str
    """The corpus's label; empty for a file of no corpus."""
    seconds: float
    """Duration in seconds."""
    rate: int
    """Samples a second (Hz) in the file."""
    channels: int
    """Number of channels in the file."""
    doubts: tuple[str, ...]
    """What looks wrong, such as ``silent`` or ``clipped``; empty if nothing does."""
    signal_S: "NDArray[np.float32]"
    """Samples, mono at 16 kHz, full scale [-1, 1), as the extractors get them. Shape: (S,)."""
    logmel_TM: "NDArray[np.float32]"
    """Log-Mel bands in decibels. Shape: (T, M)."""
    centres_M: "NDArray[np.float64]"
    """Centre frequency of each band in Hz. Shape: (M,)."""
    features: str
    """Name of the descriptor set of `frames_TF`."""
    columns: tuple[str, ...]
    """Names of the F columns."""
    frames_TF: "NDArray[np.float32]"
    """Descriptors of each frame, unscaled. Shape: (T, F)."""
    first_ms: float
    """Milliseconds from the signal's start to the middle of the first frame's window."""
    segments: tuple[tuple[int, int], ...]
    """(start, stop) of each segment, as frame numbers from 0, cut by the default settings."""


def find(corpora: Sequence[Corpus], id: str) -> tuple[Corpus, Utterance]:
    """Find the utterance with an id among corpora.

    Returns:
        Its corpus, and the utterance.

    Raises:
        CorpusError: no corpus has it, or several do.
    """
    found = [(corpus, u) for corpus in corpora for u in corpus.utterances if u.id == id]
    if len(found) == 1:
        return found[0]
    if found:
        names = " and ".join(f"`{corpus.name}`" for corpus, _ in found)
        raise CorpusError(
            f"`UTTERANCE` must be in one corpus, but `{id}` is in {names} instead: "
            f"say which, `--corpus {found[0][0].name}`."
        )
    known = [u.id for corpus in corpora for u in corpus.utterances]
    near = get_close_matches(id, known, n=1)
    where = ", ".join(f"`{corpus.name}`" for corpus in corpora) or "none"
    example = f", such as `{known[0]}`" if known else ""
    hint = f"did you mean `{near[0]}`?" if near else f"name an id{example}, or a file."
    raise CorpusError(
        f"`UTTERANCE` must be an audio file or the id of an utterance (corpora: {where}), "
        f"but `{id}` is neither instead: {hint}"
    )


MENDED = "its header says 0 samples"
"""Doubt about a recording that is drawn from behind such a header."""


def view_utterance(path: Path, features: str, utterance: Utterance | None = None) -> UtteranceView:
    """Read an audio file and compute the data of its picture.

    Args:
        path: the audio file.
        features: name of a descriptor set that gives frames.
        utterance: the utterance of a corpus that is drawn, whose start and end apply; None to draw
            a whole file.

    Raises:
        CorpusError: the file cannot be used or is too long, no set has the name `features`, or the
            set gives functionals.
        MissingError: a package is not installed.
    """
    chosen = feature_set(features)
    if chosen.frame_step_ms is None:
        raise CorpusError(
            f"`--features` must give frames to be drawn, but is `{features}` instead, one row an "
            "utterance: choose another set, `ablate features list` names them."
        )
    start, end = (utterance.start, utterance.end) if utterance else (None, None)
    mend = utterance is None or utterance.mended  # a file that is only drawn: the doubt says it
    sound = check_recording(path, start, end, mend=mend)
    if sound.bad:
        raise CorpusError(
            f"`UTTERANCE` must be a recording that can be used, but {path} cannot ({sound.bad}): "
            "restore it, or choose another."
        )
    if sound.seconds > LONGEST_S:
        raise CorpusError(
            f"`UTTERANCE` must be at most {LONGEST_S:g} s long, but {path} has "
            f"{sound.seconds:.0f} s instead: cut it, or name its parts in a table with `start` "
            "and `end`."
        )
    signal_S = read_mono(path, RATE, start=start, end=end, mend=mend)
    frames_TF = chosen.extract(signal_S)
    return UtteranceView(
        name=utterance.id if utterance else path.name,
        speaker=utterance.speaker if utterance else "",
        emotion=utterance.emotion if utterance else "",
        seconds=sound.seconds,
        rate=sound.rate,
        channels=sound.channels,
        doubts=(*sound.doubts, *((MENDED,) if sound.mended else ())),
        signal_S=signal_S,
        logmel_TM=logmel128.extract(signal_S),
        centres_M=logmel128.centres(),
        features=features,
        columns=chosen.names(),
        frames_TF=frames_TF,
        first_ms=chosen.first_ms,
        segments=cut(len(frames_TF), FeatureConfig().segment_nodes),
    )
