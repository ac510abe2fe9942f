"""No verdict and no p before every training that a study asks for is finished or given up."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.analysis.differences import compare_with_reference
from orchestrator.analysis.grid.effects import estimate_effects
from orchestrator.analysis.progress.adaptive import adaptive_progress, with_wanted_trials
from orchestrator.analysis.progress.completeness import completeness, given_up_trials
from orchestrator.analysis.row_scores import row_uas
from orchestrator.analysis.statistics import holm
from orchestrator.analysis.summary import Summary, summarise
from orchestrator.store.records import Outcome
from orchestrator.store.snapshot import Snapshot
from orchestrator.study.study import PaperClaim
from orchestrator.study.trials import SEMANTICS
from tests import stores

ROWS = {"full": {"hidden": 64}, "small": {"hidden": 32}, "smaller": {"hidden": 16}}
SKILL = {"full": 2.5, "small": 1.0, "smaller": 0.3}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Snapshot, dict[str, Outcome]]:
    """A study of three rows that clearly differ: five folds and two seeds, all finished."""
    root = tmp_path_factory.mktemp("made") / "store"
    ledger, snapshot = stores.made(
        root,
        ROWS,
        seeds=2,
        skill=SKILL,
        comparable=True,
        claim=PaperClaim(better="full", than=("small", "smaller"), on="ua"),
        axes=("hidden",),
    )
    return snapshot, ledger.outcomes.read_all(trial.id for trial in snapshot.trials)


def verdicts(summary: Summary) -> dict[str, str]:
    return {row.name: row.verdict for row in summary.rows}


def ps(summary: Summary) -> list[float]:
    """Every p that a table of this summary could print."""
    found = []
    for row in summary.rows:
        if (d := row.difference) is not None:
            again = d.over_seeds.p if d.over_seeds else None
            found += [p for p in (d.p, d.p_alone, d.p_sign_flip, again) if p is not None]
    return found


def without(outcomes: Mapping[str, Outcome], *ids: str) -> dict[str, Outcome]:
    return {id: outcome for id, outcome in outcomes.items() if id not in ids}


def trial_of(snapshot: Snapshot, row: str, fold: int = 4, seed: int = 1) -> str:
    return next(t.id for t in snapshot.trials if (t.row, t.fold, t.seed) == (row, fold, seed))


def test_a_study_is_judged_at_its_last_training_and_at_no_moment_before(
    made: tuple[Snapshot, dict[str, Outcome]],
) -> None:
    """The first seed gives every row all of its groups: to judge it then would be a look too."""
    snapshot, outcomes = made
    for n in range(len(snapshot.trials)):
        so_far = {trial.id: outcomes[trial.id] for trial in snapshot.trials[:n]}
        summary = summarise(snapshot, so_far)
        rows = {row.name: row for row in summary.rows}
        assert verdicts(summary) == {
            "full": "",
            "small": f"open, {rows['small'].n} of 10",
            "smaller": f"open, {rows['smaller'].n} of 10",
        }
        assert ps(summary) == []
        assert (summary.claim, summary.reason) == ("open", f"{n} of 30 trainings are finished")
    assert rows["small"].difference is not None and rows["small"].difference.low is not None
    summary = summarise(snapshot, outcomes)
    assert verdicts(summary) == {"full": "", "small": "yes", "smaller": "yes"}
    assert summary.claim == "supports" and len(ps(summary)) == 6  # two seeds have no p of their own


def test_holm_is_over_the_comparisons_that_were_asked_for(
    made: tuple[Snapshot, dict[str, Outcome]],
) -> None:
    snapshot, outcomes = made
    scores = row_uas(snapshot, outcomes)
    single = {name: scores[name] for name in ("full", "small")}
    alone = compare_with_reference(snapshot, single)["small"].p_alone
    assert alone is not None
    judged = compare_with_reference(snapshot, scores, open_rows=("smaller",))
    assert judged["smaller"].p is judged["smaller"].p_alone is None
    assert judged["small"].p == holm({"small": alone, "smaller": 1.0})["small"] == 2 * alone
    flat = {**scores, "smaller": {s: {0: ua[0] + 0.1} for s, ua in scores["full"].items()}}
    still = compare_with_reference(snapshot, flat)
    assert still["smaller"].p is None and still["small"].p == 2 * alone


def test_a_training_given_up_leaves_its_row_open_and_the_others_judged(
    made: tuple[Snapshot, dict[str, Outcome]],
) -> None:
    snapshot, outcomes = made
    gone = trial_of(snapshot, "smaller")
    summary = summarise(snapshot, without(outcomes, gone), given_up={gone})
    assert verdicts(summary) == {
        "full": "",
        "small": "yes",
        "smaller": "open, 9 of 10 (1 diverged)",
    }
    *_, smaller = summary.rows
    assert smaller.difference is not None and smaller.difference.p is None
    assert (smaller.n, smaller.missing, smaller.given_up) == (9, 0, 1)
    assert (summary.claim, summary.reason) == ("open", "`smaller` is open, 9 of 10 (1 diverged)")


def test_a_diverged_reference_leaves_every_comparison_open(
    made: tuple[Snapshot, dict[str, Outcome]],
) -> None:
    snapshot, outcomes = made
    gone = trial_of(snapshot, "full")
    summary = summarise(snapshot, without(outcomes, gone), given_up={gone})
    assert verdicts(summary) == {"full": "", "small": "open, 10 of 10", "smaller": "open, 10 of 10"}
    assert ps(summary) == [] and summary.claim == "open"
    finished = summarise(snapshot, outcomes, given_up={gone})
    assert verdicts(finished)["small"] == "yes", "what finished after all is not given up"


def test_a_claim_is_contradicted_by_a_row_that_can_be_judged(
    made: tuple[Snapshot, dict[str, Outcome]],
) -> None:
    snapshot, outcomes = made
    gone = trial_of(snapshot, "smaller")
    other = replace(snapshot, claim=PaperClaim(better="small", than=("full", "smaller"), on="ua"))
    assert summarise(other, without(outcomes, gone), given_up={gone}).claim == "contradicts"


def test_stale_outcomes_are_missing(made: tuple[Snapshot, dict[str, Outcome]]) -> None:
    snapshot, outcomes = made
    old = trial_of(snapshot, "small")
    stale = replace(outcomes[old], identity={"semantics": SEMANTICS - 1})
    state = completeness(snapshot, {**outcomes, old: stale})
    assert state.all_rows.missing == 1 and state.open_verdict("smaller") == "open, 10 of 10"


def test_a_grid_is_judged_when_all_of_its_cells_are_finished(tmp_path: Path) -> None:
    rows = {f"{h} {fa}": {"hidden": h, "fa": fa} for h in (8, 16) for fa in ("none", "last")}
    ledger, snapshot = stores.made(tmp_path / "store", rows, axes=("hidden", "fa"))
    outcomes = ledger.outcomes.read_all(trial.id for trial in snapshot.trials)
    whole = estimate_effects(snapshot, outcomes)
    (dependence,) = whole.interactions[0].dependences
    assert dependence.difference is not None and dependence.difference.p is not None
    assert dependence.verdict in ("yes", "cannot tell")
    gone = snapshot.trials[0].id
    for given_up, text in (((), "open, 19 of 20"), ((gone,), "open, 19 of 20 (1 diverged)")):
        found = estimate_effects(snapshot, without(outcomes, gone), given_up)
        (dependence,) = found.interactions[0].dependences
        assert dependence.verdict == text
        assert dependence.difference is not None and dependence.difference.p is None
        assert {effect.verdict for effect in found.main} == {text}


def test_only_what_diverged_by_this_code_is_given_up(tmp_path: Path) -> None:
    gone = [("small", fold, 0) for fold in range(5)]
    ledger, snapshot = stores.made(tmp_path / "store", ROWS, missing=gone)
    ids = [trial_of(snapshot, "small", fold, 0) for fold in range(5)]
    stores.failed(ledger, ids[0], "diverged", {"semantics": SEMANTICS})
    stores.failed(ledger, ids[1], "diverged", {"semantics": SEMANTICS - 1})
    stores.failed(ledger, ids[2], "diverged", {})  # from before the identity was kept
    stores.failed(ledger, ids[3], "infrastructure", {"semantics": SEMANTICS})
    stores.failed(ledger, ids[4], "diverged", {"semantics": SEMANTICS})
    stores.failed(ledger, ids[4], "infrastructure", {"semantics": SEMANTICS})  # of a later run
    done = trial_of(snapshot, "full", 0, 0)
    stores.failed(ledger, done, "diverged", {"semantics": SEMANTICS})
    found = given_up_trials(ledger, [trial.id for trial in snapshot.trials])
    assert found == {ids[0], ids[4]}
    ledger.attempts.failure_files(ids[0])[0].write_text("{")
    assert given_up_trials(ledger, ids) == {ids[4]}, "a damaged record proves nothing"


def test_an_adaptive_study_does_not_wait_for_a_row_whose_training_was_given_up(
    tmp_path: Path,
) -> None:
    """It is judged once the comparisons of the other rows are settled."""
    gone = [("smaller", 4, 1)]
    ledger, snapshot = stores.made(
        tmp_path / "store", ROWS, seeds=5, skill=SKILL, replicates="adaptive", missing=gone
    )
    ids = [trial.id for trial in snapshot.trials]
    outcomes, id = ledger.outcomes.read_all(ids), trial_of(snapshot, "smaller")
    waiting = adaptive_progress(snapshot, outcomes)
    assert waiting is not None and waiting.open_rows == ("small", "smaller")
    assert "open, 14 of 15" in verdicts(summarise(snapshot, outcomes)).values()
    stores.failed(ledger, id, "diverged", {"semantics": SEMANTICS})
    found = adaptive_progress(snapshot, outcomes, {id})
    assert found is not None and found.open_rows == ()
    assert found.comparisons["smaller"].stop_reason == "diverged"
    assert found.comparisons["small"].stop_reason == "differs"
    assert with_wanted_trials(snapshot, ledger) == found.needed_now()
    assert verdicts(summarise(snapshot, outcomes, given_up={id})) == {
        "full": "",
        "small": "yes",
        "smaller": "open, 14 of 15 (1 diverged)",
    }


def test_an_adaptive_study_whose_reference_diverged_is_over_and_open(tmp_path: Path) -> None:
    ledger, snapshot = stores.made(
        tmp_path / "store", ROWS, seeds=3, replicates="adaptive", missing=[("full", 4, 1)]
    )
    outcomes = ledger.outcomes.read_all(trial.id for trial in snapshot.trials)
    id = trial_of(snapshot, "full")
    found = adaptive_progress(snapshot, outcomes, {id})
    assert found is not None and found.open_rows == ()
    assert {one.stop_reason for one in found.comparisons.values()} == {"diverged"}
    summary = summarise(snapshot, outcomes, given_up={id})
    assert verdicts(summary) == {"full": "", "small": "open, 15 of 15", "smaller": "open, 15 of 15"}
