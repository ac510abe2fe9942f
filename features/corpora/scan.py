"""What every reader of a folder does: find the files, refuse the unreadable, take their digests."""

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from features.corpus import LeftOut, Tell, Utterance, identify
from features.errors import CorpusError

AUDIO = (".wav", ".flac")


def files(root: Path, corpus: str) -> list[str]:
    """All files below `root`, relative, with forward slashes, sorted.

    Files and folders whose name starts with a dot (`._*` of macOS among them) are not seen.

    Raises:
        CorpusError: no such folder, or nothing in it.
    """
    if not root.is_dir():
        raise CorpusError(
            f"The folder of corpus `{corpus}` must exist, but {root} is "
            f"{'a file' if root.exists() else 'missing'}: name the folder that holds its audio."
        )
    found: list[str] = []
    for folder, below, names in os.walk(root):
        below[:] = [name for name in below if not name.startswith(".")]
        here = Path(folder).relative_to(root)
        found += [(here / name).as_posix() for name in names if not name.startswith(".")]
    if not found:
        raise CorpusError(
            f"The folder of corpus `{corpus}` must hold its audio, but {root} is empty."
        )
    return sorted(found)


def unlike(root: Path, corpus: str, expected: str) -> CorpusError:
    """The error for a folder in which nothing looks like the corpus."""
    return CorpusError(
        f"Nothing in {root} looks like corpus `{corpus}` (expected names like {expected}): "
        "is it the right folder?"
    )


def measured(root: Path, corpus: str, found: Sequence[Utterance], tell: Tell) -> list[Utterance]:
    """The utterances with digest, size and time of their files, sorted by id.

    Raises:
        CorpusError: files that cannot be read as audio; up to five are named.
    """
    from features.audio import fault  # soundfile: only where audio is really opened

    whole: list[Utterance] = []
    broken: list[str] = []
    for done, utterance in enumerate(found, start=1):
        reason = fault(root / utterance.path)
        if reason:
            broken.append(f"{utterance.path} ({reason})")
        else:
            whole.append(replace(utterance, **identify(str(root), utterance.path)))
        tell(done, len(found))
    if broken:
        some = ", ".join(broken[:5]) + (", ..." if len(broken) > 5 else "")
        raise CorpusError(
            f"{len(broken)} of the {len(found)} audio files of corpus `{corpus}` in {root} cannot "
            f"be read: {some}; restore or remove {'it' if len(broken) == 1 else 'them'}."
        )
    return sorted(whole, key=lambda utterance: utterance.id)


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
