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
"""What names such a set: `opensmile:PATH.conf` in a study, `opensmile:DIGEST` afterwards."""

SHORTEST = 1600
"""Samples (100 ms) that a shorter signal is padded to with zeros."""

LEVELS = ("lld", "lld_de", "lld_de_de")
"""Levels that are read, named as in openSMILE's own configurations; only `lld` must exist."""

SEMANTICS = 1
"""Raised by hand when the code around openSMILE changes its numbers."""

MOST_BYTES, MOST_FILES = 1_000_000, 500

_COMMENT = re.compile(r"\s*(;|#|%|//)")
_INCLUDE = re.compile(r"\s*\\\{(.*)\}\s*")
_OPTION = re.compile(r"\\cm\[\s*(\w+)\s*(?:\(\w*\))?\s*(?:\{([^{}]*)\})?\s*(?::[^\[\]]*)?\]")
_OUTSIDE = re.compile(r"\bc[A-Z]\w*(?:Sink|Source|Interface|Sender|Receiver|Dump)\w*")
_FILE_KEY = re.compile(r"\s*([\w.\[\]]*(?:file|dump|path)[\w.\[\]]*)\s*=", re.IGNORECASE)
_LEVEL = re.compile(r"\s*writer\.dmLevel\s*=\s*(\S+)\s*")
_OURS = {"source": r"\{\cm[source{?}:source]}", "sink": r"\{\cm[sink{?}:sink]}"}
"""Includes that stay: the Python package puts memory in and memory out there."""


def read(path: Path) -> FeatureSet:
    """Turn the configuration at `path` into a descriptor set.

    Raises:
        CorpusError: it cannot be read, or it holds what is refused; the error lists all of that.
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
    """Flattens one configuration with everything that it includes."""

    options: dict[str, str] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    files: int = 0

    def text(self, path: Path) -> str:
        """Flatten and check the configuration.

        Raises:
            CorpusError: it holds what is refused; the error lists all of that.
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
        """A line with its options at their defaults."""

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
        self.faults += [f"{path}:{number}: {fault}" for fault in _refused(line)]
        self.lines.append(line.rstrip())


def _ours(include: str) -> str | None:
    """Return the line that includes the Python package's source or sink; None for any other."""
    option = _OPTION.fullmatch(include.strip())
    return _OURS.get(option[1]) if option and option[2] in ("?", None) else None


def _refused(line: str) -> Iterator[str]:
    """List what is refused in a line of a flattened configuration."""
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
