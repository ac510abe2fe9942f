import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from features.config import DEFAULT_EMOTIONS, FeatureConfig
from features.corpora.corpus import Corpus, Selection
from features.corpora.folds import Fold, deal
from features.dataset.dataset import FoldData, Segments, load
from features.shards import shards
from features.shards.shard_file import open_shard

CONFIG = FeatureConfig(segment_nodes=40)


@pytest.fixture(scope="module")
def selection(demo: Corpus) -> Selection:
    return demo.select(DEFAULT_EMOTIONS)


@pytest.fixture(scope="module")
def folder(
    selection: Selection, demo_shards: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    path = tmp_path_factory.mktemp("features") / "shards"
    shutil.copytree(demo_shards, path)
    shards.build(path, selection, CONFIG)  # they are all there
    return path


@pytest.fixture(scope="module")
def fold(selection: Selection) -> Fold:
    return deal(selection, 5)[0]


@pytest.fixture(scope="module")
def data(folder: Path, selection: Selection, fold: Fold) -> FoldData:
    return load(folder, selection, fold, CONFIG)


def gathered(segments: Segments) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    return segments.batch(torch.arange(len(segments)))


def test_the_three_sets_hold_their_speakers_and_no_others(data: FoldData, fold: Fold) -> None:
    for part, speakers in ((data.train, fold.train), (data.a, fold.a), (data.b, fold.b)):
        assert set(part.speakers) == set(speakers)
        assert len(part.utterances) == 16 * len(speakers)
    assert data.classes == ("angry", "happy", "neutral", "sad")
    assert data.features == 78


def test_every_segment_carries_its_utterances_label(data: FoldData, selection: Selection) -> None:
    label_of = {u.id: label for u, label in selection.items}
    for label, index in zip(
        data.train.labels_S.tolist(), data.train.utterance_S.tolist(), strict=True
    ):
        assert label == label_of[data.train.utterances[index]]


def test_segments_of_an_utterance_put_together_are_the_utterance(
    data: FoldData, folder: Path, selection: Selection
) -> None:
    part = data.a
    first = [v for v, u in zip(part.views, part.utterance_S.tolist(), strict=True) if u == 0]
    shard = open_shard(folder, shards.keys(selection, CONFIG)[part.speakers[0]])
    assert len(first) > 1
    assert np.array_equal(np.concatenate(first), shard.values(part.utterances[0]))


def test_segments_are_views_on_the_mapped_shards(data: FoldData) -> None:
    assert not any(view.flags.owndata or view.flags.writeable for view in data.train.views)


def test_masked_batches_are_trimmed_to_their_longest_segment(data: FoldData) -> None:
    short = torch.argsort(data.train.lengths_S)[:5]
    x_BNF, frames_B, nodes_B = data.train.batch(short)
    assert x_BNF.shape == (5, int(data.train.lengths_S[short].max()), 78)
    assert x_BNF.dtype == torch.float32
    assert frames_B.dtype == nodes_B.dtype == torch.int64
    assert torch.equal(frames_B, nodes_B)
    for row, segment in enumerate(short.tolist()):
        length = int(frames_B[row])
        assert np.array_equal(x_BNF[row, :length].numpy(), data.train.views[segment])
        assert not x_BNF[row, length:].any()


def test_padding_as_nodes_fills_every_graph(folder: Path, selection: Selection, fold: Fold) -> None:
    part = load(folder, selection, fold, replace(CONFIG, padding="nodes")).a
    shortest = torch.argmin(part.lengths_S).reshape(1)
    x_BNF, frames_B, nodes_B = part.batch(shortest)
    assert x_BNF.shape == (1, 40, 78)
    assert frames_B.item() == part.lengths_S.min() < 40
    assert nodes_B.tolist() == [40]


def test_batches_follow_the_order_asked_for(data: FoldData) -> None:
    forward = data.a.batch(torch.tensor([3, 0, 3]))[1]
    assert forward.tolist() == data.a.lengths_S[[3, 0, 3]].tolist()


def test_the_scaler_sees_training_speakers_only(data: FoldData) -> None:
    rows = np.concatenate(data.train.views).astype(np.float64)
    assert np.allclose(data.mean_F.numpy(), rows.mean(axis=0), rtol=1e-5)
    assert np.allclose(data.std_F.numpy(), rows.std(axis=0), rtol=1e-5)
    assert data.mean_F.dtype == data.std_F.dtype == torch.float32


def test_scaling_per_speaker_needs_no_scaler_in_the_network(
    folder: Path, selection: Selection, fold: Fold
) -> None:
    data = load(folder, selection, fold, replace(CONFIG, scaling="speaker"))
    assert not data.mean_F.any() and torch.equal(data.std_F, torch.ones(78))
    for part in (data.a, data.b):
        x_BNF, frames_B, _ = gathered(part)
        real = torch.cat([x[:n] for x, n in zip(x_BNF, frames_B.tolist(), strict=True)]).double()
        varies = real.std(0) > 1e-6
        assert real.mean(0).abs().max() < 1e-4
        assert torch.allclose(real.std(0, correction=0)[varies], torch.ones(1).double(), atol=1e-3)


def test_loading_twice_gives_the_same_bits(
    data: FoldData, folder: Path, selection: Selection, fold: Fold
) -> None:
    again = load(folder, selection, fold, CONFIG)
    assert torch.equal(again.mean_F, data.mean_F) and torch.equal(again.std_F, data.std_F)
    for one, two in zip(gathered(again.train), gathered(data.train), strict=True):
        assert torch.equal(one, two)


def test_selection_order_decides_the_order_of_segments(data: FoldData) -> None:
    assert list(data.train.utterances) == sorted(data.train.utterances)
    assert data.train.utterance_S.tolist() == sorted(data.train.utterance_S.tolist())


def test_a_fold_without_its_shards_says_who_builds_them(
    selection: Selection, fold: Fold, tmp_path: Path
) -> None:
    from features.errors import MissingError

    expected = rf"^Features \w+ are not in {tmp_path}: `ablate run` builds them\.$"
    with pytest.raises(MissingError, match=expected):
        load(tmp_path, selection, fold, CONFIG)


def test_all_held_out_speakers_together_are_all_speakers(selection: Selection) -> None:
    held: list[Any] = [s for fold in deal(selection, 5) for s in (*fold.a, *fold.b)]
    assert sorted(held) == list(selection.speakers)
