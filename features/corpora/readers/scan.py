"""Functions that readers share: listing a folder's files, checking and hashing recordings."""

import os
import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

from features.corpora.corpus import Corpus, FileNote, OnProgress, Utterance, some
from features.corpora.recordings import identify, measure
from features.decoding.codecs import ENDINGS
from features.errors import CorpusError
from features.soundprint import HeardRecording

AUDIO = (".wav", ".flac")
"""Endings of the audio files of a corpus."""
SOUND = ENDINGS | {".mp3", ".ogg", ".oga", ".opus", ".aif", ".aiff", ".aifc", ".au", ".caf", ".w64"}
"""Endings of recordings in other formats, whether or not something here decodes them."""
ARCHIVES = (".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".7z", ".rar")
"""Endings of archives, which have to be unpacked first."""
MOST = 20
"""Most problems that an error lists one by one."""


@dataclass(frozen=True, kw_only=True, slots=True)
class MeasuredRecordings:
    """The utterances of a corpus after each recording was decoded and hashed."""

    utterances: tuple[Utterance, ...]
    """Usable utterances with digest, size and time of their files, sorted by id."""
    bad: tuple[FileNote, ...]
    """Recordings left out because they cannot be used, with the reason; empty unless `skip_bad`."""
    doubts: tuple[FileNote, ...]
    """Usable recordings that look wrong (silent, clipped), with the reason."""
    heard: Mapping[str, HeardRecording]
    """Id of a usable utterance -> how it sounds, in the order of reading; silent ones left out."""


def read_by_file_names(
    corpus: str,
    root: Path,
    utterance_of: Callable[[str], Utterance | str],
    *,
    example: str,
    complete_count: int,
    on_progress: OnProgress,
    skip_bad: bool,
    mend_headers: bool = False,
    endings: tuple[str, ...] = AUDIO,
) -> Corpus:
    """Read a corpus whose file names tell speaker and emotion; every file is decoded and hashed.

    Args:
        corpus: name of the corpus.
        root: folder of the corpus.
        utterance_of: function from a file's path below ``root`` to its utterance, or to the reason
            why the file is left out.
        example: a path as the corpus has them, for the error if no file is recognised.
        complete_count: number of utterances that the complete corpus has.
        on_progress: called with (files done, files in all).
        skip_bad: leave out recordings that cannot be used, instead of refusing the corpus.
        mend_headers: read what lies behind headers that say 0.
        endings: endings of the files to read, in small letters, such as ``.wav``.

    Raises:
        CorpusError: the folder is missing or empty or not that corpus, or audio is unusable.
    """
    root = root.resolve()
    found: list[Utterance] = []
    left: dict[str, str] = {}
    names = files(root, corpus, left)
    for path in names:
        if PurePosixPath(path).suffix.lower() in endings:
            utterance = utterance_of(path)
            if isinstance(utterance, str):
                left[path] = utterance
            else:
                found.append(utterance)
    left |= undecoded(names, endings)
    if not found:
        raise wrong_folder(root, corpus, f"`{example}`", names)
    single, copies = without_copies(root, corpus, found)
    measured = measure_recordings(
        root, corpus, single, on_progress, skip_bad=skip_bad, mend_headers=mend_headers
    )
    return Corpus(
        name=corpus,
        root=str(root),
        utterances=measured.utterances,
        left_out=(*file_notes(left), *copies, *measured.bad),
        notes=completeness_note(len(measured.utterances), complete_count),
        doubts=measured.doubts,
        heard=measured.heard,
    )


def undecoded(names: Iterable[str], endings: Collection[str] = AUDIO) -> dict[str, str]:
    """List the recordings that a reader passes over because of their format, with the reason.

    Args:
        names: paths of the files below the corpus's folder.
        endings: endings of the files that the reader looks at, in small letters.
    """
    read = " and ".join(AUDIO)
    suffixes = {name: PurePosixPath(name).suffix.lower() for name in names}
    return {
        name: f"{suffix} is not read, but {read}"
        for name, suffix in suffixes.items()
        if suffix in SOUND and suffix not in endings
    }


def files(root: Path, corpus: str, left: dict[str, str] | None = None) -> list[str]:
    """List all files below a folder, linked folders included.

    Files and folders whose name starts with a dot (`._*` of macOS among them) are ignored. A link
    that leads back to a folder above it is not followed.

    Args:
        root: the folder.
        corpus: name of the corpus, for errors.
        left: path -> reason why it is left out; links that are not followed are added.

    Returns:
        Paths relative to ``root``, with forward slashes, sorted.

    Raises:
        CorpusError: there is no such folder, or no file in it.
    """
    _refuse_no_folder(root, corpus)
    left = {} if left is None else left
    found: list[str] = []
    for folder, below, names in os.walk(root, followlinks=True):
        here = Path(folder).relative_to(root)
        above = {os.path.realpath(root / parent) for parent in (here, *here.parents)}
        for name in [name for name in below if os.path.realpath(Path(folder) / name) in above]:
            left[(here / name).as_posix()] = "a link that leads back to a folder above it"
            below.remove(name)
        below[:] = [name for name in below if not name.startswith(".")]
        found += [(here / name).as_posix() for name in names if not name.startswith(".")]
    if not found:
        raise CorpusError(
            f"The folder of corpus `{corpus}` must hold its audio, but {root} is empty."
        )
    return sorted(found)


def _refuse_no_folder(root: Path, corpus: str) -> None:
    """Refuse a path that is not a folder.

    Raises:
        CorpusError: it is missing, a file or an archive; the sentence says which.
    """
    if root.is_dir():
        return
    if is_archive(root):
        raise CorpusError(
            f"Corpus `{corpus}` must be a folder, but {root} is an archive instead: "
            "unpack it and name the folder."
        )
    raise CorpusError(
        f"The folder of corpus `{corpus}` must exist, but {root} is "
        f"{'a file' if root.exists() else 'missing'}: name the folder that holds its audio."
    )


def is_archive(path: Path) -> bool:
    """Whether a file is an archive, by its content or its name."""
    import tarfile
    import zipfile

    return path.is_file() and (
        path.suffix.lower() in ARCHIVES or zipfile.is_zipfile(path) or tarfile.is_tarfile(path)
    )


def wrong_folder(root: Path, corpus: str, expected: str, names: Sequence[str] = ()) -> CorpusError:
    """Make the error for a folder in which nothing looks like the corpus.

    Args:
        root: the folder.
        corpus: name of the corpus.
        expected: how files of the corpus are named.
        names: paths of the files in the folder; if one is an archive, the error says to unpack it.
    """
    packed = [name for name in names if PurePosixPath(name).suffix.lower() in ARCHIVES]
    other = undecoded(names)
    remedy = f"unpack {packed[0]} first." if packed else "is it the right folder?"
    if other and not packed:
        path, reason = next(iter(other.items()))
        remedy = f"convert its {len(other)} recordings ({path}: {reason})."
    return CorpusError(
        f"Nothing in {root} looks like corpus `{corpus}` (expected names like {expected}): {remedy}"
    )


def measure_recordings(
    root: Path,
    corpus: str,
    found: Sequence[Utterance],
    on_progress: OnProgress,
    *,
    skip_bad: bool,
    mend_headers: bool = False,
    bad: Sequence[FileNote] = (),
    position: Callable[[Utterance], str] = lambda utterance: utterance.path,
    remedy: str = "",
) -> MeasuredRecordings:
    """Decode and hash every recording, and set aside those that cannot be used.

    Args:
        root: folder of the corpus.
        corpus: name of the corpus.
        found: its utterances, not yet decoded or hashed.
        on_progress: called with (utterances done, utterances in all).
        skip_bad: leave out recordings that cannot be used, instead of refusing the corpus.
        mend_headers: read what lies behind headers that say 0.
        bad: problems that were found before, listed with the others.
        position: function from an utterance to its name in a problem: its path, or its line in a
            table.
        remedy: a further sentence for the error on what helps.

    Raises:
        CorpusError: recordings cannot be used, and not `skip_bad`, or none can be used; the error
            lists them.
    """
    from features.audio import check_recording

    whole: list[Utterance] = []
    unusable, doubts = list(bad), list[FileNote]()
    heard: dict[str, HeardRecording] = {}
    hashed: dict[str, dict[str, Any]] = {}
    for done, utterance in enumerate(found, start=1):
        sound = check_recording(
            root / utterance.path, utterance.start, utterance.end, mend=mend_headers
        )
        where = position(utterance)
        if sound.bad:
            unusable.append(FileNote(path=where, reason=sound.bad, bad=True))
        else:
            measured = measure(str(root), utterance, hashed)
            whole.append(replace(measured, mended=True) if sound.mended else measured)
            if sound.sound is not None:
                file = hashed[utterance.path]["digest"]
                heard[utterance.id] = HeardRecording(sound=sound.sound, file=file)
            doubts += [FileNote(path=where, reason=doubt) for doubt in sound.doubts]
        on_progress(done, len(found))
    if unusable and (not skip_bad or not whole):
        recordings = len(found) + len({note.path for note in bad})
        raise CorpusError(_unusable(root, corpus, recordings, unusable, remedy))
    return MeasuredRecordings(
        utterances=tuple(sorted(whole, key=lambda utterance: utterance.id)),
        bad=tuple(unusable),
        doubts=tuple(doubts),
        heard=heard,
    )


def _unusable(
    root: Path, corpus: str, count: int, bad: Sequence[FileNote], remedy: str = ""
) -> str:
    """Write the error that lists unusable recordings; ``count`` is that of all recordings."""
    unusable = len({note.path for note in bad})
    them = "it" if unusable == 1 else "them"
    return (
        f"{unusable} of the {count} recordings of corpus `{corpus}` in {root} cannot be used: "
        f"mend or remove {them}, or leave {them} out with `--skip-bad`."
        f"{' ' * bool(remedy)}{remedy}\n{listed(bad)}"
    )


def listed(problems: Sequence[FileNote]) -> str:
    """Write one line `  PATH: reason` a problem, up to `MOST`; of more, one line a reason.

    The line of a reason counts its problems and names the first of them. Reasons that differ in
    numbers or quoted text alone are one.
    """
    if len(problems) <= MOST:
        return "\n".join(f"  {item.path}: {item.reason}" for item in problems)
    forms: dict[str, list[FileNote]] = {}
    for item in problems:
        forms.setdefault(_DETAIL.sub("…", item.reason), []).append(item)
    kinds = sorted(forms.items(), key=lambda kind: -len(kind[1]))
    lines = []
    for form, items in kinds[:MOST]:
        reason = items[0].reason if len({item.reason for item in items}) == 1 else form
        lines.append(f"  {len(items)} times {reason}: {some([item.path for item in items])}")
    more = len(kinds) - MOST
    return "\n".join([*lines, *([f"  and {more} more reasons"] if more > 0 else [])])


_DETAIL = re.compile(
    r"(?<=but is )`[^`]*`|(?<=but is )\S+|(?<=but )\S+(?= does not)|\S+(?= stands at)"
    r"|(?<=stands at )\S+|\d+(\.\d+)?(?= s\b)"
)
"""What differs between problems of one kind: the value that a cell holds, and seconds."""


def completeness_note(count: int, complete_count: int) -> tuple[str, ...]:
    """Return one note that utterances are missing from the published corpus; none if complete.

    Args:
        count: number of utterances found.
        complete_count: number of utterances that were published.
    """
    if count == complete_count:
        return ()
    return (f"not the complete corpus: {count:,} of {complete_count:,} utterances",)


def without_copies(
    root: Path, corpus: str, found: Iterable[Utterance]
) -> tuple[list[Utterance], list[FileNote]]:
    """Keep one utterance of each id, and leave out copies with the same bytes.

    Args:
        root: folder of the corpus.
        corpus: name of the corpus.
        found: its utterances.

    Returns:
        The utterances that are kept, and a note for each copy.

    Raises:
        CorpusError: two different recordings have one id.
    """
    first: dict[str, Utterance] = {}
    copies: list[FileNote] = []
    for utterance in found:
        same_id = first.setdefault(utterance.id, utterance)
        if same_id is utterance:
            continue
        if (
            identify(str(root), same_id.path)["digest"]
            != identify(str(root), utterance.path)["digest"]
        ):
            raise CorpusError(
                f"Utterance `{utterance.id}` of corpus `{corpus}` must be one recording, but "
                f"{same_id.path} and {utterance.path} in {root} differ: remove one of them."
            )
        reason = f"a copy of {same_id.path}"
        copies.append(FileNote(path=utterance.path, reason=reason, copy=True))
    return list(first.values()), copies


def file_notes(pairs: Mapping[str, str]) -> list[FileNote]:
    """Convert a mapping path -> reason to notes, sorted by path."""
    return [FileNote(path=path, reason=reason) for path, reason in sorted(pairs.items())]
