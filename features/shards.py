"""Features on disk: one Arrow IPC file a speaker, memory-mapped, shared by everything that asks.

Content-addressed: a shard's **key** is a hash of what it holds (feature set, node step, extractor
version, and id and audio digest of every utterance), so a new file rebuilds one speaker and two
studies share what they have in common.

`<key>.<sha256, 12 digits>.arrow`  one row an utterance: id, nodes, values (list of F floats)
`<key>.json`                       the manifest, written last and atomically: a shard without one
                                   does not exist

Arrow IPC notices no damage by itself, so the file's sha256 is checked when a shard is opened,
once per process and version of the file. Builders never disturb each other or a reader: a file's
name holds its digest, and nothing is written in place.

The only door to pyarrow in this room; light to import, for `keys` and `missing` serve a plan.
"""

import hashlib
import json
import os
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from features import extraction, lld
from features.config import FeatureConfig
from features.corpus import Selection, Tell, Utterance, canonical_digest, nothing
from features.errors import DamageError, MissingError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

FORMAT = 1
"""Version of the file layout; part of every key."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Shard:
    """One speaker's features, mapped from disk."""

    key: str
    names: tuple[str, ...]
    """Feature names, F of them."""
    utterances: Mapping[str, "NDArray[np.float32]"]
    """Utterance id -> read-only view of shape (N, F) on the mapped file."""

    def values(self, utterance: str) -> "NDArray[np.float32]":
        """Nodes of one utterance. Shape: (N, F), read-only, not copied.

        Raises:
            KeyError: the utterance is not in this shard.
        """
        return self.utterances[utterance]


def keys(selection: Selection, config: FeatureConfig) -> dict[str, str]:
    """Speaker -> key of the shard that holds their chosen utterances."""
    what = [FORMAT, config.features, config.node_step, lld.extractor_version()]
    return {
        speaker: canonical_digest([*what, [[u.id, u.digest] for u in utterances]])[:32]
        for speaker, utterances in _by_speaker(selection).items()
    }


def missing(folder: Path, selection: Selection, config: FeatureConfig) -> tuple[str, ...]:
    """Speakers whose shard is not there, sorted. Looks at manifests and sizes, not at bytes.

    Raises:
        DamageError: a manifest cannot be read.
    """
    return tuple(
        speaker
        for speaker, key in sorted(keys(selection, config).items())
        if not _present(folder, key)
    )


def build(
    folder: Path,
    selection: Selection,
    config: FeatureConfig,
    tell: Tell = nothing,
    processes: int = 1,
) -> None:
    """Compute and write the missing shards; `tell(done, total)` counts audio files.

    Whatever interrupts it, a shard is whole or absent, and what is whole stays.
    `processes` is the most that run at once (see `extraction`).

    Raises:
        DamageError: an audio file cannot be read or gives values that are no numbers.
        MissingError: a process was killed from outside.
    """
    folder.mkdir(parents=True, exist_ok=True)
    absent = set(missing(folder, selection, config))
    todo = {s: us for s, us in _by_speaker(selection).items() if s in absent}
    key_of = keys(selection, config)
    root = Path(selection.corpus.root)
    tasks = [(root / u.path, u.start, u.end, config.node_step) for us in todo.values() for u in us]
    if not tasks:
        return
    done = 0
    with extraction.extracted(tasks, processes) as results:
        for speaker, utterances in todo.items():
            values = []
            for _ in utterances:
                values.append(next(results))
                done += 1
                tell(done, len(tasks))
            _write(folder, key_of[speaker], [u.id for u in utterances], values)


def open_shard(folder: Path, key: str) -> Shard:
    """Map a shard, after checking that its bytes are the ones that were written.

    Raises:
        MissingError: it has not been built.
        DamageError: bytes or manifest changed since.
    """
    import pyarrow as pa

    manifest = _manifest(folder, key)
    if manifest is None or not (path := folder / manifest["file"]).exists():
        raise MissingError(f"Features {key} are not in {folder}: `ablate run` builds them.")
    if _sha256(path) != manifest["sha256"]:
        raise _damaged(path)
    try:
        table = pa.ipc.open_file(pa.memory_map(str(path))).read_all()
        names = tuple(json.loads(table.schema.metadata[b"features"]))
    except (pa.ArrowException, KeyError, TypeError, ValueError) as error:
        raise _damaged(path) from error
    views = _views(table, len(names))
    if _description(names, {name: len(view) for name, view in views.items()}) != {
        name: manifest[name] for name in ("features", "utterances", "nodes")
    }:
        raise _damaged(folder / f"{key}.json")
    return Shard(key=key, names=names, utterances=views)


def _by_speaker(selection: Selection) -> dict[str, list[Utterance]]:
    """Speaker -> utterances, both sorted."""
    grouped: dict[str, list[Utterance]] = {speaker: [] for speaker in selection.speakers}
    for utterance, _ in selection.items:
        grouped[utterance.speaker].append(utterance)
    return grouped


def _write(
    folder: Path, key: str, utterances: Sequence[str], values: Sequence["NDArray[np.float32]"]
) -> None:
    """Write the shard, then, when it is safely on disk, its manifest."""
    import pyarrow as pa

    data = _serialized(utterances, values)
    sha256 = hashlib.sha256(data).hexdigest()
    file = f"{key}.{sha256[:12]}.arrow"
    manifest = {
        "format": FORMAT,
        "key": key,
        "file": file,
        "bytes": len(data),
        "sha256": sha256,
        **_description(lld.NAMES, dict(zip(utterances, map(len, values), strict=True))),
    }
    _commit(folder / file, pa.py_buffer(data))
    _commit(folder / f"{key}.json", json.dumps(manifest, indent=1).encode())


def _serialized(utterances: Sequence[str], values: Sequence["NDArray[np.float32]"]) -> Any:
    """One record batch as Arrow IPC bytes."""
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
        metadata={"features": json.dumps(lld.NAMES)},
    )
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()


def _views(table: Any, features: int) -> dict[str, "NDArray[np.float32]"]:
    """Utterance id -> read-only (N, F) view on the mapped table."""
    column = table.column("values").combine_chunks()
    flat = column.values.values.to_numpy(zero_copy_only=True).reshape(-1, features)
    stops = column.offsets.to_numpy().tolist()
    ids = table.column("utterance").to_pylist()
    return {
        name: flat[start:stop] for name, start, stop in zip(ids, stops[:-1], stops[1:], strict=True)
    }


def _description(names: Sequence[str], nodes: Mapping[str, int]) -> dict[str, list[Any]]:
    return {
        "features": list(names),
        "utterances": list(nodes),
        "nodes": list(nodes.values()),
    }


def _commit(path: Path, data: Any) -> None:
    """Write a file that is, under its own name, either whole or absent, power cuts included."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    try:
        with open(temporary, "xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def _present(folder: Path, key: str) -> bool:
    manifest = _manifest(folder, key)
    if manifest is None:
        return False
    try:
        return bool(os.stat(folder / manifest["file"]).st_size == manifest["bytes"])
    except FileNotFoundError:
        return False


def _manifest(folder: Path, key: str) -> dict[str, Any] | None:
    """The manifest, None if there is none."""
    path = folder / f"{key}.json"
    try:
        manifest = json.loads(path.read_bytes())
        wanted = {"format", "key", "file", "bytes", "sha256", "features", "utterances", "nodes"}
        if set(manifest) != wanted or manifest["key"] != key or manifest["format"] != FORMAT:
            raise ValueError("other fields than were written")
        if Path(manifest["file"]).name != manifest["file"]:
            raise ValueError("a path where a name should be")
    except FileNotFoundError:
        return None
    except (ValueError, TypeError) as error:
        raise _damaged(path) from error
    return dict(manifest)


_checked: dict[tuple[str, int, int, int], str] = {}
"""(path, size, time, inode) -> sha256, once per process and version of a file."""


def _sha256(path: Path) -> str:
    stat = path.stat()
    version = (str(path), stat.st_size, stat.st_mtime_ns, stat.st_ino)
    if version not in _checked:
        with open(path, "rb") as file:
            _checked[version] = hashlib.file_digest(file, "sha256").hexdigest()
    return _checked[version]


def _damaged(path: Path) -> DamageError:
    return DamageError(
        f"Features file {path} is not what was written: delete it, and `ablate run` builds it anew."
    )
