"""A shard as bytes on disk: an Arrow IPC file and its manifest, which holds the file's digest.

`<key>.<sha256, 12 digits>.arrow`  one row an utterance: id, nodes, values (list of F floats)
`<key>.json`                       the manifest, written last and atomically: a shard without one
                                   does not exist

Arrow IPC notices no damage by itself, so the file's sha256 is checked when a shard is opened,
once per machine and version of the file (`digests.py`). Writers never disturb each other or a
reader: a file's name holds its digest, and nothing is written in place.

The only door to pyarrow in this folder; light to import.
"""

import errno
import hashlib
import json
import os
import re
import secrets
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from features.errors import MissingError, ShardDamageError
from features.shards.digests import sha256_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

FORMAT = 2
"""Version of the file layout; it enters every shard's key."""

MOST_BYTES = 64 * 1024**2
"""Most bytes (64 MiB) of a manifest; one of a thousand utterances has 100 KiB."""

_FIELDS = {
    "format",
    "key",
    "file",
    "bytes",
    "sha256",
    "source",
    "features",
    "utterances",
    "audio",
    "nodes",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Shard:
    """The nodes of one speaker's utterances, memory-mapped from the file."""

    key: str
    """Name of the shard: 32 hexadecimal digits, a hash of what it holds."""
    names: tuple[str, ...]
    """Names of the F columns."""
    utterances: Mapping[str, "NDArray[np.float32]"]
    """Utterance id -> its nodes, a read-only view of shape (N, F) on the mapped file."""

    def values(self, utterance: str) -> "NDArray[np.float32]":
        """Return the nodes of one utterance, (N, F), float32, read-only, not copied.

        Args:
            utterance: id of the utterance.

        Raises:
            KeyError: the utterance is not in this shard.
        """
        return self.utterances[utterance]


def open_shard(folder: Path, key: str) -> Shard:
    """Memory-map a shard, after checking its bytes against the digest in its manifest.

    Args:
        folder: folder of the shards.
        key: name of the shard.

    Raises:
        MissingError: the shard has not been built.
        ShardDamageError: file or manifest is not what was written.
        MemoryError, OSError: the machine has too little memory or too few files to open it.
    """
    import pyarrow as pa

    manifest = read_manifest(folder, key)
    if manifest is None or not os.path.lexists(path := folder / manifest["file"]):
        raise MissingError(f"Features {key} are not in {folder}: `ablate run` builds them.")
    # Neither a link, which could lead anywhere, nor a pipe, which would be waited for.
    if not stat.S_ISREG(path.lstat().st_mode) or sha256_of(path) != manifest["sha256"]:
        raise damaged(path)
    try:
        alone = pa.ipc.IpcReadOptions(use_threads=False)  # there is nothing to share out
        table = pa.ipc.open_file(pa.memory_map(str(path)), options=alone).read_all()
        table.validate(full=True)  # its offsets, should somebody else have written them
        names = tuple(json.loads(table.schema.metadata[b"features"]))
        if table.column("values").num_chunks != 1:
            raise ValueError("more record batches than were written")
        views = _views(table, len(names))
    except MemoryError:
        raise  # Arrow's own is one of its exceptions too, and no word against the file
    except pa.ArrowException as error:
        if type(error) is pa.ArrowException:  # of unknown kind: the machine refused a thread
            raise OSError(errno.EAGAIN, f"{path} cannot be opened: {error}") from error
        raise damaged(path) from error
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise damaged(path) from error
    if _description(names, {name: len(view) for name, view in views.items()}) != {
        name: manifest[name] for name in ("features", "utterances", "nodes")
    }:
        raise damaged(folder / f"{key}.json")
    return Shard(key=key, names=names, utterances=views)


def write_shard(
    folder: Path,
    key: str,
    source: Sequence[Any],
    names: Sequence[str],
    audio: Mapping[str, str],
    values: Sequence["NDArray[np.float32]"],
) -> None:
    """Write a shard's file and then, when that is safely on disk, its manifest.

    Args:
        folder: folder of the shards.
        key: name of the shard.
        source: [descriptor set, node step in ms, extractor version] of all of its numbers.
        names: names of the F columns.
        audio: utterance id -> sha256 of its audio.
        values: nodes of each utterance, in the order of `audio`, each of shape (N, F).
    """
    import pyarrow as pa

    data = _serialized(list(audio), values, names)
    sha256 = hashlib.sha256(data).hexdigest()
    file = f"{key}.{sha256[:12]}.arrow"
    manifest = {
        "format": FORMAT,
        "key": key,
        "file": file,
        "bytes": len(data),
        "sha256": sha256,
        "source": list(source),
        **_description(names, dict(zip(audio, map(len, values), strict=True))),
        "audio": list(audio.values()),
    }
    _commit(folder / file, pa.py_buffer(data))
    _commit(folder / f"{key}.json", json.dumps(manifest, indent=1).encode())


def is_present(folder: Path, key: str) -> bool:
    """Whether a shard's manifest is there and its file has the size that was written.

    The bytes are not read.

    Raises:
        ShardDamageError: the manifest cannot be read.
    """
    manifest = read_manifest(folder, key)
    if manifest is None:
        return False
    try:
        return bool(os.lstat(folder / manifest["file"]).st_size == manifest["bytes"])
    except FileNotFoundError:
        return False


def read_manifest(folder: Path, key: str) -> dict[str, Any] | None:
    """Read the manifest of a shard: its JSON values by field; None if there is no manifest.

    Raises:
        ShardDamageError: the manifest is not what was written.
    """
    path = folder / f"{key}.json"
    try:
        about = path.lstat()
        if not stat.S_ISREG(about.st_mode) or about.st_size > MOST_BYTES:
            raise ValueError("a link, a pipe, or larger than any manifest")
        manifest = json.loads(path.read_bytes())
        if set(manifest) != _FIELDS or manifest["key"] != key or manifest["format"] != FORMAT:
            raise ValueError("other fields than were written")
        words = [*manifest["utterances"], *manifest["audio"], *manifest["features"]]
        if not manifest["utterances"] or not all(isinstance(word, str) for word in words):
            raise ValueError("other values than were written")
        if len(manifest["utterances"]) != len(manifest["audio"]):
            raise ValueError("more utterances than digests")
        if not re.fullmatch(rf"{re.escape(key)}\.[0-9a-f]{{12}}\.arrow", manifest["file"]):
            raise ValueError("another name than a shard has")
        if len(manifest["source"]) != 3 or not isinstance(manifest["source"], list):
            raise ValueError("another source than a shard has")
    except FileNotFoundError:
        return None
    except (ValueError, TypeError, RecursionError) as error:
        raise damaged(path) from error
    return dict(manifest)


def format_of(path: Path) -> int | None:
    """Return the format number of a manifest if it is older than ``FORMAT``; else None."""
    try:
        about = path.lstat()
        if not stat.S_ISREG(about.st_mode) or about.st_size > MOST_BYTES:
            return None
        found = json.loads(path.read_bytes())["format"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
    return found if isinstance(found, int) and 0 < found < FORMAT else None


def damaged(path: Path) -> ShardDamageError:
    """Make the error that names a damaged file of a shard and its remedy."""
    return ShardDamageError(
        f"Features file {path} is not what was written: `ablate features verify --repair` deletes "
        "it, and `ablate run` builds it anew."
    )


def _serialized(
    utterances: Sequence[str], values: Sequence["NDArray[np.float32]"], names: Sequence[str]
) -> Any:
    """Serialise the nodes of all utterances as an Arrow IPC file in memory, in one record batch.

    Args:
        utterances: ids.
        values: nodes of each utterance, (N, F), float32.
        names: names of the F columns.
    """
    import numpy as np
    import pyarrow as pa

    stops = np.cumsum([0, *map(len, values)], dtype=np.int32)
    nodes_NF = np.concatenate(values)
    rows = pa.FixedSizeListArray.from_arrays(pa.array(nodes_NF.reshape(-1)), nodes_NF.shape[1])
    table = pa.table(
        {
            "utterance": pa.array(utterances, pa.string()),
            "nodes": pa.array(np.diff(stops)),
            "values": pa.ListArray.from_arrays(pa.array(stops), rows),
        },
        metadata={"features": json.dumps(list(names))},
    )
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()


def _views(table: Any, features: int) -> dict[str, "NDArray[np.float32]"]:
    """Make a read-only view, (N, F), of each utterance's nodes on the mapped table.

    Args:
        table: the Arrow table of a shard.
        features: number of columns F.

    Returns:
        Utterance id -> view.
    """
    import numpy as np

    column = table.column("values").chunk(0)  # the only one; combining chunks would copy it
    numbers = column.values.values
    # Not `to_numpy`: it imports pandas, which takes longer than all shards of a fold.
    flat = np.frombuffer(
        numbers.buffers()[1], np.float32, count=len(numbers), offset=4 * numbers.offset
    ).reshape(-1, features)
    stops = column.offsets.to_pylist()
    ids = table.column("utterance").to_pylist()
    return {
        name: flat[start:stop] for name, start, stop in zip(ids, stops[:-1], stops[1:], strict=True)
    }


def _description(names: Sequence[str], nodes: Mapping[str, int]) -> dict[str, list[Any]]:
    """Make the fields of a manifest that must agree with the file: columns, ids, node counts."""
    return {
        "features": list(names),
        "utterances": list(nodes),
        "nodes": list(nodes.values()),
    }


def _commit(path: Path, data: Any) -> None:
    """Write a file so that it is either whole or absent, even after a power cut."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    try:
        with open(temporary, "xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
