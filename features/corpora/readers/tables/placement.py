"""Where the paths of a table lead: below one folder, whatever way they are written.

That folder is the table's own, or the one that ``--root`` names. Light: the standard library only.
"""

import os
import shlex
import unicodedata
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath, PureWindowsPath

from features.errors import CorpusError


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """Where a file of a table lies, or why it cannot be used."""

    id: str = ""
    """The path below the folder, with forward slashes: the same on every machine."""
    path: str = ""
    """The path below the folder as the disk has it."""
    fault: str = ""
    """Why the file cannot be used; empty text where it can."""
    outside: str = ""
    """The real path of a file that lies outside of the folder; else empty."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Folder:
    """The folder in which the files of a table must lie."""

    table: Path
    """The real path of the table's own folder, which relative paths start from."""
    root: Path | None = None
    """The real path of the folder that ``--root`` names, into which paths may lead; relative paths
    may start from it, too. None: without the option."""
    _names: dict[Path, dict[str, list[str]]] = field(default_factory=dict, compare=False)
    """Folder -> normal form of a name (NFC) -> names of that form on the disk: a cache."""

    @property
    def path(self) -> Path:
        """The folder that the utterances' paths are relative to."""
        return self.root or self.table

    def place(self, file: str) -> Place:
        """Find the file that a cell of the column `file` names.

        Two ways of writing a path are tried where no file is named as written: backslashes of
        Windows, and the other normal form of Unicode (macOS stores `e` and its accent apart).
        """
        if "\0" in file:
            return Place(fault="`file` holds a zero byte")
        if not file.startswith("/") and PureWindowsPath(file).is_absolute():
            return Place(fault=f"`file` must be a path of this machine, but is {file} instead")
        if "\\" in file and not os.path.lexists(self.table / file):
            file = file.replace("\\", "/")
        return self._below_table(file) if self.root is None else self._below_root(file)

    def _below_table(self, file: str) -> Place:
        if file.startswith("/"):
            fault = f"`file` must be relative to the table's folder, but is {file} instead"
            return Place(fault=fault, outside=os.path.realpath(file))
        written = PurePosixPath(file)
        if ".." in written.parts:  # `a/../b.wav` as `b.wav`, links followed for the dots
            folder = os.path.realpath(self.table / written.parent)
            written = PurePosixPath(os.path.relpath(os.path.join(folder, written.name), self.table))
        path = self._on_disk(self.table, written)
        real = os.path.realpath(self.table / path)
        if not is_below(real, self.table):
            fault = f"`file` must lie inside of the table's folder, but {file} does not"
            return Place(fault=fault, outside=real)
        return Place(id=written.as_posix(), path=path.as_posix())

    def _below_root(self, file: str) -> Place:
        starts = [Path("/")] if file.startswith("/") else [self.table, self.path]
        tried = [start / self._on_disk(start, PurePosixPath(file.lstrip("/"))) for start in starts]
        found = next((path for path in tried if os.path.lexists(path)), tried[0])
        real = os.path.realpath(found)
        if not is_below(real, self.path):
            fault = f"`file` must lie inside of {self.path} (`--root`), but {file} does not"
            return Place(fault=fault, outside=real)
        # The name below the folder is kept where it has one, although it may be a link.
        named = os.path.join(os.path.realpath(found.parent), found.name)
        if found.name == ".." or not is_below(named, self.path):
            named = real
        path = PurePosixPath(os.path.relpath(named, self.path)).as_posix()
        return Place(id=unicodedata.normalize("NFC", path), path=path)

    def _on_disk(self, start: Path, path: PurePosixPath) -> PurePosixPath:
        """The path of the one file whose name differs in its form of Unicode alone, if any."""
        if str(path).isascii() or os.path.lexists(start / path):
            return path
        found = PurePosixPath()
        for part in path.parts:
            if not os.path.lexists(start / found / part):
                names = self._names_in(start / found).get(unicodedata.normalize("NFC", part), [])
                if len(names) != 1:
                    return path
                part = names[0]
            found /= part
        return found

    def _names_in(self, folder: Path) -> dict[str, list[str]]:
        if folder not in self._names:
            forms = self._names[folder] = {}
            with suppress(OSError):
                for name in os.listdir(folder):
                    forms.setdefault(unicodedata.normalize("NFC", name), []).append(name)
        return self._names[folder]


def read_root(text: str) -> Path:
    """Read the value of ``--root``: the real path of a folder.

    Raises:
        CorpusError: it is no folder, or the whole machine.
    """
    root = Path(os.path.realpath(os.path.expanduser(text)))
    if root == Path(root.anchor):
        raise CorpusError(
            f"`--root` must be the folder that holds the recordings, but is `{text}`: the whole "
            "machine."
        )
    if not root.is_dir():
        raise CorpusError(f"`--root` must be a folder, but {text} is none.")
    return root


def proposed_root(outside: Sequence[str], inside: Sequence[str]) -> str:
    """Propose ``--root`` where files lie outside of the table's folder, as a sentence.

    Args:
        outside: real paths of the files outside.
        inside: real paths of files inside.

    Returns:
        The sentence; empty text where no file lies outside.
    """
    if not outside:
        return ""
    common = os.path.commonpath([os.path.dirname(path) for path in (*outside, *inside)])
    root = "FOLDER" if common == "/" else shlex.quote(common)
    return f"`--root {root}` lets the table name recordings in that folder."


def is_below(real: str, folder: Path) -> bool:
    """Whether a real path lies in a folder."""
    return os.path.commonpath([real, folder]) == str(folder)
