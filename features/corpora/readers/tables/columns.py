"""The columns of a table: which ones are read, and by which names a person's table has them.

Light: the standard library only.
"""

import re
import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path

from features.errors import CorpusError

NEEDED = ("file", "speaker", "emotion")
"""Columns that a table must have."""
OPTIONAL = ("split", "session", "sex", "start", "end")
"""Columns that are read where a table has them."""
USUAL = {
    "file": "path file_path filepath file_name filename wav wav_path wav_file audio audio_path "
    "audio_file recording clip",
    "speaker": "speaker_id speakerid spk spk_id spkid speaker_name actor actor_id subject "
    "subject_id participant participant_id talker client_id",
    "emotion": "label emotion_label emo emotions emotion_name emotion_class class category target",
}
"""Column -> names that other tables give it, which an error proposes; never taken unasked."""
MOST = 12
"""Most columns that the error about a missing column lists."""

ColumnNames = Mapping[str, str]
"""Column of ours -> the table's name of it, as ``--columns file=path`` says; others are equal."""


def read_column_names(options: Sequence[str]) -> dict[str, str]:
    """Read the values of ``--columns``, such as ``file=path,speaker=speaker_id``.

    Raises:
        CorpusError: an option is not written so, or names a column that is not read, or one twice.
    """
    names: dict[str, str] = {}
    for pair in (pair for text in options for pair in re.split(r",(?=\s*\w+\s*=)", text)):
        ours, equals, theirs = (part.strip() for part in pair.partition("="))
        if not (equals and theirs):
            raise CorpusError(
                f"`--columns` must be written `speaker=speaker_id,emotion=label`, but is `{pair}`."
            )
        if ours not in (*NEEDED, *OPTIONAL):
            known = ", ".join(f"`{name}`" for name in (*NEEDED, *OPTIONAL))
            raise CorpusError(f"`--columns` must name {known}, but names `{ours}` instead.")
        if names.setdefault(ours, theirs) != theirs:
            raise CorpusError(
                f"`--columns` must name `{ours}` once, but has `{names[ours]}` and `{theirs}`."
            )
    return names


def find_columns(source: Path, heads: Sequence[str], names: ColumnNames) -> dict[str, int]:
    """Find the columns to read in the head of a table.

    Args:
        source: the table, for the error.
        heads: the names in its head; case and outer spaces do not count.
        names: what a person said about them.

    Returns:
        Column of ours -> its position, from 0.

    Raises:
        CorpusError: a needed column, or one that the person named, is missing, or one that is read
            stands there twice.
    """
    plain = [_plain(head) for head in heads]
    wanted = {name: _plain(names.get(name, name)) for name in (*NEEDED, *OPTIONAL)}
    needed = (*NEEDED, *(name for name in names if name not in NEEDED))
    missing = [name for name in needed if wanted[name] not in plain]
    twice = [name for name, theirs in wanted.items() if Counter(plain)[theirs] > 1]
    if missing or twice:
        fault = missing[0] if missing else twice[0]
        shown = ", ".join(f"`{head}`" for head in plain[:MOST] if head) or "none"
        more = f", ... ({len(plain)} in all)" if len(plain) > MOST else ""
        raise CorpusError(
            f"Table {source} must have the columns {_expected(names)}, but `{wanted[fault]}` "
            f"{'is missing' if missing else 'stands there twice'}; its columns are {shown}{more}."
            + (_proposal(missing, plain, wanted) if missing else "")
        )
    return {name: plain.index(theirs) for name, theirs in wanted.items() if theirs in plain}


def _plain(head: str) -> str:
    return head.strip().lower()


def _expected(names: ColumnNames) -> str:
    """Write which columns a table must have: ours, or those that the person named instead."""
    expected = [f"`{names.get(name, name)}`" for name in NEEDED]
    expected += [f"`{theirs}`" for name, theirs in names.items() if name not in NEEDED]
    return f"{', '.join(expected[:-1])} and {expected[-1]}"


def _proposal(missing: Sequence[str], heads: Sequence[str], wanted: Mapping[str, str]) -> str:
    """Propose the option that maps names; a column that nothing looks like is left as ``NAME``."""
    found: dict[str, str] = {}
    free = [head for head in heads if head and head not in wanted.values()]
    for name in missing:
        usual = [head for head in USUAL.get(name, "").split() if head in free]
        near = usual or get_close_matches(wanted[name], free, n=1, cutoff=0.7)
        if near:
            found[name] = near[0]
    if not free:
        return ""
    pairs = ",".join(f"{name}={found.get(name, 'NAME')}" for name in missing)
    return f" `--columns {shlex.quote(pairs)}` says which is which."
