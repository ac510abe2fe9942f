"""Where the paths of a table lead: below one folder, whatever way they are written.

Light: the standard library only.
"""

import os
import unicodedata
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath, PureWindowsPath


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """Where a file of a table lies, or why it cannot be used."""

    id: str = ""
    """The path as the table writes it, with forward slashes: the same on every machine."""
    path: str = ""
    """The path below the corpus's folder as the disk has it."""
    fault: str = ""
    """Why the file cannot be used; empty text where it can."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Folder:
    """The folder of a table, in which its files must lie."""

    path: Path
    """Its real path."""
    _names: dict[str, dict[str, list[str]]] = field(default_factory=dict, compare=False)
    """Folder -> normal form of a name (NFC) -> names of that form on the disk: a cache."""

    def place(self, file: str) -> Place:
        """Find the file that a cell of the column `file` names.

        Two ways of writing a path are tried where no file is named as written: backslashes of
        Windows, and the other normal form of Unicode (macOS stores `e` and its accent apart).
        """
        if "\0" in file:
            return Place(fault="`file` holds a zero byte")
        if file.startswith("/") or PureWindowsPath(file).is_absolute():
            return Place(
                fault=f"`file` must be relative to the table's folder, but is {file} instead"
            )
        if "\\" in file and not os.path.lexists(self.path / file):
            file = file.replace("\\", "/")
        written = self._plain(file)
        path = self._on_disk(written)
        real = os.path.realpath(self.path / path)
        if os.path.commonpath([real, self.path]) != str(self.path):
            return Place(fault=f"`file` must lie inside of the table's folder, but {file} does not")
        return Place(id=written, path=path)

    def _plain(self, file: str) -> str:
        """Write a path in one way: `a/../b.wav` as `b.wav`, links followed for the dots."""
        path = PurePosixPath(file)
        if ".." in path.parts:
            folder = os.path.realpath(self.path / path.parent)
            path = PurePosixPath(os.path.relpath(os.path.join(folder, path.name), self.path))
        return path.as_posix()

    def _on_disk(self, path: str) -> str:
        """The path of the one file whose name differs in its form of Unicode alone, if any."""
        if path.isascii() or os.path.lexists(self.path / path):
            return path
        found = PurePosixPath()
        for part in PurePosixPath(path).parts:
            if not os.path.lexists(self.path / found / part):
                names = self._names_in(found.as_posix()).get(unicodedata.normalize("NFC", part), [])
                if len(names) != 1:
                    return path
                part = names[0]
            found /= part
        return found.as_posix()

    def _names_in(self, folder: str) -> dict[str, list[str]]:
        if folder not in self._names:
            forms = self._names[folder] = {}
            try:
                for name in os.listdir(self.path / folder):
                    forms.setdefault(unicodedata.normalize("NFC", name), []).append(name)
            except OSError:
                pass
        return self._names[folder]
