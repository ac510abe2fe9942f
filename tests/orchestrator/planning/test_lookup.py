from pathlib import Path

import pytest

from orchestrator.errors import LackError, RequestError
from orchestrator.planning.lookup import find_numbered, find_study, is_study_file
from orchestrator.planning.plan import plan_study
from orchestrator.store.ledger import Ledger
from orchestrator.study.reader import parse_study

STUDY = """\
study: small
table: 99
corpus: {corpus}
protocol: {{folds: 2, seeds: 1}}
rows:
  - {{name: A, set: {{fa_layer: none}}}}
  - {{name: B, set: {{fa_layer: last}}}}
"""


def written(folder: Path, corpus: str) -> str:
    path = folder / "studies" / "small.yaml"
    path.parent.mkdir()
    path.write_text(STUDY.format(corpus=corpus))
    return str(path)


def ran(ledger: Ledger) -> None:
    """Keep the snapshot of a run of the study on the demo corpus."""
    plan = plan_study(parse_study(STUDY.format(corpus="demo"), "small.yaml"), ledger)
    ledger.studies.write_snapshot("small", plan.snapshot.to_json())


def test_a_file_is_told_from_a_name(tmp_path: Path) -> None:
    bare = tmp_path / "study"
    bare.write_text("study: x")
    assert is_study_file("nowhere.yaml") and is_study_file("x.yml") and is_study_file(str(bare))
    assert not is_study_file("small")


def test_a_file_is_planned_and_a_name_is_the_last_run(tmp_path: Path) -> None:
    ledger = Ledger.open(str(tmp_path / "store"))
    ran(ledger)
    by_file = find_study(written(tmp_path, "demo"), ledger)
    assert by_file == find_study("small", ledger) and by_file.notice == ""
    with pytest.raises(RequestError, match="No study `smal` has run.*`small`"):
        find_study("smal", ledger)


def test_without_its_corpus_a_study_is_the_one_of_the_last_run(tmp_path: Path) -> None:
    ledger = Ledger.open(str(tmp_path / "store"))
    file = written(tmp_path, "ravdess")
    with pytest.raises(LackError, match="`ravdess` is not registered"):
        find_study(file, ledger)
    ran(ledger)
    found = find_study(file, ledger)
    assert found.snapshot.corpus == "demo"
    assert found.notice.startswith("`small` is shown as it last ran: The corpus `ravdess` is not")


def test_a_number_finds_files_first_and_then_what_ran(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    ledger = Ledger.open(str(tmp_path / "store"))
    with pytest.raises(RequestError, match="No study declares table 99. .* none yet"):
        find_numbered(99, None, ledger)
    ran(ledger)
    (kept,) = find_numbered(99, None, ledger)
    written(tmp_path, "demo")
    (planned,) = find_numbered(99, None, ledger)
    assert kept.snapshot == planned.snapshot
    with pytest.raises(RequestError, match="No study declares figure 99. Figures .* none yet"):
        find_numbered(None, 99, ledger)
