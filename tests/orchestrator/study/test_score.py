"""The key `score`: its default, what it makes of patience, and what cannot stand beside it."""

from pathlib import Path

import pytest

from orchestrator.errors import StudyError
from orchestrator.planning.plan import plan_study
from orchestrator.store.ledger import Ledger
from orchestrator.study.protocol import score_rule
from orchestrator.study.reader import parse_study
from orchestrator.study.resolve import resolve
from orchestrator.study.trials import variants

STUDY = """\
study: scored
corpus: demo
protocol: {folds: 2, seeds: 1}
ROWS
"""
ROWS = "rows: [{name: One, set: {fa_layer: 1}}, {name: Other, set: {fa_layer: 2}}]"
SEARCH = "search: {axes: {lr: {low: 1e-4, high: 1e-2}}, budget: {trials: 3}}"


def text(*lines: str, rows: str = ROWS) -> str:
    return STUDY.replace("ROWS", "\n".join((*lines, rows)))


@pytest.mark.parametrize(
    ("default_profile", "settings", "rule"),
    [
        ("paper", {}, "chosen"),
        ("quick", {}, "averaged"),
        ("quick", {"profile": "paper"}, "chosen"),
        ("paper", {"profile": "quick"}, "averaged"),
        ("quick", {"score": "last"}, "last"),
        ("quick", {"score": "chosen"}, "chosen"),
        ("paper", {"score": "averaged"}, "averaged"),
    ],
)
def test_the_default_is_averaged_and_under_the_profile_of_the_paper_chosen(
    default_profile: str, settings: dict[str, str], rule: str
) -> None:
    assert score_rule(default_profile, settings) == rule


def test_averaged_weights_are_of_all_epochs_in_rows_of_any_profile() -> None:
    settings = {"training": {"epochs": 40}}
    assert resolve("quick", settings, {}).training.patience == 40
    assert resolve("quick", {}, {"profile": "paper"}).training.patience == 200
    assert resolve("quick", {"score": "chosen", **settings}, {}).training.patience == 15
    assert resolve("paper", settings, {}).training.patience == 20
    assert resolve("quick", {"score": "last"}, {"profile": "paper"}).training.patience == 20


def test_the_score_itself_is_not_in_the_id() -> None:
    """With patience equal to epochs a training serves all three."""
    found = [
        variants(parse_study(text(f"score: {score}"), "s.yaml"), "quick")
        for score in ("averaged", "chosen", "last")
    ]
    assert found[0] == found[1] == found[2]


def refused(study: str, ledger: Ledger | None = None) -> list[str]:
    """The faults of a study as line:column and sentence; read alone where no store is given."""
    with pytest.raises(StudyError) as error:
        read = parse_study(study, "s.yaml")
        if ledger is not None:
            plan_study(read, ledger)
    return [f"{f.line}:{f.column} {f.sentence}" for f in error.value.faults]


PATIENCE = (
    "`patience` must not stand beside `score: averaged`{}, which trains all epochs: leave it out, "
    "or write `score: chosen`."
)
EPOCHS = (
    "`epochs` must be 2 or more beside `score: averaged`{}, the mean over the second half of them, "
    "but is `1` instead: train longer, or write `score: last`."
)
FLAT = (
    "`search.selection: flat` chooses by dev scores, and `score: {}` has no dev speakers: write "
    "`score: chosen`, or leave `selection` out, so that the search is nested."
)
DEFAULT = " (the default with profile `quick`)"


def test_a_written_patience_is_refused_wherever_it_stands() -> None:
    row = "rows: [{name: One}, {name: Other, set: {training: {patience: 3, lr: 0.01}}}]"
    found = refused(text("score: averaged", "training: {patience: 4}", rows=row))
    assert found == [f"5:22 {PATIENCE.format('')}", f"6:62 {PATIENCE.format('')}"]
    axis = SEARCH.replace("{lr: ", "{patience: [3, 5], lr: ")
    assert refused(text("score: averaged", rows=axis)) == [f"5:27 {PATIENCE.format('')}"]


def test_one_epoch_has_no_second_half_wherever_it_stands() -> None:
    row = "rows: [{name: One}, {name: Other, set: {training: {epochs: 1}}}]"
    assert refused(text("score: averaged", rows=row)) == [f"5:60 {EPOCHS.format('')}"]
    assert refused(text("profile: quick", "training: {epochs: 1}")) == [
        f"5:20 {EPOCHS.format(DEFAULT)}"
    ]
    for axis in ("{epochs: {low: 1, high: 9}, lr: ", "{epochs: [1, 9], lr: "):
        (fault,) = refused(text("score: averaged", rows=SEARCH.replace("{lr: ", axis)))
        assert fault.endswith(EPOCHS.format(""))


@pytest.mark.parametrize("score", ["averaged", "last"])
def test_a_flat_search_has_no_dev_speakers_but_those_that_choose(score: str) -> None:
    flat = SEARCH.replace("search: {", "search: {selection: flat, ")
    (fault,) = refused(text(f"score: {score}", rows=flat))
    assert fault == f"5:21 {FLAT.format(score)}"
    parse_study(text("score: chosen", rows=flat), "s.yaml")
    parse_study(text("profile: paper", rows=flat), "s.yaml")


def test_a_default_that_follows_from_the_corpus_is_refused_by_the_plan(tmp_path: Path) -> None:
    ledger = Ledger.open(str(tmp_path / "store"))
    flat = SEARCH.replace("search: {", "search: {selection: flat, ")
    for line, rows, sentence in (
        ("training: {patience: 4}", ROWS, PATIENCE.format(DEFAULT)),
        ("training: {epochs: 1}", ROWS, EPOCHS.format(DEFAULT)),
        ("question: x", flat, FLAT.format("averaged").replace("averaged`", f"averaged`{DEFAULT}")),
    ):
        (fault,) = refused(text(line, rows=rows), ledger)
        assert fault.endswith(sentence)


@pytest.mark.parametrize("lines", [["score: chosen"], ["score: last"], ["profile: paper"]])
def test_beside_other_scores_patience_and_one_epoch_are_right(lines: list[str]) -> None:
    parse_study(text(*lines, "training: {patience: 1, epochs: 1}"), "s.yaml")


def test_a_row_has_no_score_of_its_own() -> None:
    (fault,) = refused(text(rows="rows: [{name: One, set: {score: last}}, {name: Other}]"))
    assert fault.endswith(
        "`set.score` cannot differ between rows: a table has one. Give it to a study of its own."
    )
