"""The corpora by name, and reading, refreshing and synthesising any of them.

A new corpus is one file in `readers/` and its name in ``READERS``. Light to import: a reader opens
audio only when it reads.
"""

import re
import shlex
from collections.abc import Callable
from dataclasses import replace
from difflib import get_close_matches
from importlib import import_module
from pathlib import Path
from typing import Protocol, cast

from features.corpora import copies, recordings
from features.corpora.corpus import Corpus, OnProgress, no_progress
from features.corpora.identities import NO_OPTIONS, NameOptions, with_answers
from features.corpora.readers import database, demo, table
from features.corpora.readers.tables.options import NO_TABLE_OPTIONS
from features.corpora.readers.tables.options import TableOptions as TableOptions
from features.errors import CorpusError


class Reader(Protocol):
    """The module in `readers/` that finds the recordings and labels of one corpus.

    A module of synthesised speech also has a function ``prepare(root, on_progress)``, which makes
    the audio on first use.

    Attributes:
        ABOUT: number of speakers, emotions and utterances, in one line.
        LICENSE: the corpus's licence, in one line.
        SOURCE: web address from which the corpus can be had.
        LAYOUT: which files the reader looks for, in one line.
    """

    ABOUT: str
    LICENSE: str
    SOURCE: str
    LAYOUT: str

    def read(
        self,
        root: Path,
        on_progress: OnProgress = ...,
        *,
        skip_bad: bool = ...,
        mend_headers: bool = ...,
    ) -> Corpus:
        """Read the corpus below ``root``: find, decode and hash its recordings.

        Args:
            root: the folder of the corpus.
            on_progress: called with (files done, files in all).
            skip_bad: leave out recordings that cannot be used, instead of refusing the corpus.
            mend_headers: read what lies behind headers that say 0.

        Raises:
            CorpusError: the folder does not hold that corpus, or recordings cannot be used.
        """
        ...


READERS: dict[str, Reader] = {
    name: cast(Reader, import_module(f"features.corpora.readers.{name}"))
    for name in ("cremad", "demo", "emodb", "iemocap", "ravdess", "table")
}
"""Name of a corpus in a study, such as ``emodb``, -> the module that reads it."""

SYNTHESISED: dict[str, Callable[[Path, OnProgress], None]] = {
    name: module.prepare for name, module in READERS.items() if hasattr(module, "prepare")
}
"""Name of a synthesised corpus -> function (folder, on_progress) that writes its missing audio."""

NAME = r"[a-z0-9][a-z0-9_-]{0,63}"
"""Regular expression of the names that a user may give to a corpus of their own (`--name`)."""


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


def refuse_unknown(name: str, source: Path) -> None:
    """Refuse to add a corpus that has no reader; of a table, say how it is added.

    Args:
        name: the corpus that was typed.
        source: the folder or file that was typed after it.

    Raises:
        CorpusError: no corpus has that name.
    """
    if name in READERS:
        return
    table_file, own_name = next(
        (
            (file, other)
            for file, other in ((source, name), (Path(name), str(source)))
            if _is_table(file)
        ),
        (None, ""),
    )
    if table_file is None:
        reader(name)
    own_name = own_name if re.fullmatch(NAME, own_name) else "NAME"
    command = shlex.join(["ablate", "corpus", "add", "table", str(table_file), "--name", own_name])
    raise CorpusError(f"A table of your own is added by `{command}`.")


def _is_table(path: Path) -> bool:
    """Whether there is a file, or the folder of a database, which the reader `table` may read."""
    return path.is_file() or (path / database.HEADER).is_file()


def read(
    name: str,
    root: Path,
    on_progress: OnProgress = no_progress,
    *,
    skip_bad: bool = False,
    mend_headers: bool = False,
    own_name: str = "",
    speakers: NameOptions = NO_OPTIONS,
    sessions: NameOptions = NO_OPTIONS,
    table_options: TableOptions = NO_TABLE_OPTIONS,
) -> Corpus:
    """Read a corpus from its folder.

    Args:
        name: name of a reader, a key of ``READERS``.
        root: folder of the corpus; of a `table` its file or database folder.
        on_progress: called with (files done, files in all).
        skip_bad: leave out recordings that cannot be used, instead of refusing the corpus.
        mend_headers: read what lies behind headers that say 0; kept with the corpus.
        own_name: the user's name for the corpus that a `table` describes; empty for `table`, and
            for all other corpora, whose names are fixed.
        speakers: what a person typed about speakers that may be one, spelled two ways.
        sessions: the same about sessions.
        table_options: what a person typed about the columns of a `table`.

    Raises:
        CorpusError: a name is unknown or not allowed, the folder does not hold that corpus,
            recordings cannot be used, an answer fits no name of the corpus, or copies of one
            recording stand under two speakers or on two sides of a published split.
        MissingError: a package that the corpus needs is not installed.
    """
    if name in SYNTHESISED and (speakers, sessions) != (NO_OPTIONS, NO_OPTIONS):
        raise CorpusError(f"Corpus `{name}` is synthesised: its speakers are given.")
    corpus = _read(
        name,
        root,
        on_progress,
        skip_bad=skip_bad,
        mend_headers=mend_headers,
        own_name=own_name,
        table_options=table_options,
    )
    if mend_headers:
        corpus = replace(corpus, options=(*corpus.options, "--mend-headers"))
    # Speakers are joined before anything is compared between speakers.
    answered = with_answers(corpus, speakers, sessions)
    return copies.settle(answered, answered.heard, skip_bad=skip_bad)


def _read(
    name: str,
    root: Path,
    on_progress: OnProgress,
    *,
    skip_bad: bool,
    mend_headers: bool,
    own_name: str,
    table_options: TableOptions,
) -> Corpus:
    """Read a corpus as its folder has it; arguments and errors are those of `read`."""
    module = reader(name)
    if name != "table":
        if own_name or table_options != NO_TABLE_OPTIONS:
            option = "--name" if own_name else table_options.words[0]
            has = "its own name" if own_name else "no table"
            raise CorpusError(f"`{option}` must belong to `table`, but corpus `{name}` has {has}.")
        return module.read(root, on_progress, skip_bad=skip_bad, mend_headers=mend_headers)
    if own_name and (not re.fullmatch(NAME, own_name) or own_name in {"auto", *READERS}):
        raise CorpusError(
            "`--name` must be small letters, digits, `_` and `-` and no corpus that `ablate` "
            f"knows, but is `{own_name}` instead."
        )
    return table.read(
        root,
        on_progress,
        skip_bad=skip_bad,
        mend_headers=mend_headers,
        name=own_name or "table",
        options=table_options,
    )


def refresh(corpus: Corpus, *, deep: bool = False, on_progress: OnProgress = no_progress) -> Corpus:
    """Return a corpus with the digests that its files have now.

    A synthesised corpus is described anew from its recipes.

    Args:
        corpus: the corpus as it was registered.
        deep: read every file, even where size and modification time are unchanged.
        on_progress: called with (files done, files in all).

    Raises:
        MissingError, CorpusError, ShardDamageError: as `recordings.refresh`.
    """
    if corpus.name in SYNTHESISED:
        return read(corpus.name, Path(corpus.root), on_progress)
    return recordings.refresh(corpus, deep=deep, on_progress=on_progress)


def prepare(corpus: Corpus, on_progress: OnProgress = no_progress) -> None:
    """Synthesise the audio files that a synthesised corpus lacks; do nothing for any other corpus.

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
    """Synthesise one utterance of `demo`, to check that the synthesiser works on this machine.

    Args:
        root: the folder to write into.

    Returns:
        Path of the WAV file.

    Raises:
        MissingError: the synthesiser is not installed or does not work.
    """
    return demo.sample(root)
