"""The segments of a fold, gathered into batches of tensors for the network.

Segments are views on memory-mapped shards; a batch is the only copy that is made.
Letters: S segments, B segments in a batch, N nodes, F features, C classes.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from features.config import FeatureConfig
from features.corpora.corpus import Selection
from features.corpora.folds import Fold
from features.dataset import scaling
from features.dataset.scaling import Scaler
from features.dataset.segments import cut
from features.shards import shards
from features.shards.shard_file import Shard, open_shard


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Segments:
    """The S segments of some speakers, in the order of utterance ids, then of time."""

    labels_S: Tensor
    """Class index of each segment's utterance. Shape: (S,), int64."""
    utterance_S: Tensor
    """Index of each segment's utterance in `utterances`. Shape: (S,), int64."""
    lengths_S: Tensor
    """Number of nodes of each segment, before any padding. Shape: (S,), int64."""
    utterances: tuple[str, ...]
    """Ids of the utterances, sorted."""
    speakers: tuple[str, ...]
    """Speaker of each utterance, in the order of `utterances`."""
    views: tuple[NDArray[np.float32], ...]
    """Nodes of each segment: S read-only views of shape (N, F) on the mapped shards, unscaled."""
    scalers: Mapping[str, Scaler]
    """Speaker -> scaler that `batch` applies (`scaling: speaker`); empty for `scaling: train`,
    where the network scales."""
    fill_to: int | None
    """Number of nodes that `batch` pads every segment to (`padding: nodes`); None for `masked`."""

    def __len__(self) -> int:
        return len(self.views)

    @property
    def speaker_S(self) -> Tensor:
        """Number of each segment's speaker in the sorted list of names. Shape: (S,), int64."""
        numbers = {name: number for number, name in enumerate(sorted(set(self.speakers)))}
        return torch.tensor([numbers[self.speakers[u]] for u in self.utterance_S.tolist()])

    def batch(self, indices: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Gather segments into one batch, zero-padded at the end.

        With `padding: masked` N is the longest of the batch, and nodes_B equals frames_B. With
        `padding: nodes` N is `segment_nodes`, and so is every number of nodes_B: zeros are nodes.

        Args:
            indices: numbers of the segments, ``(B,)``, int64.

        Returns:
            x_BNF, ``(B, N, F)``, float32; frames_B, ``(B,)``, int64, the nodes that hold audio;
            nodes_B, ``(B,)``, int64, the nodes of the graph.
        """
        chosen = indices.tolist()
        frames_B = self.lengths_S[indices]
        most = self.fill_to or int(frames_B.max())
        x_BNF = torch.zeros(len(chosen), most, self.views[0].shape[1])
        target = x_BNF.numpy()
        for row, segment in enumerate(chosen):
            view = self.views[segment]
            target[row, : len(view)] = self._scaled(segment, view)
        nodes_B = frames_B if self.fill_to is None else torch.full_like(frames_B, most)
        return x_BNF, frames_B, nodes_B

    def _scaled(self, segment: int, view: NDArray[np.float32]) -> NDArray[np.float32]:
        """Z-score the nodes of a segment, (N, F), by its speaker's scaler, if there is one."""
        if not self.scalers:
            return view
        return self.scalers[self.speakers[int(self.utterance_S[segment])]].apply(view)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class FoldData:
    """The segments and the scaling of one fold: all data of one training."""

    train: Segments
    """Segments of the training speakers."""
    a: Segments
    """Segments of half A of the held-out group."""
    b: Segments
    """Segments of half B."""
    mean_F: Tensor
    """Mean of each feature over the training frames, which the network subtracts. Shape: (F,),
    float32. Zeros for `scaling: speaker`."""
    std_F: Tensor
    """Their standard deviation, which the network divides by. Shape: (F,), float32. Ones for
    `scaling: speaker`."""
    classes: tuple[str, ...]
    """Class names; the position is the class index."""
    features: int
    """Number of features F."""


def load(
    folder: Path,
    selection: Selection,
    fold: Fold,
    config: FeatureConfig,
    extractor: str | None = None,
) -> FoldData:
    """Open the shards of a fold and cut them into segments.

    Args:
        folder: folder of the shards.
        selection: the chosen utterances.
        fold: speakers to train on, and the two halves that are held out.
        config: descriptor set, nodes, segments, padding, scaling.
        extractor: version of the extractor that made the shards; the one that is installed here
            if None.

    Raises:
        MissingError: a shard has not been built.
        ShardDamageError: a shard is not what was written.
    """
    keys = shards.keys(selection, config, extractor)
    opened = {
        speaker: open_shard(folder, keys[speaker]) for speaker in (*fold.train, *fold.a, *fold.b)
    }
    own = {}
    if config.scaling == "speaker":
        own = {s: scaling.fit(shard.utterances.values()) for s, shard in opened.items()}
    train, a, b = (
        _segments(selection, speakers, opened, own, config)
        for speakers in (fold.train, fold.a, fold.b)
    )
    features = train.views[0].shape[1]
    # A node that stands in two segments is counted once.
    once = (
        train
        if config.tail != "overlap"
        else _segments(selection, fold.train, opened, {}, replace(config, tail="pad"))
    )
    scaler = scaling.identity(features) if own else scaling.fit(once.views)
    return FoldData(
        train=train,
        a=a,
        b=b,
        mean_F=torch.from_numpy(scaler.mean_F),
        std_F=torch.from_numpy(scaler.std_F),
        classes=selection.classes,
        features=features,
    )


def _segments(
    selection: Selection,
    speakers: tuple[str, ...],
    opened: Mapping[str, Shard],
    own: Mapping[str, Scaler],
    config: FeatureConfig,
) -> Segments:
    """Cut the utterances of some speakers into segments.

    Args:
        selection: the chosen utterances.
        speakers: names of the speakers.
        opened: speaker -> shard.
        own: speaker -> scaler of that speaker (`scaling: speaker`); else empty.
        config: length of segments, tail and padding.
    """
    items = [(u, label) for u, label in selection.items if u.speaker in speakers]
    labels, utterance, views = [], [], []
    for index, (u, label) in enumerate(items):
        values = opened[u.speaker].values(u.id)
        for start, stop in cut(len(values), config.segment_nodes, config.tail):
            labels.append(label)
            utterance.append(index)
            views.append(values[start:stop])
    return Segments(
        labels_S=torch.tensor(labels),
        utterance_S=torch.tensor(utterance),
        lengths_S=torch.tensor([len(view) for view in views]),
        utterances=tuple(u.id for u, _ in items),
        speakers=tuple(u.speaker for u, _ in items),
        views=tuple(views),
        scalers={s: own[s] for s in speakers if own},
        fill_to=config.segment_nodes if config.padding == "nodes" else None,
    )
