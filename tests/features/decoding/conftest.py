"""Three seconds of synthesised speech, and files of it in every container."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from features.audio import read_mono
from features.corpora.corpus import Corpus

RATE = 16_000


@pytest.fixture(scope="session")
def speech(demo: Corpus) -> NDArray[np.float32]:
    """Three seconds of four speakers, the first three of them cut so that no silence ends it."""
    parts = [read_mono(Path(demo.root) / u.path) for u in demo.utterances[:160:40]]
    joined = np.concatenate(parts)[: 3 * RATE]
    assert len(joined) == 3 * RATE
    return joined


Write = Callable[..., Path]


@pytest.fixture
def write(speech: NDArray[np.float32], tmp_path: Path) -> Write:
    """Write the speech to a file of a name; further arguments are soundfile's."""

    def written(name: str, **codec: str) -> Path:
        path = tmp_path / name
        soundfile.write(path, speech, RATE, **codec)
        return path

    return written
