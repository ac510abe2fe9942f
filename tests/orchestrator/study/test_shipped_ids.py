"""The ids of the shipped studies' trials, hash for hash.

A trial's id is its place in every store: where one moves, a finished training is trained again.
A change that is to change results raises SEMANTICS and records the ids anew: delete
``fixtures/shipped_ids.json`` and run this file; the tests fail once and write it.
"""

import json
from hashlib import sha256
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from features.corpora.folds import Fold
from features.descriptors.catalogue import SETS
from orchestrator.study.reader import read_study
from orchestrator.study.trials import expand, variants

ROOT = Path(__file__).parents[3]
SHIPPED = ROOT / "tests" / "fixtures" / "shipped_ids.json"
PROFILES = ("paper", "quick")
STUDIES = sorted(path.stem for path in (ROOT / "studies").glob("*.yaml"))


def ids(name: str, profile: str) -> dict[str, Any]:
    """How many trials a study has on drawn speakers, and the digest of their ids in order."""
    study = read_study(ROOT / "studies" / f"{name}.yaml")
    speakers = [f"s{n:02}" for n in range(10)]
    folds = tuple(
        Fold(
            index=f,
            a=(speakers[2 * f],),
            b=(speakers[2 * f + 1],),
            train=tuple(s for s in speakers if s not in speakers[2 * f : 2 * f + 2]),
        )
        for f in range(5)
    )
    selection: Any = SimpleNamespace(digest="c" * 64, classes=("angry", "happy", "neutral", "sad"))
    placed = expand(
        study, variants(study, profile), selection, folds, dict.fromkeys(SETS, "extractor 1")
    )
    return {
        "trials": len(placed),
        "ids": sha256("\n".join(p.id for p in placed).encode()).hexdigest(),
    }


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("name", STUDIES)
def test_the_ids_of_a_shipped_study_are_those_of_before(name: str, profile: str) -> None:
    if not SHIPPED.exists():
        found = {study: {kind: ids(study, kind) for kind in PROFILES} for study in STUDIES}
        SHIPPED.write_text(json.dumps(found, indent=1) + "\n")
        pytest.fail("The ids have been written: read the difference and run again.")
    assert ids(name, profile) == json.loads(SHIPPED.read_text())[name][profile]
