"""Signals that the sets are tried on."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from features.audio import read_mono
from features.corpora.corpus import Corpus


@pytest.fixture(scope="session")
def speech(demo: Corpus) -> NDArray[np.float32]:
    """One synthesised utterance of about a second."""
    (utterance,) = (u for u in demo.utterances if u.id == "female-1-neutral-1")
    return read_mono(Path(demo.root) / utterance.path)
