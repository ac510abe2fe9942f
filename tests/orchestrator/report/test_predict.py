"""``ablate predict``: a trained row on anyone's recordings."""

import csv
import io
import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from features.dataset.unlabelled import AUDIO, find_recordings
from orchestrator.errors import LackError, RequestError
from orchestrator.execution.cluster.inline import InlineCluster
from orchestrator.execution.run import run
from orchestrator.planning.status import study_statuses
from orchestrator.report.trained.predict import (
    Ensemble,
    Prediction,
    Unusable,
    assemble,
    choose_row,
    predict,
)
from orchestrator.store.attempts import read_predictions
from orchestrator.store.ledger import Ledger
from orchestrator.study.protocol import ScoreRule
from orchestrator.study.reader import parse_study
from tests.commands import execute
from tests.features.decoding.broken_files import broken, write_whole

ROW = "FA in layer 2"
MACHINES = """\
study: machines
corpus: demo
protocol: {folds: 2, seeds: 1}
rows: [{name: SVM, set: {model: svm, features: egemaps}}]
"""


@pytest.fixture
def ledger(trained_store: Path) -> Ledger:
    return Ledger.open_readonly(str(trained_store))


NETWORKS: dict[ScoreRule, int] = {"averaged": 2, "chosen": 4}
"""Score of the study -> networks of a row of two folds and one seed."""


@pytest.fixture(params=list(NETWORKS))
def ensemble(ledger: Ledger, request: pytest.FixtureRequest) -> Ensemble:
    snapshot = study_statuses(ledger, "smoke")[0].snapshot
    assert snapshot.score == "averaged"
    return assemble(ledger, replace(snapshot, score=request.param), ROW)


@pytest.fixture
def spoken(ledger: Ledger) -> dict[str, Path]:
    """Utterance's id -> its audio, for all of the corpus."""
    demo = ledger.paths.corpus_audio("demo")
    return {path.stem.rpartition("-")[0]: path for path in demo.rglob("*.wav")}


def test_the_corpus_s_own_speech_gets_the_predictions_that_the_outcomes_keep(
    ledger: Ledger, ensemble: Ensemble, spoken: dict[str, Path]
) -> None:
    stored: dict[tuple[str, int], list[float]] = {}
    for id in {voter.trial for voter in ensemble.voters}:
        outcome = ledger.outcomes.read(id)
        assert outcome is not None
        kept = read_predictions(ledger.attempts.read_file(outcome, "predictions.parquet"))
        score = ensemble.snapshot.score
        stored |= {(u, number): p for (u, number, choice), p in kept.items() if choice == score}
    assert {u for u, _ in stored} == set(spoken)
    paths = {path: u for u, path in sorted(spoken.items())[::5]}
    for answer in predict(ensemble, list(paths), threads=2):
        assert isinstance(answer, Prediction)
        assert (answer.voice, answer.voters) == ("held out", 1)
        for number, part in enumerate(answer.parts):
            wanted = stored[paths[answer.path], number]
            assert part.probabilities == pytest.approx(wanted, abs=1e-6)
        assert (paths[answer.path], len(answer.parts)) not in stored


def test_a_copy_is_known_by_its_bytes_and_on_a_stranger_every_network_votes(
    ensemble: Ensemble, spoken: dict[str, Path], tmp_path: Path
) -> None:
    copy, stranger = tmp_path / "renamed.wav", tmp_path / "stranger.wav"
    shutil.copy(spoken["female-1-angry-1"], copy)
    samples, rate = soundfile.read(copy)
    soundfile.write(stranger, samples * 0.5, rate)
    known, new = predict(ensemble, [copy, stranger])
    assert isinstance(known, Prediction) and isinstance(new, Prediction)
    assert (known.voice, known.voters) == ("held out", 1)
    assert (new.voice, new.voters) == ("new", NETWORKS[ensemble.snapshot.score])
    # The mean over networks; float32 rounds by what else is in the batch, so not to the bit.
    alone = [
        next(predict(_only(ensemble, index), [stranger])) for index in range(len(ensemble.voters))
    ]
    mean = np.mean([a.probabilities for a in alone if isinstance(a, Prediction)], axis=0)
    assert new.probabilities == pytest.approx(mean.tolist(), abs=1e-6)
    assert sum(new.probabilities) == pytest.approx(1, abs=1e-9)


def _only(ensemble: Ensemble, index: int) -> Ensemble:
    return replace(ensemble, voters=(ensemble.voters[index],))


def test_where_every_network_knows_the_voice_all_vote_and_it_is_said(
    ensemble: Ensemble, spoken: dict[str, Path]
) -> None:
    deaf = replace(
        ensemble, voters=tuple(replace(v, tested=frozenset({"x"})) for v in ensemble.voters)
    )
    (answer,) = predict(deaf, [spoken["male-2-sad-3"]])
    assert isinstance(answer, Prediction)
    assert (answer.voice, answer.voters) == ("trained on", NETWORKS[ensemble.snapshot.score])


def test_a_bad_file_is_named_and_the_others_go_on(
    ensemble: Ensemble, spoken: dict[str, Path], tmp_path: Path
) -> None:
    bad = tmp_path / "bad.wav"
    bad.write_bytes(b"no audio")
    heard: list[tuple[int, int]] = []
    files = [bad, spoken["male-1-sad-1"]]
    first, second = predict(ensemble, files, tell=lambda *n: heard.append(n))
    assert isinstance(first, Unusable) and first.reason == "text, not audio"
    assert isinstance(second, Prediction)
    assert heard == [(2, 2)]


def test_folders_are_searched_for_audio_and_nothing_else(tmp_path: Path) -> None:
    names = ("b/c/2.FLAC", "b/1.wav", "b/.hidden.wav", "b/notes.txt", "b/c/x.TXT", "b/LICENSE")
    for name in (*names, "b/3.m4a", "odd.xyz"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    found = find_recordings([tmp_path / "b", tmp_path / "odd.xyz", tmp_path / "b" / "1.wav"])
    assert [p.name for p in found.paths] == ["1.wav", "3.m4a", "2.FLAC", "odd.xyz"]
    assert found.omission == (
        "Passed over 3 files that are no recordings by their names: 2 .txt, 1 without an ending."
    )


def test_every_kind_of_audio_that_is_looked_for_is_understood(
    ensemble: Ensemble, spoken: dict[str, Path], tmp_path: Path
) -> None:
    samples, _ = soundfile.read(spoken["female-2-sad-1"])
    rate = 24_000  # not the demo's: Opus has few
    said = {
        ".opus": {"format": "OGG", "subtype": "OPUS"},
        ".oga": {"format": "OGG"},
        ".aif": {"format": "AIFF"},
        ".aifc": {"format": "AIFF", "subtype": "ULAW"},
        ".snd": {"format": "AU"},
        ".rf64": {"format": "RF64"},
        ".sph": {"format": "NIST"},
        ".nist": {"format": "NIST"},
    }
    for ending in AUDIO:
        soundfile.write(tmp_path / f"x{ending}", samples, rate, **said.get(ending, {}))
    answers = list(predict(ensemble, find_recordings([tmp_path]).paths))
    assert [type(a) for a in answers] == [Prediction] * len(AUDIO)


def test_broken_files_are_predicted_or_named(ensemble: Ensemble, tmp_path: Path) -> None:
    whole = write_whole(tmp_path / "whole")
    folder = tmp_path / "all"
    folder.mkdir()
    for number, path in enumerate(broken(whole, tmp_path / "broken", 2 * len(whole), seed=8)):
        path.rename(folder / f"{number}-{path.name}")
    paths = sorted(folder.iterdir())
    answers = list(predict(ensemble, paths, threads=2))
    assert [answer.path for answer in answers] == paths
    assert {type(answer) for answer in answers} == {Prediction, Unusable}
    assert all(answer.reason for answer in answers if isinstance(answer, Unusable))


def test_machines_on_functionals_vote_as_networks_do(store: Path, spoken: dict[str, Path]) -> None:
    study = parse_study(MACHINES, "machines.yaml")
    ledger = Ledger.open(str(store))
    run(study, ledger, InlineCluster(), lambda event: None)
    ensemble = assemble(ledger, study_statuses(ledger, "machines")[0].snapshot, "SVM")
    stored: dict[str, list[float]] = {}
    for id in {voter.trial for voter in ensemble.voters}:
        outcome = ledger.outcomes.read(id)
        assert outcome is not None
        kept = read_predictions(ledger.attempts.read_file(outcome, "predictions.parquet"))
        stored |= {u: p for (u, _, choice), p in kept.items() if choice == "averaged"}
    paths = {path: u for u, path in sorted(spoken.items())[::5]}
    for answer in predict(ensemble, list(paths), threads=2):
        assert isinstance(answer, Prediction)
        assert (answer.voice, answer.voters) == ("held out", 1)
        assert answer.probabilities == pytest.approx(stored[paths[answer.path]], abs=1e-6)


def test_a_study_of_the_last_epoch_has_no_network_that_is_kept(ledger: Ledger) -> None:
    (snapshot,) = (s.snapshot for s in study_statuses(ledger, "smoke"))
    with pytest.raises(LackError, match="scored by `score: last`, and the store has no such"):
        assemble(ledger, replace(snapshot, score="last"), ROW)


def test_a_row_must_be_named_where_there_are_several(ledger: Ledger) -> None:
    (snapshot,) = (s.snapshot for s in study_statuses(ledger, "smoke"))
    with pytest.raises(RequestError, match="must name one row of `smoke`: `No FA`, `FA in layer 2"):
        choose_row(snapshot, None)
    with pytest.raises(RequestError, match="Did you mean `No FA`"):
        choose_row(snapshot, "No F")


def test_a_row_without_a_finished_trial_names_the_command(store: Path) -> None:
    shutil.rmtree(store / "trials")
    ledger = Ledger.open_readonly(str(store))
    with pytest.raises(LackError, match="no finished trial yet: `ablate run`"):
        assemble(ledger, study_statuses(ledger, "smoke")[0].snapshot, ROW)


def test_the_command_prints_a_table_csv_and_json_and_names_what_is_unusable(
    trained_store: Path, spoken: dict[str, Path], tmp_path: Path
) -> None:
    folder = tmp_path / "speech" / "deep"
    folder.mkdir(parents=True)
    shutil.copy(spoken["female-2-happy-1"], folder / "=one.wav")
    (folder / "two.wav").write_bytes(b"RIFF")
    (folder / "three.amr").write_bytes(b"#!AMR\n" + bytes(99))
    (folder / "notes.txt").touch()
    words = [
        "predict",
        tmp_path / "speech",
        "--study",
        "smoke",
        "--row",
        ROW,
        "--segments",
        "--store",
        trained_store,
    ]
    table = execute(*words, code=1)
    assert "held out" in table.stdout
    *said, last, _ = table.stderr.splitlines()
    assert max(map(len, [*table.stdout.splitlines(), *said])) <= 80
    assert " \n" not in table.stdout + table.stderr
    assert " ".join(said) == (
        f"`{ROW}` was trained on synthesised speech (`demo`): what it says of people means "
        "nothing. Passed over 1 file that is no recording by its name: 1 .txt. 1 of 3 files are "
        "of the study's corpus: only networks that never met the "
        "speaker voted."
    )
    assert last == (
        f"unusable: {folder / 'three.amr'}: AMR, which cannot be decoded here: "
        "`ffmpeg -i NAME.amr NAME.wav` converts it"
    )
    assert table.stderr.splitlines()[-1].startswith(f"unusable: {folder / 'two.wav'}: ")
    told = json.loads(execute(*words, "--format", "json", code=1).stdout)
    (file,), (_, bad) = told["files"], told["unusable"]
    assert bad["file"] == str(folder / "two.wav")
    assert sum(file["probabilities"].values()) == pytest.approx(1)
    (row,) = csv.DictReader(io.StringIO(execute(*words, "--format", "csv", code=1).stdout))
    assert row["corpus"] == "demo" and row["voice"] == "held out"
    assert float(row["p_sad"]) == file["segments"][0]["probabilities"]["sad"]


def test_an_exported_row_loads_as_its_card_says_and_gives_the_same_weights(
    trained_store: Path, ledger: Ledger, tmp_path: Path
) -> None:
    folder = tmp_path / "mine"
    words = [
        "predict",
        "--study",
        "smoke",
        "--row",
        ROW,
        "--export",
        folder,
        "--store",
        trained_store,
    ]
    execute(*words, code=0)
    card = (folder / "README.md").read_text()
    assert "says of people means nothing" in card and "audEERING" in card
    assert "- UA " in card and " to " in card.split("- UA ")[1].splitlines()[0]
    assert " \n" not in card
    program = card.split("```python")[1].split("```")[0] + "for n in networks: print(n.std_F.sum())"
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    ensemble = assemble(ledger, study_statuses(ledger, "smoke")[0].snapshot, ROW)
    wanted = [str(voter.network.std_F.sum()) for voter in ensemble.voters]
    assert done.stdout.splitlines() == wanted and len(set(wanted)) > 1
    assert "must name a new or empty folder" in execute(*words, code=2).stderr
