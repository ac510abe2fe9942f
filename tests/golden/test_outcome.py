"""From synthesised speech to an outcome: numbers that stay, or SEMANTICS is raised on purpose.

`golden.json` holds the trials of `studies/smoke.yaml` as some machines trained them. In the same
determinism class the digests must be equal to the bit; elsewhere the first probabilities must
agree to 1e-4. When a change of the code means to move numbers, raise `SEMANTICS` in
`orchestrator/study/trials.py`, remove the file and run this test: it writes the new one and fails
once. With RECORD_GOLDEN=1 it adds this machine's class.
"""

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from orchestrator.store.ledger import Ledger
from orchestrator.study.trials import SEMANTICS

GOLDEN = Path(__file__).with_name("golden.json")


def measured(store: Path) -> dict[str, Any]:
    ledger = Ledger.open_unchecked(str(store))
    (snapshot,) = ledger.studies.snapshots("smoke")
    trials: dict[str, Any] = {}
    for trial in snapshot.trials:
        outcome = ledger.outcomes.read(trial.id)
        assert outcome is not None
        folder = ledger.paths.attempt_folder(trial.id, outcome.attempt)
        table = pq.read_table(folder / "predictions.parquet").to_pandas()
        last = table[table.choice == "last_epoch"].head(8)
        shown = last[[c for c in table.columns if c.startswith("p_")]].to_numpy().tolist()
        trials[f"{trial.row}, fold {trial.fold}"] = {
            "id": trial.id,
            "digests": dict(outcome.digests),
            "probabilities": shown,
        }
        environment = dict(outcome.environment)
    return {"environment": environment, "trials": trials}


def test_outcomes_are_the_ones_that_were_recorded(trained_store: Path) -> None:
    found = measured(trained_store)
    golden = json.loads(GOLDEN.read_text()) if GOLDEN.exists() else {"records": []}
    if not golden["records"] or "RECORD_GOLDEN" in os.environ:
        others = [r for r in golden["records"] if r["environment"] != found["environment"]]
        golden = {"semantics": SEMANTICS, "records": [*others, found]}
        GOLDEN.write_text(json.dumps(golden, indent=1) + "\n")
        pytest.fail("The golden outcomes of this class have been written: look, commit.")
    assert golden["semantics"] == SEMANTICS, "record new golden outcomes"
    for wanted in golden["records"]:
        exact = found["environment"] == wanted["environment"]
        print("golden outcomes:", "to the bit" if exact else "to 1e-4", wanted["environment"])
        for name, trial in wanted["trials"].items():
            here = found["trials"][name]
            assert here["id"] == trial["id"], name
            if exact:
                assert here["digests"] == trial["digests"], name
            else:
                np.testing.assert_allclose(here["probabilities"], trial["probabilities"], atol=1e-4)
