"""From synthesised speech to an outcome: numbers that stay, or SEMANTICS is raised on purpose.

`golden.json` holds the trials of `studies/smoke.yaml` as one machine trained them. In the same
determinism class the digests must be equal to the bit; elsewhere the first probabilities must
agree to a relative 1e-4 of the largest. When a change of the code means to move numbers, raise
`SEMANTICS` in `orchestrator/trials.py`, remove the file and run this test: it writes the new one
and fails once.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from orchestrator.ledger import Ledger
from orchestrator.trials import SEMANTICS

GOLDEN = Path(__file__).with_name("golden.json")


def measured(store: Path) -> dict[str, Any]:
    ledger = Ledger(store)
    (asked,) = ledger.snapshots("smoke")
    trials: dict[str, Any] = {}
    for trial in asked.trials:
        outcome = ledger.outcome(trial.id)
        assert outcome is not None
        folder = ledger.attempt_folder(trial.id, outcome.attempt)
        table = pq.read_table(folder / "predictions.parquet").to_pandas()
        last = table[table.choice == "last_epoch"].head(8)
        shown = last[[c for c in table.columns if c.startswith("p_")]].to_numpy().tolist()
        trials[f"{trial.row}, fold {trial.fold}"] = {
            "id": trial.id,
            "digests": dict(outcome.digests),
            "probabilities": shown,
        }
        environment = dict(outcome.environment)
    return {"semantics": SEMANTICS, "environment": environment, "trials": trials}


def test_outcomes_are_the_ones_that_were_recorded(trained_store: Path) -> None:
    found = measured(trained_store)
    if not GOLDEN.exists():
        GOLDEN.write_text(json.dumps(found, indent=1) + "\n")
        pytest.fail("The golden outcomes were not there and have been written: look, commit.")
    wanted = json.loads(GOLDEN.read_text())
    assert found["semantics"] == wanted["semantics"], "record new golden outcomes"
    exact = found["environment"] == wanted["environment"]
    print("golden outcomes:", "to the bit" if exact else "to a relative 1e-4")
    for name, trial in wanted["trials"].items():
        assert found["trials"][name]["id"] == trial["id"], name
        if exact:
            assert found["trials"][name]["digests"] == trial["digests"], name
        else:
            np.testing.assert_allclose(
                found["trials"][name]["probabilities"], trial["probabilities"], atol=1e-4
            )
