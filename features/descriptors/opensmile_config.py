r"""A user's own openSMILE configuration as a descriptor set: read, flattened, checked, digested.

A configuration is a program: its sinks, and a few other components, write files anywhere. So
nothing of it runs as it lies. Its text is flattened here (comments dropped, includes and options
resolved), every component that reaches outside is refused, and openSMILE runs the text that was
checked, from a private copy. What openSMILE itself would resolve, a `\` that is left, is refused.

The set is named by the digest of the flattened text, never by its path. Light to import.
"""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from features.descriptors import opensmile_engine
from features.descriptors.feature_set import FeatureSet, version_of
from features.descriptors.opensmile_engine import ENGINES, RATE, Recipe
from features.errors import CorpusError

PREFIX = "opensmile:"
"""Beginning of such a set's name: `opensmile:PATH.conf` in a study, `opensmile:DIGEST` (16
hexadecimal digits) once it has been read."""

SHORTEST = 1600
"""Samples at 16 kHz (100 ms) that a shorter signal is padded to with zeros."""

LEVELS = ("lld", "lld_de", "lld_de_de")
"""openSMILE data levels whose columns make a frame: descriptors, deltas, delta-deltas. Their names
are those of openSMILE's own configurations; only `lld` must exist."""

SEMANTICS = 1
"""A number in the set's version; raised by hand when our code around openSMILE changes values."""

MOST_BYTES, MOST_FILES = 1_000_000, 500
"""Most bytes of one file, and most files that a configuration may consist of."""

_COMMENT = re.compile(r"\s*(;|#|%|//)")
_INCLUDE = re.compile(r"\s*\\\{(.*)\}\s*")
_OPTION = re.compile(r"\\cm\[\s*(\w+)\s*(?:\(\w*\))?\s*(?:\{([^{}]*)\})?\s*(?::[^\[\]]*)?\]")
_OUTSIDE = re.compile(r"\bc[A-Z]\w*(?:Sink|Source|Interface|Sender|Receiver|Dump)\w*")
_FILE_KEY = re.compile(r"\s*([\w.\[\]]*(?:file|dump|path)[\w.\[\]]*)\s*=", re.IGNORECASE)
_LEVEL = re.compile(r"\s*writer\.dmLevel\s*=\s*(\S+)\s*")
_OURS = {"source": r"\{\cm[source{?}:source]}", "sink": r"\{\cm[sink{?}:sink]}"}
"""Name -> include line that stays as it is: openSMILE's Python package puts its own source (the
signal) and sink (the frames) there, both in memory."""


def read(path: Path) -> FeatureSet:
    """Read, flatten and check a user's configuration, and make a descriptor set of it.

    Args:
        path: the configuration file.

    Raises:
        CorpusError: it cannot be read, has no level `lld`, or holds refused lines; the error lists
            all of these.
    """
    text = _Flat().text(path)
    recipe = Recipe(config=text, levels=_levels(text, path), shortest=SHORTEST, written=True)
    digest = hashlib.sha256(text.encode()).hexdigest()
    rules = f"{text}/{recipe.levels}/{SHORTEST}/{RATE}/{SEMANTICS}"
    return FeatureSet(
        name=f"{PREFIX}{digest[:16]}",
        about=f"openSMILE with {path.name}",
        names=partial(opensmile_engine.names, recipe),
        extract=partial(opensmile_engine.extract, recipe),
        version=partial(version_of, ENGINES, rules),
    )


def _levels(text: str, path: Path) -> str:
    """Return the levels of ``LEVELS`` that the configuration writes, joined by `;`.

    Raises:
        CorpusError: the level `lld` is not among them.
    """
    written = {m[1] for line in text.splitlines() if (m := _LEVEL.fullmatch(line))}
    if "lld" not in written:
        raise CorpusError(
            f"`features` must name a configuration with a level `lld`, but {path} writes "
            f"{', '.join(f'`{level}`' for level in sorted(written)) or 'none'} instead: name the "
            "level of its frames `lld`."
        )
    return ";".join(level for level in LEVELS if level in written)


@dataclass
class _Flat:
    """Flattens one configuration, with all files that it includes, into one text."""

    options: dict[str, str] = field(default_factory=dict)
    """Name of an option -> its default value, for the options met so far."""
    faults: list[str] = field(default_factory=list)
    """What is refused, one line `FILE:LINE: reason` each."""
    lines: list[str] = field(default_factory=list)
    """The flattened text so far."""
    files: int = 0
    """Number of files read so far."""

    def text(self, path: Path) -> str:
        """Return the flattened and checked text of the configuration.

        Raises:
            CorpusError: a file cannot be read, or a line is refused; the error lists all of these.
        """
        self._add(path, ())
        for name, line in _OURS.items():
            if self.lines.count(line) != 1:
                self.faults.append(
                    f"{path}: must include `{line}` once, where openSMILE's Python package puts "
                    f"its own {name}."
                )
        if self.faults:
            raise CorpusError("\n".join(self.faults))
        return "\n".join(self.lines) + "\n"

    def _add(self, path: Path, above: tuple[Path, ...]) -> None:
        """Append the lines of a file and of all that it includes.

        Args:
            path: the file.
            above: the files that include it, outermost first.
        """
        self.files += 1
        if path in above or self.files > MOST_FILES:
            self.faults.append(f"{path}: must not be included again and again.")
            return
        for number, line in enumerate(self._read(path), start=1):
            if _COMMENT.match(line) or not line.strip():
                continue
            include = _INCLUDE.fullmatch(line)
            if include is None:
                self._keep(self._resolved(line, path, number), path, number)
            elif (ours := _ours(include[1])) is not None:
                self.lines.append(ours)
            else:
                named = self._resolved(include[1], path, number).strip()
                self._add((path.parent / named).resolve(), (*above, path))

    def _read(self, path: Path) -> list[str]:
        """Return the lines of a file; none, and a note in `faults`, if it cannot be read."""
        try:
            if path.stat().st_size > MOST_BYTES:
                self.faults.append(f"{path}: must be below {MOST_BYTES // 1_000_000} MB.")
                return []
            # Latin-1 reads any byte; what is not ASCII may stand in comments only.
            return path.read_bytes().decode("latin-1").replace("\r\n", "\n").split("\n")
        except OSError as error:
            self.faults.append(f"{path}: cannot be read ({error.strerror}).")
            return []

    def _resolved(self, line: str, path: Path, number: int) -> str:
        """Return a line with each option replaced by its default, and note options without one."""

        def default(match: re.Match[str]) -> str:
            name, value = match[1], match[2]
            if value is not None:
                self.options.setdefault(name, value)
            if self.options.get(name, "?") == "?":
                self.faults.append(f"{path}:{number}: the option `{name}` must have a default.")
                return ""
            return self.options[name]

        return _OPTION.sub(default, line)

    def _keep(self, line: str, path: Path, number: int) -> None:
        """Append a resolved line, and note in `faults` what is refused in it."""
        self.faults += [f"{path}:{number}: {fault}" for fault in _refused(line)]
        self.lines.append(line.rstrip())


def _ours(include: str) -> str | None:
    """Return the include line to keep if the include is the Python package's source or sink.

    Args:
        include: what stands between the braces of an include line.

    Returns:
        A value of ``_OURS``; None for any other include.
    """
    option = _OPTION.fullmatch(include.strip())
    return _OURS.get(option[1]) if option and option[2] in ("?", None) else None


def _refused(line: str) -> Iterator[str]:
    """Yield a sentence for each thing in a line of a flattened configuration that is refused."""
    for component in _OUTSIDE.findall(line):
        yield (
            f"`{component}` is refused, since it can write or read outside: frames leave through "
            "the included sink only."
        )
    if key := _FILE_KEY.match(line):
        yield f"`{key[1]}` is refused, since it names a file."
    if "\\" in line:
        yield "`\\` is refused: includes and options must be written as openSMILE's own are."
    if not line.isascii() or any(ord(letter) < 32 and letter != "\t" for letter in line):
        yield "letters outside of ASCII are refused, but for comments."
