"""Every fault is made for real, found and named; the whole shards beside it stay."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from features.config import FeatureConfig
from features.corpora.corpus import Selection
from features.descriptors.catalogue import extractor_version
from features.shards import verification
from features.shards.shard_file import FORMAT
from features.shards.shards import build, keys, missing
from features.shards.verification import ShardFinding, delete_damaged, find_missing, verify

CONFIG = FeatureConfig(features="lld35")
VERSION = extractor_version("lld35")


@pytest.fixture
def selection(make: Any, write_wav: Any, tmp_path: Path) -> Selection:
    """Two speakers, two short tones each."""
    found = []
    for speaker in ("ann", "bob"):
        for number, emotion in enumerate(("angry", "sad")):
            name = f"{speaker}-{number}"
            write_wav(tmp_path / "audio" / f"{name}.wav")
            found.append(make.utterance(name, speaker, emotion))
    corpus = make.corpus(*found, root=str(tmp_path / "audio"))
    chosen: Selection = corpus.select({"angry": ("angry",), "sad": ("sad",)})
    return chosen


@pytest.fixture
def folder(selection: Selection, tmp_path: Path) -> Path:
    build(tmp_path / "features", selection, CONFIG)
    return tmp_path / "features"


def shard(folder: Path, selection: Selection, speaker: str = "ann") -> tuple[Path, Path]:
    key = keys(selection, CONFIG)[speaker]
    (arrow,) = folder.glob(f"{key}.*.arrow")
    return arrow, folder / f"{key}.json"


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def only(findings: Any) -> ShardFinding:
    (finding,) = findings
    assert isinstance(finding, ShardFinding)
    return finding


def test_what_is_whole_has_no_finding(folder: Path, selection: Selection) -> None:
    told: list[tuple[int, int]] = []
    assert list(verify(folder, lambda done, total: told.append((done, total)))) == []
    assert told == [(1, 2), (2, 2)]
    assert list(find_missing(folder, selection, CONFIG, VERSION)) == []
    assert list(verify(folder / "none")) == []


def test_a_flipped_bit_is_found_though_the_file_was_opened_before(
    folder: Path, selection: Selection
) -> None:
    arrow, manifest = shard(folder, selection)
    list(verify(folder))
    flip(arrow)
    found = only(verify(folder))
    assert (found.kind, found.file, found.remove) == ("damaged", arrow, (manifest, arrow))
    assert found.sentence == f"{arrow.name} is not what was written (2 utterances, ann-0 ...)."


def test_a_truncated_file_is_found(folder: Path, selection: Selection) -> None:
    arrow, _ = shard(folder, selection)
    arrow.write_bytes(arrow.read_bytes()[:-100])
    found = only(verify(folder))
    assert found.kind == "damaged"
    assert f"{arrow.name} has {arrow.stat().st_size} bytes" in found.sentence


@pytest.mark.parametrize("spoil", ["{", "[]", '{"format": 2}'])
def test_a_spoiled_manifest_is_found(folder: Path, selection: Selection, spoil: str) -> None:
    arrow, manifest = shard(folder, selection)
    manifest.write_text(spoil)
    found = only(verify(folder))
    assert (found.kind, found.remove) == ("damaged", (manifest, arrow))


def test_a_missing_file_is_found(folder: Path, selection: Selection) -> None:
    arrow, manifest = shard(folder, selection)
    arrow.unlink()
    found = only(verify(folder))
    assert (found.kind, found.file, found.remove) == ("missing", arrow, (manifest,))


def test_a_shard_that_is_gone_altogether_is_found_by_who_needs_it(
    folder: Path, selection: Selection
) -> None:
    for path in shard(folder, selection):
        path.unlink()
    assert list(verify(folder)) == []
    found = only(find_missing(folder, selection, CONFIG, VERSION))
    assert found.sentence == "Features `lld35` of speaker ann are not here."


def test_an_edited_recording_is_found_and_named(folder: Path, selection: Selection) -> None:
    edited = tuple(
        (replace(u, digest="edited") if u.id == "bob-1" else u, label)
        for u, label in selection.items
    )
    found = only(find_missing(folder, replace(selection, items=edited), CONFIG, VERSION))
    assert found.sentence == (
        "Features `lld35` of speaker bob are not here: bob-1.wav changed since they were made."
    )


def test_another_version_of_the_extractor_is_found_and_is_no_damage(
    folder: Path, selection: Selection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verification, "extractor_version", lambda name: "opensmile-9")
    found = list(verify(folder))
    assert [f.kind for f in found] == ["outdated"] * 2 and not any(f.remove for f in found)
    assert f"was made by {VERSION}; here is opensmile-9" in found[0].sentence
    sentences = [f.sentence for f in find_missing(folder, selection, CONFIG, "opensmile-9")]
    assert sentences == [
        f"Features `lld35` of speaker {speaker} are not here: they were made by {VERSION}."
        for speaker in ("ann", "bob")
    ]


def test_an_earlier_layout_is_named_and_is_no_damage(folder: Path) -> None:
    (folder / "old.json").write_text(json.dumps({"format": FORMAT - 1}))
    assert only(verify(folder)).kind == "outdated"


@pytest.mark.parametrize("spoil", ["flip", "cut", "manifest", "unlink"])
def test_a_repair_deletes_the_damaged_shard_alone_and_a_build_brings_it_back(
    folder: Path, selection: Selection, spoil: str
) -> None:
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    kept = {path: path.stat().st_mtime_ns for path in shard(folder, selection, "bob")}
    arrow, manifest = shard(folder, selection)
    if spoil == "flip":
        flip(arrow)
    elif spoil == "cut":
        arrow.write_bytes(arrow.read_bytes()[:50])
    elif spoil == "manifest":
        manifest.write_text("{")
    else:
        arrow.unlink()
    gone = delete_damaged(list(verify(folder)))
    assert {path.name for path in gone} <= {arrow.name, manifest.name}
    assert missing(folder, selection, CONFIG) == ("ann",)
    build(folder, selection, CONFIG)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
