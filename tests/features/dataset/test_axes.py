"""Every axis of the data moves the data: two values give other batches."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from features.config import DEFAULT_EMOTIONS, FeatureConfig
from features.corpora.corpus import Corpus
from features.corpora.folds import deal
from features.dataset.dataset import FoldData, load
from features.shards import shards


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """For shards of every set."""
    return tmp_path_factory.mktemp("axes")


def fold(folder: Path, demo: Corpus, config: FeatureConfig) -> FoldData:
    """Of a quarter of the corpus: all its speakers and emotions."""
    some = replace(demo, utterances=demo.utterances[::4])
    selection = some.select(DEFAULT_EMOTIONS)
    shards.build(folder, selection, config)
    return load(folder, selection, deal(selection, 5)[0], config)


@pytest.mark.parametrize(
    ("axis", "value"),
    [
        ("node_step", 50),
        ("padding", "nodes"),
        ("scaling", "speaker"),
        ("segment_nodes", 40),
        ("tail", "drop"),
        ("tail", "overlap"),
        ("features", "is10"),
        ("features", "lld35"),
        ("features", "logmel128"),
    ],
)
def test_an_axis_of_the_data_moves_the_data(
    folder: Path, demo: Corpus, axis: str, value: object
) -> None:
    base = FeatureConfig(segment_nodes=40 if axis == "tail" else 120)
    one = fold(folder, demo, base)
    other = fold(folder, demo, replace(base, **{axis: value}))
    batches = [data.train.batch(torch.arange(8)) for data in (one, other)]
    same = all(a.shape == b.shape and torch.equal(a, b) for a, b in zip(*batches, strict=True))
    assert not same
