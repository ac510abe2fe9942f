"""Building and finding shards: the nodes of one speaker's utterances, as one file.

Shards are content-addressed: a shard's **key** is a hash of what it holds (feature set, node step,
extractor version, and id and audio digest of every utterance), so two studies share the shards that
both need, and two builds at once write the same files. A new or edited recording changes its
speaker's key alone. Nodes that another shard holds are copied from it, after its digest was
checked: only new audio is extracted.

Light to import: `keys` and `missing` serve a plan.
"""

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from features.canonical import digest as digest_of
from features.config import FeatureConfig
from features.corpora import recordings
from features.corpora.corpus import (
    Corpus,
    OnProgress,
    Selection,
    Utterance,
    no_progress,
)
from features.descriptors import extraction
from features.descriptors.catalogue import extractor_version, feature_set
from features.descriptors.extraction import ExtractionTask, ParallelMap
from features.descriptors.feature_set import FeatureSet
from features.errors import MissingError, ShardDamageError
from features.shards.digests import sha256_of
from features.shards.shard_file import (
    FORMAT,
    damaged,
    is_present,
    open_shard,
    read_manifest,
    write_shard,
)

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def keys(
    selection: Selection, config: FeatureConfig, extractor: str | None = None
) -> dict[str, str]:
    """Compute, for each speaker, the key of the shard that holds the chosen utterances.

    Nothing is read: the shard need not exist.

    Args:
        selection: the chosen utterances.
        config: descriptor set and node step.
        extractor: version of the extractor; the one that is installed here if None.

    Returns:
        Speaker -> key, 32 hexadecimal digits.
    """
    what = [FORMAT, *source_of(config, extractor)]
    return {
        speaker: digest_of([*what, [[u.id, u.digest] for u in utterances]])[:32]
        for speaker, utterances in by_speaker(selection).items()
    }


def missing(
    folder: Path, selection: Selection, config: FeatureConfig, extractor: str | None = None
) -> tuple[str, ...]:
    """List the speakers whose shard is not in the folder; manifests and file sizes decide.

    Args:
        folder: folder of the shards.
        selection: the chosen utterances.
        config: descriptor set and node step.
        extractor: version of the extractor; the one that is installed here if None.

    Raises:
        ShardDamageError: a manifest cannot be read.
    """
    return tuple(
        speaker
        for speaker, key in sorted(keys(selection, config, extractor).items())
        if not is_present(folder, key)
    )


def build(
    folder: Path,
    selection: Selection,
    config: FeatureConfig,
    on_progress: OnProgress = no_progress,
    threads: int = 1,
    *,
    features: FeatureSet | None = None,
    parallel_map: ParallelMap | None = None,
) -> None:
    """Extract the missing shards of the chosen utterances and write them.

    After an interrupt every shard is whole or absent, and those that are whole stay.

    Args:
        folder: folder of the shards; made if it is missing.
        selection: the chosen utterances.
        config: descriptor set and node step.
        on_progress: called with (utterances extracted, utterances to extract).
        threads: the most threads that extract at once.
        features: the descriptor set, if it is a user's own configuration; else ``config`` names it.
        parallel_map: extracts on other machines, in place of threads; None for threads.

    Raises:
        ShardDamageError: an audio file cannot be read or gives values that are no numbers.
        CorpusError: recordings of a table lead out of its folder by now.
    """
    chosen = features or feature_set(config.features)
    folder.mkdir(parents=True, exist_ok=True)
    version = chosen.version()
    absent = set(missing(folder, selection, config, version))
    todo = {s: us for s, us in by_speaker(selection).items() if s in absent}
    key_of, source = keys(selection, config, version), source_of(config, version)
    reusable = _reusable(folder, source, todo)
    root = Path(selection.corpus.root)
    recordings.refuse_outside(selection.corpus, (u for us in todo.values() for u in us))
    tasks = [
        ExtractionTask(root / u.path, u.start, u.end, chosen, config.node_step, u.mended)
        for us in todo.values()
        for u in us
        if (u.id, u.digest) not in reusable
    ]
    _refuse_other_audio(selection.corpus, todo, reusable)
    done = 0
    with extraction.extracted(tasks, threads, parallel_map) as results:
        for speaker, utterances in todo.items():
            values = []
            for u in utterances:
                if (u.id, u.digest) in reusable:
                    values.append(reusable[u.id, u.digest])
                    continue
                values.append(next(results))
                done += 1
                on_progress(done, len(tasks))
            audio = {u.id: u.digest for u in utterances}
            write_shard(folder, key_of[speaker], source, chosen.names(), audio, values)


def _refuse_other_audio(
    corpus: Corpus, todo: Mapping[str, Sequence[Utterance]], reusable: Container[tuple[str, str]]
) -> None:
    """Hash the recordings that are about to be extracted, and refuse those that changed.

    Trial ids contain the digest of their audio, so it must be the audio that was registered.

    Raises:
        ShardDamageError: a recording is not the one that was registered.
    """
    files: dict[str, dict[str, Any]] = {}
    for u in (u for us in todo.values() for u in us):
        if not u.mtime_ns or (u.id, u.digest) in reusable:
            continue
        try:
            same = recordings.measure(corpus.root, u, files).digest == u.digest
        except OSError as error:
            raise ShardDamageError(f"{u.path} of {corpus.root} cannot be read: {error}.") from error
        if not same:
            raise ShardDamageError(
                f"{u.path} of {corpus.root} is not the recording that was registered: restore it, "
                f"or register the corpus again with `{corpus.registration_command}`."
            )


def verify_unchanged(folder: Path, keys: Iterable[str]) -> None:
    """Check, after a training, that no shard was changed while it was memory-mapped.

    An edit of the file in place changes mapped values. A file is read only where its size or times
    changed. A shard that was deleted passes: it stays as it was for a process that has mapped it.

    Args:
        folder: folder of the shards.
        keys: keys of the shards that were mapped.

    Raises:
        ShardDamageError: a shard changed, so results computed from it cannot be trusted.
    """
    for key in keys:
        manifest = read_manifest(folder, key)
        with suppress(FileNotFoundError):
            if manifest and sha256_of(folder / manifest["file"]) != manifest["sha256"]:
                raise damaged(folder / manifest["file"])


def source_of(config: FeatureConfig, extractor: str | None) -> list[Any]:
    """Return the `source` of a shard, which its numbers depend on beside the audio.

    Args:
        config: descriptor set and node step.
        extractor: version of the extractor; the one that is installed here if None.

    Returns:
        [name of the descriptor set, node step in ms, extractor version].
    """
    return [config.features, config.node_step, extractor or extractor_version(config.features)]


def _reusable(
    folder: Path, source: list[Any], todo: Mapping[str, list[Utterance]]
) -> "dict[tuple[str, str], NDArray[np.float32]]":
    """Find the nodes to be built that an undamaged shard of the same source holds already.

    Args:
        folder: folder of the shards.
        source: as `source_of` gives it.
        todo: speaker -> utterances to build.

    Returns:
        (utterance id, audio digest) -> nodes, (N, F), float32.
    """
    wanted = {(u.id, u.digest) for utterances in todo.values() for u in utterances}
    found: dict[tuple[str, str], NDArray[np.float32]] = {}
    for key, manifest in manifests(folder) if wanted else ():
        here = wanted.intersection(zip(manifest["utterances"], manifest["audio"], strict=True))
        if manifest["source"] == source and here - set(found):
            try:
                shard = open_shard(folder, key)
            except (ShardDamageError, MissingError):
                continue  # what fails its check is computed anew
            found |= {(id, digest): shard.values(id) for id, digest in here}
    return found


def manifests(folder: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield (key, manifest) of every shard in the folder; unreadable manifests are left out."""
    for path in sorted(folder.glob("*.json")):
        try:
            manifest = read_manifest(folder, path.stem)
        except ShardDamageError:
            continue
        if manifest is not None:
            yield path.stem, manifest


def by_speaker(selection: Selection) -> dict[str, list[Utterance]]:
    """Group the chosen utterances by speaker: speakers sorted, utterances in the order of ids."""
    grouped: dict[str, list[Utterance]] = {speaker: [] for speaker in selection.speakers}
    for utterance, _ in selection.items:
        grouped[utterance.speaker].append(utterance)
    return grouped
