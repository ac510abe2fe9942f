"""The digests of a corpus's audio files, and their refresh where files changed.

A refresh compares sizes and modification times; only changed files are read again. Light: the
standard library only.
"""

import hashlib
import os
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from features.canonical import digest as digest_of
from features.corpora.corpus import Corpus, OnProgress, Utterance, no_progress, some
from features.errors import CorpusError, MissingError, ShardDamageError


def refresh(corpus: Corpus, *, deep: bool = False, on_progress: OnProgress = no_progress) -> Corpus:
    """Hash the files whose size or modification time changed, or all files, and update the corpus.

    Synthesised audio is identified by its recipe and is not read.

    Args:
        corpus: the corpus as it was registered.
        deep: read every file, even where size and time are unchanged.
        on_progress: called with (utterances done, utterances in all).

    Returns:
        The corpus with the digests, sizes and times that its files have now.

    Raises:
        MissingError: the folder of the corpus is gone.
        CorpusError: files of the corpus are gone, or lead out of its folder.
        ShardDamageError: `deep` found other bytes under an unchanged size and time.
    """
    recorded = [u for u in corpus.utterances if u.mtime_ns]
    if recorded and not os.path.isdir(corpus.root):
        raise MissingError(
            f"The folder of corpus `{corpus.name}`, {corpus.root}, is gone: put it back, or "
            f"register another with `{replace(corpus, root='FOLDER').registration_command}`."
        )
    now = {u.id: _stat(corpus.root, u.path) for u in recorded}
    _refuse_gone(corpus, [u.path for u in recorded if now[u.id] is None])
    refuse_outside(corpus, recorded)
    fresh, damaged = [], []
    files: dict[str, dict[str, Any]] = {}
    for done, utterance in enumerate(corpus.utterances, start=1):
        same = now.get(utterance.id, _at(utterance)) == _at(utterance)
        if utterance.mtime_ns and (deep or not same):
            read = measure(corpus.root, utterance, files)
            if same and read.digest != utterance.digest:
                damaged.append(utterance.path)
            utterance = read
        fresh.append(utterance)
        on_progress(done, len(corpus.utterances))
    if damaged:
        raise ShardDamageError(
            f"{_count(damaged, corpus)} of corpus `{corpus.name}` changed while size and time "
            f"stayed ({some(damaged)}): restore them from the original, or register the corpus "
            f"again with `{corpus.registration_command}`."
        )
    return replace(corpus, utterances=tuple(fresh))


def identify(root: str, path: str) -> dict[str, Any]:
    """Read one file and return `digest`, `size` and `mtime_ns` as in `Utterance`.

    Args:
        root: folder of the corpus.
        path: path of the file below it.

    Raises:
        OSError: the file cannot be read.
    """
    with open(os.path.join(root, path), "rb") as file:
        stat = os.fstat(file.fileno())
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return {"digest": digest, "size": stat.st_size, "mtime_ns": stat.st_mtime_ns}


def measure(root: str, utterance: Utterance, files: dict[str, dict[str, Any]]) -> Utterance:
    """Return the utterance with the digest, size and time that its file has now.

    Args:
        root: folder of the corpus.
        utterance: the utterance, a whole file or a part of one.
        files: a cache, path -> result of `identify`; filled here, so that no file is read twice.

    Raises:
        OSError: the file cannot be read.
    """
    path = utterance.path
    found = files[path] = files.get(path) or identify(root, path)
    if utterance.start is None and utterance.end is None:
        return replace(utterance, **found)
    digest = digest_of([found["digest"], utterance.start, utterance.end])
    return replace(utterance, **{**found, "digest": digest})


def refuse_outside(corpus: Corpus, utterances: Iterable[Utterance]) -> None:
    """Refuse recordings of a table that lead out of its folder by now: a link was exchanged.

    What a table names was inside when it was added; this is asked again before every read. Folders
    of corpora with a reader of their own may hold links.

    Args:
        corpus: the corpus.
        utterances: the utterances that are about to be read.

    Raises:
        CorpusError: there are such recordings.
    """
    if not corpus.reader:
        return
    root = os.path.realpath(corpus.root)
    folders: dict[str, bool] = {}

    def leads_out(path: str) -> bool:
        folder, file = os.path.split(os.path.join(corpus.root, path))
        if folder not in folders:
            folders[folder] = os.path.commonpath([os.path.realpath(folder), root]) != root
        if not os.path.islink(os.path.join(folder, file)):
            return folders[folder]
        return os.path.commonpath([os.path.realpath(os.path.join(folder, file)), root]) != root

    outside = [path for path in dict.fromkeys(u.path for u in utterances) if leads_out(path)]
    if outside:
        raise CorpusError(
            f"{_count(outside, corpus)} of corpus `{corpus.name}` lead out of {corpus.root} by now "
            f"({some(outside)}): put them back, or register what is there with "
            f"`{corpus.registration_command}`."
        )


def _stat(root: str, path: str) -> tuple[int, int] | None:
    """Return (size in bytes, modification time in ns) of a file now; None if it is gone."""
    try:
        stat = os.stat(f"{root}/{path}")
    except OSError:
        return None
    return stat.st_size, stat.st_mtime_ns


def _at(utterance: Utterance) -> tuple[int, int]:
    """Return (size in bytes, modification time in ns) of the file when it was hashed."""
    return utterance.size, utterance.mtime_ns


def _refuse_gone(corpus: Corpus, gone: Sequence[str]) -> None:
    """Refuse a corpus of which files are ``gone``.

    Raises:
        CorpusError: ``gone`` is not empty.
    """
    if gone:
        raise CorpusError(
            f"{_count(gone, corpus)} of corpus `{corpus.name}` are gone from {corpus.root} "
            f"({some(gone)}): put them back, or register what is there with "
            f"`{corpus.registration_command}`."
        )


def _count(paths: Sequence[str], corpus: Corpus) -> str:
    return f"{len(paths)} of the {len(corpus.utterances)} files"
