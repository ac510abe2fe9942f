"""What every reader of a folder does: find the files, refuse the unusable, take their digests."""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from features.corpora.corpus import Corpus, LeftOut, OnProgress, Utterance
from features.corpora.recordings import identify, measure
from features.errors import CorpusError

AUDIO = (".wav", ".flac")
ARCHIVES = (".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".7z", ".rar")
MOST = 20
"""Most problems that are printed one by one."""


@dataclass(frozen=True, kw_only=True, slots=True)
class MeasuredFile:
    """What a look at every recording gave."""

    utterances: tuple[Utterance, ...]
    """With digest, size and time of their files, sorted by id."""
    bad: tuple[LeftOut, ...]
    """Left out because they cannot be used; empty unless that was asked for."""
    doubts: tuple[LeftOut, ...]


def by_names(
    corpus: str,
    root: Path,
    utterance_of: Callable[[str], Utterance | str],
    *,
    example: str,
    all_: int,
    tell: OnProgress,
    skip_bad: bool,
    endings: tuple[str, ...] = AUDIO,
) -> Corpus:
    """Read a corpus whose file names say everything; every audio file is decoded and hashed.

    Args:
        corpus: its name.
        root: its folder.
        utterance_of: from a file's path to its utterance, or to why it is left out.
        example: a path as the corpus has them, for the error that finds none.
        all_: how many utterances the complete corpus has.
        tell: progress.
        skip_bad: leave out what cannot be used, instead of refusing it.
        endings: which files to look at.

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
    if not found:
        raise unlike(root, corpus, f"`{example}`", names)
    single, copies = once(root, corpus, found)
    seen = measured(root, corpus, single, tell, skip_bad=skip_bad)
    return Corpus(
        name=corpus,
        root=str(root),
        utterances=seen.utterances,
        left_out=(*by_reason(left), *copies, *seen.bad),
        notes=complete(len(seen.utterances), all_),
        doubts=seen.doubts,
    )


def files(root: Path, corpus: str, left: dict[str, str] | None = None) -> list[str]:
    """All files below `root`, relative, with forward slashes, sorted; linked folders as well.

    Files and folders whose name starts with a dot (`._*` of macOS among them) are not seen.
    A link that leads back to a folder above it is not followed; `left` takes it with the reason.

    Raises:
        CorpusError: no such folder, or nothing in it.
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
    """Whether a file is one to unpack, by its content or its name."""
    import tarfile
    import zipfile

    return path.is_file() and (
        path.suffix.lower() in ARCHIVES or zipfile.is_zipfile(path) or tarfile.is_tarfile(path)
    )


def unlike(root: Path, corpus: str, expected: str, names: Sequence[str] = ()) -> CorpusError:
    """The error for a folder in which nothing looks like the corpus."""
    packed = [name for name in names if PurePosixPath(name).suffix.lower() in ARCHIVES]
    remedy = f"unpack {packed[0]} first." if packed else "is it the right folder?"
    return CorpusError(
        f"Nothing in {root} looks like corpus `{corpus}` (expected names like {expected}): {remedy}"
    )


def measured(
    root: Path,
    corpus: str,
    found: Sequence[Utterance],
    tell: OnProgress,
    *,
    skip_bad: bool,
    bad: Sequence[LeftOut] = (),
    place: Callable[[Utterance], str] = lambda utterance: utterance.path,
) -> MeasuredFile:
    """Decode and hash every recording. `bad` are problems known before; `place` names one.

    Raises:
        CorpusError: recordings that cannot be used, all listed, unless `skip_bad`.
    """
    from features.audio import inspect

    whole: list[Utterance] = []
    unusable, doubts = list(bad), list[LeftOut]()
    hashed: dict[str, dict[str, object]] = {}
    for done, utterance in enumerate(found, start=1):
        sound = inspect(root / utterance.path, utterance.start, utterance.end)
        where = place(utterance)
        if sound.bad:
            unusable.append(LeftOut(path=where, reason=sound.bad, bad=True))
        else:
            whole.append(measure(str(root), utterance, hashed))
            doubts += [LeftOut(path=where, reason=doubt) for doubt in sound.doubts]
        tell(done, len(found))
    if unusable and (not skip_bad or not whole):
        raise CorpusError(_unusable(root, corpus, len(found) + len(bad), unusable))
    return MeasuredFile(
        utterances=tuple(sorted(whole, key=lambda utterance: utterance.id)),
        bad=tuple(unusable),
        doubts=tuple(doubts),
    )


def _unusable(root: Path, corpus: str, count: int, bad: Sequence[LeftOut]) -> str:
    them = "it" if len(bad) == 1 else "them"
    return (
        f"{len(bad)} of the {count} recordings of corpus `{corpus}` in {root} cannot be used: "
        f"mend or remove {them}, or leave {them} out with `--skip-bad`.\n{listed(bad)}"
    )


def listed(problems: Sequence[LeftOut]) -> str:
    """One line a problem, up to `MOST`, and how many more there are."""
    lines = [f"  {item.path}: {item.reason}" for item in problems[:MOST]]
    more = len(problems) - MOST
    return "\n".join([*lines, *([f"  and {more} more"] if more > 0 else [])])


def complete(count: int, all_: int) -> tuple[str, ...]:
    """A note where a corpus is not the whole of what was published."""
    if count == all_:
        return ()
    return (f"not the complete corpus: {count:,} of {all_:,} utterances",)


def once(
    root: Path, corpus: str, found: Iterable[Utterance]
) -> tuple[list[Utterance], list[LeftOut]]:
    """One utterance an id; copies with the same bytes are left out.

    Raises:
        CorpusError: two different recordings under one id.
    """
    first: dict[str, Utterance] = {}
    copies: list[LeftOut] = []
    for utterance in found:
        kept = first.setdefault(utterance.id, utterance)
        if kept is utterance:
            continue
        if (
            identify(str(root), kept.path)["digest"]
            != identify(str(root), utterance.path)["digest"]
        ):
            raise CorpusError(
                f"Utterance `{utterance.id}` of corpus `{corpus}` must be one recording, but "
                f"{kept.path} and {utterance.path} in {root} differ: remove one of them."
            )
        copies.append(LeftOut(path=utterance.path, reason=f"a copy of {kept.path}"))
    return list(first.values()), copies


def by_reason(pairs: Mapping[str, str]) -> list[LeftOut]:
    """Path -> reason, as records sorted by path."""
    return [LeftOut(path=path, reason=reason) for path, reason in sorted(pairs.items())]
