"""Checks of shards: undamaged, complete for a study, made by today's extractor from today's audio.

| kind | what | is it damage |
|---|---|---|
| `damaged` | bytes or manifest are not what was written: a flipped bit, a truncated file | yes |
| `missing` | a manifest whose file is gone; a shard that a study needs and that is not here | yes |
| `outdated` | whole, but of another version of the extractor or of the layout | no |
"""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from features.config import FeatureConfig
from features.corpora.corpus import OnProgress, Selection, Utterance, no_progress
from features.descriptors.catalogue import FEATURE_SETS, extractor_version
from features.errors import ShardDamageError
from features.shards import shards
from features.shards.digests import sha256_of
from features.shards.shard_file import format_of, is_present, read_manifest

ShardSources = dict[str, tuple[str, list[Any]]]
"""Utterance id -> (sha256 of its audio, [descriptor set, node step in ms, extractor version]), as
the manifests of the existing shards say."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ShardFinding:
    """One shard that is damaged, missing or outdated (see the table above)."""

    kind: Literal["damaged", "missing", "outdated"]
    file: Path
    """The shard's file or its manifest."""
    sentence: str
    """What is wrong with it, for the user."""
    remove: tuple[Path, ...] = ()
    """Files that `delete_damaged` deletes, so that the next build makes the shard anew."""


def verify(folder: Path, on_progress: OnProgress = no_progress) -> Iterator[ShardFinding]:
    """Read every shard in the folder, compare it with its digest, and yield what is wrong.

    Args:
        folder: folder of the shards.
        on_progress: called with (shards done, shards in all).
    """
    manifests = sorted(path for path in folder.glob("*.json") if not path.name.startswith("."))
    for done, path in enumerate(manifests, start=1):
        yield from _examine(folder, path)
        on_progress(done, len(manifests))


def find_missing(
    folder: Path, selection: Selection, config: FeatureConfig, version: str
) -> Iterator[ShardFinding]:
    """Yield a `missing` finding for each speaker whose shard a study needs and the folder lacks.

    Args:
        folder: folder of the shards.
        selection: the utterances of the study.
        config: descriptor set and node step of the study.
        version: version of the extractor.
    """
    key_of, source = shards.keys(selection, config, version), shards.source_of(config, version)
    made: ShardSources = {
        id: (digest, manifest["source"])
        for _, manifest in shards.manifests(folder)
        for id, digest in zip(manifest["utterances"], manifest["audio"], strict=True)
        if manifest["source"][:2] == source[:2]
    }
    for speaker, utterances in shards.by_speaker(selection).items():
        try:
            if is_present(folder, key_of[speaker]):
                continue
        except ShardDamageError:
            continue  # `verify` names it, and what to remove
        why = _reason(utterances, made, source)
        yield ShardFinding(
            kind="missing",
            file=folder / f"{key_of[speaker]}.json",
            sentence=f"Features `{config.features}` of speaker {speaker} are not here{why}.",
        )


def _reason(utterances: Sequence[Utterance], made: ShardSources, source: list[Any]) -> str:
    """Return why existing shards of these utterances do not serve, to end a sentence with.

    Args:
        utterances: the utterances that are needed.
        made: what the existing shards hold.
        source: [descriptor set, node step, extractor version] that is needed.

    Returns:
        Such as ``: a.wav changed since they were made``; empty if no shard has the utterances.
    """
    edited = [u.path for u in utterances if u.id in made and made[u.id][0] != u.digest]
    if edited:
        return f": {', '.join(edited[:3])} changed since they were made"
    versions = {made[u.id][1][2] for u in utterances if u.id in made} - {source[2]}
    return f": they were made by {', '.join(sorted(versions))}" if versions else ""


def delete_damaged(findings: Sequence[ShardFinding]) -> tuple[Path, ...]:
    """Delete the files that findings name in `remove`; the next build makes the shards anew.

    Returns:
        The files that were deleted.
    """
    gone = []
    for finding in findings:
        for path in finding.remove:
            if path.exists():
                path.unlink()
                gone.append(path)
    return tuple(gone)


def _examine(folder: Path, path: Path) -> Iterator[ShardFinding]:
    """Check a shard, given by the path of its manifest, and yield what is wrong with it."""
    if (found := format_of(path)) is not None:
        yield ShardFinding(
            kind="outdated",
            file=path,
            sentence=f"{path.name} was written in format {found}, which nothing reads any more.",
        )
        return
    try:
        manifest = read_manifest(folder, path.stem)
    except ShardDamageError:
        # Its file cannot be found through it; the name begins alike.
        yield ShardFinding(
            kind="damaged",
            file=path,
            remove=(path, *folder.glob(f"{path.stem}.*.arrow")),
            sentence=f"{path.name} is not what was written.",
        )
        return
    if manifest is not None:
        yield from _examine_file(folder / manifest["file"], path, manifest)


def _examine_file(file: Path, path: Path, manifest: dict[str, Any]) -> Iterator[ShardFinding]:
    """Compare a shard's file with its manifest (at ``path``), and yield what is wrong with it."""
    holds = f"{len(manifest['utterances'])} utterances, {manifest['utterances'][0]} ..."
    try:
        size = os.lstat(file).st_size
    except FileNotFoundError:
        yield ShardFinding(
            kind="missing",
            file=file,
            remove=(path,),
            sentence=f"{file.name} is missing ({holds}).",
        )
        return
    if size != manifest["bytes"]:
        yield ShardFinding(
            kind="damaged",
            file=file,
            remove=(path, file),
            sentence=f"{file.name} has {size} bytes, {manifest['bytes']} were written ({holds}).",
        )
    elif sha256_of(file, reread=True) != manifest["sha256"]:
        yield ShardFinding(
            kind="damaged",
            file=file,
            remove=(path, file),
            sentence=f"{file.name} is not what was written ({holds}).",
        )
    else:
        yield from _examine_version(file, manifest)


def _examine_version(file: Path, manifest: dict[str, Any]) -> Iterator[ShardFinding]:
    """Yield an `outdated` finding if another version of the extractor than today's made a shard.

    A set of a user's own configuration is not compared: its configuration is not known here.
    """
    name, _, version = manifest["source"]
    if name in FEATURE_SETS and version != extractor_version(name):
        yield ShardFinding(
            kind="outdated",
            file=file,
            sentence=(
                f"{file.name} was made by {version}; here is {extractor_version(name)}. Trials of "
                "that version still need it."
            ),
        )
