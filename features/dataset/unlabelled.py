"""Segments of recordings that belong to no corpus, for `ablate predict`.

A file goes through the same `extraction` and `segments` as an utterance of a corpus, so the same
audio gives the same numbers. A file that cannot be used is reported, and the others are still used.
"""

import hashlib
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from features.audio import check_recording
from features.canonical import digest as digest_of
from features.config import FeatureConfig
from features.corpora.corpus import Corpus, some
from features.dataset import scaling
from features.dataset.dataset import Segments
from features.dataset.segments import cut
from features.decoding.codecs import ENDINGS as UNDECODED
from features.descriptors.extraction import ExtractionTask, extract_file
from features.descriptors.feature_set import FeatureSet
from features.errors import CorpusError, ShardDamageError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

AUDIO = (
    *(".wav", ".flac", ".mp3", ".ogg", ".opus", ".aiff", ".aif", ".oga", ".aifc", ".au", ".snd"),
    *(".caf", ".w64", ".rf64", ".sph", ".nist", ".voc"),
)
"""Endings of the files that a folder is searched for; a file that the user names may have any."""
CHUNK = 64
"""Number of files whose nodes are in memory at once; batches are filled across files."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class ExtractedRecording:
    """The nodes of one recording, or why it has none."""

    path: Path
    """The audio file."""
    nodes_NF: "NDArray[np.float32] | None"
    """Its nodes, (N, F), unscaled; None where it cannot be used."""
    digest: str = ""
    """sha256 of the file's bytes, 64 hexadecimal digits; empty where it cannot be used."""
    bad: str = ""
    """Why the recording cannot be used; empty where it can."""
    doubts: tuple[str, ...] = ()
    """What looks wrong in a recording that can be used, such as ``silent``."""


@dataclass(frozen=True, kw_only=True, slots=True)
class FoundRecordings:
    """The recordings that a user named, or that lie in folders which were named."""

    paths: tuple[Path, ...]
    """The recordings, each once, those that nothing here decodes (`.m4a`) among them: they are
    named as unusable."""
    passed_over: Mapping[str, int]
    """Ending of a name in small letters -> number of files in the folders that are no recordings
    by their names."""

    @property
    def omission(self) -> str:
        """A sentence that counts the files that were passed over; empty text if none."""
        count = sum(self.passed_over.values())
        if not count:
            return ""
        listed = sorted(self.passed_over.items(), key=lambda item: (-item[1], item[0]))
        kinds = some([f"{number} {ending or 'without an ending'}" for ending, number in listed])
        files = "1 file that is no recording by its name"
        if count > 1:
            files = f"{count} files that are no recordings by their names"
        return f"Passed over {files}: {kinds}."


def find_recordings(given: Sequence[Path]) -> FoundRecordings:
    """List the given files, and every recording below the given folders, each once.

    In folders, names that start with a dot are left out, and links to folders are not followed.

    Args:
        given: files and folders that the user named.

    Raises:
        CorpusError: a path does not exist, or there is no recording at all.
    """
    found: dict[Path, None] = {}
    passed_over: Counter[str] = Counter()
    for path in given:
        if path.is_dir():
            for folder, below, names in os.walk(path):
                below[:] = sorted(name for name in below if not name.startswith("."))
                for name in sorted(name for name in names if not name.startswith(".")):
                    ending = Path(name).suffix.lower()
                    if ending in AUDIO or ending in UNDECODED:
                        found[Path(folder) / name] = None
                    else:
                        passed_over[ending] += 1
        elif path.exists():
            found[path] = None
        else:
            raise CorpusError(
                f"`FILE` must be a recording or a folder, but `{path}` is missing: name another."
            )
    if not found:
        raise CorpusError(
            f"`FILE` must hold recordings ({', '.join(AUDIO)}), but there is none below "
            f"{', '.join(f'`{path}`' for path in given)}: name another folder."
        )
    return FoundRecordings(paths=tuple(found), passed_over=passed_over)


def extract(
    paths: Sequence[Path],
    features: FeatureSet,
    config: FeatureConfig,
    threads: int,
    *,
    mend: bool = False,
) -> Iterator[tuple[ExtractedRecording, ...]]:
    """Extract the nodes of recordings, in their order; yield them `CHUNK` (64) at a time.

    Args:
        paths: the audio files.
        features: the descriptor set to compute.
        config: gives the node step.
        threads: the most threads that extract at once.
        mend: read what lies behind headers that say 0.
    """

    def extract_one(path: Path) -> ExtractedRecording:
        checked = check_recording(path, mend=mend)
        if checked.bad:
            return ExtractedRecording(path=path, nodes_NF=None, bad=checked.bad)
        try:
            with path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            task = ExtractionTask(path, None, None, features, config.node_step, mend)
            return ExtractedRecording(
                path=path, nodes_NF=extract_file(task), digest=digest, doubts=checked.doubts
            )
        except (ShardDamageError, OSError) as error:
            return ExtractedRecording(path=path, nodes_NF=None, bad=str(error))

    with ThreadPoolExecutor(max(threads, 1), "extraction") as workers:
        for start in range(0, len(paths), CHUNK):
            yield tuple(workers.map(extract_one, paths[start : start + CHUNK]))


def cut_recordings(nodes: Sequence["NDArray[np.float32]"], config: FeatureConfig) -> Segments:
    """Cut recordings into the segments that a network scores; all labels are a meaningless 0.

    With `scaling: speaker` each recording counts as a speaker of its own, since none is known.

    Args:
        nodes: nodes of each recording, (N, F), unscaled.
        config: length of segments, tail, padding and scaling.
    """
    names = tuple(str(index) for index in range(len(nodes)))
    own = {}
    if config.scaling == "speaker":
        own = {name: scaling.fit([array]) for name, array in zip(names, nodes, strict=True)}
    utterance, views = [], []
    for index, array in enumerate(nodes):
        for start, stop in cut(len(array), config.segment_nodes, config.tail):
            utterance.append(index)
            views.append(array[start:stop])
    return Segments(
        labels_S=torch.zeros(len(views), dtype=torch.int64),
        utterance_S=torch.tensor(utterance),
        lengths_S=torch.tensor([len(view) for view in views]),
        utterances=names,
        speakers=names,
        views=tuple(views),
        scalers=own,
        fill_to=config.segment_nodes if config.padding == "nodes" else None,
    )


def segment_times(
    nodes: int, config: FeatureConfig, features: FeatureSet
) -> tuple[tuple[float, float], ...]:
    """Compute the start and end of each segment in seconds from the recording's start.

    Args:
        nodes: number of nodes of the recording.
        config: node step, length of segments, tail.
        features: the descriptor set; functionals have one segment, (0, 0).
    """
    step = (config.node_step if features.frame_step_ms else 0) / 1000
    return tuple((a * step, b * step) for a, b in cut(nodes, config.segment_nodes, config.tail))


class CorpusSpeech:
    """Tells whether a recording belongs to a corpus, by the file's bytes, not by its name.

    Args:
        corpus: the corpus; synthesised audio is hashed at once.
    """

    def __init__(self, corpus: Corpus) -> None:
        self._speaker: dict[str, set[str]] = {}
        self._parts: dict[int, list[tuple[str, float | None, float | None, str]]] = {}
        for u in corpus.utterances:
            if not u.mtime_ns:  # synthesised: its digest is the recipe's
                self._add_file(Path(corpus.root) / u.path, u.speaker)
            elif u.start is None and u.end is None:
                self._speaker.setdefault(u.digest, set()).add(u.speaker)
            else:
                self._parts.setdefault(u.size, []).append((u.digest, u.start, u.end, u.speaker))

    def _add_file(self, path: Path, speaker: str) -> None:
        """Hash a synthesised file and remember its speaker; a missing file is skipped."""
        try:
            with path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError:
            return  # made anew where it is needed; then it is no file of this machine
        self._speaker.setdefault(digest, set()).add(speaker)

    def speakers(self, recording: ExtractedRecording) -> frozenset[str]:
        """Return the speakers of a recording that is a file of the corpus; empty for any other."""
        found = set(self._speaker.get(recording.digest, ()))
        for digest, start, end, speaker in self._parts.get(recording.path.stat().st_size, ()):
            if digest_of([recording.digest, start, end]) == digest:
                found.add(speaker)
        return frozenset(found)
