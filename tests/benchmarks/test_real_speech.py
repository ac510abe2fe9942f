"""Real speech (RAVDESS), profile quick: the network beside an honest simple thing.

The simple thing: openSMILE eGeMAPS functionals, z-scored on training speakers, RBF SVM, its C
chosen by inner folds of the training speakers (`model: svm`), under the very same folds, scored by
speaker in the same way. Beside both the settings that quick had before its grid was trained anew.

    ABLATE_RAVDESS=FOLDER make bench

ABLATE_BENCH_STORE names a store to keep between calls: what it holds is not trained again.
"""

import math
import os
from pathlib import Path

import numpy as np
import pytest

from orchestrator.analysis.row_scores import row_uas
from orchestrator.execution.cluster.ray_cluster import RayCluster
from orchestrator.execution.run import run
from orchestrator.planning.plan import plan_study
from orchestrator.store.ledger import Ledger
from orchestrator.study.keys.settings import PROFILES
from orchestrator.study.reader import parse_study, read_study
from orchestrator.study.study import Study

pytestmark = [pytest.mark.bench, pytest.mark.ravdess, pytest.mark.ray]

STUDY = """\
study: quick_on_ravdess
table: 97
corpus: ravdess
profile: quick
rows:
  - {name: WMA-GIN}
  - {name: "batch 32, lr 0.002", set: {training: {batch: 32, lr: 0.002}}}
  - {name: SVM, set: {model: svm, features: egemaps}}
"""


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Ledger:
    from features.corpora import catalogue

    folder = os.environ.get("ABLATE_RAVDESS")
    if not folder:
        pytest.skip("ABLATE_RAVDESS names no folder")
    store = os.environ.get("ABLATE_BENCH_STORE") or str(tmp_path_factory.mktemp("bench"))
    found = Ledger.open(store)
    found.write_corpus("ravdess", catalogue.read("ravdess", Path(folder)).to_json())
    return found


def trained(study: Study, ledger: Ledger) -> dict[str, list[float]]:
    """Train a study: row -> UA of each test speaker, 0 to 1, mean over its seeds."""
    result = run(study, ledger, RayCluster(store=ledger.root), lambda event: None, threads=2)
    assert result.failed == ()
    plan = plan_study(study, ledger)
    ids = {t.id for t in plan.snapshot.trials}
    outcomes = {id: o for id in ids if (o := ledger.outcomes.read(id)) is not None}
    return {
        row: [float(np.mean(list(seeds.values()))) for seeds in speakers.values()]
        for row, speakers in row_uas(plan.snapshot, outcomes).items()
    }


def test_the_network_is_within_one_standard_error_of_the_svm(ledger: Ledger) -> None:
    network, before, svm = trained(parse_study(STUDY, "quick_on_ravdess.yaml"), ledger).values()
    error = float(np.std(svm, ddof=1)) / math.sqrt(len(svm))
    print(
        f"\nRAVDESS, {len(svm)} test speakers, UA:\n"
        f"  WMA-GIN, averaged weights       {np.mean(network):.3f}\n"
        f"  the same at batch 32, lr 0.002  {np.mean(before):.3f}\n"
        f"  eGeMAPS functionals + RBF SVM   {np.mean(svm):.3f}, standard error {error:.3f}"
    )
    assert np.mean(network) >= np.mean(svm) - error


def test_quick_is_the_row_of_its_grid_with_the_highest_ua(ledger: Ledger, root: Path) -> None:
    """The grid is trained on synthesised speech alone: real speech has no say in it."""
    study = read_study(root / "studies" / "quick_profile.yaml")
    means = {row: float(np.mean(uas)) for row, uas in trained(study, ledger).items()}
    print("\nUA with averaged weights, synthesised speech, mean over ten speakers and two seeds:")
    for name, value in means.items():
        print(f"  {name:<22} {value:.3f}")
    quick = PROFILES["quick"]["training"]
    assert max(means, key=lambda name: means[name]) == f"batch {quick['batch']}, lr {quick['lr']}"
