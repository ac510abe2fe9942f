"""Files that are whole or not there: replaced at once, or created once.

A temporary file beside the target, fsync, then rename or link, then fsync of the folder.
"""

import os
import secrets
from pathlib import Path


def replace_file(path: Path, blob: bytes) -> None:
    """Write a file so that readers see the old one or the new one, never a part."""
    temporary = _write_temporary(path, blob)
    os.replace(temporary, path)
    _sync_folder(path.parent)


def create_once(path: Path, blob: bytes) -> bool:
    """Create ``path`` with these bytes; False when it exists, which then stays as it is."""
    if path.exists():
        return False
    temporary = _write_temporary(path, blob)
    try:
        os.link(temporary, path)
    except FileExistsError:
        return False
    finally:
        temporary.unlink(missing_ok=True)
    _sync_folder(path.parent)
    return True


def _write_temporary(path: Path, blob: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(6)}.tmp")
    try:
        with temporary.open("xb") as file:
            file.write(blob)
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    return temporary


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
