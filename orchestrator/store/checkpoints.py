"""Tensors in the store: checkpoints of trials that still train, and weights of finished ones.

A checkpoint is a safetensors file and a JSON record with the name and sha256 of that file. The
record is written last: whenever the process dies, the record names a whole file. The record holds
the scores by which epochs are selected, so it has a checksum of its own. No pickle is ever read.
The only door to safetensors.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from orchestrator.errors import DamageError
from orchestrator.store.files import MOST_TENSORS, files_in, read_json, replace_file
from orchestrator.store.files import read as read_bytes
from orchestrator.store.ledger import Ledger
from orchestrator.store.paths import Location
from orchestrator.study.canonical import canonical, digest


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The state of a training after an epoch, from which another attempt can go on."""

    tensors: Mapping[str, Tensor]
    """Name -> tensor: weights, state of the optimiser, and weights of the best epochs so far."""
    numbers: Mapping[str, Any]
    """Number of epochs, scores of each epoch, and log lines, as JSON values."""


def write(ledger: Ledger, id: str, epoch: int, checkpoint: Checkpoint) -> None:
    """Write the checkpoint of a trial after ``epoch`` (from 1), then delete the former one.

    The former one stays valid until the new one is whole.
    """
    record = ledger.paths.checkpoint_file(id)
    blob = tensors_blob(checkpoint.tensors)
    tensors = ledger.paths.checkpoint_tensors(id, epoch)
    replace_file(tensors, blob)
    body = {
        "file": tensors.name,
        "sha256": hashlib.sha256(blob).hexdigest(),
        "numbers": dict(checkpoint.numbers),
    }
    replace_file(record, canonical({"checkpoint": body, "sha256": digest(body)}).encode())
    _remove_tensors(record, keep=tensors.name)


def read(ledger: Ledger, id: str) -> Checkpoint | None:
    """The newest checkpoint of a trial; None when there is none, or a damaged one.

    A damaged checkpoint costs its epochs, never a result: training starts again from the first
    epoch and gives the same bits.
    """
    record = ledger.paths.checkpoint_file(id)
    try:
        found = read_json(record)
        body = found["checkpoint"]
        if digest(body) != found["sha256"]:
            return None
        blob = read_bytes(record.with_name(Path(body["file"]).name), MOST_TENSORS)
        if hashlib.sha256(blob).hexdigest() != body["sha256"]:
            return None
        return Checkpoint(load(blob), body["numbers"])
    except (OSError, ValueError, KeyError, TypeError, SafetensorError):
        return None


def remove(ledger: Ledger, id: str) -> None:
    """Delete the checkpoint of a trial that is finished; does nothing where there is none."""
    record = ledger.paths.checkpoint_file(id)
    record.unlink(missing_ok=True)
    _remove_tensors(record, keep="")


def tensors_blob(tensors: Mapping[str, Tensor]) -> bytes:
    """Serialise tensors as the bytes of a safetensors file.

    Raises:
        MemoryError: no memory is left for them.
    """
    own = {name: tensor.contiguous().clone() for name, tensor in tensors.items()}
    try:
        blob: bytes = save(own)
    except BaseException as error:
        if type(error).__name__ == "PanicException":  # from Rust, no subclass of Exception
            raise MemoryError(f"safetensors gave up ({error})") from error
        raise
    return blob


def tensors_from(blob: bytes) -> dict[str, Tensor]:
    """Read tensors from the bytes of a safetensors file, whose sha256 was checked.

    Raises:
        DamageError: it is no safetensors file.
    """
    try:
        tensors: dict[str, Tensor] = load(blob)
    except SafetensorError as error:
        raise DamageError(f"A `weights.safetensors` is not one: {error}.") from None
    return tensors


def tensors_digest(tensors: Mapping[str, Tensor]) -> str:
    """sha256 over names, types, shapes and bytes of tensors, whatever the file's layout."""
    sha256 = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name].detach().cpu().contiguous()
        sha256.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        sha256.update(tensor.numpy().tobytes())
    return sha256.hexdigest()


def _remove_tensors(record: Location, *, keep: str) -> None:
    for path in files_in(record.parent, "checkpoint-*.safetensors"):
        if path.name != keep:
            path.unlink(missing_ok=True)
