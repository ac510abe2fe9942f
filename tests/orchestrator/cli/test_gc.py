"""``ablate gc``: it shows what nobody needs, removes it after a yes, and nothing else."""

import json
import os
import pty
import shutil
import subprocess
import threading
import time
from pathlib import Path

import pytest

from orchestrator.execution.cluster.inline import InlineCluster
from orchestrator.execution.events import Event, Note
from orchestrator.execution.run import run
from orchestrator.store import gc
from orchestrator.store.files import create_once
from orchestrator.store.leases import acquire
from orchestrator.store.ledger import Ledger
from orchestrator.study.reader import read_study
from tests.commands import ABLATE, ablate


@pytest.fixture
def store(trained_store: Path, tmp_path: Path) -> Path:
    """A copy without links: its files are made older, recordings too."""
    return shutil.copytree(trained_store, tmp_path / "store")


@pytest.fixture
def ledger(store: Path) -> Ledger:
    """The trained store as it is two hours later."""
    for path in store.rglob("*"):
        os.utime(path, (time.time() - 7200,) * 2)
    return Ledger.open(str(store))


def files_of(ledger: Ledger) -> dict[str, bytes]:
    root = Path(str(ledger.root))
    return {str(p.relative_to(root)): p.read_bytes() for p in root.rglob("*") if p.is_file()}


def forget_study(ledger: Ledger) -> None:
    for path in Path(str(ledger.root), "studies").iterdir():
        path.unlink()


def unneeded(ledger: Ledger, *words: str) -> dict[str, str]:
    told = json.loads(ablate("gc", "--json", "--store", str(ledger.root), *words))
    return {waste["name"]: waste["kind"] for waste in told["unneeded"]}


def test_what_a_snapshot_names_is_never_removed(ledger: Ledger) -> None:
    before = files_of(ledger)
    assert ablate("gc", "--yes", "--store", ledger.root) == "Nothing is unneeded.\n"
    assert files_of(ledger) == before


def test_without_a_yes_nothing_is_removed(ledger: Ledger) -> None:
    forget_study(ledger)
    before = files_of(ledger)
    said = ablate("gc", "--store", ledger.root)
    assert said.endswith("Nothing was removed; `--yes` removes it.\n")
    assert "no study asks for it" in said and max(map(len, said.splitlines())) <= 80
    assert files_of(ledger) == before


def test_what_no_snapshot_names_goes_with_its_folders(ledger: Ledger) -> None:
    corpora = {n for n in files_of(ledger) if n.startswith("corpora/")}
    forget_study(ledger)
    assert "Removed: " in ablate("gc", "--yes", "--store", ledger.root)
    assert set(files_of(ledger)) == corpora | {"store.json"}
    assert list(Path(str(ledger.paths.trials)).iterdir()) == []


@pytest.mark.parametrize(("answer", "removed"), [("y", True), ("n", False), ("", False)])
def test_on_a_terminal_it_asks(ledger: Ledger, answer: str, removed: bool) -> None:
    forget_study(ledger)
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [str(ABLATE), "gc", "--store", str(ledger.root)],
        stdin=theirs,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        os.write(ours, f"{answer}\n".encode())
        said = process.communicate(timeout=60)[0]
    os.close(ours)
    os.close(theirs)
    assert "Remove it? [y/N]" in said
    assert ("Removed: " in said) == removed
    assert (list(Path(str(ledger.paths.trials)).iterdir()) == []) == removed


def test_earlier_forms_of_a_study_count_unless_the_newest_is_enough(
    ledger: Ledger, root: Path, tmp_path: Path
) -> None:
    (snapshot,) = ledger.studies.snapshots("smoke")
    fewer = tmp_path / "smoke.yaml"
    text = (root / "studies" / "smoke.yaml").read_text()
    fewer.write_text(text.replace("  - {name: FA in layer 2, set: {fa_layer: 2}}\n", ""))
    result = run(read_study(fewer), ledger, InlineCluster(), lambda event: None)
    assert result.trained == 0
    assert unneeded(ledger) == {}
    gone = {f"trials/{t.id}" for t in snapshot.trials if t.row != "No FA"}
    found = unneeded(ledger, "--keep-newest")
    assert {n for n, kind in found.items() if kind == "trial"} == gone
    assert [kind for kind in found.values() if kind != "trial"] == ["snapshot"]
    ablate("gc", "--yes", "--keep-newest", "--store", ledger.root)
    assert unneeded(ledger, "--keep-newest") == {}
    assert result == run(read_study(fewer), ledger, InlineCluster(), lambda event: None)


def test_what_somebody_holds_is_left_alone(ledger: Ledger) -> None:
    forget_study(ledger)
    here, there, *_ = sorted(path.name for path in Path(str(ledger.paths.trials)).iterdir())
    claim = acquire(ledger.paths.lease_file(here))
    assert claim is not None
    create_once(ledger.paths.lease_file(there), json.dumps({"owner": "x", "host": "far"}).encode())
    try:
        said = ablate("gc", "--yes", "--store", ledger.root)
    finally:
        claim.release()
    assert f"Left alone: Trial {there[:12]} is held by a process on far." in said
    assert f"Left alone: Trial {here[:12]} is held by a process on {os.uname().nodename}." in said
    assert {path.name for path in Path(str(ledger.paths.trials)).iterdir()} == {here, there}
    assert ledger.outcomes.has(here) and ledger.outcomes.has(there)


def test_leavings_of_the_dead_go_and_what_may_be_on_its_way_stays(ledger: Ledger) -> None:
    ids = sorted(path.name for path in Path(str(ledger.paths.trials)).iterdir())
    done, undone = (Path(str(ledger.paths.trial_folder(id))) for id in ids[:2])
    (undone / "outcome.json").rename(undone / "kept-aside")
    dead = {"owner": "x", "host": os.uname().nodename, "boot": "another"}
    old = {
        done / "claim.json": json.dumps(dead),
        done / "checkpoint.json": "{}",
        done / "checkpoint-3.safetensors": "",
        done / "attempt-dead" / "log.txt": "",
        undone / "checkpoint-3.safetensors": "",
        done / ".outcome.json.0123456789ab.tmp": "",
        Path(str(ledger.paths.local_shards)) / ".0123.arrow.123.01234567": "",
    }
    kept = {
        undone / "checkpoint.json": json.dumps(
            {"checkpoint": {"file": "checkpoint-4.safetensors"}}
        ),
        undone / "checkpoint-4.safetensors": "",
        done / "attempt-asked" / "rerun.json": "{}",
        done / "notes-of-mine.txt": "",
    }
    young = {done / "attempt-new" / "log.txt": "", done / ".x.0123456789ab.tmp": ""}
    for path, text in {**old, **kept, **young}.items():
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        if path not in young:
            os.utime(path, (time.time() - 7200,) * 2)
    found = unneeded(ledger)
    written = next(p for p in undone.glob("attempt-*"))  # no record names it any more
    root = Path(str(ledger.root))
    wanted = {str(p.relative_to(root)) for p in old if p.parent.name != "attempt-dead"}
    wanted |= {str((done / "attempt-dead").relative_to(root)), str(written.relative_to(root))}
    assert set(found) == wanted
    assert sorted(set(found.values())) == ["attempt", "checkpoint", "claim", "temporary"]
    ablate("gc", "--yes", "--store", ledger.root)
    assert not any(path.exists() for path in old)
    assert all(path.exists() for path in (*kept, *young))
    assert not (done / "attempt-dead").exists() and ledger.outcomes.has(ids[0])


def test_the_nonce_of_a_run_stays_for_as_long_as_a_run_may_last(ledger: Ledger) -> None:
    root, day = Path(str(ledger.root)), 86400
    for name, days in ((".nonce-0123456789ab", 20), (".nonce-ba9876543210", 40)):
        (root / name).write_text("")
        os.utime(root / name, (time.time() - days * day,) * 2)
    assert unneeded(ledger) == {".nonce-ba9876543210": "temporary"}


def test_features_of_an_unfinished_study_are_kept_and_where_it_cannot_be_told_all_are(
    ledger: Ledger,
) -> None:
    for path in Path(str(ledger.paths.trials)).iterdir():
        shutil.rmtree(path)
    assert unneeded(ledger) == {}
    for path in Path(str(ledger.root), "selections").iterdir():
        path.write_text("{}")
    said = ablate("gc", "--store", ledger.root)
    assert "Left alone: Shards and selections: the selection " in " ".join(said.split())


def test_damage_stops_it(ledger: Ledger) -> None:
    before = set(files_of(ledger))
    (path,) = Path(str(ledger.root), "studies").iterdir()
    path.write_text("{}")
    assert "is not what was written" in ablate("gc", "--yes", "--store", ledger.root, code=4)
    assert set(files_of(ledger)) == before


def test_links_are_not_followed(ledger: Ledger, tmp_path: Path) -> None:
    """Neither a folder of the store that leads elsewhere, nor one inside a trial."""
    forget_study(ledger)
    (photos := tmp_path / "photos").mkdir()
    for name in ("0" * 32 + ".json", "precious.jpg"):
        (photos / name).write_text("mine")
        os.utime(photos / name, (0, 0))
    shutil.rmtree(str(ledger.paths.local_shards))
    Path(str(ledger.paths.local_shards)).symlink_to(photos)
    trial = next(Path(str(ledger.paths.trials)).iterdir())
    (trial / "attempt-link").symlink_to(photos)
    said = ablate("gc", "--yes", "--store", ledger.root)
    assert "`shards` is a link: it is not looked into." in said
    assert {p.name for p in photos.iterdir()} == {"0" * 32 + ".json", "precious.jpg"}
    assert not trial.exists()


def test_a_run_that_starts_meanwhile_waits_and_counts_only_what_is_left(
    ledger: Ledger, root: Path
) -> None:
    """Its plan found four trials done; `gc` saw no snapshot and took one before it was written."""
    study = read_study(root / "studies" / "smoke.yaml")
    claim = acquire(ledger.paths.gc_lease)
    assert claim is not None
    lost = sorted(path.name for path in Path(str(ledger.paths.trials)).iterdir())[0]
    said: list[str] = []

    def hear(event: Event) -> None:
        if isinstance(event, Note):
            said.append(event.sentence)
            if event.sentence.startswith("Waiting: `ablate gc`"):
                (ledger.paths.trial_folder(lost) / "outcome.json").unlink()
                threading.Timer(0.5, claim.release).start()

    result = run(study, ledger, InlineCluster(), hear)
    assert any(s.startswith("Waiting: `ablate gc`") for s in said)
    assert result.trained == 1 and ledger.outcomes.has(lost)


def test_what_became_needed_between_the_look_and_the_yes_stays(ledger: Ledger, root: Path) -> None:
    study = read_study(root / "studies" / "smoke.yaml")
    forget_study(ledger)
    shown = gc.scan(ledger)
    assert len(shown.unneeded) == 15
    run(study, ledger, InlineCluster(), lambda event: None)
    assert gc.remove(ledger, shown).unneeded == ()
    claim = acquire(ledger.paths.gc_lease)
    assert claim is not None
    assert "Another `ablate gc` is at work" in _refused(ledger, shown)
    claim.release()


def _refused(ledger: Ledger, shown: gc.GcScan) -> str:
    from orchestrator.errors import RequestError

    with pytest.raises(RequestError) as raised:
        gc.remove(ledger, shown)
    return str(raised.value)
