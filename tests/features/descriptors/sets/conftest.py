"""Signals that the sets are tried on."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from features.audio import read_mono
from features.corpora import catalogue


@pytest.fixture(scope="session")
def speech(tmp_path_factory: pytest.TempPathFactory) -> NDArray[np.float32]:
    """One synthesised utterance of about a second."""
    corpus = catalogue.read("demo", tmp_path_factory.mktemp("speech"))
    catalogue.prepare(corpus)
    (utterance,) = (u for u in corpus.utterances if u.id == "female-1-neutral-1")
    return read_mono(Path(corpus.root) / utterance.path)
