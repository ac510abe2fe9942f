"""The corpora by name. A new corpus is one file in `readers/` and its name in ``READERS``.

Light: readers open audio only when they read.
"""

import re
from collections.abc import Callable
from difflib import get_close_matches
from importlib import import_module
from pathlib import Path
from typing import Protocol, cast

from features.corpora import recordings
from features.corpora.corpus import Corpus, OnProgress, no_progress
from features.corpora.readers import demo, table
from features.errors import CorpusError


class Reader(Protocol):
    """What the module of a corpus offers.

    A module of synthesised speech also has a function ``prepare(root, on_progress)``, which makes
    the audio on first use.

    Attributes:
        ABOUT: how much speech of how many speakers in which emotions, in one line.
        LICENSE: its licence, in one line.
        SOURCE: where it can be had: an address.
        LAYOUT: which files the reader looks for, in one line.
    """

    ABOUT: str
    LICENSE: str
    SOURCE: str
    LAYOUT: str

    def read(self, root: Path, on_progress: OnProgress = ..., *, skip_bad: bool = ...) -> Corpus:
        """Read the corpus below ``root``.

        Args:
            root: the folder of the corpus.
            on_progress: progress, called with (files done, files in all).
            skip_bad: leave out what cannot be used, instead of refusing the corpus.
        """
        ...


READERS: dict[str, Reader] = {
    name: cast(Reader, import_module(f"features.corpora.readers.{name}"))
    for name in ("cremad", "demo", "emodb", "iemocap", "ravdess", "table")
}
"""Name in a study -> the module that reads the corpus."""

SYNTHESISED: dict[str, Callable[[Path, OnProgress], None]] = {
    name: module.prepare for name, module in READERS.items() if hasattr(module, "prepare")
}
"""Name of a synthesised corpus -> function that synthesises its audio on first use."""

NAME = r"[a-z0-9][a-z0-9_-]{0,63}"
"""Pattern of the names that a corpus of a user's own may have."""


def names() -> tuple[str, ...]:
    """List the names of all corpora that have a reader, sorted."""
    return tuple(sorted(READERS))


def reader(name: str) -> Reader:
    """Look up the module that reads a corpus.

    Raises:
        CorpusError: no corpus has that name.
    """
    if name not in READERS:
        near = get_close_matches(name, READERS, n=1)
        hint = f": did you mean `{near[0]}`?" if near else "."
        known = ", ".join(f"`{known}`" for known in names())
        raise CorpusError(f"`corpus` must be one of {known}, but is `{name}` instead{hint}")
    return READERS[name]


def read(
    name: str,
    root: Path,
    on_progress: OnProgress = no_progress,
    *,
    skip_bad: bool = False,
    own_name: str = "",
) -> Corpus:
    """Read a corpus from its folder.

    Args:
        name: name of a reader.
        root: folder of the corpus; of a `table` its file or folder.
        on_progress: called with (files done, files in all).
        skip_bad: leave out recordings that cannot be used, instead of refusing the corpus.
        own_name: name of the corpus that a `table` becomes; the others have their own names.

    Raises:
        CorpusError: unknown name, or the folder does not hold that corpus.
        MissingError: a package that the corpus needs is not installed.
    """
    module = reader(name)
    if not own_name:
        return module.read(root, on_progress, skip_bad=skip_bad)
    if name != "table":
        raise CorpusError(f"`--name` must belong to `table`, but corpus `{name}` has its own name.")
    if not re.fullmatch(NAME, own_name) or own_name in {"auto", *READERS}:
        raise CorpusError(
            "`--name` must be small letters, digits, `_` and `-` and no corpus that `ablate` "
            f"knows, but is `{own_name}` instead."
        )
    return table.read(root, on_progress, skip_bad=skip_bad, name=own_name)


def refresh(corpus: Corpus, *, deep: bool = False, on_progress: OnProgress = no_progress) -> Corpus:
    """Describe a corpus as its files are now; a synthesised one is described from its recipes.

    Raises:
        MissingError, CorpusError, ShardDamageError: as `recordings.refresh`.
    """
    if corpus.name in SYNTHESISED:
        return read(corpus.name, Path(corpus.root), on_progress)
    return recordings.refresh(corpus, deep=deep, on_progress=on_progress)


def prepare(corpus: Corpus, on_progress: OnProgress = no_progress) -> None:
    """Synthesise the audio that a corpus lacks; a corpus of recordings needs nothing.

    Raises:
        MissingError: the synthesiser is not installed or does not work here.
        CorpusError: the corpus was described by another version of the synthesiser.
    """
    if corpus.name not in SYNTHESISED:
        return
    if refresh(corpus).utterances != corpus.utterances:
        raise CorpusError(
            f"Corpus `{corpus.name}` was registered with another version of its synthesiser: "
            f"register it again with `ablate corpus add {corpus.name}`."
        )
    SYNTHESISED[corpus.name](Path(corpus.root), on_progress)


def sample(root: Path) -> Path:
    """Synthesise one utterance into a folder, which shows that the synthesiser works here.

    Returns:
        The WAV file.

    Raises:
        MissingError: the synthesiser is not installed or does not work.
    """
    return demo.sample(root)
