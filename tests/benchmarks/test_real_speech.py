"""Real speech (RAVDESS), profile quick: the network beside an honest simple thing.

The simple thing: openSMILE eGeMAPS functionals, z-scored on training speakers, RBF SVM, its C
chosen on dev (`model: svm`), under the very same folds, scored by speaker in the same way.

    ABLATE_RAVDESS=FOLDER make bench

ABLATE_BENCH_STORE names a store to keep between calls: what it holds is not trained again.
"""

import json
import math
import os
from pathlib import Path

import numpy as np
import pytest

from model.evaluation.metrics import ua
from orchestrator.analysis.summary import summarise
from orchestrator.execution.cluster.ray_cluster import RayCluster
from orchestrator.execution.run import run
from orchestrator.planning.plan import Plan, plan_study
from orchestrator.store.ledger import Ledger
from orchestrator.store.records import Outcome
from orchestrator.study.reader import parse_study, read_study

pytestmark = [pytest.mark.bench, pytest.mark.ravdess, pytest.mark.ray]

STUDY = """\
study: quick_on_ravdess
table: 97
corpus: ravdess
profile: quick
rows:
  - {name: WMA-GIN}
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


def ua_by_speaker(plan: Plan, outcomes: dict[str, Outcome], row: str) -> list[float]:
    return [
        ua(scores.confusion)
        for placed in plan.trials
        if placed.row == row
        for scores in outcomes[placed.id].scores
        if (scores.choice, scores.unit) == ("chosen", "utterance")
    ]


def test_the_network_is_within_one_standard_error_of_the_svm(ledger: Ledger) -> None:
    study = parse_study(STUDY, "quick_on_ravdess.yaml")
    result = run(study, ledger, RayCluster(store=ledger.root), lambda event: None, threads=2)
    assert result.failed == ()
    plan = plan_study(study, ledger)
    outcomes = {
        t.id: o for t in plan.snapshot.trials if (o := ledger.outcomes.read(t.id)) is not None
    }
    row, _ = summarise(plan.snapshot, outcomes).rows
    svm = ua_by_speaker(plan, outcomes, "SVM")
    mean, error = float(np.mean(svm)), float(np.std(svm, ddof=1) / math.sqrt(len(svm)))
    assert row.ua is not None and row.best_on_test is not None
    print(
        f"\nRAVDESS, {len(plan.selection.items)} utterances, {len(svm)} test speakers, UA:\n"
        f"  WMA-GIN, epoch chosen on dev   {row.ua.mean:.3f}\n"
        f"  eGeMAPS functionals + RBF SVM  {mean:.3f}, standard error {error:.3f}\n"
        f"  WMA-GIN, best epoch on test    {row.best_on_test.ua:.3f} (optimistic)\n"
        f"  target                         0.600"
    )
    assert row.ua.mean >= mean - error


def test_quick_is_the_row_of_its_grid_with_the_highest_dev_ua(ledger: Ledger, root: Path) -> None:
    study = read_study(root / "studies" / "quick_profile.yaml")
    run(study, ledger, RayCluster(store=ledger.root), lambda event: None, threads=2)
    plan = plan_study(study, ledger)
    dev: dict[str, list[float]] = {}
    for item in plan.trials:
        outcome = ledger.outcomes.read(item.id)
        assert outcome is not None
        folder = ledger.paths.attempt_folder(item.id, outcome.attempt)
        history = json.loads((folder / "history.json").read_bytes())
        chosen = {s.speaker: s.epoch for s in outcome.scores if s.choice == "chosen"}
        on_b, on_a = chosen[item.trial.a[0]], chosen[item.trial.b[0]]
        scores = [history[on_a - 1]["a"]["ua"], history[on_b - 1]["b"]["ua"]]
        dev.setdefault(item.row, []).extend(scores)
    means = {name: float(np.mean(values)) for name, values in dev.items()}
    print("\nDev UA at the chosen epoch, mean over ten dev speakers, one seed:")
    for name, value in means.items():
        print(f"  {name:<22} {value:.3f}")
    assert max(means, key=lambda name: means[name]) == study.reference
