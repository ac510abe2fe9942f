"""Every system of Table 3 on real speech (RAVDESS), profile quick, the first fold, one thread.

    ABLATE_RAVDESS=FOLDER make bench

Prints seconds an epoch and UA; fails where a system stays at chance on its dev speakers.
"""

import os
import time
from pathlib import Path

import pytest

from features.corpora import catalogue
from features.corpora.folds import Fold
from features.dataset.dataset import load
from features.shards import shards
from model.evaluation.state import TrainingState
from model.training.fit import train
from model.training.seeding import pin
from orchestrator.planning.plan import plan_study
from orchestrator.store.ledger import Ledger
from orchestrator.study.reader import parse_study

pytestmark = [pytest.mark.bench, pytest.mark.ravdess]

CHANCE = 0.25


def test_every_system_learns_from_real_speech(root: Path, tmp_path: Path) -> None:
    folder = os.environ.get("ABLATE_RAVDESS")
    if not folder:
        pytest.skip("ABLATE_RAVDESS names no folder")
    ledger = Ledger.open(str(tmp_path))
    ledger.write_corpus("ravdess", catalogue.read("ravdess", Path(folder)).to_json())
    text = (root / "studies" / "graph_systems.yaml").read_text()
    plan = plan_study(
        parse_study(text.replace("corpus: auto", "corpus: ravdess"), "s.yaml"), ledger
    )
    pin()
    print(f"\n{'row':<20} {'parameters':>10} {'s/epoch':>8} {'dev UA, a and b':>16}")
    for placed in (item for item in plan.trials if item.fold == 0):
        trial = placed.trial
        shards.build(ledger.paths.local_shards, plan.selection, trial.features)
        fold = Fold(index=0, train=trial.train, a=trial.a, b=trial.b)
        data = load(ledger.paths.local_shards, plan.selection, fold, trial.features)
        times = [time.monotonic()]

        def clock(state: TrainingState, times: list[float] = times) -> None:
            times.append(time.monotonic())

        result = train(
            trial.model,
            trial.training,
            data.train,
            data.a,
            data.b,
            mean_F=data.mean_F,
            std_F=data.std_F,
            classes=len(data.classes),
            nodes=trial.features.segment_nodes,
            seed=0,
            on_epoch=clock,
        )
        a, b = (max(getattr(e, side).ua for e in result.history) for side in ("a", "b"))
        seconds = (times[-1] - times[0]) / result.epochs
        print(f"{placed.row:<20} {result.parameters:>10,} {seconds:>8.2f} {a:>8.3f} {b:>7.3f}")
        assert min(a, b) > CHANCE, placed.row
