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
from features.corpora.corpus import Corpus, OnProgress, nothing
from features.corpora.readers import demo, table
from features.errors import CorpusError


class Reader(Protocol):
    """What the module of a corpus offers.

    A module of synthesised speech has a function ``prepare(root, tell)`` as well, which makes the
    audio on first use.

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

    def read(self, root: Path, tell: OnProgress = ..., *, skip_bad: bool = ...) -> Corpus:
        """Read the corpus below ``root``.

        Args:
            root: the folder of the corpus.
            tell: progress, called with (files done, files in all).
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
"""Corpora whose audio is made here on first use -> what makes it."""

NAME = r"[a-z0-9][a-z0-9_-]{0,63}"
"""What a corpus of one's own may be called."""


def names() -> tuple[str, ...]:
    """All known corpora, sorted."""
    return tuple(sorted(READERS))


def reader(name: str) -> Reader:
    """The module that reads a corpus: `LICENSE`, `SOURCE`, `LAYOUT`, `read`.

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
    name: str, root: Path, tell: OnProgress = nothing, *, skip_bad: bool = False, own_name: str = ""
) -> Corpus:
    """Read a corpus from its folder; `tell(done, total)` counts its files.

    `own_name` is what a `table` is called from now on; the other corpora have their names.

    Raises:
        CorpusError: unknown name, or the folder does not hold that corpus.
        MissingError: a package that the corpus needs is not installed.
    """
    module = reader(name)
    if not own_name:
        return module.read(root, tell, skip_bad=skip_bad)
    if name != "table":
        raise CorpusError(f"`--name` must belong to `table`, but corpus `{name}` has its own name.")
    if not re.fullmatch(NAME, own_name) or own_name in {"auto", *READERS}:
        raise CorpusError(
            "`--name` must be small letters, digits, `_` and `-` and no corpus that `ablate` "
            f"knows, but is `{own_name}` instead."
        )
    return table.read(root, tell, skip_bad=skip_bad, name=own_name)


def refresh(corpus: Corpus, *, deep: bool = False, tell: OnProgress = nothing) -> Corpus:
    """The corpus as it is now: a synthesised one is described anew, files are looked at again.

    Raises:
        MissingError, CorpusError, ShardDamageError: as `recordings.refresh`.
    """
    if corpus.name in SYNTHESISED:
        return read(corpus.name, Path(corpus.root), tell)
    return recordings.refresh(corpus, deep=deep, tell=tell)


def prepare(corpus: Corpus, tell: OnProgress = nothing) -> None:
    """Make sure the audio exists: synthesises what is missing, does nothing for recordings.

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
    SYNTHESISED[corpus.name](Path(corpus.root), tell)


def sample(root: Path) -> Path:
    """One synthesised utterance in a folder: the synthesiser works here.

    Raises:
        MissingError: it is not installed or does not.
    """
    return demo.sample(root)
