"""Names that may be two spellings of one: the question, and what a person answered.

Two people fill in a table: one writes `s1`, the other `S1`, and one speaker counts as two. Names
that have one canonical form raise a question. They are never joined unless a person says so.
Pure; light: the standard library only.
"""

import re
import unicodedata
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import combinations
from typing import Any

from features.errors import CorpusError

MISSING = frozenset(
    {
        *("", "na", "n/a", "n.a.", "#na", "#n/a", "<na>", "nan", "nat", "none", "null", "nil"),
        *("1.#ind", "1.#qnan", "missing", "undefined", "unknown"),
    }
)
"""Canonical forms that programs and people write where they know no name."""

_SEPARATORS = re.compile(r"[\s_\u2010-\u2015\u2212-]+")
_QUOTES = re.compile("[\"'`\u00b4\u2018-\u201f\u2032\u2033\u00ab\u00bb\u2039\u203a\u02bc]")
# Characters that print as nothing and that Unicode does not count as format characters.
_BLANK_LETTERS = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0"
    "\U000e0100-\U000e01ef]"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class NameAnswers:
    """What a person said about names, of speakers or of sessions, that raised a question."""

    same: tuple[tuple[str, str], ...] = ()
    """Pairs (name that stays, name that was joined to it)."""
    distinct: tuple[tuple[str, str], ...] = ()
    """Pairs of names that are two, whatever their spelling."""
    kept: tuple[str, ...] = ()
    """Names that are names, although they look like a missing value, such as ``NA``."""

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> "NameAnswers":
        """Rebuild answers from their `asdict`, also after a round through JSON.

        Raises:
            KeyError, TypeError, ValueError: the record has another form.
        """
        return cls(
            same=tuple((first, second) for first, second in record["same"]),
            distinct=tuple((first, second) for first, second in record["distinct"]),
            kept=tuple(record["kept"]),
        )

    def options(self, kind: str) -> tuple[str, ...]:
        """List the options of `ablate corpus add` that give these answers, as words to type.

        Args:
            kind: ``speaker`` or ``session``.
        """
        same = (same_option(kind, first, second) for first, second in self.same)
        distinct = (distinct_option(kind, first, second) for first, second in self.distinct)
        kept = (keep_option(kind, name) for name in self.kept)
        return tuple(word for option in (*same, *distinct, *kept) for word in option)


NO_ANSWERS = NameAnswers()
"""What is kept of a corpus about whose names nothing was said."""


@dataclass(frozen=True, kw_only=True, slots=True)
class NameQuestion:
    """Names that nobody has said to be one or several; or one name that may be a missing value."""

    kind: str
    """``speaker`` or ``session``."""
    names: tuple[str, ...]
    """The names, the most frequent first; a single one looks like a missing value."""
    counts: tuple[int, ...]
    """Number of utterances of each name."""
    pairs: tuple[tuple[str, str], ...]
    """Pairs of the names about which nothing is said; empty for a single name."""


def canonical_form(name: str) -> str:
    """Return the form that all spellings of a name share; it raises a question and never joins.

    Compatibility forms, case, blanks, invisible characters, quotation marks, hyphens, underscores,
    leading zeros and a decimal part of zeros do not count. A separator between two digits does.

    >>> canonical_form("S 01"), canonical_form("s1.0"), canonical_form("1_11"), canonical_form("Å")
    ('s1', 's1', '1-11', 'å')
    """
    text = letters_form(name)
    text = re.sub(r"(?<![\d.])(\d+)\.0+$", r"\1", text)
    return re.sub(r"(?<![\d.])0+(?=\d)", "", text)


def letters_form(name: str) -> str:
    """Return the form of a text without case, blanks, invisible characters and separators.

    >>> letters_form("Very Happy"), letters_form("very_happy"), letters_form("01")
    ('veryhappy', 'veryhappy', '01')
    """
    text = unicodedata.normalize("NFKC", name).casefold()
    text = _without_invisible(unicodedata.normalize("NFKC", text))
    text = "".join(str(unicodedata.decimal(character, character)) for character in text)
    text = _QUOTES.sub("", _SEPARATORS.sub("-", text))
    return re.sub(r"(?<!\d)-|-(?!\d)", "", text)


def visible(name: str) -> str:
    r"""Return a name as it can be told from its other spellings, read and typed.

    Characters that print as nothing or as another blank, and letters that are written as a base
    and an accent, become an escape such as ``\u200b``. The options of `ablate corpus add` take
    this form, too.

    >>> visible("s1\u200b"), visible("Jo\u0308rg"), visible("J\u00f6rg")
    ('s1\\u200b', 'Jo\\u0308rg', 'Jörg')
    """
    composed = unicodedata.is_normalized("NFC", name)
    return "".join(_escape(c) if _is_hidden(c, composed) else c for c in name)


def looks_missing(name: str) -> bool:
    """Whether a name may be a missing value: ``NA``, ``None``, ``nan``, ``?``, blanks, ...

    >>> [looks_missing(name) for name in ("NA", "None", "nan", "-", "Nana", "01")]
    [True, True, True, True, False, False]
    """
    form = canonical_form(name)
    return form in MISSING or not any(character.isalnum() for character in form)


def open_questions(
    kind: str, counts: Mapping[str, int], answers: NameAnswers
) -> tuple[NameQuestion, ...]:
    """List the names that raise a question which the answers leave open, in order of the names.

    Args:
        kind: ``speaker`` or ``session``.
        counts: each name -> number of its utterances; the empty name is no name.
        answers: what a person has said.
    """
    said = {frozenset(pair) for pair in (*answers.distinct, *answers.same)}
    forms: dict[str, list[str]] = {}
    for name in sorted(filter(None, counts), key=lambda name: (-counts[name], name)):
        forms.setdefault(canonical_form(name), []).append(name)
    found = []
    for names in forms.values():
        pairs = tuple(pair for pair in combinations(names, 2) if frozenset(pair) not in said)
        unsaid = [name for name in names if any(name in pair for pair in pairs)]
        lone = [n for n in names if looks_missing(n) and n not in answers.kept]
        for asked in ([unsaid] if unsaid else []) + [[name] for name in lone]:
            found.append(
                NameQuestion(
                    kind=kind,
                    names=tuple(asked),
                    counts=tuple(counts[name] for name in asked),
                    pairs=pairs if asked is unsaid else (),
                )
            )
    return tuple(sorted(found, key=lambda question: sorted(question.names)))


def read_pair(kind: str, option: str, text: str, names: Collection[str]) -> tuple[str, str]:
    """Read the value of `--same-speaker` or `--distinct-speakers` and their kin.

    Args:
        kind: ``speaker`` or ``session``.
        option: the option, for errors.
        text: two names with ``=`` between them where ``option`` joins them, else with a comma;
            each as it stands in the corpus, or as `visible` writes it.
        names: the names of the corpus; they may hold ``=`` and commas themselves.

    Raises:
        CorpusError: these are not two names of the corpus.
    """
    between = "=" if option.startswith("--same") else ","
    known = _as_written(names)
    parts = text.split(between)
    cuts = [
        (between.join(parts[:i]).strip(), between.join(parts[i:]).strip())
        for i in range(1, len(parts))
    ]
    pairs = [(known[a], known[b]) for a, b in cuts if a in known and b in known]
    if pairs and pairs[0][0] != pairs[0][1]:
        return pairs[0]
    lone = [name for name in dict.fromkeys(cuts[0]) if name not in known] if cuts else []
    fault = f"`{lone[0]}` is none{_hint(lone[0], known)}" if lone else f"it is `{text}`"
    raise CorpusError(
        f"`{option}` must name two {kind}s of the corpus, as `{option} 'A{between}B'`, but {fault}."
    )


def read_name(kind: str, option: str, text: str, names: Collection[str]) -> str:
    """Read the value of `--keep-speaker` and its kin, as `read_pair` reads two names.

    Raises:
        CorpusError: it is no name of the corpus.
    """
    known = _as_written(names)
    if text not in known:
        raise CorpusError(
            f"`{option}` must name a {kind} of the corpus, but `{text}` is none"
            f"{_hint(text, known)}."
        )
    return known[text]


def joined_names(answers: NameAnswers) -> dict[str, str]:
    """Map each name that is joined to another one to the name that stays.

    Raises:
        CorpusError: two names are said to be one and to be two.
    """
    stays: dict[str, str] = {}

    def resolved(name: str) -> str:
        while name in stays:
            name = stays[name]
        return name

    for first, second in answers.same:
        if resolved(first) != resolved(second):
            stays[resolved(second)] = resolved(first)
    for first, second in answers.distinct:
        if resolved(first) == resolved(second):
            raise CorpusError(
                f"`{visible(first)}` and `{visible(second)}` must be one name or two, but are "
                "said to be both: drop one of the options."
            )
    return {name: resolved(name) for name in stays}


def same_option(kind: str, first: str, second: str) -> tuple[str, str]:
    """Return the option that joins the second name to the first, as two words to type."""
    return f"--same-{kind}", f"{visible(first)}={visible(second)}"


def distinct_option(kind: str, first: str, second: str) -> tuple[str, str]:
    """Return the option that keeps two names apart, as two words to type."""
    return f"--distinct-{kind}s", f"{visible(first)},{visible(second)}"


def keep_option(kind: str, name: str) -> tuple[str, str]:
    """Return the option that says that a name is one, as two words to type."""
    return f"--keep-{kind}", visible(name)


def _as_written(names: Collection[str]) -> dict[str, str]:
    """Map what may be typed for a name, as `visible` writes it or as it is, to the name."""
    return {visible(name): name for name in names} | {name: name for name in names}


def _hint(name: str, known: Collection[str]) -> str:
    near = get_close_matches(name, list(known), n=1)
    return f" (did you mean `{visible(near[0])}`?)" if near else ""


def _without_invisible(text: str) -> str:
    """Remove characters that print as nothing: zero-width, marks of direction, fillers."""
    text = _BLANK_LETTERS.sub("", text)
    return "".join(c for c in text if unicodedata.category(c) not in ("Cf", "Cc") or c.isspace())


def _is_hidden(character: str, composed: bool) -> bool:
    """Whether `visible` escapes a character; ``composed``: whether its name is in NFC."""
    category = unicodedata.category(character)
    if category == "Zs":
        return character != " "
    if category.startswith("M"):
        return not composed or bool(_BLANK_LETTERS.match(character))
    return category[0] in "C" or category in ("Zl", "Zp") or bool(_BLANK_LETTERS.match(character))


def _escape(character: str) -> str:
    code = ord(character)
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
