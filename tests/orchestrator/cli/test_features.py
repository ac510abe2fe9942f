"""``ablate features`` and ``--allow-config``, in processes of their own."""

import json
import shutil
from pathlib import Path

import opensmile
import pytest
from typer.testing import CliRunner

from features.errors import ShardDamageError
from orchestrator.cli.app import app
from tests.commands import ablate
from tests.tiny_study import Tiny

EMOBASE = Path(opensmile.__file__).parent / "core/config/emobase/emobase.conf"


@pytest.fixture
def smoke(root: Path) -> Path:
    return root / "studies" / "smoke.yaml"


@pytest.fixture
def own(tiny: Tiny, tmp_path: Path) -> Path:
    """The tiny study beside a configuration of its own."""
    (tmp_path / "own.conf").write_bytes(EMOBASE.read_bytes())
    study = tmp_path / "own.yaml"
    study.write_text(tiny.study.read_text() + "features: opensmile:own.conf\n")
    return study


def test_the_sets_are_listed() -> None:
    listed = ablate("features", "list")
    assert all(name in listed for name in ("lld78", "is10", "lld35", "logmel128", "--allow-config"))


def test_built_features_train_and_whole_ones_verify(smoke: Path, store: Path) -> None:
    assert "shards, 10 whole." in ablate("features", "verify", smoke, "--store", store)
    assert "10 shards, 10 whole." in ablate("features", "verify", "--store", store)
    assert "are in" in ablate("features", "build", smoke, "--store", store)


def test_damage_is_named_with_exit_4_and_repaired_alone(smoke: Path, store: Path) -> None:
    shards = sorted((store / "shards").glob("*.arrow"))
    flipped, cut, gone = shards[:3]
    data = bytearray(flipped.read_bytes())
    data[1000] ^= 4
    flipped.write_bytes(data)
    cut.write_bytes(cut.read_bytes()[:1000])
    gone.unlink()
    times = {path: path.stat().st_mtime_ns for path in shards[3:]}
    said = ablate("features", "verify", smoke, "--store", store, code=4)
    assert f"damaged: {flipped.name} is not what was written" in said
    assert f"damaged: {cut.name} has 1000 bytes" in said
    assert f"missing: {gone.name} is missing" in said
    assert "10 shards, 7 whole." in said
    assert "must know what to build" in ablate(
        "features", "verify", "--repair", "--store", store, code=2
    )
    said = ablate("features", "verify", smoke, "--repair", "--store", store)
    assert said.splitlines()[-1] == "Repaired."
    assert {path: path.stat().st_mtime_ns for path in times} == times
    assert "10 shards, 10 whole." in ablate("features", "verify", smoke, "--store", store)


def test_a_configuration_runs_with_leave_only(own: Path, tiny: Tiny, tmp_path: Path) -> None:
    made = shutil.ignore_patterns("shards", "selections", "trials", "studies")
    store = shutil.copytree(tiny.store, tmp_path / "own-store", ignore=made)
    for command in (["plan"], ["run"], ["features", "build"]):
        said = ablate(*command, own, "--store", store, code=2)
        assert "`features` may be `opensmile:own.conf` only with `--allow-config`" in said
    for command in (["run"], ["features", "build"]):
        said = ablate(*command, own, "--allow-config", "--address", "auto", code=2)
        assert "`--allow-config` must not stand with `--address`" in said
    said = ablate("run", own, "--store", store, "--allow-config", "--inline")
    assert "4 trained" in said
    assert str(tmp_path).encode() not in b"".join(
        path.read_bytes() for path in (store / "trials").rglob("outcome.json")
    )
    (own.parent / "own.conf").rename(own.parent / "elsewhere.conf")
    own.write_text(own.read_text().replace("own.conf", "elsewhere.conf"))
    assert "nothing to train" in ablate("run", own, "--store", store, "--allow-config", "--inline")


def test_a_study_of_a_configuration_is_reported_without_leave(own: Path, tiny: Tiny) -> None:
    assert "Table 98" in ablate("report", own, "--store", tiny.store)


def test_a_repair_says_what_it_deleted_and_did_not_rebuild(smoke: Path, store: Path) -> None:
    shard = min((store / "shards").glob("*.arrow"))
    alien = "f" * 32
    manifest = json.loads((store / "shards" / f"{shard.name[:32]}.json").read_text())
    shutil.copy(shard, store / "shards" / f"{alien}.{shard.name[33:45]}.arrow")
    manifest |= {"key": alien, "file": f"{alien}.{shard.name[33:45]}.arrow", "sha256": "0" * 64}
    (store / "shards" / f"{alien}.json").write_text(json.dumps(manifest))
    said = ablate("features", "verify", smoke, "--store", store, "--repair")
    assert f"{alien} is of another study: `ablate run` of that one builds it anew." in said


def test_a_repair_says_that_it_did_nothing_where_recordings_have_changed(
    smoke: Path, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A corpus that is synthesised is described anew from its recipes, so one refusal is said."""
    gone = min((store / "shards").glob("*.arrow"))
    gone.unlink()
    before = sorted((store / "shards").iterdir())

    def refuse(*words: object, **more: object) -> None:
        raise ShardDamageError("a.wav has changed: restore it.")

    monkeypatch.setattr("features.corpora.catalogue.refresh", refuse)
    words = ["features", "verify", str(smoke), "--store", str(store), "--repair"]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 4
    assert "audio: a.wav has changed: restore it." in done.output
    assert "Nothing was repaired: recordings have changed." in done.output
    told = CliRunner().invoke(app, [*words, "--json"])
    assert json.loads(told.stdout)["deleted"] == []
    assert "Nothing was repaired" in told.stderr
    assert sorted((store / "shards").iterdir()) == before


def test_missing_features_come_with_their_remedy(smoke: Path, store: Path) -> None:
    shutil.rmtree(store / "shards")
    said = ablate("features", "verify", smoke, "--store", store, code=4)
    assert f"`ablate features build {smoke}` makes what is missing." in said


def test_a_configuration_that_writes_files_is_refused_at_its_place(own: Path, tiny: Tiny) -> None:
    with (own.parent / "own.conf").open("a") as file:
        file.write("\n[componentInstances:cComponentManager]\ninstance[x].type=cCsvSink\n")
    said = ablate("plan", own, "--store", tiny.store, "--allow-config", code=2)
    assert "own.yaml:" in said and "`cCsvSink` is refused" in said


def test_an_utterance_or_a_file_is_drawn(store: Path, tmp_path: Path) -> None:
    """Both in this process, since to import librosa takes as long as to draw twice."""
    wav = next((store / "corpora").rglob("female-1-sad-1-*.wav"))
    for what, name in (("female-1-sad-1", "female-1-sad-1"), (wav, wav.name)):
        words = ["features", "show", what, "-o", tmp_path / "a.png", "--store", store]
        done = CliRunner().invoke(app, list(map(str, words)))
        assert done.exit_code == 0 and done.output.startswith(f"Drew {name} ("), done.output
        assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("words", "sentence", "code"),
    [
        (["femal-1-sad-1"], "is neither instead: did you mean `female-1-sad-1`?", 2),
        (["x.wav", "--corpus", "dmo"], "The corpus `dmo` is not registered", 3),
        (["README.md"], "cannot (text, not audio)", 2),
        (["female-1-sad-1", "--features", "lld7"], "`features` must be one of `lld78`", 2),
        (["female-1-sad-1", "-o", "a.gif"], "`--output` must end in one of", 2),
    ],
)
def test_what_cannot_be_drawn_is_refused(
    store: Path, root: Path, tmp_path: Path, words: list[str], sentence: str, code: int
) -> None:
    words = [str(root / w) if w == "README.md" else w for w in words]
    picture = [] if "-o" in words else ["-o", str(tmp_path / "a.png")]
    said = ablate("features", "show", *words, *picture, "--store", store, code=code)
    assert sentence in said and not (tmp_path / "a.png").exists()
