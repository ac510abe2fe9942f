"""A corpus of tones and a study of seconds: the real chain, small enough to be killed a thousand
times; and the matrix, which is printed at the end."""

import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

from faults.matrix import Matrix
from faults.ray_rounds import RayRounds
from faults.rounds import Begin, Rounds

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
_MATRIX = pytest.StashKey[Matrix]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_MATRIX] = Matrix()


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    lines = list(config.stash[_MATRIX].lines())
    if lines:
        terminalreporter.section("fault matrix")
        terminalreporter.write("\n".join(lines) + "\n")


@pytest.fixture(scope="session")
def matrix(pytestconfig: pytest.Config) -> Matrix:
    return pytestconfig.stash[_MATRIX]


@pytest.fixture(scope="session")
def tones(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A table corpus of four speakers."""
    return write_tones(tmp_path_factory.mktemp("tones"), 4)


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


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The study."""
    path = tmp_path_factory.mktemp("study") / "tiny.yaml"
    path.write_text(STUDY)
    return path


@pytest.fixture(scope="session")
def bare(tmp_path_factory: pytest.TempPathFactory, tones: Path) -> Path:
    """A store that knows the corpus and nothing else. Copy it."""
    from features.corpora import catalogue
    from orchestrator.store.ledger import Ledger

    ledger = Ledger.open(str(tmp_path_factory.mktemp("bare") / "store"))
    corpus = catalogue.read("table", tones, own_name="tones")
    ledger.write_corpus(corpus.name, corpus.to_json())
    return Path(str(ledger.root))


@pytest.fixture(scope="session")
def reference(tmp_path_factory: pytest.TempPathFactory, bare: Path, tiny: Path) -> Path:
    """A store in which nothing disturbed the study."""
    folder = tmp_path_factory.mktemp("reference")
    shutil.copytree(bare, folder / "store")
    Rounds(folder, tiny, folder / "store", folder / "store").to_the_end()
    return folder / "store"


@pytest.fixture(scope="session")
def ready(tmp_path_factory: pytest.TempPathFactory, reference: Path) -> Path:
    """A store with features and no trial. Copy it."""
    store = tmp_path_factory.mktemp("ready") / "store"
    shutil.copytree(reference, store, ignore=shutil.ignore_patterns("trials", "studies"))
    return store


@pytest.fixture
def begin(tmp_path: Path, tiny: Path, ready: Path, reference: Path) -> Iterator[Begin]:
    """Gives a new store, with features and no trial, as often as it is called."""
    made: list[Path] = []

    def make(store: Path | None = None) -> Rounds:
        folder = tmp_path / f"store-{len(made)}"
        folder.mkdir()
        made.append(folder)
        shutil.copytree(store or ready, folder / "store")
        return Rounds(folder, tiny, folder / "store", reference)

    yield make
    for folder in made:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def tiny_ray(tmp_path: Path, tiny: Path, ready: Path, reference: Path) -> RayRounds:
    """A new store, with features and no trial, for `ablate run` under Ray."""
    shutil.copytree(ready, tmp_path / "store")
    return RayRounds(tmp_path, tiny, tmp_path / "store", reference)


@pytest.fixture(scope="session")
def seconds(
    tmp_path_factory: pytest.TempPathFactory, tiny: Path, ready: Path, reference: Path
) -> float:
    """How long the study takes here and now, undisturbed."""
    folder = tmp_path_factory.mktemp("clock")
    shutil.copytree(ready, folder / "store")
    began = time.monotonic()
    Rounds(folder, tiny, folder / "store", reference).to_the_end()
    return time.monotonic() - began
