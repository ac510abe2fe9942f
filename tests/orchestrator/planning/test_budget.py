"""A budget takes the most telling part, always the same one, and more budget only adds."""

import math
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.errors import RequestError
from orchestrator.planning.cost.budget import (
    BudgetSelection,
    first_trial,
    seconds_of,
    select_trials,
)
from orchestrator.planning.cost.eta import makespan
from orchestrator.planning.plan import plan_study
from orchestrator.store.ledger import Ledger
from orchestrator.study.reader import parse_study
from orchestrator.study.trials import PlannedTrial

STUDY = """\
study: budget
corpus: demo
protocol: {folds: 3, seeds: 3}
baseline: {layers: 2, hidden: 64}
rows:
  - {name: A, set: {fa_layer: 1}}
  - {name: B, set: {fa_layer: 2}}
  - {name: C, set: {fa_layer: none}}
reference: B
"""


@pytest.fixture(scope="module")
def items(tmp_path_factory: pytest.TempPathFactory) -> tuple[PlannedTrial, ...]:
    ledger = Ledger.open_readonly(str(tmp_path_factory.mktemp("s") / "none"))
    return plan_study(parse_study(STUDY, "budget.yaml"), ledger).to_train


SECONDS = {"A": 10.0, "B": 20.0, "C": 30.0}


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("3h", 10800),
        ("90m", 5400),
        ("1h30m", 5400),
        ("1h 30min", 5400),
        ("45s", 45),
        ("0.5d", 43200),
    ],
)
def test_a_budget_is_read_with_its_unit(text: str, seconds: float) -> None:
    assert seconds_of(text) == seconds


@pytest.mark.parametrize("text", ["3", "h", "", "3 hours", "-3h", "1e3s", "nan", "3h-1h", "3w"])
def test_what_is_no_budget_is_refused_in_one_sentence(text: str) -> None:
    with pytest.raises(RequestError, match="^`--budget` must be a time with its unit, such as 3h"):
        seconds_of(text)
    with pytest.raises(RequestError, match="^`--budget` must be more than nothing, but is `0h`"):
        seconds_of("0h")


def test_all_rows_of_fewer_seeds_come_before_some_rows_of_all(
    items: tuple[PlannedTrial, ...],
) -> None:
    part = select_trials(items, SECONDS, 1, 200.0, "B")
    assert [(t.seed, t.fold, t.row) for t in part.taken] == [
        (0, fold, row) for fold in range(3) for row in "ABC"
    ]
    assert part.describe() == (
        "Left out for the budget: 18 of 27 trials (seeds 1 to 2 of all rows)."
    )


def test_a_budget_below_a_fold_of_all_rows_takes_the_reference_first(
    items: tuple[PlannedTrial, ...],
) -> None:
    assert first_trial(items, "B").row == "B"
    assert [t.row for t in select_trials(items, SECONDS, 1, 25.0, "B").taken] == ["B"]
    part = select_trials(items, SECONDS, 1, 35.0, "B")
    assert [t.row for t in part.taken] == ["A", "B"]
    assert "in fold 1 of seed 0 `C`; seed 0: folds 2 to 3 of all rows; seeds 1" in part.describe()
    assert select_trials(items, SECONDS, 1, 19.0, "B").taken == ()


def test_nothing_is_said_where_nothing_is_left_out(items: tuple[PlannedTrial, ...]) -> None:
    assert select_trials(items, SECONDS, 2, math.inf, "B").describe() == ""
    assert select_trials((), SECONDS, 2, 5.0, "B") == BudgetSelection((), ())


seconds = st.fixed_dictionaries({row: st.floats(0.1, 100.0) for row in "ABC"})


@settings(max_examples=100)
@given(
    each=seconds,
    lanes=st.integers(1, 9),
    less=st.floats(0.0, 3000.0),
    more=st.floats(0.0, 3000.0),
    done=st.sets(st.integers(0, 26)),
)
def test_more_budget_only_adds_and_what_is_taken_fits(
    items: tuple[PlannedTrial, ...],
    each: dict[str, float],
    lanes: int,
    less: float,
    more: float,
    done: set[int],
) -> None:
    lacking = [item for index, item in enumerate(items) if index not in done]
    less, more = sorted((less, more))
    small, large = (select_trials(lacking, each, lanes, budget, "B") for budget in (less, more))
    assert {t.id for t in small.taken} <= {t.id for t in large.taken}
    for part, budget in ((small, less), (large, more)):
        assert makespan([each[t.row] for t in part.taken], lanes) <= budget
        assert sorted(part.taken + part.left_out, key=lacking.index) == lacking
        assert part == select_trials(lacking, each, lanes, budget, "B")


@settings(max_examples=50)
@given(each=seconds, budgets=st.lists(st.floats(0.0, 400.0), min_size=1, max_size=6))
def test_running_again_goes_on_and_never_takes_what_is_done(
    items: tuple[PlannedTrial, ...], each: dict[str, float], budgets: list[float]
) -> None:
    done: set[str] = set()
    for budget in budgets:
        lacking = [item for item in items if item.id not in done]
        taken = {t.id for t in select_trials(lacking, each, 2, budget, "B").taken}
        assert not taken & done
        done |= taken
        begun = {(t.seed, t.fold) for t in items if t.id in done}
        partly = [p for p in begun if any(t.id not in done for t in items if (t.seed, t.fold) == p)]
        assert len(partly) <= 1, "rows of one fold at most are not side by side"


def test_a_budget_in_a_store_that_knows_nothing_names_the_command_that_finds_out(
    tmp_path: Path,
) -> None:
    from orchestrator.errors import LackError
    from orchestrator.planning.cost import price

    ledger = Ledger.open_readonly(str(tmp_path / "none"))
    plan = plan_study(parse_study(STUDY, "budget.yaml"), ledger)
    with pytest.raises(LackError, match="`ablate plan budget.yaml --probe` measures it"):
        price.select_within_budget(plan, price.price_plan(plan, ledger, 1, 0), 60.0)


def test_what_a_budget_leaves_out_says_its_deal(tmp_path: Path) -> None:
    text = STUDY.replace("folds: 3, seeds: 3", "folds: 3, deals: 3, seeds: 2")
    ledger = Ledger.open_readonly(str(tmp_path / "none"))
    items = plan_study(parse_study(text, "budget.yaml"), ledger).to_train
    seconds = dict.fromkeys("ABC", 1.0)
    assert len(items) == 3 * 3 * 3 * 2

    def left_out(trials: int) -> str:
        return select_trials(items, seconds, 1, trials, "B").describe().partition("(")[2][:-2]

    assert (
        left_out(12) == "seed 0: folds 2 to 3 of deal 2 and deal 3 of all rows; seed 1 of all rows"
    )
    assert left_out(18) == "seed 0: deal 3 of all rows; seed 1 of all rows"
    assert left_out(27) == "seed 1 of all rows"
    assert left_out(1) == (
        "in fold 1 of deal 1 of seed 0 `A`; in fold 1 of deal 1 of seed 0 `C`; "
        "seed 0: folds 2 to 3 of deal 1 and deals 2 to 3 of all rows; seed 1 of all rows"
    )
