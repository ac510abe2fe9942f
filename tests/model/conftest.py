"""What the tests of `model` share: one thread, and small synthetic segments."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
import torch
from torch import Tensor


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@dataclass
class Synthetic:
    """Segments in memory: what `model.training.fit.Segments` asks for."""

    x_SNF: Tensor
    nodes_S: Tensor
    labels_S: Tensor
    utterance_S: Tensor

    @property
    def speaker_S(self) -> Tensor:
        return self.utterance_S % 3

    def __len__(self) -> int:
        return len(self.labels_S)

    def batch(self, indices: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        return self.x_SNF[indices], self.nodes_S[indices], self.nodes_S[indices]


def synthetic(
    segments: int, *, seed: int = 0, classes: int = 4, features: int = 6, nodes: int = 10
) -> Synthetic:
    """Two segments an utterance, each class with a mean of its own under much noise."""
    draw = torch.Generator().manual_seed(seed)
    utterance_S = torch.arange(segments) // 2
    labels_S = utterance_S % classes
    centres_CF = torch.randn(classes, features, generator=torch.Generator().manual_seed(99))
    noise_SNF = torch.randn(segments, nodes, features, generator=draw)
    x_SNF = centres_CF[labels_S][:, None] + 2 * noise_SNF
    nodes_S = torch.randint(3, nodes + 1, (segments,), generator=draw)
    return Synthetic(x_SNF, nodes_S, labels_S, utterance_S)


@pytest.fixture
def segments_of() -> Callable[..., Synthetic]:
    return synthetic
