"""Bytes that are not what was written: told, never repaired into other numbers."""

import json
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from features.errors import ShardDamageError
from features.shards.shard_file import open_shard
from features.shards.shards import manifests
from orchestrator.store.ledger import Ledger
from orchestrator.study.canonical import digest
from tests.faults.matrix import Matrix
from tests.faults.rounds import Begin, Rounds, said, tell


def flip(path: Path, where: float) -> None:
    """One bit, at this fraction of the file."""
    blob = bytearray(path.read_bytes())
    blob[min(int(where * len(blob)), len(blob) - 1)] ^= 1
    path.write_bytes(blob)


SHORT = [("checkpoint.json", 0.9)]
LONG = [
    (name, n / 20) for name in ("checkpoint.json", "checkpoint-2.safetensors") for n in range(20)
]


@pytest.mark.parametrize(
    ("name", "where"), [*SHORT, *(pytest.param(*c, marks=pytest.mark.faults) for c in LONG)]
)
def test_a_flipped_bit_in_a_checkpoint_costs_epochs_and_no_number(
    begin: Begin, matrix: Matrix, name: str, where: float
) -> None:
    rounds = begin()
    assert rounds.once("checkpointed:2:kill").code == -9
    (path,) = rounds.store.glob(f"trials/*/{name}")
    flip(path, where)
    rounds.to_the_end()
    judgement = rounds.judged(restarts=True)
    assert judgement.repeated == 2
    tell(matrix, "5 a bit of a checkpoint flipped", judgement)


@pytest.mark.faults
@pytest.mark.parametrize("bytes_kept", [0, 100])
@pytest.mark.parametrize("name", ["checkpoint.json", "checkpoint-2.safetensors"])
def test_a_truncated_checkpoint_costs_epochs_and_no_number(
    begin: Begin, matrix: Matrix, name: str, bytes_kept: int
) -> None:
    rounds = begin()
    assert rounds.once("checkpointed:2:kill").code == -9
    (path,) = rounds.store.glob(f"trials/*/{name}")
    path.write_bytes(path.read_bytes()[:bytes_kept])
    rounds.to_the_end()
    tell(matrix, "5 a checkpoint truncated", rounds.judged(restarts=True))


def _rewrite(path: Path, change: Callable[[dict[str, object]], object]) -> None:
    """Another record, whole by its own digest."""
    body = json.loads(path.read_bytes())["outcome"]
    change(body)
    path.write_text(json.dumps({"outcome": body, "sha256": digest(body)}))


DAMAGES: dict[str, Callable[[Path, Path], object]] = {
    "19 outcome truncated": lambda path, _: path.write_bytes(path.read_bytes()[:200]),
    "19 outcome is garbage": lambda path, _: path.write_bytes(bytes(range(256))),
    "19 outcome empty": lambda path, _: path.write_bytes(b""),
    "19 outcome: a bit flipped": lambda path, _: flip(path, 0.5),
    "19 outcome of another trial": lambda path, other: path.write_bytes(other.read_bytes()),
    "19 outcome: wrong schema": lambda path, _: _rewrite(path, lambda b: b.update(scores=7)),
    "19 outcome: older schema": lambda path, _: _rewrite(path, lambda b: b.pop("digests")),
    "19 outcome: newer schema": lambda path, _: _rewrite(path, lambda b: b.update(colour="red")),
}


@pytest.mark.faults
@pytest.mark.parametrize("row", DAMAGES)
def test_a_damaged_outcome_is_reported_and_touches_no_other(
    begin: Begin, matrix: Matrix, reference: Path, row: str
) -> None:
    rounds = begin(reference)
    one, *others = sorted(rounds.store.glob("trials/*/outcome.json"))
    before = {path: path.read_bytes() for path in others}
    DAMAGES[row](one, others[0])
    ended = rounds.once()
    assert ended.code == 4, ended
    assert before == {path: path.read_bytes() for path in others}
    one.parent.rename(rounds.store / "aside")  # as the sentence says
    rounds.log.unlink()
    rounds = Rounds(rounds.log.parent, rounds.study, rounds.store, reference)
    rounds.to_the_end()
    judgement = rounds.judged()
    assert judgement.executions == 1
    matrix.tell(row, struck=1, said=said(ended, "The outcome"))


@pytest.mark.faults
def test_two_different_results_of_one_trial_are_both_kept_and_told(
    begin: Begin, matrix: Matrix, reference: Path
) -> None:
    rounds = begin(reference)
    ledger = Ledger.open_unchecked(str(rounds.store))
    (id, *_) = (path.name for path in ledger.paths.trials.iterdir())
    outcome = ledger.outcomes.read(id)
    assert outcome is not None
    late = replace(outcome, attempt="late", digests={**outcome.digests, "weights": "0"})
    assert ledger.outcomes.commit(late) == "different"
    ended = rounds.once()
    assert ended.code == 4, ended
    assert ledger.outcomes.read(id) == outcome
    matrix.tell("33 two different results of one trial", struck=1, said=said(ended, "different"))


SHARD = {
    "20 a bit of a shard flipped": lambda path: flip(path, 0.5),
    "20 a shard truncated": lambda path: path.write_bytes(path.read_bytes()[:-8]),
    "21 a shard replaced by another": lambda path: path.write_bytes(
        next(p for p in sorted(path.parent.glob("*.arrow")) if p != path).read_bytes()
    ),
}


@pytest.mark.faults
@pytest.mark.parametrize("row", SHARD)
def test_nothing_is_trained_on_a_damaged_shard(begin: Begin, matrix: Matrix, row: str) -> None:
    rounds = begin()
    SHARD[row](sorted(rounds.store.glob("shards/*.arrow"))[0])
    ended = rounds.once()
    if ended.code == 0:  # another size: seen by the plan, and built anew
        assert row == "20 a shard truncated"
        matrix.tell(row, struck=1, said="(built anew)")
    else:
        assert ended.code == 1 and not list(rounds.store.glob("trials/*/outcome.json")), ended
        matrix.tell(row, struck=1, said=said(ended, "FAILED"))
        verified = rounds.once(words=("features", "verify", str(rounds.study), "--repair"))
        assert verified.code == 0 and "Repaired." in verified.said, verified
    rounds.to_the_end()
    rounds.judged()


@pytest.mark.faults
def test_a_missing_shard_is_built_anew(begin: Begin, matrix: Matrix) -> None:
    rounds = begin()
    sorted(rounds.store.glob("shards/*.arrow"))[0].unlink()
    rounds.to_the_end()
    rounds.judged()
    matrix.tell("20 a shard missing", struck=1, said="(built anew)")


@pytest.mark.faults
@pytest.mark.parametrize("n", range(40))
def test_each_flipped_bit_of_a_shard_is_refused(
    begin: Begin, matrix: Matrix, ready: Path, tmp_path: Path, n: int
) -> None:
    rounds = begin()
    folder = rounds.store / "shards"
    (key, manifest), *_ = manifests(folder)
    flip(folder / manifest["file"], n / 40)
    with pytest.raises(ShardDamageError, match="is not what was written"):
        open_shard(folder, key)
    matrix.tell("20 forty bits of a shard flipped", struck=1)


@pytest.mark.faults
def test_a_shard_edited_in_place_during_a_training_is_noticed_before_the_record(
    begin: Begin, matrix: Matrix
) -> None:
    """All who have mapped the file see the edit: what they read since reaches no checkpoint."""
    rounds = begin()
    round = rounds.start("epoch:2:stop")
    rounds.wait_for("fired")
    for path in rounds.store.glob("shards/*.arrow"):
        flip_in_place(path)
    round.send(signal.SIGCONT)
    ended = round.ended()
    assert ended.code == 1 and not list(rounds.store.glob("trials/*/outcome.json")), ended
    matrix.tell("22 a shard edited during a training", struck=1, said=said(ended, "FAILED"))
    verified = rounds.once(words=("features", "verify", str(rounds.study), "--repair"))
    assert verified.code == 0 and "Repaired." in verified.said, verified
    rounds.to_the_end()
    rounds.judged()


def flip_in_place(path: Path) -> None:
    with open(path, "r+b") as file:
        file.seek(path.stat().st_size // 2)
        byte = file.read(1)[0]
        file.seek(-1, 1)
        file.write(bytes([byte ^ 0x40]))
