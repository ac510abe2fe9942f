"""A search under SIGKILL: it proposes, prunes, chooses and prints what an undisturbed one does."""

import random
import shutil
import time
from pathlib import Path

import pytest

from orchestrator.store.ledger import Ledger
from tests.faults import probe
from tests.faults.matrix import Matrix
from tests.faults.rounds import Ended, Rounds, tell
from tests.tiny_study import write_tones

STUDY = """\
study: tiny
question: Does a search come to the same end, however often it is killed?
corpus: tones
protocol: {folds: 2, seeds: 1}
training: {epochs: EPOCHS, batch: 8}
score: SCORE
baseline: {hidden: 16, fa_layer: last}
search:
  axes:
    lr: {low: 1.0e-4, high: 1.0e-1, log: true}
    layers: [1, 2]
  budget: {trials: 7}
  inner_folds: 2
"""


@pytest.fixture(scope="module")
def searched(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> tuple[Path, Path, float]:
    """The study, a store in which nothing disturbed it, and how long that took."""
    from features.corpora import catalogue

    folder = tmp_path_factory.mktemp("searched")
    (folder / "tones").mkdir()
    corpus = catalogue.read("table", write_tones(folder / "tones", 8), own_name="tones")
    Ledger.open(str(folder / "store")).write_corpus(corpus.name, corpus.to_json())
    study = folder / "tiny.yaml"
    score = "chosen" if request.param == 1 else "averaged"  # of one epoch there is no average
    study.write_text(STUDY.replace("EPOCHS", str(request.param)).replace("SCORE", score))
    rounds = Rounds(folder, study, folder / "store", folder / "store")
    began = time.monotonic()
    rounds.to_the_end()
    return study, folder / "store", time.monotonic() - began


@pytest.mark.parametrize(
    ("kills", "searched"),
    [(6, 1), pytest.param(120, 2, marks=pytest.mark.faults)],
    indirect=["searched"],
)
def test_a_search_that_is_killed_at_seeded_instants_comes_to_the_same_end(
    searched: tuple[Path, Path, float], tmp_path: Path, matrix: Matrix, kills: int
) -> None:
    study, reference, seconds = searched
    draw, struck, count = random.Random(2027), 0, 0
    wanted = Ledger.open_readonly(str(reference)).studies.snapshots("tiny")[0]
    while struck < kills:
        folder = tmp_path / f"store-{count}"
        count += 1
        folder.mkdir()
        shutil.copytree(
            reference,
            folder / "store",
            ignore=shutil.ignore_patterns("trials", "studies", "searches"),
        )
        rounds, ended, latest = (
            Rounds(folder, study, folder / "store", reference),
            Ended(-9, ""),
            0.5,
        )
        while ended.code != 0:
            ended = rounds.killed_after(draw.uniform(0.05, latest))
            latest += seconds / 8
            assert ended.code in (0, -9), ended
        judgement = rounds.judged()
        found = Ledger.open_readonly(str(rounds.store)).studies.snapshots("tiny")[0]
        assert found == wanted and found.search is not None and found.search.closed
        struck += sum(line["event"] == "killed" for line in probe.lines(rounds.log))
        if judgement.fired:
            tell(matrix, "40 a search killed at random instants", judgement)
        shutil.rmtree(folder)
