import os
import re
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from features.audio import read_mono
from features.config import DEFAULT_EMOTIONS, FeatureConfig
from features.corpora import catalogue, recordings
from features.corpora.corpus import Corpus, Selection
from features.descriptors.catalogue import FEATURE_SETS
from features.descriptors.sets.lld78 import NAMES, SET
from features.errors import MissingError, ShardDamageError
from features.shards import shards
from features.shards.shard_file import open_shard
from features.shards.shards import build, keys, missing

CONFIG = FeatureConfig()
extract = SET.extract
ROOT = Path(shards.__file__).resolve().parents[2]


@pytest.fixture
def selection(make: Any, write_wav: Any, tmp_path: Path) -> Selection:
    """Two speakers, three short tones each."""
    found = []
    for speaker in ("ann", "bob"):
        for number, emotion in enumerate(("angry", "sad", "sad")):
            name = f"{speaker}-{number}"
            write_wav(
                tmp_path / "audio" / f"{name}.wav", make.tone(0.2 + 0.1 * number, 16_000, 200)
            )
            found.append(make.utterance(name, speaker, emotion))
    corpus = make.corpus(*found, root=str(tmp_path / "audio"))
    chosen: Selection = corpus.select({"angry": ("angry",), "sad": ("sad",)})
    return chosen


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "features"


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def arrow(folder: Path, key: str) -> Path:
    (path,) = folder.glob(f"{key}.*.arrow")
    return path


def test_a_shard_holds_what_the_extractor_gives(selection: Selection, folder: Path) -> None:
    build(folder, selection, CONFIG)
    for utterance, _ in selection.items:
        shard = open_shard(folder, keys(selection, CONFIG)[utterance.speaker])
        expected = extract(read_mono(Path(selection.corpus.root) / utterance.path))
        assert shard.names == NAMES
        assert np.array_equal(shard.values(utterance.id), expected)


def _mapping(address: int) -> str:
    """The line of /proc/self/maps that holds an address: it ends with the file."""
    for line in Path("/proc/self/maps").read_text().splitlines():
        start, stop = (int(end, 16) for end in line.split()[0].split("-"))
        if start <= address < stop:
            return line
    return ""


def test_values_are_read_only_views_on_the_mapped_file(selection: Selection, folder: Path) -> None:
    build(folder, selection, CONFIG)
    shard = open_shard(folder, keys(selection, CONFIG)["ann"])
    values = shard.values("ann-1")
    assert not values.flags.writeable and not values.flags.owndata
    assert values.flags.c_contiguous
    if Path("/proc/self/maps").exists():
        address = values.__array_interface__["data"][0]
        assert arrow(folder, shard.key).name in _mapping(address)
    data = np.fromfile(arrow(folder, shard.key), np.uint8)
    assert values.tobytes() in data.tobytes()


def test_what_is_missing_is_built_and_what_is_there_is_kept(
    selection: Selection, folder: Path
) -> None:
    assert missing(folder, selection, CONFIG) == ("ann", "bob")
    build(folder, selection, CONFIG)
    assert missing(folder, selection, CONFIG) == ()
    times = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
    told: list[tuple[int, int]] = []
    build(folder, selection, CONFIG, lambda done, total: told.append((done, total)))
    assert {path.name: path.stat().st_mtime_ns for path in folder.iterdir()} == times
    assert told == []


def test_a_changed_file_rebuilds_one_speaker(selection: Selection, folder: Path) -> None:
    build(folder, selection, CONFIG)
    changed = tuple(
        (replace(u, digest="changed") if u.id == "bob-1" else u, label)
        for u, label in selection.items
    )
    assert missing(folder, replace(selection, items=changed), CONFIG) == ("bob",)


def test_only_new_and_edited_recordings_are_read(selection: Selection, folder: Path) -> None:
    fewer = replace(selection, items=selection.items[:-1])
    build(folder, fewer, CONFIG)
    edited = tuple(
        (replace(u, digest="changed") if u.id == "bob-1" else u, label)
        for u, label in selection.items
    )
    told: list[tuple[int, int]] = []
    build(
        folder, replace(selection, items=edited), CONFIG, lambda done, all: told.append((done, all))
    )
    assert told == [(1, 2), (2, 2)]
    assert missing(folder, replace(selection, items=edited), CONFIG) == ()


def test_a_shard_of_kept_and_new_rows_is_the_one_that_is_built_at_once(
    selection: Selection, folder: Path, tmp_path: Path
) -> None:
    build(tmp_path / "at-once", selection, CONFIG)
    build(folder, replace(selection, items=selection.items[:-1]), CONFIG)
    build(folder, selection, CONFIG)
    assert files(tmp_path / "at-once").items() <= files(folder).items()


def test_rows_of_a_damaged_shard_are_not_kept(selection: Selection, folder: Path) -> None:
    fewer = replace(selection, items=selection.items[:-1])
    build(folder, fewer, CONFIG)
    path = arrow(folder, keys(fewer, CONFIG)["bob"])
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    told: list[int] = []
    build(folder, selection, CONFIG, lambda done, total: told.append(total))
    assert told == [3, 3, 3]
    for utterance, _ in selection.items:
        shard = open_shard(folder, keys(selection, CONFIG)[utterance.speaker])
        expected = extract(read_mono(Path(selection.corpus.root) / utterance.path))
        assert np.array_equal(shard.values(utterance.id), expected)


def test_building_may_be_mapped_elsewhere(
    selection: Selection, folder: Path, tmp_path: Path
) -> None:
    seen: list[str] = []

    def mapped(function: Any, tasks: Any) -> Any:
        for task in tasks:
            seen.append(task.path.stem)
            yield function(task)

    build(tmp_path / "here", selection, CONFIG)
    build(folder, selection, CONFIG, parallel_map=mapped)
    assert files(folder) == files(tmp_path / "here") and len(seen) == 6


def test_keys_follow_content_and_not_places(selection: Selection) -> None:
    moved = replace(selection, corpus=replace(selection.corpus, root="/elsewhere", name="other"))
    assert keys(moved, CONFIG) == keys(selection, CONFIG)
    assert keys(selection, replace(CONFIG, node_step=50)) != keys(selection, CONFIG)
    for same in ({"segment_nodes": 60}, {"padding": "nodes"}, {"scaling": "speaker"}):
        assert keys(selection, replace(CONFIG, **same)) == keys(selection, CONFIG)  # type: ignore[arg-type]


def test_the_extractors_version_enters_the_key(
    selection: Selection, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = keys(selection, CONFIG)
    monkeypatch.setattr(shards, "extractor_version", lambda name: "another")
    assert not set(before.values()) & set(keys(selection, CONFIG).values())


def test_nodes_of_fifty_milliseconds_are_stored_as_such(selection: Selection, folder: Path) -> None:
    config = replace(CONFIG, node_step=50)
    build(folder, selection, CONFIG)
    build(folder, selection, config)
    fine = open_shard(folder, keys(selection, CONFIG)["ann"]).values("ann-2")
    coarse = open_shard(folder, keys(selection, config)["ann"]).values("ann-2")
    assert len(coarse) == -(-len(fine) // 5)
    assert np.allclose(coarse[0], fine[:5].mean(axis=0), rtol=1e-5, atol=1e-6)


def test_progress_counts_audio_files(selection: Selection, folder: Path) -> None:
    told: list[tuple[int, int]] = []
    build(folder, selection, CONFIG, lambda done, total: told.append((done, total)))
    assert told == [(done, 6) for done in range(1, 7)]


@pytest.mark.parametrize("name", FEATURE_SETS)
def test_any_number_of_threads_writes_the_same_bytes(
    demo: Corpus, name: str, tmp_path: Path
) -> None:
    chosen = replace(demo, utterances=demo.utterances[6:26]).select(DEFAULT_EMOTIONS)
    written = []
    for threads in (1, 2, 5):
        build(tmp_path / str(threads), chosen, FeatureConfig(features=name), threads=threads)
        written.append(files(tmp_path / str(threads)))
    assert len(written[0]) == 2 * len(chosen.speakers)
    assert written[0] == written[1] == written[2]


def test_two_builds_at_once_end_in_the_same_whole_shards(
    selection: Selection, folder: Path, tmp_path: Path
) -> None:
    build(tmp_path / "alone", selection, CONFIG)
    with ThreadPoolExecutor(2) as pool:
        for future in [pool.submit(build, folder, selection, CONFIG) for _ in range(2)]:
            future.result()
    assert files(folder) == files(tmp_path / "alone")


@pytest.mark.parametrize("place", [0.0, 0.1, 0.3, 0.5, 0.7, 0.9, 0.999])
@pytest.mark.parametrize("bit", [0, 7])
def test_a_flipped_bit_is_refused(
    selection: Selection, folder: Path, place: float, bit: int
) -> None:
    build(folder, selection, CONFIG)
    key = keys(selection, CONFIG)["ann"]
    path = arrow(folder, key)
    data = bytearray(path.read_bytes())
    data[int(place * len(data))] ^= 1 << bit
    path.write_bytes(data)
    os.utime(path, ns=(7, 7))
    expected = (
        f"Features file {path} is not what was written: `ablate features verify --repair` deletes "
        "it, and `ablate run` builds it anew."
    )
    with pytest.raises(ShardDamageError, match=f"^{re.escape(expected)}$"):
        open_shard(folder, key)


def test_following_the_advice_brings_the_same_shard_back(
    selection: Selection, folder: Path
) -> None:
    build(folder, selection, CONFIG)
    before = files(folder)
    arrow(folder, keys(selection, CONFIG)["ann"]).unlink()
    assert missing(folder, selection, CONFIG) == ("ann",)
    build(folder, selection, CONFIG)
    assert files(folder) == before


def test_a_truncated_shard_is_missing_and_is_not_opened(selection: Selection, folder: Path) -> None:
    build(folder, selection, CONFIG)
    key = keys(selection, CONFIG)["ann"]
    path = arrow(folder, key)
    path.write_bytes(path.read_bytes()[:-100])
    assert missing(folder, selection, CONFIG) == ("ann",)
    with pytest.raises(ShardDamageError, match=r"is not what was written"):
        open_shard(folder, key)


@pytest.mark.parametrize(
    "change",
    [
        (b'"nodes"', b'"modes"'),
        (b"ann-1", b"ann-7"),
        (b"mfcc_sma[3]", b"mfcc_sma[4]"),
        (b'"sha256": "', b'"sha256": "0'),
        (b'"file": "', b'"file": "../'),
        (b"{", b""),
    ],
)
def test_a_changed_manifest_is_refused(
    selection: Selection, folder: Path, change: tuple[bytes, bytes]
) -> None:
    build(folder, selection, CONFIG)
    key = keys(selection, CONFIG)["ann"]
    path = folder / f"{key}.json"
    path.write_bytes(path.read_bytes().replace(*change, 1))
    with pytest.raises(ShardDamageError, match=r"^Features file .* is not what was written: "):
        open_shard(folder, key)


def test_a_shard_without_manifest_does_not_exist(selection: Selection, folder: Path) -> None:
    build(folder, selection, CONFIG)
    key = keys(selection, CONFIG)["ann"]
    (folder / f"{key}.json").unlink()
    assert missing(folder, selection, CONFIG) == ("ann",)
    expected = f"Features {key} are not in {folder}: `ablate run` builds them."
    with pytest.raises(MissingError, match=f"^{re.escape(expected)}$"):
        open_shard(folder, key)


@pytest.mark.parametrize("last", ["arrow", "json"])
def test_an_interrupted_build_leaves_nothing_that_reads_as_whole(
    selection: Selection, folder: Path, monkeypatch: pytest.MonkeyPatch, last: str
) -> None:
    replaced = os.replace

    def interrupted(source: Path, target: Path) -> None:
        if str(target).endswith(last):
            raise KeyboardInterrupt
        replaced(source, target)

    monkeypatch.setattr("features.shards.shard_file.os.replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        build(folder, selection, CONFIG)
    monkeypatch.undo()
    assert missing(folder, selection, CONFIG) == ("ann", "bob")
    assert not list(folder.glob(".*"))
    build(folder, selection, CONFIG)
    assert missing(folder, selection, CONFIG) == ()


@pytest.mark.parametrize("threads", [1, 2])
def test_a_broken_file_stops_the_build_and_keeps_what_is_done(
    selection: Selection, folder: Path, threads: int
) -> None:
    broken = Path(selection.corpus.root) / "bob-2.wav"
    broken.write_bytes(b"no audio")
    expected = (
        f"Audio file {broken} cannot be read (text, not audio): restore it from the original."
    )
    with pytest.raises(ShardDamageError, match=f"^{re.escape(expected)}$"):
        build(folder, selection, CONFIG, threads=threads)
    assert missing(folder, selection, CONFIG) == ("bob",)


def test_an_interrupt_ends_the_threads_and_keeps_the_speakers_that_are_done(
    demo: Corpus, folder: Path
) -> None:
    def stop(done: int, total: int) -> None:
        if done == 40:
            raise KeyboardInterrupt

    chosen = demo.select(DEFAULT_EMOTIONS)
    with pytest.raises(KeyboardInterrupt):
        build(folder, chosen, CONFIG, stop, threads=2)
    assert not [t for t in threading.enumerate() if t.name.startswith("extraction")]
    assert missing(folder, chosen, CONFIG) == chosen.speakers[2:]
    assert len(files(folder)) == 4


def test_values_that_are_no_numbers_are_refused_and_named(
    selection: Selection, folder: Path
) -> None:
    broken = replace(SET, extract=lambda signal: np.full((3, 78), np.nan, np.float32))
    path = Path(selection.corpus.root) / "ann-0.wav"
    expected = (
        f"The features of {path} hold values that are no numbers: check the recording, or remove "
        "it from the corpus."
    )
    with pytest.raises(ShardDamageError, match=f"^{re.escape(expected)}$"):
        build(folder, selection, CONFIG, features=broken)


def test_asking_what_is_missing_imports_no_pyarrow(selection: Selection, folder: Path) -> None:
    code = (
        "import sys, json; from pathlib import Path; "
        "from features.corpora import catalogue; from features.shards import shards; "
        "from features.config import *; "
        "s = catalogue.read('demo', Path('none')).select(DEFAULT_EMOTIONS); "
        "print(len(shards.missing(Path('none'), s, FeatureConfig()))); "
        "print([m for m in ('numpy', 'pyarrow', 'opensmile', 'torch') if m in sys.modules])"
    )
    out = subprocess.check_output([sys.executable, "-c", code], cwd=ROOT, text=True)
    assert out == "10\n[]\n"


@pytest.mark.ravdess
def test_real_speech_keeps_its_length_and_fills_a_shard(ravdess_root: Path, folder: Path) -> None:

    corpus = catalogue.read("ravdess", ravdess_root)
    only = tuple(u for u in corpus.utterances if u.speaker == "actor-01")
    selection = replace(corpus, utterances=only).select(DEFAULT_EMOTIONS)
    build(folder, selection, CONFIG)
    shard = open_shard(folder, keys(selection, CONFIG)["actor-01"])
    assert len(shard.utterances) == 28
    assert all(250 < len(values) < 600 for values in shard.utterances.values())


def test_an_opened_shard_lies_on_the_disk_and_not_in_memory(
    demo: Corpus, demo_shards: Path
) -> None:
    """Workers on one node share its pages: nothing but offsets is allocated."""
    import pyarrow as pa

    selection = demo.select(DEFAULT_EMOTIONS)
    before = pa.total_allocated_bytes()
    shard = open_shard(demo_shards, next(iter(keys(selection, CONFIG).values())))
    assert sum(view.nbytes for view in shard.utterances.values()) > 100_000
    assert pa.total_allocated_bytes() - before < 10_000


def test_a_recording_that_was_replaced_unseen_is_refused(
    selection: Selection, folder: Path
) -> None:
    """Same size, same time, other bytes: what a look at sizes and times cannot tell."""
    root = selection.corpus.root
    utterances = tuple(recordings.measure(root, u, {}) for u in selection.corpus.utterances)
    chosen = replace(selection.corpus, utterances=utterances).select(
        {"angry": ("angry",), "sad": ("sad",)}
    )
    path = Path(root) / utterances[0].path
    stat, blob = path.stat(), bytearray(path.read_bytes())
    blob[-1] ^= 1
    path.write_bytes(blob)
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    sentence = f"^{re.escape(utterances[0].path)} of .* is not the recording that was registered: "
    with pytest.raises(ShardDamageError, match=sentence):
        build(folder, chosen, FeatureConfig())
    assert not list(folder.glob("*.json"))
