"""A corpus of tones and a study of seconds: the real chain, small enough to be killed a thousand
times."""

from pathlib import Path

import numpy as np
import soundfile

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
EMOTIONS = ("angry", "happy", "neutral", "sad")


def write_tones(root: Path, speakers: int) -> Path:
    """So many speakers, eight utterances each, of noise and a tone."""
    random = np.random.default_rng(7)
    rows = ["file,speaker,emotion"]
    for speaker in range(speakers):
        for number, emotion in enumerate(EMOTIONS * 2):
            name = f"{speaker}-{number}.wav"
            t = np.arange(6400) / 16000
            tone = np.sin(2 * np.pi * (100 + 30 * speaker + 40 * (number % 4)) * t)
            noise = random.standard_normal(len(t))
            soundfile.write(root / name, 0.3 * tone + 0.05 * noise, 16000)
            rows.append(f"{name},{speaker},{emotion}")
    (root / "labels.csv").write_text("\n".join(rows) + "\n")
    return root / "labels.csv"
