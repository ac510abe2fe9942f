"""Shared by the tests of this room: the demo corpus, small WAVs, real speech if there is some."""

import os
import wave
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from features.config import DEFAULT_EMOTIONS, FeatureConfig
from features.corpora import catalogue
from features.corpora.corpus import Corpus, Utterance
from features.shards import shards
from tests.shared import made_once


@pytest.fixture(scope="session")
def demo(demo_speech: Path) -> Corpus:
    """The synthesised corpus, spoken."""
    return catalogue.read("demo", demo_speech)


@pytest.fixture(scope="session")
def demo_shards(tmp_path_factory: pytest.TempPathFactory, demo: Corpus) -> Path:
    """The shards of its 78 descriptors. Copy them before you change them."""
    return made_once(
        tmp_path_factory,
        "demo-shards",
        lambda path: shards.build(path, demo.select(DEFAULT_EMOTIONS), FeatureConfig()),
    )


@pytest.fixture(scope="session")
def ravdess_root() -> Path:
    root = os.environ.get("ABLATE_RAVDESS")
    if not root:
        pytest.skip("ABLATE_RAVDESS names no folder of real speech")
    return Path(root)


@pytest.fixture(scope="session")
def emodb_root() -> Path:
    root = os.environ.get("ABLATE_EMODB")
    if not root:
        pytest.skip("ABLATE_EMODB names no folder of EMO-DB")
    return Path(root)


Write = Callable[..., Path]


@pytest.fixture
def write_wav() -> Write:
    """Write a mono or multi-channel 16-bit WAV; unless samples are given, a short tone.

    Each path has a tone of its own, since copies of one recording are refused.
    """

    def write(path: Path, samples: NDArray[np.float64] | None = None, rate: int = 16_000) -> Path:
        if samples is None:
            samples = tone(0.3, rate, 200 + zlib.crc32(str(path).encode()) % 10_000 / 50)
        path.parent.mkdir(parents=True, exist_ok=True)
        with wave.open(str(path), "wb") as out:
            out.setnchannels(1 if samples.ndim == 1 else samples.shape[1])
            out.setsampwidth(2)
            out.setframerate(rate)
            out.writeframes(np.round(samples * 32767).astype("<i2").tobytes())
        return path

    return write


def tone(seconds: float, rate: int, hertz: float = 220.0) -> NDArray[np.float64]:
    return 0.4 * np.sin(2 * np.pi * hertz * np.arange(int(seconds * rate)) / rate)


def utterance(name: str, speaker: str, emotion: str, **fields: object) -> Utterance:
    known: dict[str, object] = {
        "id": name,
        "path": f"{name}.wav",
        "speaker": speaker,
        "sex": "",
        "session": "",
        "emotion": emotion,
        "digest": f"digest of {name}",
        "size": 0,
        "mtime_ns": 0,
    }
    return Utterance(**(known | fields))  # type: ignore[arg-type]


def corpus_of(*utterances: Utterance, root: str = "/nowhere", name: str = "made-up") -> Corpus:
    ordered = tuple(sorted(utterances, key=lambda u: u.id))
    return Corpus(name=name, root=root, utterances=ordered, left_out=())


class Make:
    """The makers above, for tests that cannot import this file."""

    tone = staticmethod(tone)
    utterance = staticmethod(utterance)
    corpus = staticmethod(corpus_of)


@pytest.fixture(scope="session")
def make() -> type[Make]:
    return Make
