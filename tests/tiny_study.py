"""A corpus of tones and a study of a second: the real chain, small enough to be killed a thousand
times."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import soundfile

from features.corpora import catalogue
from orchestrator.execution.cluster.inline import InlineCluster
from orchestrator.execution.run import run
from orchestrator.store.ledger import Ledger
from orchestrator.study.reader import read_study

STUDY = """\
study: tiny
question: Is every number the one that an undisturbed machine gives?
table: 98
corpus: tones
protocol: {folds: 2, seeds: 1}
training: {epochs: 3, batch: 8}
baseline: {layers: 2, hidden: 16}
rows:
  - {name: No FA, set: {fa_layer: none}}
  - {name: FA in layer 2, set: {fa_layer: 2}}
reference: No FA
"""
SAMPLES = 1600
"""Of an utterance, at 16 kHz: nine frames, since a training costs what its frames cost."""
EMOTIONS = ("angry", "happy", "neutral", "sad")


class Tiny(NamedTuple):
    """The study's file, and a store in which nothing disturbed it."""

    study: Path
    store: Path


def train_tiny(folder: Path) -> None:
    """Write the corpus and the study into a new folder, and run it there: see `tiny_in`."""
    tiny = tiny_in(folder)
    (folder / "tones").mkdir(parents=True)
    tiny.study.write_text(STUDY)
    ledger = Ledger.open(str(tiny.store))
    corpus = catalogue.read("table", write_tones(folder / "tones", 4), own_name="tones")
    ledger.write_corpus(corpus.name, corpus.to_json())
    assert run(read_study(tiny.study), ledger, InlineCluster(), lambda event: None).failed == ()


def tiny_in(folder: Path) -> Tiny:
    """Where `train_tiny` leaves the study and its store."""
    return Tiny(folder / "tiny.yaml", folder / "store")


def write_tones(root: Path, speakers: int) -> Path:
    """So many speakers, eight utterances each, of noise and a tone."""
    random = np.random.default_rng(7)
    rows = ["file,speaker,emotion"]
    for speaker in range(speakers):
        for number, emotion in enumerate(EMOTIONS * 2):
            name = f"{speaker}-{number}.wav"
            t = np.arange(SAMPLES) / 16000
            tone = np.sin(2 * np.pi * (100 + 30 * speaker + 40 * (number % 4)) * t)
            noise = random.standard_normal(len(t))
            soundfile.write(root / name, 0.3 * tone + 0.05 * noise, 16000)
            rows.append(f"{name},{speaker},{emotion}")
    (root / "labels.csv").write_text("\n".join(rows) + "\n")
    return root / "labels.csv"
